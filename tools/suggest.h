/* SPDX-License-Identifier: MIT
 *
 * What somebody may have meant by a word that is none: the nearest one that is.
 */
#ifndef WSRX_SUGGEST_H
#define WSRX_SUGGEST_H

#include <popt.h>

struct command;

/* The nearest name of a table, word of a list (NULL at the end of both) or long option; or NULL:
 * none is near. */
const char *suggest_command(const char *word, const struct command *table);
const char *suggest_word(const char *word, const char *const *words);
const char *suggest_option(const char *word, const struct poptOption *options);

#endif
