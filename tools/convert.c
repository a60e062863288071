/* SPDX-License-Identifier: MIT
 *
 * wsrx convert: records into the formats of others.
 *
 * It owns the choice of the format and the progress bar; each format has a function or a file.
 */
#define _GNU_SOURCE
#include "formats.h"
#include "trace/format.h"
#include "reader.h"
#include "wsrx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct format_cache lines;

static int to_text(struct reader *reader, FILE *out, struct progress *progress)
{
    const struct reader_file *file;
    struct record record;
    char *line = NULL;
    size_t room = 0;

    while (reader_next(reader, &record, &file)) {
        if (room < FORMAT_LINE_MAX(record.data_length)) {
            room = FORMAT_LINE_MAX(record.data_length);
            line = realloc(line, room);
            if (!line)
                return -ENOMEM;
        }
        fwrite_unlocked(line, 1, format_text(&lines, &record, file->east, line), out);
        progress_step(progress);
    }
    free(line);
    return 0;
}

static int to_jsonl(struct reader *reader, FILE *out, struct progress *progress)
{
    struct record record;
    char *line = NULL;
    size_t room = 0;

    while (reader_next(reader, &record, NULL)) {
        if (room < FORMAT_LINE_MAX(record.data_length)) {
            room = FORMAT_LINE_MAX(record.data_length);
            line = realloc(line, room);
            if (!line)
                return -ENOMEM;
        }
        fwrite_unlocked(line, 1, format_jsonl(&lines, &record, line), out);
        progress_step(progress);
    }
    free(line);
    return 0;
}

static const struct {
    const char *name;
    int (*write)(struct reader *reader, FILE *out, struct progress *progress);
    bool binary;
} formats[] = {
    {"text", to_text, false},
    {"jsonl", to_jsonl, false},
    {"pcapng", write_pcapng, true},
    {"perfetto", write_perfetto, false},
};

/* --- progress ---------------------------------------------------------------------------- */

enum { LONG = 500000, WIDTH = 40 };

void progress_start(struct progress *progress, uint64_t records)
{
    *progress = (struct progress){.records = records, .step = records / 200 + 1};
    progress->shown = records >= LONG && isatty(STDERR_FILENO);
    progress->next = progress->shown ? progress->step : UINT64_MAX;
}

void progress_show(struct progress *progress)
{
    static const char bar[] = "########################################";
    int done = (int)(progress->done * WIDTH / progress->records);

    progress->next += progress->step;
    if (done > WIDTH)
        done = WIDTH;
    fprintf(stderr, "\r[%.*s%*s] %3d%%", done, bar, WIDTH - done, "",
            (int)(progress->done * 100 / progress->records));
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r%*s\r", WIDTH + 10, "");
}

/* --- the command ------------------------------------------------------------------------- */

int command_convert(int argc, const char **argv)
{
    char *to = NULL, *output = NULL;
    const struct poptOption options[] = {
        {"to", 't', POPT_ARG_STRING, &to, 0, "text, jsonl, pcapng or perfetto", "FORMAT"},
        {"output", 'o', POPT_ARG_STRING, &output, 0, "write there instead of to standard output",
         "FILE"},
        POPT_TABLEEND,
    };
    poptContext context = options_of(argc, argv, options, "[OPTION...] --to FORMAT FILE...", false);
    size_t format = 0;
    struct progress progress;
    struct reader *reader;
    const char *path;
    FILE *out = stdout;
    int error;

    if (!context)
        return EXIT_OURS;
    while (to && format < sizeof formats / sizeof *formats &&
           strcmp(to, formats[format].name) != 0)
        format++;
    if (!to || format == sizeof formats / sizeof *formats) {
        complain("convert: --to %s%sone of text, jsonl, pcapng and perfetto", to ? to : "is",
                 to ? ": it is " : " ");
        return EXIT_OURS;
    }
    if (!poptPeekArg(context)) {
        complain("convert: which FILE?");
        return EXIT_OURS;
    }
    if ((!output || strcmp(output, "-") == 0) && formats[format].binary && isatty(STDOUT_FILENO)) {
        complain("convert: %s is not for a terminal: use -o FILE", to);
        return EXIT_OURS;
    }
    reader = reader_new();
    while ((path = poptGetArg(context)))
        reader_add(reader, path);
    /* Then what may be there under the output's name stays. */
    if (reader_files(reader) == 0)
        return EXIT_TROUBLE;
    if (output && !(out = reader_output(reader, output)))
        return EXIT_OURS;
    setvbuf(out, NULL, _IOFBF, 1 << 20);
    progress_start(&progress, reader_records(reader));
    error = formats[format].write(reader, out, &progress);
    progress_end(&progress);
    if (error) {
        complain("convert: %s", strerror(-error));
        return EXIT_OURS;
    }
    if (!is_written(out, output))
        return EXIT_OURS;
    reader_tell_missing(reader);
    error = reader_damaged(reader) ? EXIT_TROUBLE : 0;
    reader_free(reader);
    poptFreeContext(context);
    return error;
}
