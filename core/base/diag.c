/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include "base/sys.h"

#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

struct line {
    char text[512];
    size_t length;
};

static void line_add(struct line *line, const char *text)
{
    while (*text && line->length < sizeof line->text - 1)
        line->text[line->length++] = *text++;
}

static void line_add_number(struct line *line, size_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;

    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    line_add(line, digits + at);
}

void diag(const char *format, ...)
{
    struct line line = {.length = 0};
    va_list args;

    line_add(&line, "libwsrx[");
    line_add_number(&line, (size_t)sys_getpid());
    line_add(&line, "]: ");

    va_start(args, format);
    for (const char *at = format; *at; at++) {
        if (*at != '%') {
            line_add(&line, (char[]){*at, '\0'});
        } else if (at[1] == 's') {
            line_add(&line, va_arg(args, const char *));
            at++;
        } else if (at[1] == 'z' && at[2] == 'u') {
            line_add_number(&line, va_arg(args, size_t));
            at += 2;
        } else {
            line_add(&line, "%");
            at += at[1] == '%';
        }
    }
    va_end(args);

    line.text[line.length++] = '\n';
    /* Nothing can be done for a stderr that takes no more. */
    sys_write(STDERR_FILENO, line.text, line.length);
}
