# How drover's targets are made. drover_library(NAME SOURCES... LINK ...): a static library with the
# project's warnings. drover_test(NAME LABEL SOURCES... LINK ...): a Catch2 program whose test cases
# are listed by ctest under LABEL.

add_library(drover_options INTERFACE)
target_include_directories(drover_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(drover_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
# g++ 12 takes the inactive members of a std::variant for uninitialised reads once it optimises;
# the sanitizer build looks for the real ones.
target_compile_options(drover_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(DROVER_WERROR)
  target_compile_options(drover_options INTERFACE -Werror)
endif()
target_compile_definitions(drover_options INTERFACE DROVER_VERSION="${PROJECT_VERSION}"
  ASIO_STANDALONE ASIO_NO_DEPRECATED)
if(DROVER_SANITIZE)
  target_compile_options(drover_options INTERFACE -fsanitize=${DROVER_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(drover_options INTERFACE -fsanitize=${DROVER_SANITIZE})
endif()

function(drover_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC drover_options ${arg_LINK})
endfunction()

function(drover_test name label)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE drover_catch ${arg_LINK})
  add_test(NAME ${name} COMMAND ${name} --order lex)
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 300)
endfunction()
