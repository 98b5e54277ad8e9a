# SPDX-License-Identifier: Apache-2.0
# The bridge: an ordinary CPython extension module, not linked to libpython here
# (falcopy build adds the bundle's own one).

file(GLOB bridge_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/bridge/*.c")
if(bridge_sources)
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
endif()
