add_library(drover_store_contract STATIC
  ${CMAKE_CURRENT_LIST_DIR}/store_contract.cpp
  ${CMAKE_CURRENT_LIST_DIR}/store_contract_order.cpp)
target_link_libraries(drover_store_contract PUBLIC drover_catch drover_store)

drover_test(store_pmxcfs_contract_test contracts
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/store_pmxcfs_contract_test.cpp
  LINK drover_store_contract)

drover_test(store_sim_contract_test contracts
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/store_sim_contract_test.cpp
  LINK drover_store_contract)

drover_test(store_lagging_contract_test contracts
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/store_lagging_contract_test.cpp
  LINK drover_store_contract)

add_library(drover_etcd_cluster STATIC ${CMAKE_CURRENT_LIST_DIR}/etcd_cluster.cpp)
target_link_libraries(drover_etcd_cluster PUBLIC drover_store_contract)
drover_test(store_etcd_contract_test contracts
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/store_etcd_contract_test.cpp
  LINK drover_etcd_cluster)

if(fuse3_FOUND)
  drover_test(store_mounted_contract_test contracts
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/store_mounted_contract_test.cpp
    LINK drover_store_contract drover_mounted_store)
  set_tests_properties(store_mounted_contract_test PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED: ")
endif()
