/* Asynchronous events of broken.c, whose state they use. */
EXPORT const char *plugin_get_async_events(void) { return "[\"tick\"]"; }

static void *send(void *given) {
    struct state *s = given;
    static struct {
        ss_plugin_event header;
        char rest[32];
    } __attribute__((packed)) event;
#ifdef UNLISTED
    const char name[5] = "tock";
#else
    const char name[5] = "tick";
#endif
    uint32_t lengths[3] = {4, 5, 2};
    event.header.ts = UINT64_MAX;
    event.header.tid = UINT64_MAX;
    event.header.len = 26 + 12 + 4 + 5 + 2;
    event.header.type = 402;
    event.header.nparams = 3;
    memcpy(event.rest, lengths, sizeof(lengths));
    memset(event.rest + 12, 0, 4);
    memcpy(event.rest + 16, name, 5);
    memcpy(event.rest + 21, "hi", 2);
    while (s->sending) {
        char error[PLUGIN_MAX_ERRLEN];
        s->handler(s->owner, &event.header, error);
        usleep(20000);
    }
    return NULL;
}

EXPORT ss_plugin_rc plugin_set_async_event_handler(ss_plugin_t *p, ss_plugin_owner_t *owner,
                                                   ss_plugin_async_event_handler_t handler) {
    struct state *s = p;
    if (handler != NULL) {
        s->owner = owner;
        s->handler = handler;
        s->sending = 1;
        pthread_create(&s->sender, NULL, send, s);
    } else if (s->sending) {
#ifndef NOT_JOINED
        s->sending = 0;
        pthread_join(s->sender, NULL);
#endif
    }
    return SS_PLUGIN_SUCCESS;
}
