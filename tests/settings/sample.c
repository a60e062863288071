/* SPDX-License-Identifier: MIT
 *
 * Prints what the parser and the command's options know of a setting that only tables.py has added.
 */
#include "program/setting_options.h"
#include "settings.h"
#include "util/complain.h"

#include <stdio.h>
#include <unistd.h>

extern char **environ;

/* What setting_options.c needs besides. */
void complain(const char *format, ...)
{
    (void)format;
}

static void print_options(const char *of, const struct poptOption *options)
{
    for (; options->longName; options++)
        printf("%s: -%c --%s=%s  %s\n", of, options->shortName ? options->shortName : ' ',
               options->longName, options->argDescrip, options->descrip);
}

int main(void)
{
    struct settings settings;
    unsigned bad = settings_read(&settings, environ);

    printf("%u bad, sample %d, spare %zu\n", bad, settings.sample, settings.spare);
    print_options("run", setting_options(true));
    print_options("trace", setting_options(false));
    fflush(stdout);
    return settings_help(STDOUT_FILENO) == 0 ? 0 : 1;
}
