/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/setting_options.h"

#include <stdio.h>
#include <stdlib.h>

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

const char *setting_value(enum settings_index setting)
{
    return values[setting] ? values[setting] : getenv(variables[setting]);
}

void setting_options_export(void)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (values[i])
            setenv(variables[i], values[i], 1);
}
