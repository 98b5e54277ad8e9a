/* SPDX-License-Identifier: Apache-2.0
 *
 * The Falco plugin API for C code. The declarations themselves are written once,
 * in a form that cffi can read too: falcopy_sdk/abi/.
 */
#ifndef FALCOPY_ABI_H
#define FALCOPY_ABI_H

#include <stdint.h>

#pragma pack(push, 1)
#include "plugin_event.h"
#pragma pack(pop)
#include "plugin_api.h"

#endif
