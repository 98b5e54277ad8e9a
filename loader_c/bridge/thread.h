/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads of the plugin: they take no signal of the host's, and are joined with patience
 * but not for ever.
 */
#ifndef FALCOPY_THREAD_H
#define FALCOPY_THREAD_H

#include <pthread.h>
#include <stdbool.h>

enum { JOIN_SECONDS = 30 };

/* 0 or errno. `name` is at most 15 characters. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);

/* Whether the thread has ended within `seconds`. */
bool thread_join(pthread_t thread, int seconds);

#endif
