/* SPDX-License-Identifier: MIT
 *
 * wsrx report: files of records summed up, as text or HTML, or two of them compared.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "formats/formats.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/printable.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 20 };

static void print_number(uint64_t number, int width)
{
    char digits[32], grouped[48];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number), at = 0;

    for (int i = 0; i < length; i++) {
        grouped[at++] = digits[i];
        if ((length - i - 1) % 3 == 0 && i < length - 1)
            grouped[at++] = ',';
    }
    grouped[at] = '\0';
    printf("%*s", width, grouped);
}

static void print_sums(const struct sums *sums, uint64_t room, uint32_t longest)
{
    print_number(sums->lost, 13);
    print_number(sums->lost_messages, 10);
    print_number(sums->saved, 13);
    print_number(sums->receives, 12);
    print_number(sums->messages, 12);
    print_number(sums->bytes, 16);
    if (room != UINT64_MAX) {
        print_number(room, 9);
        print_number(longest, 9);
    } else {
        printf("%18s", "");
    }
}

static void print_header(const char *who)
{
    printf("%13s%10s%13s%12s%12s%16s%9s%9s  %s\n", "lost bytes", "lost msgs", "saved bytes",
           "receives", "messages", "bytes", "buffer", "needed", who);
}

static void print_text(const struct summary *summary, const struct reader *reader)
{
    for (size_t i = 0; i < reader_files(reader); i++) {
        const struct reader_file *file = reader_file(reader, i);

        printf("%s: %s%s[%u], %s\n", file->shown, file->program, file->program[0] ? " " : "",
               file->pid,
               !file->at        ? "lines"
               : file->finished ? "exited"
                                : "was killed, has run another program, or still runs");
    }
    printf("%.3f s from the first receive to the last\n\n",
           (double)(summary->last - summary->first) / 1e9);
    print_header("socket");
    for (size_t i = 0; i < summary->sockets && i < ROWS; i++) {
        const struct summary_socket *socket = summary->socket[i];

        print_sums(&socket->sums, socket->least_room, socket->longest);
        printf("  %s[%u] fd %d %s\n", socket->program, socket->pid, socket->fd, socket->address);
    }
    if (summary->sockets > ROWS)
        printf("%13s and %zu more sockets\n", "", summary->sockets - ROWS);
    print_sums(&summary->total, UINT64_MAX, 0);
    printf("  total\n\n");
    print_header("caller");
    for (size_t i = 0; i < summary->callers && i < ROWS; i++) {
        const struct summary_caller *caller = summary->caller[i];

        print_sums(&caller->sums, caller->least_room, caller->longest);
        printf("  %s[%u] %s at 0x%" PRIx64 "\n", caller->program, caller->pid,
               record_call_name(caller->call), caller->address);
    }
    if (summary->callers > ROWS)
        printf("%13s and %zu more callers\n", "", summary->callers - ROWS);
}

/* --- two files --------------------------------------------------------------------------- */

/* Two runs have other pids, cookies and perhaps ports; what stays is the program and the address.
 * Sockets that share these are one. */
struct pair {
    char program[64], address[RECORD_ADDRESS_MAX];
    struct sums sums[2];
};

static struct pair *pair_of(struct pair *pairs, size_t *count, const struct summary_socket *socket)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(pairs[i].program, socket->program) == 0 &&
            strcmp(pairs[i].address, socket->address) == 0)
            return &pairs[i];
    snprintf(pairs[*count].program, sizeof pairs->program, "%s", socket->program);
    snprintf(pairs[*count].address, sizeof pairs->address, "%s", socket->address);
    return &pairs[(*count)++];
}

static void print_change(const char *name, uint64_t before, uint64_t after)
{
    printf("  %-14s", name);
    print_number(before, 18);
    print_number(after, 18);
    printf("  ");
    if (after >= before)
        printf("+"), print_number(after - before, 0);
    else
        printf("-"), print_number(before - after, 0);
    if (before > 0)
        printf(" (%+.1f %%)", ((double)after - (double)before) * 100 / (double)before);
    printf("\n");
}

static void print_changes(const struct sums *before, const struct sums *after)
{
    print_change("lost bytes", before->lost, after->lost);
    print_change("lost messages", before->lost_messages, after->lost_messages);
    print_change("saved bytes", before->saved, after->saved);
    print_change("receives", before->receives, after->receives);
    print_change("messages", before->messages, after->messages);
    print_change("bytes", before->bytes, after->bytes);
    print_change("errors", before->errors, after->errors);
}

static int print_diff(struct summary *const summary[2], const char *const path[2])
{
    struct pair *pairs = calloc(summary[0]->sockets + summary[1]->sockets + 1, sizeof *pairs);
    size_t count = 0;

    if (!pairs)
        return EXIT_OURS;
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < summary[side]->sockets; i++) {
            const struct sums *from = &summary[side]->socket[i]->sums;
            struct sums *to = &pair_of(pairs, &count, summary[side]->socket[i])->sums[side];

            to->receives += from->receives;
            to->errors += from->errors;
            to->messages += from->messages;
            to->partial += from->partial;
            to->bytes += from->bytes;
            to->saved += from->saved;
            to->lost += from->lost;
            to->lost_messages += from->lost_messages;
        }
    for (int side = 0; side < 2; side++) {
        char *shown = printable(path[side]);

        printf("%c: %s\n", 'A' + side, shown);
        free(shown);
    }
    printf("\n  %-14s%18s%18s  %s\n", "all sockets", "A", "B", "change");
    print_changes(&summary[0]->total, &summary[1]->total);
    for (size_t i = 0; i < count; i++) {
        printf("\n%s %s\n", pairs[i].program, pairs[i].address);
        print_changes(&pairs[i].sums[0], &pairs[i].sums[1]);
    }
    free(pairs);
    return 0;
}

static int diff(const char *const path[2])
{
    struct summary *summary[2];
    bool unread = false;
    int result = 0;

    for (int side = 0; side < 2; side++) {
        struct reader *reader = reader_new();

        unread |= !reader_add(reader, path[side]);
        summary[side] = summary_of(reader);
        reader_report_missing(reader);
        if (reader_damaged(reader))
            result = EXIT_TROUBLE;
        reader_free(reader);
    }
    if (!unread && print_diff(summary, path) != 0)
        result = EXIT_OURS;
    summary_free(summary[0]);
    summary_free(summary[1]);
    return result;
}

/* --- the command ------------------------------------------------------------------------- */

/* `html`: the page's file, or NULL for text. */
static int sum_up(const char *const *paths, const char *html)
{
    struct reader *reader = reader_new();
    struct summary *summary;
    int result;

    for (; *paths; paths++)
        reader_add(reader, *paths);
    if (reader_files(reader) == 0)
        return EXIT_TROUBLE;
    summary = summary_of(reader);
    if (html) {
        FILE *out = reader_output(reader, html);

        if (!out)
            return EXIT_OURS;
        write_html(summary, reader, out);
        if (!is_written(out, html))
            return EXIT_OURS;
    } else {
        print_text(summary, reader);
    }
    reader_report_missing(reader);
    result = reader_damaged(reader) ? EXIT_TROUBLE : 0;
    summary_free(summary);
    reader_free(reader);
    return result;
}

static int run(int argc, const char **argv)
{
    char *html = NULL;
    int compare = 0, result;
    const struct poptOption options[] = {
        {"html", 0, POPT_ARG_STRING, &html, 0, "write one self-contained HTML page", "FILE"},
        {"diff", 0, POPT_ARG_NONE, &compare, 0, "compare two files", NULL},
        POPT_TABLEEND,
    };
    poptContext context =
        command_options(&command_report, argc, argv, options, "[OPTION...] FILE...", false);
    const char **paths;
    size_t count = 0;

    if (!context)
        return EXIT_OURS;
    paths = poptGetArgs(context);
    while (paths && paths[count])
        count++;
    if (count == 0 || (compare && (count != 2 || html))) {
        complain("report: %s", compare ? "--diff takes two FILEs, and no --html" : "missing FILE");
        return EXIT_OURS;
    }
    if (compare) {
        result = diff((const char *[]){paths[0], paths[1]});
        poptFreeContext(context);
        return result;
    }
    result = sum_up(paths, html);
    poptFreeContext(context);
    return result;
}

const struct command command_report = {"report",
                                       "sum up files of records, as text or as one HTML page", run};
