# SPDX-License-Identifier: Apache-2.0
# The bridge: an ordinary CPython extension module, not linked to libpython here
# (falcopy build adds the bundle's own one).

file(GLOB bridge_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/bridge/*.c")
file(GLOB bridge_headers CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/bridge/*.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/include/*.h"
  "${CMAKE_CURRENT_SOURCE_DIR}/../falcopy_sdk/abi/*.h")
if(NOT bridge_sources)
  return()
endif()

if(FALCOPY_SANITIZE)
  # gcc's sanitizers: zig does not carry the AddressSanitizer runtime.
  python_add_library(_bridge MODULE WITH_SOABI ${bridge_sources})
  target_include_directories(_bridge PRIVATE
    ${include_dirs} "${CMAKE_CURRENT_SOURCE_DIR}/bridge")
  target_compile_definitions(_bridge PRIVATE _GNU_SOURCE)
  target_compile_options(_bridge PRIVATE ${common_flags} -O2 ${sanitize_flags})
  target_link_options(_bridge PRIVATE
    -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now ${sanitize_flags})
  find_package(Threads REQUIRED)
  target_link_libraries(_bridge PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  install(TARGETS _bridge LIBRARY DESTINATION runtime)
  return()
endif()

# zig compiles it as it does the loader, so that a plugin runs on as old a glibc as its Python does.
# For other architectures against the same headers: pyconfig.h of two 64-bit little-endian Linux
# builds of one CPython differs in nothing that an extension module sees.
# FALCOPY_PYTHON_INCLUDE_<arch> names that platform's own headers instead; off Linux it has to.
set(bridges)
foreach(arch IN LISTS FALCOPY_MACHINES)
  if(on_linux)
    set(default_include "${Python_INCLUDE_DIRS}")
  else()
    set(default_include "")
  endif()
  set(FALCOPY_PYTHON_INCLUDE_${arch} "${default_include}" CACHE STRING
    "Headers of CPython for Linux on ${arch}")
  if(NOT FALCOPY_PYTHON_INCLUDE_${arch} OR NOT Python_SOABI)
    message(WARNING "No bridge for ${arch}, so that no plugin can be built for it: "
      "FALCOPY_PYTHON_INCLUDE_${arch} names no headers of CPython for Linux.")
    continue()
  endif()
  # "cpython-311-darwin" becomes "cpython-311-x86_64-linux-gnu".
  string(REGEX REPLACE "^([a-z]+-[0-9a-z]+)-.*" "\\1-${arch}-linux-gnu" soabi "${Python_SOABI}")
  set(output "${CMAKE_CURRENT_BINARY_DIR}/_bridge.${soabi}.so")
  set(include_flags ${include_dirs} "${CMAKE_CURRENT_SOURCE_DIR}/bridge")
  list(TRANSFORM include_flags PREPEND "-I")
  # As system headers: pyconfig.h defines feature macros again.
  foreach(folder IN LISTS FALCOPY_PYTHON_INCLUDE_${arch})
    list(APPEND include_flags -isystem "${folder}")
    # Debian's includes <x86_64-linux-gnu/python3.11/pyconfig.h> or that of another architecture. The
    # folder of these has the machine's C library in it, too, which must not be seen.
    get_filename_component(name "${folder}" NAME)
    file(GLOB real "${folder}/../${arch}-linux-gnu/${name}/pyconfig.h")
    if(NOT real)
      file(GLOB real "${folder}/../*-linux-gnu/${name}/pyconfig.h")
    endif()
    if(real)
      list(GET real 0 real)
      set(shown "${CMAKE_CURRENT_BINARY_DIR}/include-${arch}")
      configure_file("${real}" "${shown}/${arch}-linux-gnu/${name}/pyconfig.h" COPYONLY)
      list(APPEND include_flags -isystem "${shown}")
    endif()
  endforeach()
  zig_library("${output}" "${arch}" COMMENT "Compiling the ${arch} bridge"
    SOURCES ${bridge_sources} HEADERS ${bridge_headers} FLAGS ${include_flags})
  list(APPEND bridges "${output}")
endforeach()
if(bridges)
  add_custom_target(bridges ALL DEPENDS ${bridges})
  install(PROGRAMS ${bridges} DESTINATION runtime)
endif()
