/* SPDX-License-Identifier: MIT
 *
 * Any ring. A ring is mostly zeros, so the input says what is not: its size (4 bytes), then pieces: an
 * offset (4), a length (2), and the bytes.
 */
#include "read_records.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t expand(const uint8_t *data, size_t size, uint8_t **ret_file)
{
    enum { MOST = 1 << 20, HEAD = 6 };
    uint32_t length, at;
    uint16_t piece;

    if (size < sizeof length)
        return 0;
    memcpy(&length, data, sizeof length);
    length %= MOST;
    *ret_file = calloc(1, length + 1);
    for (data += sizeof length, size -= sizeof length; size >= HEAD; data += piece, size -= piece) {
        memcpy(&at, data, sizeof at);
        memcpy(&piece, data + sizeof at, sizeof piece);
        data += HEAD;
        size -= HEAD;
        if (piece > size)
            piece = (uint16_t)size;
        if (at < length)
            memcpy(*ret_file + at, data, piece < length - at ? piece : length - at);
    }
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = NULL;
    size_t length = expand(data, size, &file);

    if (file)
        read_records(file, length);
    free(file);
    return 0;
}
