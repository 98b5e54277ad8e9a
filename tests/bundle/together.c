/* SPDX-License-Identifier: Apache-2.0
 *
 * Initialises every plugin named on the command line at the same moment, a thread each. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#include "falcopy_abi.h"

enum { MAX_PLUGINS = 8 };

static pthread_barrier_t together;

static void *start(void *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return dlerror();
    ss_plugin_t *(*init)(const ss_plugin_init_input *, ss_plugin_rc *);
    void (*destroy)(ss_plugin_t *);
    const char *(*get_last_error)(ss_plugin_t *);
    *(void **)&init = dlsym(library, "plugin_init");
    *(void **)&destroy = dlsym(library, "plugin_destroy");
    *(void **)&get_last_error = dlsym(library, "plugin_get_last_error");
    ss_plugin_init_input input = {.config = ""};
    ss_plugin_rc rc = SS_PLUGIN_FAILURE;
    (void)pthread_barrier_wait(&together);
    ss_plugin_t *state = init(&input, &rc);
    if (rc != SS_PLUGIN_SUCCESS) return (void *)get_last_error(state);
    destroy(state);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[MAX_PLUGINS];
    int count = argc - 1, failed = 0;
    if (count > MAX_PLUGINS) return 2;
    (void)pthread_barrier_init(&together, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) (void)pthread_create(&threads[i], NULL, start, argv[i + 1]);
    for (int i = 0; i < count; i++) {
        void *problem = NULL;
        (void)pthread_join(threads[i], &problem);
        if (problem != NULL) {
            (void)fprintf(stderr, "%s: %s\n", argv[i + 1], (const char *)problem);
            failed = 1;
        }
    }
    return failed;
}
