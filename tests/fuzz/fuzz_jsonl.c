/* SPDX-License-Identifier: MIT
 *
 * Any JSON Lines.
 */
#include "read_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return read_records(data, size);
}
