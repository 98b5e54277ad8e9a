/* Opens plugins as libsinsp does and prints the payload of each event. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "falcopy_abi.h"

#define PAYLOAD_OFFSET 38 /* header 26, nparams' two lengths 8, plugin id 4 */

static void *need(void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    if (symbol == NULL) {
        fprintf(stderr, "no symbol %s\n", name);
        exit(2);
    }
    return symbol;
}

static void stream(const char *path)
{
    void *library = dlopen(path, RTLD_LOCAL | RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    ss_plugin_t *(*init)(const ss_plugin_init_input *, ss_plugin_rc *) =
        need(library, "plugin_init");
    const char *(*last_error)(ss_plugin_t *) = need(library, "plugin_get_last_error");
    ss_instance_t *(*open)(ss_plugin_t *, const char *, ss_plugin_rc *) =
        need(library, "plugin_open");
    ss_plugin_rc (*next)(ss_plugin_t *, ss_instance_t *, uint32_t *, ss_plugin_event ***) =
        need(library, "plugin_next_batch");
    void (*close)(ss_plugin_t *, ss_instance_t *) = need(library, "plugin_close");
    void (*destroy)(ss_plugin_t *) = need(library, "plugin_destroy");

    ss_plugin_init_input input = {.config = ""};
    ss_plugin_rc rc = SS_PLUGIN_FAILURE;
    ss_plugin_t *plugin = init(&input, &rc);
    ss_instance_t *instance = rc == SS_PLUGIN_SUCCESS ? open(plugin, "", &rc) : NULL;
    while (rc == SS_PLUGIN_SUCCESS || rc == SS_PLUGIN_TIMEOUT) {
        uint32_t count = 0;
        ss_plugin_event **events = NULL;
        rc = next(plugin, instance, &count, &events);
        for (uint32_t i = 0; rc == SS_PLUGIN_SUCCESS && i < count; i++)
            printf("%.*s\n", (int)(events[i]->len - PAYLOAD_OFFSET),
                   (const char *)events[i] + PAYLOAD_OFFSET);
    }
    if (rc != SS_PLUGIN_EOF) {
        fprintf(stderr, "%s: %s\n", path, last_error(plugin));
        exit(3);
    }
    close(plugin, instance);
    destroy(plugin);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        stream(argv[i]);
    return fflush(stdout);
}
