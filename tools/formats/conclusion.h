/* SPDX-License-Identifier: MIT
 *
 * What a summary says, in one sentence: who lost how much, why, and what would do.
 */
#ifndef WSRX_FORMATS_CONCLUSION_H
#define WSRX_FORMATS_CONCLUSION_H

#include "input/summary.h"

enum { CONCLUSION_MAX = 512 };

/* "socat lost 60,816 of 285,900 bytes (21 %): its buffer is 8,192, 12,000 would do". Of records
 * that are not all there, it says "at least". Terminated; returns `to`. */
char *conclusion(const struct summary *summary, const struct reader *reader,
                 char to[CONCLUSION_MAX]);

/* The same of two runs: "0 of 285,900 bytes lost, 60,816 fewer than before". */
char *difference(const struct sums *before, const struct sums *after, char to[CONCLUSION_MAX]);

#endif
