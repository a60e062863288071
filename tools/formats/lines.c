/* SPDX-License-Identifier: MIT
 *
 * A line for each record: text for people, or JSON Lines.
 */
#define _GNU_SOURCE
#include "formats/formats.h"
#include "trace/format.h"
#include "util/memory.h"

#include <stdlib.h>

struct line {
    struct format_cache cache;
    char *text;
    size_t room;
};

static void make_room(struct line *line, const struct record *record)
{
    if (line->room >= FORMAT_LINE_MAX(record->data_length))
        return;
    line->room = FORMAT_LINE_MAX(record->data_length);
    line->text = need(realloc(line->text, line->room));
}

void write_jsonl_start(const struct reader_file *file, FILE *out)
{
    struct format_start start = {.time = file->at ? file->head.start + file->offset : 0,
                                 .pid = file->pid,
                                 .parent = file->parent,
                                 .program = &file->about,
                                 .library = file->library};
    static char text[FORMAT_LINE_MAX(0)];

    for (size_t i = 0; i < (file->processes > 0 ? file->processes : 1); i++) {
        if (file->processes > 0) {
            start.time = file->process[i]->time;
            start.pid = file->process[i]->pid;
            start.parent = file->process[i]->parent;
            start.program = &file->process[i]->about;
        }
        fwrite_unlocked(text, 1, format_jsonl_start(&start, text), out);
    }
}

size_t write_jsonl_modules(const struct reader_file *file, size_t from, FILE *out)
{
    static char text[FORMAT_LINE_MAX(0)];

    for (; from < file->modules; from++) {
        const struct reader_module *module = file->module[from];

        fwrite_unlocked(text, 1, format_jsonl_module(&module->module, module->pid, text), out);
    }
    return from;
}

static int write_lines(struct reader *reader, FILE *out, struct progress *progress, bool json)
{
    static struct line line;
    const struct reader_file *file;
    struct record record;

    line.cache.module_of = reader_module_of;
    for (size_t i = 0; json && i < reader_files(reader); i++) {
        write_jsonl_start(reader_file(reader, i), out);
        write_jsonl_modules(reader_file(reader, i), 0, out);
    }
    while (reader_next(reader, &record, &file)) {
        size_t length;

        make_room(&line, &record);
        length = json ? format_jsonl(&line.cache, &record, line.text)
                      : format_text(&line.cache, &record, file->east, line.text);
        fwrite_unlocked(line.text, 1, length, out);
        progress_step(progress);
    }
    free(line.text);
    line.text = NULL;
    line.room = 0;
    return 0;
}

int write_text(struct reader *reader, FILE *out, struct progress *progress)
{
    return write_lines(reader, out, progress, false);
}

int write_jsonl(struct reader *reader, FILE *out, struct progress *progress)
{
    return write_lines(reader, out, progress, true);
}
