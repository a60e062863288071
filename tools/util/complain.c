/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "util/complain.h"

#include "util/printable.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void complain(const char *format, ...)
{
    char *text = NULL, *shown;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    shown = printable(text ? text : format);
    fprintf(stderr, "wsrx: %s\n", shown);
    free(shown);
    free(text);
}

bool is_written(FILE *out, const char *name)
{
    static bool reported;

    errno = 0;
    if (fflush(out) == 0 && !ferror(out))
        return true;
    if (!name || strcmp(name, "-") == 0)
        name = out == stderr ? "standard error" : "standard output";
    /* The reason of an earlier failure is no longer known. */
    if (!reported)
        complain("%s: %s", name, errno ? strerror(errno) : "not all of it could be written");
    reported = true;
    return false;
}
