/* SPDX-License-Identifier: MIT
 *
 * Any environment: lines are its entries. Nothing must crash, and every number that is kept is one
 * that its setting allows.
 */
#include "settings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct settings settings;
    char *environment[ENTRIES + 1] = {NULL}, text[256];
    char *copy = malloc(size + 1), *at = copy;
    unsigned bad;

    memcpy(copy, data, size);
    copy[size] = '\0';
    for (size_t i = 0; i < ENTRIES && at; i++) {
        char *end = strchr(at, '\n');

        if (end)
            *end++ = '\0';
        environment[i] = at;
        at = end;
    }
    bad = settings_read(&settings, environment);
    if (settings.sockets.count > SELECTORS_MAX || settings.mode > MODE_OFF ||
        settings.trace > TRACE_RING || settings.trace_filter.wanted.fds > TRACE_FILTER_MAX ||
        settings.trace_data > 65535 || (bad == 0 && settings.hold_max > (size_t)1 << 40))
        abort();
    for (size_t i = 0; i < SETTINGS; i++) {
        settings_is_good((enum settings_index)i, environment[0]);
        settings_values((enum settings_index)i, text, 1 + size % sizeof text);
    }
    free(copy);
    return 0;
}
