# Debian's libcaf-dev 0.17.6 ships no CMake config; the target names are those of CAF 0.18.
find_path(CAF_INCLUDE_DIR NAMES caf/config.hpp)
if(CAF_INCLUDE_DIR)
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" _v REGEX "^#define CAF_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+$" _v "${_v}")
  math(EXPR _major "${_v} / 10000")
  math(EXPR _minor "${_v} / 100 % 100")
  math(EXPR _patch "${_v} % 100")
  set(CAF_VERSION "${_major}.${_minor}.${_patch}")
endif()
find_library(CAF_core_LIBRARY NAMES caf_core)
if(CAF_INCLUDE_DIR AND CAF_core_LIBRARY)
  set(CAF_core_FOUND TRUE)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF
  REQUIRED_VARS CAF_INCLUDE_DIR CAF_core_LIBRARY VERSION_VAR CAF_VERSION HANDLE_COMPONENTS)
if(CAF_core_FOUND AND NOT TARGET CAF::core)
  add_library(CAF::core UNKNOWN IMPORTED) # imported, so its headers are SYSTEM
  set_target_properties(CAF::core PROPERTIES IMPORTED_LOCATION "${CAF_core_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}" INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
