/* SPDX-License-Identifier: Apache-2.0
 *
 * A sentence for whoever runs the host: what happened, where, what to do.
 */
#ifndef FALCOPY_LOADER_MESSAGE_H
#define FALCOPY_LOADER_MESSAGE_H

#include <stdbool.h>

/* Always NUL-terminated; what does not fit is cut off at the end. */
struct message {
    char text[4096];
};

/* Formats like printf; %m is strerror(errno). Returns false, so that a failing
 * function can end with it. */
bool message_set(struct message *message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool message_add(struct message *message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
