/* SPDX-License-Identifier: MIT */
#include "suggest.h"

#include "wsrx.h"

#include <string.h>

enum { LONGEST = 24, NEAR = 2 };

static int least(int one, int other)
{
    return one < other ? one : other;
}

/* Letters left out, added, changed, or swapped with their neighbour: how many. */
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

/* `*nearest` is how far the best one so far is. */
static void consider(const char *word, size_t length, const char *candidate, int *nearest,
                     const char **best)
{
    int far = distance(word, length, candidate, strlen(candidate));

    /* Of a short word all others are near. */
    if (far < *nearest && far < (int)strlen(candidate) - 1) {
        *nearest = far;
        *best = candidate;
    }
}

const char *suggest_command(const char *word, const struct command *table)
{
    const char *best = NULL;
    int nearest = NEAR + 1;

    for (; table->name; table++)
        consider(word, strlen(word), table->name, &nearest, &best);
    return best;
}

const char *suggest_word(const char *word, const char *const *words)
{
    const char *best = NULL;
    int nearest = NEAR + 1;

    for (; *words; words++)
        consider(word, strlen(word), *words, &nearest, &best);
    return best;
}

static void consider_options(const char *word, size_t length, const struct poptOption *options,
                             int *nearest, const char **best)
{
    for (; options->longName || options->shortName || options->arg; options++) {
        if (options->argInfo == POPT_ARG_INCLUDE_TABLE)
            consider_options(word, length, options->arg, nearest, best);
        else if (options->longName)
            consider(word, length, options->longName, nearest, best);
    }
}

const char *suggest_option(const char *word, const struct poptOption *options)
{
    const char *best = NULL;
    int nearest = NEAR + 1;

    if (strncmp(word, "--", 2) == 0)
        consider_options(word + 2, strcspn(word + 2, "="), options, &nearest, &best);
    return best;
}
