/* SPDX-License-Identifier: MIT */
/* Takes a line of the transcript apart, and puts a line of output together. */
#include "victim.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_SKIP = 77 };

bool op_parse(struct op *op, const char *text)
{
    const char *arrow = strstr(text, " -> ");
    size_t length = arrow ? (size_t)(arrow - text) : strlen(text);
    char *save = NULL;

    memset(op, 0, sizeof(*op));
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    if (length >= sizeof(op->text))
        victim_fail("line too long: %s", text);
    memcpy(op->text, text, length);
    memcpy(op->copy, text, length);
    for (char *word = strtok_r(op->copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        if (op->count == VICTIM_WORDS)
            victim_fail("too many words: %s", op->text);
        op->word[op->count++] = word;
    }
    return op->count > 0 && op->word[0][0] != '#';
}

bool op_flag(const struct op *op, const char *word)
{
    for (int i = 1; i < op->count; i++)
        if (strcmp(op->word[i], word) == 0)
            return true;
    return false;
}

const char *op_option(const struct op *op, const char *key)
{
    size_t length = strlen(key);

    for (int i = 1; i < op->count; i++)
        if (strncmp(op->word[i], key, length) == 0 && op->word[i][length] == '=')
            return op->word[i] + length + 1;
    return NULL;
}

static bool is_number(const char *word)
{
    return isdigit((unsigned char)*word) || strcmp(word, "huge") == 0;
}

const char *op_name(const struct op *op, int index, const char *otherwise)
{
    for (int i = 1; i < op->count; i++)
        if (!strchr(op->word[i], '=') && !is_number(op->word[i]) && index-- == 0)
            return op->word[i];
    return otherwise;
}

bool op_number(const struct op *op, size_t *ret_number)
{
    for (int i = 1; i < op->count; i++) {
        if (!is_number(op->word[i]))
            continue;
        *ret_number = strcmp(op->word[i], "huge") == 0 ? SIZE_MAX : strtoul(op->word[i], NULL, 0);
        return true;
    }
    return false;
}

size_t op_number_or(const struct op *op, size_t otherwise)
{
    size_t number;

    return op_number(op, &number) ? number : otherwise;
}

void line_add(struct line *line, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length =
        vsnprintf(line->text + line->length, sizeof(line->text) - line->length, format, arguments);
    va_end(arguments);
    if (length < 0 || line->length + (size_t)length >= sizeof(line->text))
        victim_fail("output line too long");
    line->length += (size_t)length;
}

void line_result(struct line *line, long long ret, int error)
{
    if (ret == -1)
        line_add(line, "-1 %s", errno_name(error));
    else
        line_add(line, "%lld", ret);
}

void line_write(const struct line *line)
{
    size_t done = 0;

    while (done < line->length) {
        ssize_t wrote = write(STDOUT_FILENO, line->text + done, line->length - done);

        if (wrote < 0 && errno != EINTR)
            _exit(2);
        if (wrote > 0)
            done += (size_t)wrote;
    }
}

void victim_fail(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof(text) - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        _exit(2);
    if ((size_t)length > sizeof(text) - 2)
        length = sizeof(text) - 2;
    text[length++] = '\n';
    if (write(STDERR_FILENO, "victim: ", 8) < 0 || write(STDERR_FILENO, text, (size_t)length) < 0)
        _exit(2);
    _exit(2);
}

void victim_skip(const char *what)
{
    fprintf(stderr, "SKIP: %s: %s\n", what, errno_name(errno));
    exit(EXIT_SKIP);
}

int victim_check(int result, const char *what)
{
    if (result < 0)
        victim_fail("%s: %s", what, errno_name(errno));
    return result;
}

const char *errno_name(int error)
{
    static _Thread_local char number[16];
    const char *name = strerrorname_np(error);

    if (name)
        return name;
    snprintf(number, sizeof(number), "%d", error);
    return number;
}
