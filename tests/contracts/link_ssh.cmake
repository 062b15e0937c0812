add_library(drover_test_sshd STATIC ${CMAKE_SOURCE_DIR}/tests/support/test_sshd.cpp
  ${CMAKE_SOURCE_DIR}/tests/support/run_program.cpp)
target_link_libraries(drover_test_sshd PUBLIC drover_options)

drover_test(link_ssh_contract_test contracts
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/link_ssh_contract_test.cpp
  LINK drover_link_contract drover_link_ssh drover_test_sshd)
target_compile_definitions(link_ssh_contract_test PRIVATE
  ECHO_AGENT="$<TARGET_FILE:link_echo_agent>")
add_dependencies(link_ssh_contract_test link_echo_agent)
