/* SPDX-License-Identifier: MIT */
#include "util/suggest.h"

#include <string.h>

enum { LONGEST = 24, NEAR = 2 };

static int least(int one, int other)
{
    return one < other ? one : other;
}

/* The number of letters left out, added, changed, or swapped with their neighbour. */
static int distance(const char *one, size_t n, const char *other, size_t m)
{
    int row[LONGEST + 1][LONGEST + 1];

    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                row[i][j] = (int)(i + j);
                continue;
            }
            row[i][j] = row[i - 1][j - 1] + (one[i - 1] != other[j - 1]);
            row[i][j] = least(row[i][j], least(row[i - 1][j], row[i][j - 1]) + 1);
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1);
        }
    return row[n][m];
}

struct suggestion suggestion_for(const char *word, size_t length)
{
    return (struct suggestion){.word = word, .length = length, .nearest = NEAR + 1};
}

void suggestion_add(struct suggestion *suggestion, const char *candidate)
{
    size_t length = strlen(candidate);
    int far = distance(suggestion->word, suggestion->length, candidate, length);

    /* Every short word is near to every other one. */
    if (far < suggestion->nearest && far < (int)length - 1) {
        suggestion->nearest = far;
        suggestion->best = candidate;
    }
}

const char *suggest_word(const char *word, const char *const *words)
{
    struct suggestion suggestion = suggestion_for(word, strlen(word));

    for (; *words; words++)
        suggestion_add(&suggestion, *words);
    return suggestion.best;
}
