/* SPDX-License-Identifier: MIT
 *
 * A summary as data: what `--json` prints, and what the page's template is filled with.
 */
#ifndef WSRX_FORMATS_REPORT_DATA_H
#define WSRX_FORMATS_REPORT_DATA_H

#include "input/summary.h"

#include <json-c/json.h>

enum { REPORT_FORMAT = 1 }; /* of the data; a member may be added within one */

/* To be freed with json_object_put(). */
struct json_object *report_data(const struct summary *summary, const struct reader *reader);

/* Two summaries side by side. `path`: the names that they were given by. */
struct json_object *report_diff_data(struct summary *const summary[2], const char *const path[2]);

/* Prints it, one member a line. */
void report_json(struct json_object *data, FILE *out);

/* What a socket without a name is called in tables and pages. */
#define NO_NAME RECORD_NO_NAME

/* --- pieces ------------------------------------------------------------------------------ */

void put_number_in(struct json_object *to, const char *name, uint64_t number);
void put_string_in(struct json_object *to, const char *name, const char *text);

#endif
