# SPDX-License-Identifier: Apache-2.0
# The loader: a plugin's own file, around the payload.

file(GLOB loader_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/loader/*.c")
file(GLOB loader_headers CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/loader/*.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/include/*.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/../falcopy_sdk/abi/*.h")
if(NOT loader_sources)
  return()
endif()

if(FALCOPY_SANITIZE)
  # gcc's sanitizers: zig does not carry the AddressSanitizer runtime.
  add_library(loader MODULE ${loader_sources})
  set_target_properties(loader PROPERTIES PREFIX "" OUTPUT_NAME "loader-${native_arch}")
  target_include_directories(loader PRIVATE ${include_dirs})
  target_compile_definitions(loader PRIVATE _GNU_SOURCE)
  target_compile_options(loader PRIVATE ${common_flags} ${sanitize_flags})
  target_link_options(loader PRIVATE
    -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now ${sanitize_flags})
  find_package(Threads REQUIRED)
  target_link_libraries(loader PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  install(TARGETS loader LIBRARY DESTINATION runtime)
  return()
endif()

set(loader_include_flags ${include_dirs})
list(TRANSFORM loader_include_flags PREPEND "-I")
set(loaders)
foreach(arch IN LISTS FALCOPY_MACHINES)
  set(loader "${CMAKE_CURRENT_BINARY_DIR}/loader-${arch}.so")
  zig_library("${loader}" "${arch}" COMMENT "Compiling the ${arch} loader"
    SOURCES ${loader_sources} HEADERS ${loader_headers} FLAGS ${loader_include_flags})
  list(APPEND loaders "${loader}")
endforeach()
add_custom_target(loaders ALL DEPENDS ${loaders})
install(PROGRAMS ${loaders} DESTINATION runtime)
