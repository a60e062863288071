/* SPDX-License-Identifier: MIT
 *
 * A summary as OpenMetrics text: a file for the textfile collector of Prometheus's node_exporter.
 */
#ifndef WSRX_FORMATS_METRICS_H
#define WSRX_FORMATS_METRICS_H

#include "input/summary.h"

void metrics_write(const struct summary *summary, FILE *out);

/* Puts them into a file, which is replaced at once; "-" is standard output. False: reported. */
bool metrics_replace(const struct summary *summary, const char *path);

#endif
