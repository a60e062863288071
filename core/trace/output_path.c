/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/output_path.h"

#include "base/strbuf.h"
#include "state.h"

bool output_path_is_pattern(const char *pattern)
{
    if (!*pattern)
        return false;
    for (; *pattern; pattern++)
        if (*pattern == '%' && (!*++pattern || !strchr("pet%", *pattern)))
            return false;
    return true;
}

bool output_path_expand(const char *pattern, const struct output_path_facts *facts, char *to,
                        size_t size, size_t *ret_stem)
{
    struct strbuf path = strbuf_in(to, size);
    bool unique = false;

    if (*pattern != '/') {
        strbuf_add(&path, facts->directory);
        strbuf_add_char(&path, '/');
    }
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            strbuf_add_char(&path, *pattern);
            continue;
        }
        switch (*++pattern) {
        case 'p':
            strbuf_add_number(&path, facts->pid);
            unique = true;
            break;
        case 'e':
            strbuf_add(&path, state_program((char[STATE_PROGRAM]){0}));
            break;
        case 't':
            strbuf_add(&path, facts->start_time);
            break;
        default:
            strbuf_add_char(&path, '%');
        }
    }
    *ret_stem = strlen(to);
    if (!unique)
        strbuf_add(&path, facts->suffix);
    return !path.cut;
}
