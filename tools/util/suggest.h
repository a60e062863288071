/* SPDX-License-Identifier: MIT
 *
 * What the user may have meant by an unknown word: the nearest known one.
 */
#ifndef WSRX_UTIL_SUGGEST_H
#define WSRX_UTIL_SUGGEST_H

#include <stddef.h>

/* The nearest candidate so far. */
struct suggestion {
    const char *word;
    size_t length;
    int nearest;
    const char *best; /* NULL: none is near */
};

/* For the first `length` bytes of a word. */
struct suggestion suggestion_for(const char *word, size_t length);

/* `candidate` must stay as long as the suggestion. */
void suggestion_add(struct suggestion *suggestion, const char *candidate);

/* The nearest word of a list that ends with NULL; or NULL. */
const char *suggest_word(const char *word, const char *const *words);

#endif
