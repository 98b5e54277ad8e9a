/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeds damaged ZIPs to the loader's own unpacker, under sanitizers.
 *
 *   fuzz_unpack ZIP FOLDER ROUNDS SEED
 *
 * Every round changes some bytes of ZIP, or cuts it, and unpacks it below FOLDER.
 * Aborts if that writes outside its own folder, fails without a sentence, or calls
 * a folder whole that it did not unpack. Prints how often each result came.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tree.h"
#include "unpack.h"

#define CHECK(condition) ((condition) ? (void)0 : fail(#condition))
#define PREFIX 100 /* bytes before the ZIP, in place of the loader */

static uint64_t state;

static void fail(const char *condition)
{
    (void)fprintf(stderr, "not true: %s (random state %llu)\n", condition,
                  (unsigned long long)state);
    abort();
}

/* xorshift64: the same on every machine. */
static uint64_t number(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

static size_t damage(unsigned char *zip, size_t size)
{
    static const unsigned char telling[] = {0, 1, 0x7F, 0x80, 0xFF, '/', '.', 'P'};
    const uint64_t changes = number(4);

    for (uint64_t i = 0; i < changes; i++)
        zip[number(size)] =
            (unsigned char)(number(2) ? telling[number(sizeof(telling))] : number(256));
    return number(10) == 0 ? number(size + 1) : size;
}

static int entries(int folder)
{
    DIR *listing = fdopendir(dup(folder));
    int count = 0;

    CHECK(listing != NULL);
    rewinddir(listing);
    while (readdir(listing) != NULL)
        count++;
    (void)closedir(listing);
    return count - 2;
}

int main(int argc, char **argv)
{
    unsigned char seed[65536], zip[sizeof(seed)];
    int results[3] = {0};

    CHECK(argc == 5);
    const int seed_file = open(argv[1], O_RDONLY);
    const ssize_t size = read(seed_file, seed, sizeof(seed));
    const int folder = open(argv[2], O_RDONLY | O_DIRECTORY);
    const int file = memfd_create("zip", 0);
    CHECK(size > 0 && folder >= 0 && file >= 0);
    state = strtoull(argv[4], NULL, 10);

    for (long round = strtol(argv[3], NULL, 10); round > 0; round--) {
        char name[SCRATCH_NAME_SIZE];
        struct message message = {""};
        struct zip reader;
        enum unpack_result result = UNPACK_BAD_PAYLOAD;

        memcpy(zip, seed, (size_t)size);
        const size_t length = damage(zip, (size_t)size);
        CHECK(ftruncate(file, 0) == 0 && pwrite(file, zip, length, PREFIX) == (ssize_t)length);
        const int root = scratch_make(folder, name);
        CHECK(root >= 0);
        /* Now and then the file is shorter than the image says. */
        const uint64_t claimed = number(20) == 0 ? (uint64_t)size : length;
        if (zip_open(&reader, "the file", file, PREFIX, claimed, &message))
            result = unpack(&reader, root, &message);
        CHECK((message.text[0] == '\0') == (result == UNPACK_DONE));
        CHECK(result != UNPACK_DONE || unpack_is_whole(&reader, root));
        results[result]++;
        zip_close(&reader);
        CHECK(entries(folder) == 1);
        scratch_remove(folder, name);
        CHECK(entries(folder) == 0);
        (void)close(root);
    }
    (void)close(file);
    (void)close(folder);
    (void)close(seed_file);
    printf("%d %d %d\n", results[UNPACK_DONE], results[UNPACK_NO_ROOM],
           results[UNPACK_BAD_PAYLOAD]);
    return 0;
}
