/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "input/reader_file.h"

#include "util/memory.h"

#include <stdlib.h>

void reader_file_add_module(struct reader_file *file, uint32_t pid,
                            const struct record_module *module)
{
    struct reader_module *added = need(malloc(sizeof *added));

    *added = (struct reader_module){pid, *module};
    file->module = need(realloc(file->module, (file->modules + 1) * sizeof *file->module));
    file->module[file->modules++] = added;
}

void reader_file_end_strings(struct trace_program *about)
{
    about->path[sizeof about->path - 1] = '\0';
    about->mode[sizeof about->mode - 1] = '\0';
    about->host[sizeof about->host - 1] = '\0';
    about->command[sizeof about->command - 1] = '\0';
}
