/* SPDX-License-Identifier: Apache-2.0
 *
 * What `falcopy build` writes into the prebuilt loader.
 *
 * The loader reserves one read-only object, `falcopy_image`, in the section
 * ".falcopy". The build finds it by its magic, fills it in and appends the
 * payload (a stored ZIP) to the file. falcopy_sdk/bundle/image.py mirrors this
 * layout; tests/bundle compares the two. All numbers are little-endian.
 */
#ifndef FALCOPY_IMAGE_H
#define FALCOPY_IMAGE_H

#include <stdint.h>

#define FALCOPY_IMAGE_MAGIC "falcopy-image-1" /* with its NUL: 16 bytes */
#define FALCOPY_IMAGE_BLOB_SIZE (512u * 1024u)

/* Bit numbers in `exports`: the optional symbols of the plugin API, in the
 * order of plugin_api.h. An unset bit makes dlsym() of that symbol return NULL. */
enum falcopy_export {
    FALCOPY_EXPORT_GET_INIT_SCHEMA = 0,
    FALCOPY_EXPORT_GET_ID,
    FALCOPY_EXPORT_GET_EVENT_SOURCE,
    FALCOPY_EXPORT_OPEN,
    FALCOPY_EXPORT_CLOSE,
    FALCOPY_EXPORT_LIST_OPEN_PARAMS,
    FALCOPY_EXPORT_GET_PROGRESS,
    FALCOPY_EXPORT_EVENT_TO_STRING,
    FALCOPY_EXPORT_NEXT_BATCH,
    FALCOPY_EXPORT_GET_EXTRACT_EVENT_TYPES,
    FALCOPY_EXPORT_GET_EXTRACT_EVENT_SOURCES,
    FALCOPY_EXPORT_GET_FIELDS,
    FALCOPY_EXPORT_EXTRACT_FIELDS,
    FALCOPY_EXPORT_GET_PARSE_EVENT_TYPES,
    FALCOPY_EXPORT_GET_PARSE_EVENT_SOURCES,
    FALCOPY_EXPORT_PARSE_EVENT,
    FALCOPY_EXPORT_GET_ASYNC_EVENT_SOURCES,
    FALCOPY_EXPORT_GET_ASYNC_EVENTS,
    FALCOPY_EXPORT_SET_ASYNC_EVENT_HANDLER,
    FALCOPY_EXPORT_DUMP_STATE,
    FALCOPY_EXPORT_SET_CONFIG,
    FALCOPY_EXPORT_GET_METRICS,
    FALCOPY_EXPORT_CAPTURE_OPEN,
    FALCOPY_EXPORT_CAPTURE_CLOSE,
    FALCOPY_EXPORT_GET_REQUIRED_EVENT_SCHEMA_VERSION,
    FALCOPY_EXPORT_COUNT
};

/* Static strings: offsets into `blob`. Offset 0 holds a NUL, so 0 means "". */
enum falcopy_string {
    FALCOPY_STRING_REQUIRED_API_VERSION = 0,
    FALCOPY_STRING_VERSION,
    FALCOPY_STRING_NAME,
    FALCOPY_STRING_DESCRIPTION,
    FALCOPY_STRING_CONTACT,
    FALCOPY_STRING_EVENT_SOURCE,
    FALCOPY_STRING_INIT_SCHEMA,
    FALCOPY_STRING_FIELDS,
    FALCOPY_STRING_EXTRACT_EVENT_SOURCES,
    FALCOPY_STRING_PARSE_EVENT_SOURCES,
    FALCOPY_STRING_ASYNC_EVENT_SOURCES,
    FALCOPY_STRING_ASYNC_EVENTS,
    FALCOPY_STRING_REQUIRED_EVENT_SCHEMA_VERSION,
    FALCOPY_STRING_PLUGIN_REF,  /* "module:Class", for the bridge */
    FALCOPY_STRING_BRIDGE_PATH, /* of the bridge .so, relative to the unpacked folder */
    FALCOPY_STRING_COUNT
};

/* A u16 array in `blob`: byte offset (2-aligned) and number of elements. */
struct falcopy_types {
    uint32_t offset;
    uint32_t count;
};

struct falcopy_image {
    char magic[16];
    uint32_t id; /* plugin id; 0 when there is no source of its own */
    uint32_t reserved;
    uint64_t exports;        /* bit set of enum falcopy_export */
    uint64_t payload_offset; /* of the ZIP, from the start of the file; 0: not built yet */
    uint64_t payload_size;   /* in bytes; the file ends there */
    char payload_sha256[72]; /* 64 lower-case hex digits and NULs: names the cache entry */
    char glibc_floor[16];    /* "2.36": the newest symbol version the payload needs */
    struct falcopy_types extract_event_types;
    struct falcopy_types parse_event_types;
    uint32_t strings[32]; /* enum falcopy_string; the rest 0 */
    char blob[FALCOPY_IMAGE_BLOB_SIZE];
};

#endif
