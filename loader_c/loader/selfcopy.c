/* SPDX-License-Identifier: Apache-2.0 */
#include "selfcopy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io.h"

/* Defined by the linker: the first byte of the library in memory. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct range {
    uintptr_t start, end;
};

/* Where the library's loadable segments lie. */
static struct range own_range(void)
{
    const uintptr_t header = (uintptr_t)&__ehdr_start;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(header + __ehdr_start.e_phoff);
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct range own = {header, header};

    /* A shared library is linked at 0, so addresses in it count from its header. */
    for (size_t i = 0; i < __ehdr_start.e_phnum; i++) {
        const uintptr_t end = header + segment[i].p_vaddr + segment[i].p_memsz;
        if (segment[i].p_type == PT_LOAD && end > own.end)
            own.end = end;
    }
    own.end = (own.end + page - 1) / page * page;
    return own;
}

/* All of /proc/self/maps, read before anything changes; NULL where it cannot be. */
static char *read_maps(void)
{
    const int fd = io_open(AT_FDCWD, "/proc/self/maps", O_RDONLY, 0);
    size_t used = 0, room = 1u << 16;
    char *text = malloc(room);

    while (fd >= 0 && text != NULL) {
        const ssize_t count = read(fd, text + used, room - used - 1);
        if (count <= 0) /* EINTR does not happen on this file */
            break;
        used += (size_t)count;
        if (room - used < 4096) {
            char *more = realloc(text, room * 2);
            if (more == NULL)
                break;
            text = more;
            room *= 2;
        }
    }
    if (fd >= 0)
        (void)close(fd);
    if (text != NULL)
        text[used] = '\0';
    return text;
}

/* volatile: a sanitizer's memcpy() would stumble over the gaps it left between
 * our variables. Mappings are whole pages. */
#if defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize_address))
#endif
static void copy_words(void *to, const void *from, size_t size)
{
    volatile uint64_t *target = to;
    const volatile uint64_t *source = from;

    for (size_t i = 0; i < size / sizeof(uint64_t); i++)
        target[i] = source[i];
}

/* Nothing of ours may be written to between the copy and the move: only locals. */
static void replace(struct range range, int protection)
{
    const size_t size = range.end - range.start;
    void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (copy == MAP_FAILED)
        return;
    copy_words(copy, (const void *)range.start, size);
    /* The move is one step for all other threads; they find either memory. */
    if (mprotect(copy, size, protection) != 0 ||
        mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)range.start) == MAP_FAILED)
        (void)munmap(copy, size);
}

void selfcopy(void)
{
    const struct range own = own_range();
    char *maps = read_maps();
    char *rest = maps;

    for (const char *line; maps != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        struct range range;
        char rights[5];
        unsigned long inode;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu", &range.start, &range.end,
                   rights, &inode) != 4)
            continue;
        /* Inode 0: anonymous already. Without the right to read (the gaps between
         * segments) nobody can touch it either. */
        if (range.start < own.start || range.end > own.end || inode == 0 || rights[0] != 'r')
            continue;
        replace(range, PROT_READ | (rights[1] == 'w' ? PROT_WRITE : 0) |
                           (rights[2] == 'x' ? PROT_EXEC : 0));
    }
    free(maps);
}
