/* SPDX-License-Identifier: MIT
 *
 * A page from a template and data.
 *
 * In the template, {{name}} is a value of the data: text, escaped for HTML; a whole number, its
 * digits in groups; any other number, with two decimals. {{&name}} is a whole number without
 * groups. {{#name}}…{{/name}} stands once if the value is there, once for each element if it is an
 * array, and not at all if it is missing, false, 0 or empty; {{^name}}…{{/name}} is the opposite.
 * Names are looked up in the innermost section first; {{.}} is its own value.
 */
#ifndef WSRX_FORMATS_TEMPLATE_H
#define WSRX_FORMATS_TEMPLATE_H

#include <json-c/json.h>
#include <stdio.h>

void template_write(const char *text, struct json_object *data, FILE *out);

#endif
