/* An extraction plugin for the source "stub" whose answers break the rule of each field's name. */
#include <stdlib.h>
#include <string.h>

#include "falcopy_abi.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *plugin_get_required_api_version(void) { return "3.11.0"; }
EXPORT const char *plugin_get_name(void) { return "answers-stub"; }
EXPORT const char *plugin_get_version(void) { return "0.1.0"; }
EXPORT const char *plugin_get_description(void) { return "Answers wrongly"; }
EXPORT const char *plugin_get_contact(void) { return "nobody"; }
EXPORT const char *plugin_get_last_error(ss_plugin_t *s) {
    (void)s;
    return "";
}
EXPORT void plugin_destroy(ss_plugin_t *s) { (void)s; }
EXPORT ss_plugin_t *plugin_init(const ss_plugin_init_input *in, ss_plugin_rc *rc) {
    static int state;
    (void)in;
    *rc = SS_PLUGIN_SUCCESS;
    return &state;
}
EXPORT const char *plugin_get_extract_event_sources(void) { return "[\"stub\"]"; }

enum field { BAD_IP, BAD_NET, TWO_VALUES, NULL_STRING, NULL_RES, NO_LEN, NO_RES, FAILS, DANGLING,
             OFFSETS };

EXPORT const char *plugin_get_fields(void) {
    return "[{\"type\":\"ipaddr\",\"name\":\"bad.ip\",\"desc\":\"5 bytes\"},"
           "{\"type\":\"ipnet\",\"name\":\"bad.net\",\"desc\":\"0 bytes\"},"
           "{\"type\":\"uint64\",\"name\":\"bad.two\",\"desc\":\"2 values, no list\"},"
           "{\"type\":\"string\",\"name\":\"bad.string\",\"desc\":\"NULL string\"},"
           "{\"type\":\"uint64\",\"name\":\"bad.res\",\"desc\":\"NULL res\"},"
           "{\"type\":\"uint64\",\"name\":\"bad.length\",\"desc\":\"res_len not written\"},"
           "{\"type\":\"uint64\",\"name\":\"bad.unwritten\",\"desc\":\"res not written\"},"
           "{\"type\":\"uint64\",\"name\":\"bad.failure\",\"desc\":\"FAILURE\"},"
           "{\"type\":\"string\",\"name\":\"bad.dangling\",\"desc\":\"freed\",\"isList\":true},"
           "{\"type\":\"string\",\"name\":\"bad.offsets\",\"desc\":\"one offset for three values\","
           "\"isList\":true}]";
}

EXPORT ss_plugin_rc plugin_extract_fields(ss_plugin_t *s, const ss_plugin_event_input *in,
                                          const ss_plugin_field_extract_input *ask) {
    static uint64_t numbers[2] = {1, 2};
    static const char bytes[5] = "12345";
    static ss_plugin_byte_buffer buffer;
    static const char *strings[3];
    /* What lies behind the one element is not zero, as on a heap. */
    static uint32_t start[4] = {38, 0xDEADBEEF, 0xDEADBEEF, 0}, length[4] = {1, 77, 77, 0};
    ss_plugin_extract_field *f = ask->fields;
    (void)s;
    (void)in;
    f->res_len = f->field_id == NO_LEN ? f->res_len : 1;
    if (f->field_id != NO_RES) f->res.u64 = numbers;
    switch ((enum field)f->field_id) {
    case BAD_IP:
    case BAD_NET:
        buffer.len = f->field_id == BAD_IP ? 5 : 0;
        buffer.ptr = bytes;
        f->res.buf = &buffer;
        break;
    case TWO_VALUES:
        f->res_len = 2;
        break;
    case NULL_STRING:
        strings[0] = NULL;
        f->res.str = strings;
        break;
    case NULL_RES:
        f->res.u64 = NULL;
        break;
    case NO_LEN:
    case NO_RES:
        break;
    case FAILS:
        return SS_PLUGIN_FAILURE;
    case DANGLING: /* as a vector of short strings that has grown */
        f->res.str = strings;
        f->res_len = 3;
        for (int i = 0; i < 3; i++) {
            char *text = malloc(32);
            strcpy(text, "a string of twenty-seven b.");
            strings[i] = text;
            free(text);
        }
        break;
    case OFFSETS:
        strings[0] = strings[1] = strings[2] = "x";
        f->res.str = strings;
        f->res_len = 3;
        if (ask->value_offsets) {
            ask->value_offsets->start = start;
            ask->value_offsets->length = length;
        }
        break;
    }
    return SS_PLUGIN_SUCCESS;
}
