/* SPDX-License-Identifier: MIT
 *
 * Any table file. It begins as one that holds three messages; each five bytes of the input are an
 * offset (with holes left out) and a byte to put there. If the file is still taken for a table, what
 * comes out of it for a message is the message's own, or nothing.
 */
#define _GNU_SOURCE
#include "table/backing.h"
#include "table/layout.h"
#include "table/table.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HOLD_MAX = 64 << 10, LENGTH = 3000, ROOM = 1000, SOCKETS = 3 };

static char path[64];
static unsigned char *fresh; /* the file as it begins; behind `used` bytes it is zeros */
static size_t fresh_size, used;

static int copy(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return 0;
}

static void hold(struct table *table, uint64_t cookie)
{
    static unsigned char bytes[LENGTH];
    struct iovec iov = {bytes, sizeof bytes};
    struct held held = {.kind = HELD_HERE, .length = sizeof bytes, .offset = 100};

    memset(bytes, (int)cookie, sizeof bytes);
    table_hold(table, cookie, &held, &iov, 1);
}

static void make(void)
{
    struct table *table;
    struct stat status;
    int fd;

    snprintf(path, sizeof path, "/dev/shm/wsrx-fuzz-%d", (int)getpid());
    unlink(path);
    if (table_open(path, HOLD_MAX, &table))
        abort();
    for (uint64_t cookie = 1; cookie <= SOCKETS; cookie++)
        hold(table, cookie);
    fd = open(path, O_RDWR);
    fstat(fd, &status);
    fresh_size = (size_t)status.st_size;
    fresh = malloc(fresh_size);
    if (pread(fd, fresh, fresh_size, 0) != (ssize_t)fresh_size)
        abort();
    for (used = fresh_size; fresh[used - 1] == 0; used--)
        ;
    close(fd);
    table_destroy(table);
}

static void use(struct table *table)
{
    static unsigned char got[LENGTH];

    for (uint64_t cookie = 1; cookie <= SOCKETS + 1; cookie++) {
        for (unsigned parts = 0; parts < 4; parts++) {
            struct table_found found;
            struct held held;
            struct part part;

            if (table_find(table, cookie, &found) == HELD_NOT ||
                table_take_found(table, &found, ROOM, 0, copy, got, &held, &part) != 1)
                break;
            if (part.given > ROOM)
                abort();
        }
        hold(table, cookie);
        table_abandon(table, cookie, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table *table = NULL;
    int fd;

    if (!fresh)
        make();
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (pwrite(fd, fresh, used, 0) != (ssize_t)used || ftruncate(fd, (off_t)fresh_size) != 0)
        abort();
    for (; size >= 5; data += 5, size -= 5) {
        uint32_t at;

        memcpy(&at, data, sizeof at);
        if (pwrite(fd, data + 4, 1, at % used) != 1)
            abort();
    }
    close(fd);
    if (!table_open(path, HOLD_MAX, &table) && table) {
        use(table);
        table_destroy(table);
    }
    unlink(path);
    return 0;
}
