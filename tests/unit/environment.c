/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "environment.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static int captured_from, stderr_before;

/* A pipe in packet mode (O_DIRECT, pipe(2)) keeps one write apart from the next. */
void capture(void)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    stderr_before = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    captured_from = ends[0];
}

void captured(struct captured *ret_captured)
{
    ssize_t got;

    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    memset(ret_captured, 0, sizeof *ret_captured);
    while ((got = read(captured_from, ret_captured->text + ret_captured->length,
                       sizeof ret_captured->text - 1 - ret_captured->length)) > 0) {
        ret_captured->length += (size_t)got;
        ret_captured->writes++;
    }
    close(captured_from);
}

unsigned read_entries(struct settings *settings, struct captured *ret_written,
                      const char *const *entries)
{
    char *environment[ENTRIES + 1] = {NULL};
    unsigned bad;

    for (size_t i = 0; i < ENTRIES && entries[i]; i++)
        environment[i] = (char *)(uintptr_t)entries[i];
    memset(settings, 0xa5, sizeof *settings);
    capture();
    bad = settings_read(settings, environment);
    captured(ret_written);
    return bad;
}

unsigned read_entry(struct settings *settings, struct captured *ret_written, const char *entry)
{
    const char *const entries[ENTRIES] = {entry};

    return read_entries(settings, ret_written, entries);
}

void assert_silent(const struct captured *written, unsigned bad, const char *of)
{
    cr_expect_eq(bad, 0, "%s: %u bad settings", of, bad);
    cr_expect_eq(written->writes, 0, "%s: told \"%s\"", of, written->text);
}
