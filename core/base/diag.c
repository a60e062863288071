/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include "base/critical_section.h"
#include "base/sys.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

struct line {
    char text[512];
    size_t length;
};

/* Lines of threads that are in a critical section. Nearly all are reported once only, so a few
 * places do; a line that finds none is dropped, for it must not wait. */
enum { POSTPONED = 8 };
enum { PLACE_FREE, PLACE_TAKEN, PLACE_FULL };

static struct {
    atomic_int state;
    struct line line;
} postponed[POSTPONED];

static bool change(atomic_int *state, int from, int to)
{
    return atomic_compare_exchange_strong(state, &from, to);
}

/* Nothing can be done for a stderr that takes no more. */
static void line_write(const struct line *line)
{
    sys_write(STDERR_FILENO, line->text, line->length);
}

static void postpone(const struct line *line)
{
    for (size_t i = 0; i < POSTPONED; i++) {
        if (!change(&postponed[i].state, PLACE_FREE, PLACE_TAKEN))
            continue;
        postponed[i].line = *line;
        atomic_store(&postponed[i].state, PLACE_FULL);
        return;
    }
}

/* A handler may leave the write by siglongjmp(), so the place is free before it. */
static void write_postponed(void)
{
    for (size_t i = 0; i < POSTPONED; i++) {
        struct line line;

        if (!change(&postponed[i].state, PLACE_FULL, PLACE_TAKEN))
            continue;
        line = postponed[i].line;
        atomic_store(&postponed[i].state, PLACE_FREE);
        line_write(&line);
    }
}

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
    if (critical_section_postpone(write_postponed))
        postpone(&line);
    else
        line_write(&line);
}
