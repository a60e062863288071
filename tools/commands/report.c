/* SPDX-License-Identifier: MIT
 *
 * wsrx report: files of records summed up, as text or HTML, or two of them compared.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "formats/conclusion.h"
#include "formats/formats.h"
#include "formats/report_data.h"
#include "formats/table.h"
#include "program/setting_options.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/number.h"

enum { ROWS = 20 };

static void print_text(const struct summary *summary, const struct reader *reader)
{
    char text[CONCLUSION_MAX];

    printf("%s\n\n", conclusion(summary, reader, text));
    for (size_t i = 0; i < reader_files(reader); i++) {
        const struct reader_file *file = reader_file(reader, i);

        printf("%s: %s%s[%u], %s\n", file->shown, file->program, file->program[0] ? " " : "",
               file->pid,
               !file->at        ? "lines"
               : file->finished ? "exited"
                                : "was killed, has run another program, or still runs");
    }
    printf("%.3f s from the first receive to the last\n\nBy socket:\n",
           (double)(summary->last - summary->first) / 1e9);
    table_sockets(stdout, summary, ROWS);
    printf("\nBy caller:\n");
    table_callers(stdout, summary, ROWS);
}

/* --- two files --------------------------------------------------------------------------- */

static void print_changes(struct json_object *changes)
{
    for (size_t i = 0; i < json_object_array_length(changes); i++) {
        struct json_object *change = json_object_array_get_idx(changes, i);
        char before[GROUPED_MAX], after[GROUPED_MAX];

        grouped(json_object_get_uint64(json_object_object_get(change, "before")), before);
        grouped(json_object_get_uint64(json_object_object_get(change, "after")), after);
        printf("  %-14s%18s%18s  %s\n",
               json_object_get_string(json_object_object_get(change, "what")), before, after,
               json_object_get_string(json_object_object_get(change, "text")));
    }
}

static void print_diff(struct json_object *data)
{
    struct json_object *sockets = json_object_object_get(data, "sockets");

    printf("%s\n\n", json_object_get_string(json_object_object_get(data, "conclusion")));
    printf("A: %s\n", json_object_get_string(json_object_object_get(data, "before")));
    printf("B: %s\n", json_object_get_string(json_object_object_get(data, "after")));
    printf("\n  %-14s%18s%18s  %s\n", "all sockets", "A", "B", "change");
    print_changes(json_object_object_get(data, "total"));
    for (size_t i = 0; i < json_object_array_length(sockets); i++) {
        struct json_object *socket = json_object_array_get_idx(sockets, i);
        const char *address = json_object_get_string(json_object_object_get(socket, "address"));

        printf("\n%s %s\n", json_object_get_string(json_object_object_get(socket, "program")),
               *address ? address : NO_NAME);
        print_changes(json_object_object_get(socket, "changes"));
    }
}

/* --- the command ------------------------------------------------------------------------- */

struct request {
    const char *html; /* the page's file, or NULL */
    bool json;
    struct trace_filter filter;
};

/* False: reported. */
static bool put_summary(const struct request *request, const struct summary *summary,
                        const struct reader *reader)
{
    struct json_object *data;
    FILE *out;

    if (request->html) {
        out = reader_output(reader, request->html);
        if (!out)
            return false;
        write_html(summary, reader, out);
        return is_written(out, request->html);
    }
    if (!request->json) {
        print_text(summary, reader);
        return true;
    }
    data = report_data(summary, reader);
    report_json(data, stdout);
    json_object_put(data);
    return true;
}

static bool put_comparison(const struct request *request, struct summary *const summary[2],
                           const char *const path[2], struct reader *const reader[2])
{
    struct json_object *data;
    FILE *out = NULL;

    if (request->html) {
        for (int side = 0; side < 2; side++)
            if (!reader_may_write(reader[side], request->html))
                return false;
        out = reader_output(reader[0], request->html);
        if (!out)
            return false;
        write_html_diff(summary, path, out);
        return is_written(out, request->html);
    }
    data = report_diff_data(summary, path);
    if (request->json)
        report_json(data, stdout);
    else
        print_diff(data);
    json_object_put(data);
    return true;
}

/* NULL: nothing could be read, and that was reported. */
static struct reader *read_files(const struct request *request, const char *const *paths)
{
    struct reader *reader = reader_new();

    reader_filter(reader, &request->filter);
    for (; *paths; paths++)
        reader_add(reader, *paths);
    if (reader_files(reader) > 0)
        return reader;
    reader_free(reader);
    return NULL;
}

static int compare(const struct request *request, const char *const path[2])
{
    struct reader *reader[2];
    struct summary *summary[2];
    int result = 0;

    for (int side = 0; side < 2; side++)
        reader[side] = read_files(request, (const char *const[]){path[side], NULL});
    if (!reader[0] || !reader[1])
        return EXIT_TROUBLE;
    for (int side = 0; side < 2; side++) {
        summary[side] = summary_of(reader[side]);
        reader_report_missing(reader[side]);
        if (reader_damaged(reader[side]))
            result = EXIT_TROUBLE;
    }
    if (!put_comparison(request, summary, path, reader))
        result = EXIT_OURS;
    for (int side = 0; side < 2; side++) {
        summary_free(summary[side]);
        reader_free(reader[side]);
    }
    return result;
}

static int sum_up(const struct request *request, const char *const *paths)
{
    struct reader *reader = read_files(request, paths);
    struct summary *summary;
    bool written;
    int result;

    if (!reader)
        return EXIT_TROUBLE;
    summary = summary_of(reader);
    written = put_summary(request, summary, reader);
    if (written)
        reader_report_missing(reader);
    result = !written ? EXIT_OURS : reader_damaged(reader) ? EXIT_TROUBLE : 0;
    summary_free(summary);
    reader_free(reader);
    return result;
}

static size_t count_of(const char **paths)
{
    size_t count = 0;

    while (paths && paths[count])
        count++;
    return count;
}

static int run(int argc, const char **argv)
{
    char *html = NULL;
    int diff = 0, json = 0, result;
    const struct poptOption options[] = {
        {"html", 0, POPT_ARG_STRING, &html, 0, "write one self-contained HTML page", "FILE"},
        {"json", 0, POPT_ARG_NONE, &json, 0, "print one JSON object instead of tables", NULL},
        {"diff", 0, POPT_ARG_NONE, &diff, 0, "compare two files", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)setting_option(INDEX_WSRX_TRACE_FILTER), 0, NULL,
         NULL},
        POPT_TABLEEND,
    };
    poptContext context =
        command_options(&command_report, argc, argv, options, "[OPTION...] FILE...", false);
    struct request request = {.json = json};
    const char **paths;

    request.html = html;
    if (!context || !setting_options_check(command_report.name))
        return EXIT_OURS;
    setting_filter(&request.filter);
    paths = poptGetArgs(context);
    if (count_of(paths) == 0 || (diff && count_of(paths) != 2) || (json && html)) {
        complain("report: %s", json && html ? "--json and --html cannot be combined"
                               : diff       ? "--diff takes two FILEs"
                                            : "missing FILE");
        return EXIT_OURS;
    }
    result = diff ? compare(&request, paths) : sum_up(&request, paths);
    poptFreeContext(context);
    return result;
}

const struct command command_report = {
    "report", "sum up files of records, as text, JSON or an HTML page", run};
