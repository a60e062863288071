/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/setting_options.h"

#include "util/complain.h"
#include "util/suggest.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *values[SETTINGS];
static const char *const variables[SETTINGS] = {
#define SETTING(variable, ...) #variable,
#include "settings.def"
};

/* Which subcommands have an option. */
enum { RUN, ALL };

static const struct {
    struct poptOption option;
    enum settings_index setting;
    int subcommands;
} rows[] = {
#define OPTION(variable, option, letter, argument, subcommands)                       \
    {{option, letter, POPT_ARG_STRING, &values[INDEX_##variable], 0, NULL, argument}, \
     INDEX_##variable,                                                                \
     subcommands},
#include "settings.def"
};

enum { OPTIONS = sizeof rows / sizeof *rows };

const struct poptOption *setting_options(bool for_run)
{
    static struct poptOption options[OPTIONS + 1];
    static char texts[OPTIONS][512];
    size_t count = 0;

    for (size_t i = 0; i < OPTIONS; i++) {
        char purpose[256], accepted[256];

        if (rows[i].subcommands == RUN && !for_run)
            continue;
        snprintf(texts[i], sizeof texts[i], "%s: %s",
                 settings_purpose(rows[i].setting, purpose, sizeof purpose),
                 settings_values(rows[i].setting, accepted, sizeof accepted));
        options[count] = rows[i].option;
        options[count++].descrip = texts[i];
    }
    options[count] = (struct poptOption)POPT_TABLEEND;
    return options;
}

const struct poptOption *setting_option(enum settings_index setting)
{
    static struct poptOption options[2];
    const struct poptOption *all = setting_options(true);
    size_t number = 0;

    while (number < OPTIONS && rows[number].setting != setting)
        number++;
    options[0] = all[number];
    return options;
}

bool setting_option_take(const char *word)
{
    const char *value = strchr(word, '=');

    for (size_t i = 0; value && strncmp(word, "--", 2) == 0 && i < OPTIONS; i++) {
        const char *name = rows[i].option.longName;
        size_t length = strlen(name);

        if ((size_t)(value - word) == 2 + length && strncmp(word + 2, name, length) == 0) {
            values[rows[i].setting] = (char *)(uintptr_t)value + 1;
            return true;
        }
    }
    return false;
}

void setting_filter(struct trace_filter *ret_filter)
{
    const char *value = values[INDEX_WSRX_TRACE_FILTER];

    *ret_filter = (struct trace_filter){0};
    if (value)
        record_filter_parse(ret_filter, value);
}

const char *setting_value(enum settings_index setting)
{
    return values[setting] ? values[setting] : getenv(variables[setting]);
}

/* --- bad values -------------------------------------------------------------------------- */

/* The words of each setting, or NULL. */
static const char *const *const words[SETTINGS] = {
#define WORDS(list)          \
    (const char *const[])    \
    {                        \
        list(WORD_TEXT) NULL \
    }
#define LIST(list, rest)                                    WORDS(list)
#define SIZE(least, most)                                   NULL
#define TEXT(values)                                        NULL
#define SETTING(variable, type, field, parser, values, ...) values,
#include "settings.def"
};

/* The nearest word to the first bad item of a list with commas; or NULL. */
static const char *meant(enum settings_index setting, const char *value)
{
    char item[64], candidate[64];
    const char *best = NULL, *start;
    struct suggestion nearest;

    do {
        snprintf(item, sizeof item, "%.*s", (int)strcspn(value, ","), value);
        value += strcspn(value, ",");
    } while (settings_is_good(setting, item) && *value++);
    start = item + (item[0] == '!');
    nearest = suggestion_for(start, strcspn(start, "="));
    for (const char *const *word = words[setting]; *word; word++) {
        nearest.best = NULL;
        /* Of "port=N", only the name can be compared. */
        snprintf(candidate, sizeof candidate, "%.*s", (int)strcspn(*word, "="), *word);
        suggestion_add(&nearest, candidate);
        if (nearest.best)
            best = *word;
    }
    return best;
}

bool setting_options_check(const char *command)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        enum settings_index setting = rows[i].setting;
        const char *value = values[setting], *near;
        char accepted[256];

        if (!value || settings_is_good(setting, value))
            continue;
        near = words[setting] ? meant(setting, value) : NULL;
        complain("%s: --%s=%s: expected %s%s%s%s", command, rows[i].option.longName, value,
                 settings_values(setting, accepted, sizeof accepted), near ? "; did you mean " : "",
                 near ? near : "", near ? "?" : "");
        return false;
    }
    return true;
}

void setting_options_export(void)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (values[i])
            setenv(variables[i], values[i], 1);
}
