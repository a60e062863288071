/* SPDX-License-Identifier: MIT
 *
 * The pictures of a page, as data for its template: bars, lines and words, each with its place.
 *
 * Across, places are percents of the picture's width; down, they are pixels. So a picture fits a
 * telephone and a wide screen, and its words are of one size in both.
 */
#ifndef WSRX_FORMATS_DRAWING_H
#define WSRX_FORMATS_DRAWING_H

#include "input/summary.h"

#include <json-c/json.h>

/* "54.2 ms". Terminated. */
void draw_duration(char *to, size_t size, double seconds);

/* Bytes received, saved and lost over time. */
struct json_object *draw_time(const struct summary *summary);

/* A socket's messages by size, with its buffer. */
struct json_object *draw_sizes(const struct summary_socket *socket);

#endif
