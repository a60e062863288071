/* SPDX-License-Identifier: MIT */
#include "formats/conclusion.h"

#include "util/number.h"

#include <string.h>

/* Of all sockets of the programs that the sentence is about. */
struct facts {
    const struct summary_socket *worst; /* of them; the first in the summary */
    size_t sockets, programs;           /* that lost, or that saved */
    uint64_t bytes, lost, saved;
};

static bool is_concerned(const struct summary_socket *socket, bool lost)
{
    return (lost ? socket->sums.lost : socket->sums.saved) > 0;
}

static bool is_first_of_program(const struct summary *summary, size_t number, bool lost)
{
    for (size_t i = 0; i < number; i++)
        if (is_concerned(summary->socket[i], lost) &&
            strcmp(summary->socket[i]->program, summary->socket[number]->program) == 0)
            return false;
    return true;
}

static bool is_of_program(const struct summary *summary, const char *program, bool lost)
{
    for (size_t i = 0; i < summary->sockets; i++)
        if (is_concerned(summary->socket[i], lost) &&
            strcmp(summary->socket[i]->program, program) == 0)
            return true;
    return false;
}

static struct facts facts_of(const struct summary *summary, bool lost)
{
    struct facts facts = {0};

    for (size_t i = 0; i < summary->sockets; i++) {
        const struct summary_socket *socket = summary->socket[i];

        if (is_concerned(socket, lost)) {
            facts.worst = facts.worst ? facts.worst : socket;
            facts.sockets++;
            facts.programs += is_first_of_program(summary, i, lost);
        } else if (!is_of_program(summary, socket->program, lost)) {
            continue;
        }
        facts.bytes += socket->sums.bytes;
        facts.lost += socket->sums.lost;
        facts.saved += socket->sums.saved;
    }
    return facts;
}

static void put_who(FILE *out, const char *program, size_t programs)
{
    fputs(program[0] ? program : "the program", out);
    if (programs > 1)
        fprintf(out, " and %zu other program%s", programs - 1, programs == 2 ? "" : "s");
}

/* Why the worst socket lost what it lost, or had to be helped. */
static void put_why(FILE *out, const struct facts *facts)
{
    const struct summary_socket *worst = facts->worst;
    char room[GROUPED_MAX], longest[GROUPED_MAX];

    if (worst->short_room == UINT64_MAX) {
        fputs(facts->lost > 0 ? ": tails were left when the socket was closed or the program ended"
                              : "",
              out);
        return;
    }
    grouped(worst->short_room, room);
    grouped(worst->longest, longest);
    if (facts->sockets == 1)
        fprintf(out, ": its buffer is %s, %s would do", room, longest);
    else if (worst->address[0])
        fprintf(out, ": the buffer on %s is %s, %s would do", worst->address, room, longest);
    else
        fprintf(out, ": the buffer on fd %d is %s, %s would do", worst->fd, room, longest);
}

static void put_loss(FILE *out, const struct facts *facts, bool whole)
{
    char lost[GROUPED_MAX], all[GROUPED_MAX], share[PERCENT_MAX];

    put_who(out, facts->worst->program, facts->programs);
    fprintf(out, " lost %s%s of %s bytes (%s)", whole ? "" : "at least ",
            grouped(facts->lost, lost), grouped(facts->bytes + facts->lost, all),
            percent(facts->lost, facts->bytes + facts->lost, share));
    put_why(out, facts);
}

static void put_saving(FILE *out, const struct facts *facts, bool whole)
{
    char saved[GROUPED_MAX], all[GROUPED_MAX], share[PERCENT_MAX];

    put_who(out, facts->worst->program, facts->programs);
    fprintf(out, "%s lost nothing; libwsrx saved %s of %s bytes (%s)",
            whole ? "" : ", as far as its records are there,", grouped(facts->saved, saved),
            grouped(facts->bytes, all), percent(facts->saved, facts->bytes, share));
    put_why(out, facts);
}

static void put_nothing(FILE *out, const struct summary *summary, bool whole)
{
    const char *program = summary->sockets > 0 ? summary->socket[0]->program : "";
    char messages[GROUPED_MAX];
    size_t programs = 0;

    for (size_t i = 0; i < summary->sockets; i++) {
        bool seen = false;

        for (size_t j = 0; j < i && !seen; j++)
            seen = strcmp(summary->socket[j]->program, summary->socket[i]->program) == 0;
        programs += !seen;
    }
    put_who(out, program, programs);
    if (summary->total.messages == 0)
        fputs(summary->total.bytes > 0 ? " received no message to its end" : " received no message",
              out);
    else
        fprintf(out, "%s lost nothing: %s message%s fit",
                whole ? "" : ", as far as its records are there,",
                grouped(summary->total.messages, messages),
                summary->total.messages == 1 ? "" : "s");
}

char *conclusion(const struct summary *summary, const struct reader *reader,
                 char to[CONCLUSION_MAX])
{
    FILE *out = fmemopen(to, CONCLUSION_MAX, "w");
    bool whole = !summary->at_least && !reader_damaged(reader);
    char dropped[GROUPED_MAX];
    struct facts facts;

    to[0] = '\0';
    if (!out)
        return to;
    facts = facts_of(summary, summary->total.lost > 0);
    if (facts.worst && facts.lost > 0)
        put_loss(out, &facts, whole);
    else if (facts.worst)
        put_saving(out, &facts, whole);
    else
        put_nothing(out, summary, whole);
    if (summary->total.dropped > 0)
        fprintf(out, "; the kernel dropped %s message%s, since the socket's queue was full",
                grouped(summary->total.dropped, dropped), summary->total.dropped == 1 ? "" : "s");
    fclose(out);
    to[CONCLUSION_MAX - 1] = '\0';
    return to;
}

char *difference(const struct sums *before, const struct sums *after, char to[CONCLUSION_MAX])
{
    uint64_t change =
        after->lost > before->lost ? after->lost - before->lost : before->lost - after->lost;
    char lost[GROUPED_MAX], all[GROUPED_MAX], by[GROUPED_MAX];

    if (before->lost == 0 && after->lost == 0)
        snprintf(to, CONCLUSION_MAX, "neither run lost anything");
    else
        snprintf(to, CONCLUSION_MAX, "%s of %s bytes lost, %s%s than before",
                 grouped(after->lost, lost), grouped(after->bytes + after->lost, all),
                 change == 0 ? "no more" : grouped(change, by),
                 change == 0                  ? ""
                 : after->lost > before->lost ? " more"
                                              : " fewer");
    return to;
}
