add_library(drover_hypervisor_contract STATIC
  ${CMAKE_CURRENT_LIST_DIR}/hypervisor_contract.cpp
  ${CMAKE_CURRENT_LIST_DIR}/hypervisor_contract_streams.cpp)
target_link_libraries(drover_hypervisor_contract PUBLIC drover_catch drover_base drover_wire)
add_executable(relay_program ${CMAKE_CURRENT_LIST_DIR}/../support/relay_program.cpp)
target_link_libraries(relay_program PRIVATE drover_hypervisor)
target_compile_definitions(drover_hypervisor_contract PUBLIC
  DROVER_RELAY_PROGRAM="$<TARGET_FILE:relay_program>")
add_dependencies(drover_hypervisor_contract relay_program)

# Real QEMUs, so the rung is `system`.
drover_test(hypervisor_qemu_contract_test system
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/hypervisor_qemu_contract_test.cpp
  LINK drover_hypervisor_contract drover_hypervisor)
