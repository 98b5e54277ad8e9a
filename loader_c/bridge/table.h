/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FALCOPY_TABLE_H
#define FALCOPY_TABLE_H

#include "falcopy_bridge.h"

/* The entries, for the loader and for the in-process host alike. */
extern const struct falcopy_bridge bridge_table;

#endif
