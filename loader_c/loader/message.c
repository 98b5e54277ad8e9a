/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool message_set(struct message *message, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message->text, sizeof(message->text), format, arguments);
    va_end(arguments);
    return false;
}

bool message_add(struct message *message, const char *format, ...)
{
    const size_t used = strlen(message->text);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message->text + used, sizeof(message->text) - used, format, arguments);
    va_end(arguments);
    return false;
}
