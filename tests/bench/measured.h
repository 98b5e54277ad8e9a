/* SPDX-License-Identifier: Apache-2.0
 *
 * What the measuring hosts share: the fields they ask for, clocks, memory, symbols of the plugin.
 */
#ifndef MEASURED_H
#define MEASURED_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "falcopy_abi.h"

enum { MAX_FIELDS = 64 };

static ss_plugin_extract_field fields[MAX_FIELDS];
static uint32_t field_count;

/* TEXT is NAME:ID or NAME:ID:KEY; it is cut into pieces. */
static void add_field(char *text) {
    if (field_count == MAX_FIELDS) {
        (void)fprintf(stderr, "more than %d fields\n", MAX_FIELDS);
        exit(2);
    }
    ss_plugin_extract_field *field = &fields[field_count++];
    field->field = strtok(text, ":");
    char *id = strtok(NULL, ":");
    field->field_id = (uint32_t)strtoul(id != NULL ? id : "0", NULL, 10);
    field->arg_key = strtok(NULL, "");
    field->arg_present = field->arg_key != NULL;
    field->arg_index = UINT64_MAX;
    field->ftype = FTYPE_STRING;
}

/* Seconds. */
static double at(clockid_t clock) {
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double resident_mb(void) {
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &size, &resident) != 2) exit(2);
    (void)fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (found == NULL) {
        (void)fprintf(stderr, "no symbol %s\n", name);
        exit(2);
    }
    return found;
}

#endif
