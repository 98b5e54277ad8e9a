/* A small plugin in C, as others write them: name, version and API version are macros. */
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

#ifndef NAME
#define NAME "pydemo"
#endif
#ifndef VERSION
#define VERSION "0.1.0"
#endif
#ifndef API
#define API "3.6.0"
#endif

EXPORT const char *plugin_get_required_api_version(void) { return API; }
EXPORT const char *plugin_get_version(void) { return VERSION; }
EXPORT const char *plugin_get_name(void) { return NAME; }
EXPORT const char *plugin_get_description(void) { return "A demo"; }
EXPORT const char *plugin_get_contact(void) { return "https://example.org"; }
EXPORT const char *plugin_get_last_error(void *state) { (void)state; return ""; }
EXPORT const char *plugin_get_fields(void)
{
    return "[{\"type\": \"string\", \"name\": \"pydemo.text\", \"desc\": \"Text\"}]";
}
EXPORT int plugin_extract_fields(void *state, const void *event, const void *in)
{
    (void)state; (void)event; (void)in;
    return 1;
}
#ifndef NO_INIT
EXPORT void *plugin_init(const void *in, int *rc) { (void)in; *rc = 0; return (void *)plugin_init; }
#endif
EXPORT void plugin_destroy(void *state) { (void)state; }
#ifdef GLIBC_2_25
#include <sys/random.h>
EXPORT long uses_random(void *room) { return getrandom(room, 1, 0); }
#endif
#ifdef RESOLVER
extern int res_init_of_somewhere(void);
EXPORT int uses(void) { return res_init_of_somewhere(); }
#endif
#ifdef OF_PYTHON
extern void *PyErr_Occurred(void);
EXPORT void *uses_python(void) { return PyErr_Occurred(); }
#endif
#ifdef UNWINDS
extern int _Unwind_Backtrace(void *each, void *data);
EXPORT int unwinds(void) { return _Unwind_Backtrace(NULL, NULL); }
#endif
