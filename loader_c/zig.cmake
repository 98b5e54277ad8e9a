# SPDX-License-Identifier: Apache-2.0
# What goes into plugins is compiled by zig: it brings its own libc stubs, so that the result refers
# to no symbol newer than glibc 2.17, whatever this machine runs.

execute_process(
  COMMAND "${Python_EXECUTABLE}" -m ziglang version
  RESULT_VARIABLE zig_result OUTPUT_VARIABLE zig_version ERROR_VARIABLE zig_error
  OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT zig_result EQUAL 0)
  message(FATAL_ERROR
    "What goes into plugins is compiled by zig, and ${Python_EXECUTABLE} cannot run it:\n"
    "${zig_error}\n"
    "Install it into that Python: ${Python_EXECUTABLE} -m pip install 'ziglang>=0.15,<1'")
endif()
message(STATUS "zig ${zig_version} compiles for: ${FALCOPY_MACHINES}")

foreach(arch IN LISTS FALCOPY_MACHINES)
  if(NOT arch MATCHES "^(x86_64|aarch64)$")
    message(FATAL_ERROR "FALCOPY_MACHINES: plugins are not built for '${arch}'; "
      "known are x86_64 and aarch64")
  endif()
endforeach()

# zig_library(<output> <arch> COMMENT <text> SOURCES … HEADERS … FLAGS …)
function(zig_library output arch)
  cmake_parse_arguments(PARSE_ARGV 2 library "" "COMMENT" "SOURCES;HEADERS;FLAGS")
  add_custom_command(
    OUTPUT "${output}"
    # The cache stays in the build folder: a build needs no home directory.
    COMMAND "${CMAKE_COMMAND}" -E env
      "ZIG_GLOBAL_CACHE_DIR=${CMAKE_CURRENT_BINARY_DIR}/zig-cache"
      "ZIG_LOCAL_CACHE_DIR=${CMAKE_CURRENT_BINARY_DIR}/zig-cache"
      "${Python_EXECUTABLE}" -m ziglang cc -target "${arch}-linux-gnu.2.17"
      ${common_flags} -O2 -g0 -fno-sanitize=all -fno-lto -shared -fPIC -s -D_GNU_SOURCE
      ${library_FLAGS} ${library_SOURCES} -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now
      -lpthread -ldl -o "${output}"
    DEPENDS ${library_SOURCES} ${library_HEADERS}
    COMMENT "${library_COMMENT}"
    COMMAND_EXPAND_LISTS VERBATIM)
endfunction()
