/* SPDX-License-Identifier: MIT */
#include "util/number.h"

#include <inttypes.h>
#include <stdio.h>

char *grouped(uint64_t number, char to[GROUPED_MAX])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number), at = 0;

    for (int i = 0; i < length; i++) {
        to[at++] = digits[i];
        if ((length - i - 1) % 3 == 0 && i < length - 1)
            to[at++] = ',';
    }
    to[at] = '\0';
    return to;
}

char *percent(uint64_t part, uint64_t whole, char to[PERCENT_MAX])
{
    double share = whole > 0 ? (double)part * 100 / (double)whole : 0;

    /* Neither a trace of something is nothing, nor nearly all of it everything. */
    if (part > 0 && share < 0.01)
        snprintf(to, PERCENT_MAX, "< 0.01 %%");
    else if (part < whole && share > 99.5)
        snprintf(to, PERCENT_MAX, "> 99.5 %%");
    else
        snprintf(to, PERCENT_MAX, "%.*f %%",
                 share >= 10 || share == 0 ? 0
                 : share >= 1              ? 1
                                           : 2,
                 share);
    return to;
}
