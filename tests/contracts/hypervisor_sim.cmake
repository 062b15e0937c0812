# Included after hypervisor.cmake; a target's name is enough for CMake.
drover_test(hypervisor_sim_contract_test contracts
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/hypervisor_sim_contract_test.cpp
  LINK drover_hypervisor_contract drover_hypervisor)
