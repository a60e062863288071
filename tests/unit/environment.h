/* SPDX-License-Identifier: MIT
 *
 * Settings that are read from an environment of a test's own, and what is written meanwhile.
 */
#ifndef WSRX_TESTS_ENVIRONMENT_H
#define WSRX_TESTS_ENVIRONMENT_H

#include "settings.h"

#include <criterion/criterion.h>

/* What was written to stderr while it was captured. */
struct captured {
    char text[16384];
    size_t length;
    unsigned writes;
};

void capture(void);
void captured(struct captured *ret_captured);

enum { ENTRIES = 9 };

/* Reads an environment of up to ENTRIES entries, of which the last one is NULL if there are fewer.
 * Returns what settings_read() returns. */
unsigned read_entries(struct settings *settings, struct captured *ret_written,
                      const char *const *entries);

unsigned read_entry(struct settings *settings, struct captured *ret_written, const char *entry);

/* No bad setting, and nothing written. */
void assert_silent(const struct captured *written, unsigned bad, const char *of);

#endif
