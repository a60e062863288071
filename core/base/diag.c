/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include "base/critical_section.h"
#include "base/standard_error.h"
#include "base/strbuf.h"
#include "base/sys.h"

#include <stdarg.h>

enum { LINE = 512 };

struct line {
    char text[LINE];
    size_t length;
};

/* --- lines of threads that are in a critical section ------------------------------------- */

/* Nearly all lines are reported once only, so a few slots are enough. A line that finds none free
 * is dropped, since it must not wait. */
enum { POSTPONED = 8 };
enum { SLOT_FREE, SLOT_TAKEN, SLOT_FULL };

static struct {
    atomic_int state;
    struct line line;
} postponed[POSTPONED];

static bool change(atomic_int *slot, int from, int to)
{
    return atomic_compare_exchange_strong(slot, &from, to);
}

/* If it cannot be written, it is lost. */
static void line_write(const struct line *line)
{
    (void)standard_error_write(line->text, line->length, 0);
}

static void postpone(const struct line *line)
{
    for (size_t i = 0; i < POSTPONED; i++) {
        if (!change(&postponed[i].state, SLOT_FREE, SLOT_TAKEN))
            continue;
        postponed[i].line = *line;
        atomic_store(&postponed[i].state, SLOT_FULL);
        return;
    }
}

/* A handler may leave the write by siglongjmp(), so the slot is freed first. */
static void write_postponed(void)
{
    for (size_t i = 0; i < POSTPONED; i++) {
        struct line line;

        if (!change(&postponed[i].state, SLOT_FULL, SLOT_TAKEN))
            continue;
        line = postponed[i].line;
        atomic_store(&postponed[i].state, SLOT_FREE);
        line_write(&line);
    }
}

/* --- a line ------------------------------------------------------------------------------ */

static void add_formatted(struct strbuf *text, const char *format, va_list args)
{
    for (const char *at = format; *at; at++) {
        if (*at != '%') {
            strbuf_add_char(text, *at);
        } else if (at[1] == 's') {
            strbuf_add(text, va_arg(args, const char *));
            at++;
        } else if (at[1] == 'z' && at[2] == 'u') {
            strbuf_add_number(text, va_arg(args, size_t));
            at += 2;
        } else {
            strbuf_add_char(text, '%');
            at += at[1] == '%';
        }
    }
}

void diag(const char *format, ...)
{
    struct line line;
    /* Room is left for the newline. */
    struct strbuf text = strbuf_in(line.text, sizeof line.text - 1);
    va_list args;

    if (sys_is_sandboxed())
        return;
    strbuf_add(&text, "libwsrx[");
    strbuf_add_number(&text, (uint64_t)sys_getpid());
    strbuf_add(&text, "]: ");
    va_start(args, format);
    add_formatted(&text, format, args);
    va_end(args);
    text.size++;
    strbuf_add_char(&text, '\n');
    line.length = text.length;
    if (critical_section_postpone(write_postponed))
        postpone(&line);
    else
        line_write(&line);
}
