/* SPDX-License-Identifier: MIT */
/* From a row to runs of the victim, and from their output to assertions. */
#include "scenario.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

/* A victim takes milliseconds; one that waits for ever should not take the suite with it. */
enum { DEADLINE_MS = 10000 };

enum { TEXT_MAX = 65536, ENVIRONMENT_MAX = 8, EXIT_SKIP = 77 };

static const struct {
    unsigned bit;
    const char *line;
} kinds[] = {
    {KIND_NONE, ""},
    {KIND_UDP4, "udp4\n"},
    {KIND_UDP6, "udp6\n"},
    {KIND_UNIX, "unix\n"},
    {KIND_SEQPACKET, "seqpacket\n"},
    {KIND_UNIXPAIR, "unixpair\n"},
    {KIND_SEQPAIR, "seqpair\n"},
};

static const struct {
    unsigned bit;
    const char *name;
    const char *line;
    const char *end;
} modes[] = {
    {MODE_ONCE, "", "", ""},
    {MODE_BLOCK, "blocking", "", "end -> -1 EINTR\n"},
    {MODE_NONBLOCK, "non-blocking", "nonblock\n", "end -> -1 EAGAIN\n"},
    {MODE_TIMEOUT, "with a timeout", "timeout 30\n", "end -> -1 EAGAIN waited\n"},
    {MODE_NOWAIT, "non-blocking", "nonblock\n", ""},
};

static const struct {
    unsigned bit;
    const char *word;
} holds[] = {
    {HOLD_DEFAULT, NULL},
    {HOLD_PROCESS, "WSRX_HOLD=process"},
    {HOLD_KERNEL, "WSRX_HOLD=kernel"},
};

enum { MODE_INDEX_NONBLOCK = 2 }; /* in modes[] */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* One run: the row in one of its combinations. */
struct run {
    const struct scenario *scenario;
    const char *kind, *mode, *hold;
    char text[TEXT_MAX];
    const char *environment[ENVIRONMENT_MAX];
    struct spawned victim;
};

static void add(char *text, const char *more, size_t length)
{
    size_t at = strlen(text);

    cr_assert(at + length < TEXT_MAX, "the transcript is too long");
    memcpy(text + at, more, length);
    text[at + length] = '\0';
}

/* "readv parts=3": the operation takes $C's place, its options go to the end of the operation. */
static void add_with_call(char *text, const char *transcript, const char *call)
{
    const char *options = call ? strchr(call, ' ') : NULL;

    while (*transcript) {
        size_t line = strcspn(transcript, "\n");
        const char *arrow = memmem(transcript, line, " -> ", 4);
        size_t head = arrow ? (size_t)(arrow - transcript) : line;

        if (call && strncmp(transcript, "$C", 2) == 0) {
            add(text, call, options ? (size_t)(options - call) : strlen(call));
            add(text, transcript + 2, head - 2);
            if (options)
                add(text, options, strlen(options));
        } else {
            add(text, transcript, head);
        }
        add(text, transcript + head, line - head);
        add(text, "\n", 1);
        transcript += line + (transcript[line] == '\n');
    }
}

static void play(struct run *run, bool preload)
{
    const char *argv[] = {spawn_victim(), run->text, NULL};
    struct spawn_request request = {
        .argv = argv,
        .environment = run->environment,
        .preload = preload,
        .deadline_ms = DEADLINE_MS,
    };

    cr_assert(spawn_run(&run->victim, &request), "the victim does not start");
}

static char *how(const struct run *run, bool preload)
{
    char *text = NULL;
    char words[512] = "";

    for (const char *const *word = run->environment; preload && *word; word++) {
        strncat(words, *word, sizeof(words) - strlen(words) - 1);
        strncat(words, " ", sizeof(words) - strlen(words) - 1);
    }
    if (asprintf(&text, "%s [%.*s%s%s%s%s]", run->scenario->name, (int)strcspn(run->kind, "\n"),
                 run->kind, *run->mode ? ", " : "", run->mode,
                 preload ? "; preloaded " : "; without the library", words) < 0)
        abort();
    return text;
}

static const char *ending(const struct spawned *victim)
{
    static char text[64];

    if (victim->timed_out)
        return "killed at its deadline: it waits for something";
    if (victim->signal)
        snprintf(text, sizeof(text), "killed by signal %d", victim->signal);
    else
        snprintf(text, sizeof(text), "exit status %d", victim->exit_status);
    return text;
}

/* Line and text where two outputs part. */
static char *difference(const char *expected, const char *got)
{
    unsigned line = 1;
    char *text = NULL;

    while (*expected || *got) {
        size_t e = strcspn(expected, "\n"), g = strcspn(got, "\n");

        if (e != g || memcmp(expected, got, e) != 0)
            break;
        expected += e + (expected[e] == '\n');
        got += g + (got[g] == '\n');
        line++;
    }
    if (asprintf(&text, "line %u: expected \"%.*s\", got \"%.*s\"", line,
                 (int)strcspn(expected, "\n"), expected, (int)strcspn(got, "\n"), got) < 0)
        abort();
    return text;
}

static unsigned skips;

static bool skipped(const struct run *run)
{
    if (run->victim.exit_status != EXIT_SKIP)
        return false;
    if (skips++ == 0)
        fprintf(stderr, "%s: %s", run->scenario->name, run->victim.err.data);
    return true;
}

static void expect_transcript(struct run *run)
{
    const struct spawned *victim = &run->victim;
    char *what = how(run, true), *where;

    play(run, true);
    where = difference(run->text, victim->out.data);
    if (!skipped(run)) {
        cr_expect(victim->exit_status == 0 && strcmp(run->text, victim->out.data) == 0,
                  "%s: %s (%s)\n%s", what, where, ending(victim), victim->out.data);
        cr_expect(victim->err.length == 0, "%s: printed unasked: %s", what, victim->err.data);
    }
    free(where);
    free(what);
    spawn_free(&run->victim);
}

/* Linux does the same: checked in every combination. */
static void expect_same_without(struct run *run)
{
    const struct spawned *victim = &run->victim;
    char *what = how(run, false), *where;

    play(run, false);
    where = difference(run->text, victim->out.data);
    if (!skipped(run))
        cr_expect(strcmp(run->text, victim->out.data) == 0, "%s: %s (%s)\n%s", what, where,
                  ending(victim), victim->out.data);
    free(where);
    free(what);
    spawn_free(&run->victim);
}

/* Linux does something else. Shown once per row, on a non-blocking socket so that nothing waits. */
static void expect_other_without(struct run *run)
{
    char *what = how(run, false);

    play(run, false);
    if (!skipped(run))
        cr_expect(!run->victim.timed_out && strcmp(run->text, run->victim.out.data) != 0,
                  "%s: comes true without the library, so it shows nothing (%s)", what,
                  ending(&run->victim));
    free(what);
    spawn_free(&run->victim);
}

static void fill_in(struct run *run, const struct scenario *scenario, size_t kind, size_t mode,
                    size_t hold, const char *call)
{
    size_t count = 0;

    memset(run, 0, sizeof(*run));
    run->scenario = scenario;
    run->kind = kinds[kind].line;
    run->mode = modes[mode].name;
    add(run->text, kinds[kind].line, strlen(kinds[kind].line));
    add(run->text, modes[mode].line, strlen(modes[mode].line));
    add_with_call(run->text, scenario->transcript, call);
    add(run->text, modes[mode].end, strlen(modes[mode].end));
    for (size_t i = 0; i < COUNT(scenario->environment) && scenario->environment[i]; i++)
        run->environment[count++] = scenario->environment[i];
    if (holds[hold].word)
        run->environment[count++] = holds[hold].word;
}

static bool chosen(unsigned bits, unsigned bit)
{
    return bits == bit || (bits & bit);
}

/*
 * A row without expectations of its own: Linux provides them. What may differ from run to run
 * (process ids in the C library's last words) does not appear in a victim's output.
 */
static void expect_same(struct run *run)
{
    struct run with = *run;
    char *what = how(run, true), *where;

    play(run, false);
    play(&with, true);
    where = difference(run->victim.out.data, with.victim.out.data);
    if (!skipped(run)) {
        cr_expect(run->victim.exit_status != 2, "%s: the transcript is wrong: %s", what,
                  run->victim.err.data);
        cr_expect(!run->victim.timed_out, "%s: waits without the library, after:\n%s", what,
                  run->victim.out.data);
        cr_expect(strcmp(run->victim.out.data, with.victim.out.data) == 0, "%s: %s (%s)\n%s", what,
                  where, ending(&with.victim), with.victim.out.data);
        cr_expect(run->victim.exit_status == with.victim.exit_status &&
                      run->victim.signal == with.victim.signal,
                  "%s: the program ends in another way: %s", what, ending(&with.victim));
        cr_expect(strcmp(run->victim.err.data, with.victim.err.data) == 0,
                  "%s: standard error differs: \"%s\"", what, with.victim.err.data);
    }
    free(where);
    free(what);
    spawn_free(&run->victim);
    spawn_free(&with.victim);
}

static void for_each(const struct scenario *scenario, const char *call)
{
    static struct run run;
    unsigned runs = 0;
    bool shown = scenario->without != WITHOUT_DIFFERS;

    for (size_t k = 0; k < COUNT(kinds); k++) {
        if (!chosen(scenario->kinds, kinds[k].bit))
            continue;
        for (size_t m = 0; m < COUNT(modes); m++) {
            if (!chosen(scenario->modes, modes[m].bit))
                continue;
            for (size_t h = 0; h < COUNT(holds); h++) {
                if (!chosen(scenario->holds, holds[h].bit))
                    continue;
                fill_in(&run, scenario, k, m, h, call);
                if (scenario->without == WITHOUT_DECIDES)
                    expect_same(&run);
                else
                    expect_transcript(&run);
                runs++;
            }
            if (scenario->without == WITHOUT_SAME) {
                fill_in(&run, scenario, k, m, 0, call);
                expect_same_without(&run);
            }
        }
        if (!shown) {
            fill_in(&run, scenario, k, scenario->kinds ? MODE_INDEX_NONBLOCK : 0, 0, call);
            expect_other_without(&run);
            shown = true;
        }
    }
    cr_expect(runs > 0, "%s: asks for no run at all", scenario->name);
    if (skips >= runs)
        cr_skip_test("%s: this machine cannot do it", scenario->name);
}

/* A row that makes its own sockets sets their mode itself. */
static void complete(struct scenario *row, const struct scenario *common)
{
    if (!row->kinds)
        row->kinds = common->kinds;
    if (!row->modes && row->kinds)
        row->modes = common->modes;
    if (!row->holds)
        row->holds = common->holds;
    if (!row->environment[0])
        memcpy(row->environment, common->environment, sizeof(row->environment));
    if (!row->without)
        row->without = common->without;
}

void scenario_check_call(const struct scenario *row, const char *call,
                         const struct scenario *common)
{
    struct scenario scenario = *row;

    if (common)
        complete(&scenario, common);
    for_each(&scenario, call);
}

void scenario_check(const struct scenario *row)
{
    for_each(row, NULL);
}
