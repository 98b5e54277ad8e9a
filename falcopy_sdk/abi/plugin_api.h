/* SPDX-License-Identifier: Apache-2.0
 *
 * The Falco plugin API 3.12.0, declared for C code and for cffi alike: no
 * conditionals, no includes. C code includes it through falcopy_abi.h. Names and
 * values are those of falcosecurity/libs, userspace/plugin/plugin_types.h and
 * plugin_api.h; tests/abi compares the two, member by member. "(3.4)" says which
 * API version appended a member: on an older host it lies beyond the struct.
 */

#define PLUGIN_API_VERSION_MAJOR 3
#define PLUGIN_API_VERSION_MINOR 12
#define PLUGIN_API_VERSION_PATCH 0

/* Bytes of an error buffer of the host's, with its NUL. */
#define PLUGIN_MAX_ERRLEN 1024
/* Of a PLUGINEVENT's payload, from the start of the event header. */
#define PLUGIN_EVENT_PAYLOAD_OFFSET 38

/* ---- scalar and opaque types ---- */

typedef uint32_t ss_plugin_bool;

typedef void ss_plugin_owner_t;
typedef void ss_plugin_t;
typedef void ss_instance_t;
typedef void ss_plugin_table_t;
typedef void ss_plugin_table_entry_t;
typedef void ss_plugin_table_field_t;
typedef void ss_plugin_table_iterator_state_t;
typedef void ss_plugin_routine_t;
typedef void ss_plugin_routine_state_t;

typedef enum ss_plugin_rc {
    SS_PLUGIN_SUCCESS = 0,
    SS_PLUGIN_FAILURE = 1,
    SS_PLUGIN_TIMEOUT = -1,
    SS_PLUGIN_EOF = 2,
    SS_PLUGIN_NOT_SUPPORTED = 3
} ss_plugin_rc;

typedef enum ss_plugin_field_type {
    FTYPE_UINT64 = 8,
    FTYPE_STRING = 9,
    FTYPE_RELTIME = 20, /* ns */
    FTYPE_ABSTIME = 21, /* ns since the epoch */
    FTYPE_BOOL = 25,
    FTYPE_IPADDR = 40, /* 4 or 16 bytes in network order */
    FTYPE_IPNET = 41   /* the same: a bare address */
} ss_plugin_field_type;

typedef enum ss_plugin_schema_type {
    SS_PLUGIN_SCHEMA_NONE = 0,
    SS_PLUGIN_SCHEMA_JSON = 1
} ss_plugin_schema_type;

typedef enum ss_plugin_state_type {
    SS_PLUGIN_ST_INT8 = 1,
    SS_PLUGIN_ST_INT16 = 2,
    SS_PLUGIN_ST_INT32 = 3,
    SS_PLUGIN_ST_INT64 = 4,
    SS_PLUGIN_ST_UINT8 = 5,
    SS_PLUGIN_ST_UINT16 = 6,
    SS_PLUGIN_ST_UINT32 = 7,
    SS_PLUGIN_ST_UINT64 = 8,
    SS_PLUGIN_ST_STRING = 9,
    SS_PLUGIN_ST_TABLE = 10, /* (3.5) */
    SS_PLUGIN_ST_BOOL = 25
} ss_plugin_state_type;

typedef enum ss_plugin_log_severity {
    SS_PLUGIN_LOG_SEV_FATAL = 1,
    SS_PLUGIN_LOG_SEV_CRITICAL = 2,
    SS_PLUGIN_LOG_SEV_ERROR = 3,
    SS_PLUGIN_LOG_SEV_WARNING = 4,
    SS_PLUGIN_LOG_SEV_NOTICE = 5,
    SS_PLUGIN_LOG_SEV_INFO = 6,
    SS_PLUGIN_LOG_SEV_DEBUG = 7,
    SS_PLUGIN_LOG_SEV_TRACE = 8
} ss_plugin_log_severity;

/* Numbered from 0 since (3.6). */
typedef enum ss_plugin_metric_type {
    SS_PLUGIN_METRIC_TYPE_MONOTONIC = 0,
    SS_PLUGIN_METRIC_TYPE_NON_MONOTONIC = 1
} ss_plugin_metric_type;

typedef enum ss_plugin_metric_value_type {
    SS_PLUGIN_METRIC_VALUE_TYPE_U32 = 0,
    SS_PLUGIN_METRIC_VALUE_TYPE_S32 = 1,
    SS_PLUGIN_METRIC_VALUE_TYPE_U64 = 2,
    SS_PLUGIN_METRIC_VALUE_TYPE_S64 = 3,
    SS_PLUGIN_METRIC_VALUE_TYPE_D = 4,
    SS_PLUGIN_METRIC_VALUE_TYPE_F = 5,
    SS_PLUGIN_METRIC_VALUE_TYPE_I = 6
} ss_plugin_metric_value_type;

/* ---- events and extraction ---- */

typedef struct ss_plugin_event_input {
    const ss_plugin_event *evt;
    uint64_t evtnum; /* from 1 again at every open; 0: not numbered */
    const char *evtsrc;
} ss_plugin_event_input;

typedef struct ss_plugin_byte_buffer {
    uint32_t len;
    const void *ptr;
} ss_plugin_byte_buffer;

/* (3.11) Byte ranges of values in the event, from its header on. The host reads
 * one element a *value*, so a list field needs as many as it has values. */
typedef struct ss_plugin_extract_value_offsets {
    uint32_t *start;
    uint32_t *length;
} ss_plugin_extract_value_offsets;

typedef struct ss_plugin_extract_field {
    /* Out: an array of res_len elements, the plugin's own. Garbage on entry. */
    union {
        const char **str;
        uint64_t *u64;
        uint32_t *u32;
        ss_plugin_bool *boolean;
        ss_plugin_byte_buffer *buf;
    } res;
    uint64_t res_len; /* out: 0 is "no value" */
    uint32_t field_id; /* index in get_fields */
    const char *field;
    const char *arg_key;
    uint64_t arg_index;
    ss_plugin_bool arg_present;
    uint32_t ftype;       /* ss_plugin_field_type */
    ss_plugin_bool flist; /* any non-zero value is true */
} ss_plugin_extract_field;

/* ---- tables: the state that plugins and the host share ---- */

typedef union ss_plugin_state_data {
    int8_t s8;
    int16_t s16;
    int32_t s32;
    int64_t s64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    const char *str;
    ss_plugin_bool b;
    ss_plugin_table_t *table;
} ss_plugin_state_data;

typedef struct ss_plugin_table_info {
    const char *name;
    ss_plugin_state_type key_type;
} ss_plugin_table_info;

typedef struct ss_plugin_table_fieldinfo {
    const char *name;
    ss_plugin_state_type field_type;
    ss_plugin_bool read_only;
} ss_plugin_table_fieldinfo;

/* Returns 0 to stop. */
typedef ss_plugin_bool (*ss_plugin_table_iterator_func_t)(ss_plugin_table_iterator_state_t *s,
                                                          ss_plugin_table_entry_t *e);

typedef struct {
    const ss_plugin_table_fieldinfo *(*list_table_fields)(ss_plugin_table_t *t, uint32_t *nfields);
    ss_plugin_table_field_t *(*get_table_field)(ss_plugin_table_t *t, const char *name,
                                                ss_plugin_state_type data_type);
    ss_plugin_table_field_t *(*add_table_field)(ss_plugin_table_t *t, const char *name,
                                                ss_plugin_state_type data_type);
} ss_plugin_table_fields_vtable;

typedef struct {
    const ss_plugin_table_fieldinfo *(*list_table_fields)(ss_plugin_table_t *t, uint32_t *nfields);
    ss_plugin_table_field_t *(*get_table_field)(ss_plugin_table_t *t, const char *name,
                                                ss_plugin_state_type data_type);
    ss_plugin_table_field_t *(*add_table_field)(ss_plugin_table_t *t, const char *name,
                                                ss_plugin_state_type data_type);
} ss_plugin_table_fields_vtable_ext;

typedef struct {
    const char *(*get_table_name)(ss_plugin_table_t *t);
    uint64_t (*get_table_size)(ss_plugin_table_t *t); /* UINT64_MAX: error */
    ss_plugin_table_entry_t *(*get_table_entry)(ss_plugin_table_t *t,
                                                const ss_plugin_state_data *key);
    ss_plugin_rc (*read_entry_field)(ss_plugin_table_t *t, ss_plugin_table_entry_t *e,
                                     const ss_plugin_table_field_t *f, ss_plugin_state_data *out);
} ss_plugin_table_reader_vtable;

/* (3.1) */
typedef struct {
    const char *(*get_table_name)(ss_plugin_table_t *t);
    uint64_t (*get_table_size)(ss_plugin_table_t *t);
    ss_plugin_table_entry_t *(*get_table_entry)(ss_plugin_table_t *t,
                                                const ss_plugin_state_data *key);
    ss_plugin_rc (*read_entry_field)(ss_plugin_table_t *t, ss_plugin_table_entry_t *e,
                                     const ss_plugin_table_field_t *f, ss_plugin_state_data *out);
    void (*release_table_entry)(ss_plugin_table_t *t, ss_plugin_table_entry_t *e);
    ss_plugin_bool (*iterate_entries)(ss_plugin_table_t *t, ss_plugin_table_iterator_func_t it,
                                      ss_plugin_table_iterator_state_t *s);
} ss_plugin_table_reader_vtable_ext;

typedef struct {
    ss_plugin_rc (*clear_table)(ss_plugin_table_t *t);
    ss_plugin_rc (*erase_table_entry)(ss_plugin_table_t *t, const ss_plugin_state_data *key);
    ss_plugin_table_entry_t *(*create_table_entry)(ss_plugin_table_t *t);
    void (*destroy_table_entry)(ss_plugin_table_t *t, ss_plugin_table_entry_t *e);
    ss_plugin_table_entry_t *(*add_table_entry)(ss_plugin_table_t *t,
                                                const ss_plugin_state_data *key,
                                                ss_plugin_table_entry_t *entry);
    ss_plugin_rc (*write_entry_field)(ss_plugin_table_t *t, ss_plugin_table_entry_t *e,
                                      const ss_plugin_table_field_t *f,
                                      const ss_plugin_state_data *in);
} ss_plugin_table_writer_vtable;

/* (3.1) */
typedef struct {
    ss_plugin_rc (*clear_table)(ss_plugin_table_t *t);
    ss_plugin_rc (*erase_table_entry)(ss_plugin_table_t *t, const ss_plugin_state_data *key);
    ss_plugin_table_entry_t *(*create_table_entry)(ss_plugin_table_t *t);
    void (*destroy_table_entry)(ss_plugin_table_t *t, ss_plugin_table_entry_t *e);
    ss_plugin_table_entry_t *(*add_table_entry)(ss_plugin_table_t *t,
                                                const ss_plugin_state_data *key,
                                                ss_plugin_table_entry_t *entry);
    ss_plugin_rc (*write_entry_field)(ss_plugin_table_t *t, ss_plugin_table_entry_t *e,
                                      const ss_plugin_table_field_t *f,
                                      const ss_plugin_state_data *in);
} ss_plugin_table_writer_vtable_ext;

/* A table that a plugin owns. Both forms of each vtable must be filled, alike. */
typedef struct {
    const char *name;
    ss_plugin_state_type key_type;
    ss_plugin_table_t *table;
    ss_plugin_table_reader_vtable reader;
    ss_plugin_table_writer_vtable writer;
    ss_plugin_table_fields_vtable fields;
    ss_plugin_table_reader_vtable_ext *reader_ext;
    ss_plugin_table_writer_vtable_ext *writer_ext;
    ss_plugin_table_fields_vtable_ext *fields_ext;
} ss_plugin_table_input;

typedef struct {
    ss_plugin_table_info *(*list_tables)(ss_plugin_owner_t *o, uint32_t *ntables);
    ss_plugin_table_t *(*get_table)(ss_plugin_owner_t *o, const char *name,
                                    ss_plugin_state_type key_type);
    ss_plugin_rc (*add_table)(ss_plugin_owner_t *o, const ss_plugin_table_input *in);
    ss_plugin_table_fields_vtable fields;
    ss_plugin_table_fields_vtable_ext *fields_ext;
    ss_plugin_table_reader_vtable_ext *reader_ext;
    ss_plugin_table_writer_vtable_ext *writer_ext;
} ss_plugin_init_tables_input;

/* ---- what the host passes in ---- */

/* (3.3) From any thread. NULL component: the plugin's name. */
typedef void (*ss_plugin_log_fn_t)(ss_plugin_owner_t *o, const char *component, const char *msg,
                                   ss_plugin_log_severity sev);

/* `err`: PLUGIN_MAX_ERRLEN bytes or NULL. */
typedef ss_plugin_rc (*ss_plugin_async_event_handler_t)(ss_plugin_owner_t *o,
                                                        const ss_plugin_event *evt, char *err);

typedef ss_plugin_bool (*ss_plugin_routine_fn_t)(ss_plugin_t *s, ss_plugin_routine_state_t *i);

typedef struct ss_plugin_init_input {
    const char *config;
    ss_plugin_owner_t *owner;
    const char *(*get_owner_last_error)(ss_plugin_owner_t *o);
    const ss_plugin_init_tables_input *tables; /* NULL unless the plugin extracts or parses */
    ss_plugin_log_fn_t log_fn;                 /* (3.3) */
} ss_plugin_init_input;

typedef struct ss_plugin_field_extract_input {
    ss_plugin_owner_t *owner;
    const char *(*get_owner_last_error)(ss_plugin_owner_t *o);
    uint32_t num_fields;
    ss_plugin_extract_field *fields;
    ss_plugin_table_reader_vtable table_reader;
    ss_plugin_table_reader_vtable_ext *table_reader_ext; /* (3.1) */
    ss_plugin_extract_value_offsets *value_offsets;      /* (3.11) NULL: not wanted */
} ss_plugin_field_extract_input;

typedef struct ss_plugin_event_parse_input {
    ss_plugin_owner_t *owner;
    const char *(*get_owner_last_error)(ss_plugin_owner_t *o);
    ss_plugin_table_reader_vtable table_reader;
    ss_plugin_table_writer_vtable table_writer;
    ss_plugin_table_reader_vtable_ext *table_reader_ext; /* (3.1) */
    ss_plugin_table_writer_vtable_ext *table_writer_ext; /* (3.1) */
} ss_plugin_event_parse_input;

/* (3.4) */
typedef struct ss_plugin_set_config_input {
    const char *config;
} ss_plugin_set_config_input;

/* (3.7) */
typedef struct {
    ss_plugin_routine_t *(*subscribe)(ss_plugin_owner_t *o, ss_plugin_routine_fn_t f,
                                      ss_plugin_routine_state_t *i);
    ss_plugin_rc (*unsubscribe)(ss_plugin_owner_t *o, ss_plugin_routine_t *r);
} ss_plugin_routine_vtable;

/* (3.7) */
typedef struct ss_plugin_capture_listen_input {
    ss_plugin_owner_t *owner;
    ss_plugin_routine_vtable *routine;
    ss_plugin_table_reader_vtable_ext *table_reader_ext;
    ss_plugin_table_writer_vtable_ext *table_writer_ext;
    const char *(*get_owner_last_error)(ss_plugin_owner_t *o); /* (3.9) */
} ss_plugin_capture_listen_input;

/* ---- what the plugin gives out ---- */

typedef union ss_plugin_metric_value {
    uint32_t u32;
    int32_t s32;
    uint64_t u64;
    int64_t s64;
    double d;
    float f;
    int i;
} ss_plugin_metric_value;

/* (3.5; enums renumbered in 3.6) */
typedef struct ss_plugin_metric {
    const char *name;
    ss_plugin_metric_type type;
    ss_plugin_metric_value value;
    ss_plugin_metric_value_type value_type;
} ss_plugin_metric;

/* The 33 entries, each exported by a plugin as "plugin_" and its name. */
typedef struct {
    /* required */
    const char *(*get_required_api_version)(void);
    const char *(*get_init_schema)(ss_plugin_schema_type *schema_type); /* optional */
    ss_plugin_t *(*init)(const ss_plugin_init_input *input, ss_plugin_rc *rc);
    void (*destroy)(ss_plugin_t *s);
    const char *(*get_last_error)(ss_plugin_t *s);
    const char *(*get_name)(void);
    const char *(*get_description)(void);
    const char *(*get_contact)(void);
    const char *(*get_version)(void);
    /* event sourcing */
    struct {
        uint32_t (*get_id)(void);
        const char *(*get_event_source)(void);
        ss_instance_t *(*open)(ss_plugin_t *s, const char *params, ss_plugin_rc *rc);
        void (*close)(ss_plugin_t *s, ss_instance_t *h);
        const char *(*list_open_params)(ss_plugin_t *s, ss_plugin_rc *rc);
        const char *(*get_progress)(ss_plugin_t *s, ss_instance_t *h, uint32_t *progress_pct);
        const char *(*event_to_string)(ss_plugin_t *s, const ss_plugin_event_input *evt);
        ss_plugin_rc (*next_batch)(ss_plugin_t *s, ss_instance_t *h, uint32_t *nevts,
                                   ss_plugin_event ***evts);
    };
    /* field extraction */
    struct {
        uint16_t *(*get_extract_event_types)(uint32_t *numtypes, ss_plugin_t *s);
        const char *(*get_extract_event_sources)(void);
        const char *(*get_fields)(void);
        ss_plugin_rc (*extract_fields)(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                       const ss_plugin_field_extract_input *in);
    };
    /* event parsing */
    struct {
        uint16_t *(*get_parse_event_types)(uint32_t *numtypes, ss_plugin_t *s);
        const char *(*get_parse_event_sources)(void);
        ss_plugin_rc (*parse_event)(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                    const ss_plugin_event_parse_input *in);
    };
    /* asynchronous events */
    struct {
        const char *(*get_async_event_sources)(void);
        const char *(*get_async_events)(void);
        ss_plugin_rc (*set_async_event_handler)(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                                const ss_plugin_async_event_handler_t handler);
        ss_plugin_rc (*dump_state)(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                   const ss_plugin_async_event_handler_t handler); /* (3.10) */
    };
    ss_plugin_rc (*set_config)(ss_plugin_t *s, const ss_plugin_set_config_input *i); /* (3.4) */
    ss_plugin_metric *(*get_metrics)(ss_plugin_t *s, uint32_t *num_metrics);         /* (3.5) */
    /* capture listening (3.7) */
    struct {
        ss_plugin_rc (*capture_open)(ss_plugin_t *s, const ss_plugin_capture_listen_input *i);
        ss_plugin_rc (*capture_close)(ss_plugin_t *s, const ss_plugin_capture_listen_input *i);
    };
    const char *(*get_required_event_schema_version)(ss_plugin_t *s); /* (3.12) */
} plugin_api;
