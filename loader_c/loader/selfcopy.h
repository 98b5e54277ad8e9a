/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FALCOPY_LOADER_SELFCOPY_H
#define FALCOPY_LOADER_SELFCOPY_H

/* Makes this library independent of its file: replaces the memory that is mapped
 * from it by anonymous copies at the same addresses. Tools that update a plugin
 * truncate the file and write it anew while a host runs it; a page that is then
 * gone from the file would kill the host with SIGBUS.
 *
 * To be called by the library's constructor: relocation is done, protections are
 * final, and no other thread runs code from here yet. Where a policy (SELinux
 * execmem, for one) forbids it, memory stays mapped from the file. */
void selfcopy(void);

#endif
