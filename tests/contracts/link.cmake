add_executable(link_echo_agent ${CMAKE_CURRENT_LIST_DIR}/link_echo_agent.cpp)
target_link_libraries(link_echo_agent PRIVATE drover_options)

add_library(drover_link_contract STATIC ${CMAKE_CURRENT_LIST_DIR}/link_contract.cpp)
target_link_libraries(drover_link_contract PUBLIC drover_catch drover_link)

drover_test(link_process_contract_test contracts
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/link_process_contract_test.cpp
  LINK drover_link_contract)
target_compile_definitions(link_process_contract_test PRIVATE
  ECHO_AGENT="$<TARGET_FILE:link_echo_agent>")
add_dependencies(link_process_contract_test link_echo_agent)

drover_test(link_sim_contract_test contracts
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/link_sim_contract_test.cpp
  LINK drover_link_contract)
