/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts the private interpreter. It is never stopped: threads of the plugin may run
 * until the process ends, and a host may load the plugin again.
 */
#include "gil.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "state.h"
#include "table.h"

#define EXPORTED __attribute__((visibility("default")))
#define STRING(x) #x
#define VERSION_FOLDER(major, minor) "lib/python" STRING(major) "." STRING(minor)
#define STDLIB VERSION_FOLDER(PY_MAJOR_VERSION, PY_MINOR_VERSION)

static PyStatus add_path(PyConfig *config, const char *root, const char *folder) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", root, folder);
    if (length < 0 || (size_t)length >= sizeof path) return PyStatus_Error("the path is too long");
    wchar_t *wide = Py_DecodeLocale(path, NULL);
    if (wide == NULL) return PyStatus_NoMemory();
    PyStatus status = PyWideStringList_Append(&config->module_search_paths, wide);
    PyMem_RawFree(wide);
    return status;
}

static PyStatus set_root(PyConfig *config, const char *root) {
    wchar_t *wide = Py_DecodeLocale(root, NULL);
    if (wide == NULL) return PyStatus_NoMemory();
    wchar_t **members[] = {&config->home,        &config->prefix,      &config->base_prefix,
                           &config->exec_prefix, &config->base_exec_prefix};
    PyStatus status = PyStatus_Ok();
    for (size_t i = 0; i < sizeof members / sizeof *members && !PyStatus_Exception(status); i++) {
        status = PyConfig_SetString(config, members[i], wide);
    }
    PyMem_RawFree(wide);
    return status;
}

static PyStatus start_interpreter(const char *root) {
    PyPreConfig preconfig;
    PyPreConfig_InitIsolatedConfig(&preconfig);
    preconfig.utf8_mode = 1; /* whatever the host's locale is */
    PyStatus status = Py_PreInitialize(&preconfig);
    if (PyStatus_Exception(status)) return status;

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.install_signal_handlers = 0;
    config.site_import = 0;
    config.write_bytecode = 0;
    config.pathconfig_warnings = 0;
    config.parse_argv = 0;
    config.module_search_paths_set = 1;
    static const char *const folders[] = {STDLIB, STDLIB "/lib-dynload", "site-packages"};
    status = set_root(&config, root);
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !PyStatus_Exception(status); i++) {
        status = add_path(&config, root, folders[i]);
    }
    if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

/* The table of the bridge that the interpreter has imported. It is another one's when a second copy
 * of the plugin was unpacked elsewhere: the dynamic loader knows libpython by its SONAME and maps
 * it once, but the bridge by its file, and only the first bridge's types are in use. */
static const struct falcopy_bridge *imported_table(void) {
    PyObject *module = PyImport_ImportModule("falcopy_sdk.runtime._bridge");
    PyObject *address = module != NULL ? PyObject_CallMethod(module, "table_address", NULL) : NULL;
    void *table = address != NULL ? PyLong_AsVoidPtr(address) : NULL;
    Py_XDECREF(address);
    Py_XDECREF(module);
    return table;
}

static const struct falcopy_bridge *import_runtime(char *error, size_t size) {
    PyObject *entry = PyImport_ImportModule("falcopy_sdk.runtime.entry");
    PyObject *result = entry != NULL ? PyObject_CallMethod(entry, "embedded", NULL) : NULL;
    const struct falcopy_bridge *table = result != NULL ? imported_table() : NULL;
    if (table == NULL) {
        describe_python_error(NULL, "the plugin's Python cannot be set up", error, size);
    }
    Py_XDECREF(result);
    Py_XDECREF(entry);
    return table;
}

static const struct falcopy_bridge *boot(const char *root, char *error, size_t size) {
    const struct falcopy_bridge *table = NULL;
    if (!Py_IsInitialized()) {
        PyStatus status = start_interpreter(root);
        if (PyStatus_Exception(status)) {
            (void)snprintf(error, size, "the plugin's Python cannot start: %s%s%s",
                           status.func != NULL ? status.func : "", status.func != NULL ? ": " : "",
                           status.err_msg != NULL ? status.err_msg : "unknown error");
        } else {
            table = import_runtime(error, size);
            (void)PyEval_SaveThread();
        }
    } else {
        /* The interpreter runs: the import failed last time, or another copy started it. */
        PyGILState_STATE gil = gil_enter();
        table = import_runtime(error, size);
        gil_leave(gil);
    }
    return table;
}

/* Copies of a plugin that were unpacked elsewhere share libpython, but each has a bridge with a
 * mutex of its own. What they have in common is libpython's file. -1: not lockable, so be it. */
static int lock_libpython(void) {
    Dl_info info;
    if (dladdr((void *)(uintptr_t)Py_IsInitialized, &info) == 0 || info.dli_fname == NULL) return -1;
    int fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR) continue;
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

EXPORTED const struct falcopy_bridge *falcopy_bridge_boot(const char *root, char *error,
                                                          size_t size) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const struct falcopy_bridge *table;
    (void)pthread_mutex_lock(&lock);
    if (table == NULL) {
        int fd = lock_libpython();
        table = boot(root, error, size);
        if (fd >= 0) (void)close(fd);
    }
    const struct falcopy_bridge *booted = table;
    (void)pthread_mutex_unlock(&lock);
    return booted;
}
