/* SPDX-License-Identifier: MIT */
/*
 * What <wsrx.h> offers to a program that knows of the library. The victim is not linked with it:
 * it looks for the functions at run time, and says so when they are not there.
 */
#include "victim.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "../../../preload/wsrx.h"
#include "../../lib/pattern.h"

static void *public_function(const char *name, struct line *line)
{
    void *function = dlsym(RTLD_DEFAULT, name);

    if (!function)
        line_add(line, " -> not there");
    return function;
}

static void do_hold(const struct op *op, struct line *line)
{
    int (*hold)(int, size_t *) = (int (*)(int, size_t *))public_function("wsrx_hold", line);
    static const char *const words[] = {"none", "process", "kernel"};
    size_t left = 0;
    int result;

    if (!hold)
        return;
    result = hold(variable_fd(op_name(op, 0, "r")), &left);
    line_add(line, " -> ");
    if (result < 0 || result > 2)
        line_result(line, result, errno);
    else
        line_add(line, "%s %zu", words[result], left);
}

static void do_receive(const struct op *op, struct line *line)
{
    ssize_t (*receive)(int, void *, size_t, int, struct wsrx_part *) =
        (ssize_t(*)(int, void *, size_t, int, struct wsrx_part *))public_function("wsrx_receive",
                                                                                  line);
    const char *on = op_option(op, "on") ? op_option(op, "on") : "r";
    struct wsrx_part part;
    size_t size, length = op_number_or(op, 0);
    unsigned char *buffer = memory_arena(&size);
    ssize_t got;
    int flags = (op_flag(op, "dontwait") ? MSG_DONTWAIT : 0) | (op_flag(op, "peek") ? MSG_PEEK : 0);

    if (!receive)
        return;
    memset(&part, 0x5A, sizeof(part));
    got = receive(variable_fd(on), buffer, length, flags, op_flag(op, "nopart") ? NULL : &part);
    line_add(line, " -> ");
    line_result(line, got, errno);
    if (got > 0)
        messages_describe(line, buffer, (size_t)got, !(flags & MSG_PEEK));
    if (got < 0 || op_flag(op, "nopart"))
        return;
    line_add(line, "%s%s of %zu at %zu left %zu", part.flags & WSRX_PARTIAL ? " partial" : "",
             part.flags & WSRX_LAST ? " last" : "", part.message_length, part.offset, part.left);
    if (part.peer_length == 0)
        line_add(line, " from none");
    for (int i = 0; part.peer_length && variable_at(i); i++)
        if (variable_at(i)->address_length == part.peer_length &&
            memcmp(&variable_at(i)->address, &part.peer, part.peer_length) == 0)
            line_add(line, " from %s", variable_at(i)->name);
}

static void do_counters(struct line *line)
{
    void (*read_counters)(struct wsrx_counters *, size_t) =
        (void (*)(struct wsrx_counters *, size_t))public_function("wsrx_counters", line);
    struct wsrx_counters c;

    if (!read_counters)
        return;
    memset(&c, 0, sizeof(c));
    read_counters(&c, sizeof(c));
    line_add(line, " -> held %llu parts %llu saved %llu lost %llu/%llu now %llu",
             (unsigned long long)c.messages_held, (unsigned long long)c.parts,
             (unsigned long long)c.bytes_saved, (unsigned long long)c.messages_lost,
             (unsigned long long)c.bytes_lost, (unsigned long long)c.held_now);
}

static void do_version(struct line *line)
{
    const char *(*version)(void) = (const char *(*)(void))public_function("wsrx_version", line);

    if (version)
        line_add(line, " -> %s", version());
}

bool public_operation(const struct op *op, struct line *line)
{
    if (strcmp(op->word[0], "wsrx_hold") == 0)
        do_hold(op, line);
    else if (strcmp(op->word[0], "wsrx_receive") == 0)
        do_receive(op, line);
    else if (strcmp(op->word[0], "wsrx_counters") == 0)
        do_counters(line);
    else if (strcmp(op->word[0], "wsrx_version") == 0)
        do_version(line);
    else
        return false;
    return true;
}
