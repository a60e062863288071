/* SPDX-License-Identifier: MIT */
#ifndef WSRX_TESTS_READ_RECORDS_H
#define WSRX_TESTS_READ_RECORDS_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0, as a target has to. */
int read_records(const uint8_t *data, size_t size);

#endif
