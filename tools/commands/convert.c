/* SPDX-License-Identifier: MIT
 *
 * wsrx convert: records into the formats of other programs.
 */
#include "commands/command.h"
#include "formats/formats.h"
#include "program/setting_options.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <string.h>
#include <unistd.h>

static const struct format {
    const char *name;
    int (*write)(struct reader *reader, FILE *out, struct progress *progress);
    bool binary;
    const char *endings[4]; /* of the names of its files */
} formats[] = {
    {"text", write_text, false, {".txt", ".text", ".log"}},
    {"jsonl", write_jsonl, false, {".jsonl", ".ndjson"}},
    {"pcapng", write_pcapng, true, {".pcapng"}},
    {"perfetto", write_perfetto, false, {".json", ".perfetto-trace"}},
};

enum { FORMATS = sizeof formats / sizeof *formats };

static bool has_ending(const struct format *format, const char *path)
{
    size_t length = strlen(path);

    for (const char *const *ending = format->endings; *ending; ending++)
        if (length > strlen(*ending) && strcmp(path + length - strlen(*ending), *ending) == 0)
            return true;
    return false;
}

/* By its name, or else by that of the output; each may be NULL. NULL: reported. */
static const struct format *find_format(const char *name, const char *output)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (name ? strcmp(name, formats[i].name) == 0 : output && has_ending(&formats[i], output))
            return &formats[i];
    if (name)
        complain("convert: unknown format \"%s\": expected text, jsonl, pcapng or perfetto", name);
    else
        complain("convert: missing --to, and no -o whose ending tells the format: expected text, "
                 "jsonl, pcapng or perfetto");
    return NULL;
}

/* Returns the exit code. `output` may be NULL. */
static int convert(struct reader *reader, const struct format *format, const char *output)
{
    FILE *out = output ? reader_output(reader, output) : stdout;
    struct progress progress;
    int error;

    if (!out)
        return EXIT_OURS;
    setvbuf(out, NULL, _IOFBF, 1 << 20);
    progress_start(&progress, reader_records(reader));
    error = format->write(reader, out, &progress);
    progress_end(&progress);
    if (error) {
        complain("convert: %s", strerror(-error));
        return EXIT_OURS;
    }
    if (!is_written(out, output))
        return EXIT_OURS;
    reader_report_missing(reader);
    return reader_damaged(reader) ? EXIT_TROUBLE : 0;
}

static int run(int argc, const char **argv)
{
    char *to = NULL, *output = NULL;
    const struct poptOption options[] = {
        {"to", 't', POPT_ARG_STRING, &to, 0,
         "text, jsonl, pcapng or perfetto; else the ending of -o tells it", "FORMAT"},
        {"output", 'o', POPT_ARG_STRING, &output, 0, "write there instead of to standard output",
         "FILE"},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)setting_option(INDEX_WSRX_TRACE_FILTER), 0, NULL,
         NULL},
        POPT_TABLEEND,
    };
    poptContext context = command_options(&command_convert, argc, argv, options,
                                          "[OPTION...] --to FORMAT | -o FILE FILE...", false);
    const struct format *format;
    struct trace_filter filter;
    struct reader *reader;
    const char *path;
    int result = EXIT_TROUBLE;

    if (!context || !setting_options_check(command_convert.name) ||
        !(format = find_format(to, output)))
        return EXIT_OURS;
    if (!poptPeekArg(context)) {
        complain("convert: missing FILE");
        return EXIT_OURS;
    }
    if ((!output || strcmp(output, "-") == 0) && format->binary && isatty(STDOUT_FILENO)) {
        complain("convert: %s is not for a terminal: use -o FILE", format->name);
        return EXIT_OURS;
    }
    reader = reader_new();
    setting_filter(&filter);
    reader_filter(reader, &filter);
    while ((path = poptGetArg(context)))
        reader_add(reader, path);
    /* If none can be read, the output file stays as it is. */
    if (reader_files(reader) > 0)
        result = convert(reader, format, output);
    reader_free(reader);
    poptFreeContext(context);
    return result;
}

const struct command command_convert = {
    "convert", "turn records into text, JSON Lines, pcapng or a Perfetto trace", run};
