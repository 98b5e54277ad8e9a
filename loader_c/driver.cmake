# SPDX-License-Identifier: Apache-2.0
# The driver: what `falcopy bench` times plugins with, without Python between two calls.
python_add_library(_driver MODULE WITH_SOABI "${CMAKE_CURRENT_SOURCE_DIR}/driver/driver.c")
target_include_directories(_driver PRIVATE ${include_dirs})
target_compile_definitions(_driver PRIVATE _GNU_SOURCE)
target_compile_options(_driver PRIVATE ${common_flags} -O2 ${sanitize_flags})
target_link_options(_driver PRIVATE -Wl,-z,relro -Wl,-z,now ${sanitize_flags})
install(TARGETS _driver LIBRARY DESTINATION host)
