# SPDX-License-Identifier: Apache-2.0
# The loader. zig brings its own libc stubs, so that the result refers to no
# symbol newer than glibc 2.17, whatever this machine runs.

file(GLOB loader_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/loader/*.c")
file(GLOB loader_headers CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/loader/*.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/include/*.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/../falcopy_sdk/abi/*.h")
if(NOT loader_sources)
  return()
endif()

set(loader_link_flags -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now)

if(FALCOPY_SANITIZE)
  # gcc's sanitizers: zig does not carry the AddressSanitizer runtime.
  add_library(loader MODULE ${loader_sources})
  set_target_properties(loader PROPERTIES PREFIX "" OUTPUT_NAME "loader-${native_arch}")
  target_include_directories(loader PRIVATE ${include_dirs})
  target_compile_definitions(loader PRIVATE _GNU_SOURCE)
  target_compile_options(loader PRIVATE ${common_flags} ${sanitize_flags})
  target_link_options(loader PRIVATE ${loader_link_flags} ${sanitize_flags})
  find_package(Threads REQUIRED)
  target_link_libraries(loader PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  install(TARGETS loader LIBRARY DESTINATION runtime)
  return()
endif()

execute_process(
  COMMAND "${Python_EXECUTABLE}" -m ziglang version
  RESULT_VARIABLE zig_result OUTPUT_VARIABLE zig_version ERROR_VARIABLE zig_error
  OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT zig_result EQUAL 0)
  message(FATAL_ERROR
    "The loader is compiled by zig, and ${Python_EXECUTABLE} cannot run it:\n${zig_error}\n"
    "Install it into that Python: ${Python_EXECUTABLE} -m pip install 'ziglang>=0.15,<1'")
endif()
message(STATUS "zig ${zig_version} compiles the loader for: ${FALCOPY_MACHINES}")

set(loader_include_flags ${include_dirs})
list(TRANSFORM loader_include_flags PREPEND "-I")
set(loaders)
foreach(arch IN LISTS FALCOPY_MACHINES)
  if(NOT arch MATCHES "^(x86_64|aarch64)$")
    message(FATAL_ERROR "FALCOPY_MACHINES: there is no loader for '${arch}'; "
      "known are x86_64 and aarch64")
  endif()
  set(loader "${CMAKE_CURRENT_BINARY_DIR}/loader-${arch}.so")
  add_custom_command(
    OUTPUT "${loader}"
    # The cache stays in the build folder: a build needs no home directory.
    COMMAND "${CMAKE_COMMAND}" -E env
      "ZIG_GLOBAL_CACHE_DIR=${CMAKE_CURRENT_BINARY_DIR}/zig-cache"
      "ZIG_LOCAL_CACHE_DIR=${CMAKE_CURRENT_BINARY_DIR}/zig-cache"
      "${Python_EXECUTABLE}" -m ziglang cc -target "${arch}-linux-gnu.2.17"
      ${common_flags} -O2 -g0 -fno-sanitize=all -fno-lto -shared -fPIC -s -D_GNU_SOURCE
      ${loader_include_flags} ${loader_sources} ${loader_link_flags}
      -lpthread -ldl -o "${loader}"
    DEPENDS ${loader_sources} ${loader_headers}
    COMMENT "Compiling the ${arch} loader"
    COMMAND_EXPAND_LISTS VERBATIM)
  list(APPEND loaders "${loader}")
endforeach()
add_custom_target(loaders ALL DEPENDS ${loaders})
install(PROGRAMS ${loaders} DESTINATION runtime)
