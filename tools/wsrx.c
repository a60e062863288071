/* SPDX-License-Identifier: MIT
 *
 * wsrx: the command. It becomes a program as quickly as it can; for everything else it loads another
 * file, with the libraries that this needs.
 */
#define _GNU_SOURCE
#include "commands/all.h"
#include "program/place.h"
#include "program/run_program.h"
#include "program/setting_options.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <dlfcn.h>
#include <string.h>

#define FILE_NAME "wsrx-commands.so"

/* In the build tree; under the prefix, wherever that is now; where it was to be installed. */
static const char *const places[] = {FILE_NAME, WSRX_DIR_FROM_HERE "/" FILE_NAME,
                                     WSRX_DIR "/" FILE_NAME};

static int load_and_run(int argc, const char **argv)
{
    commands_main_function *others = NULL;
    char path[PATH_MAX];
    void *file = NULL;

    for (size_t i = 0; !file && i < sizeof places / sizeof *places; i++)
        if (place_has(places[i], path) && !(file = dlopen(path, RTLD_NOW)))
            complain("%s", dlerror());
    if (file)
        *(void **)&others = dlsym(file, COMMANDS_MAIN);
    if (others)
        return others(argc, argv);
    place_of_self(path);
    complain("the file with this subcommand is not there: no %s/" FILE_NAME ", and none near %s",
             WSRX_DIR, path);
    return EXIT_OURS;
}

/* Whether it is `wsrx run [--NAME=VALUE...] [--] PROGRAM`; and where that is. Whatever is written in
 * another way, --help and mistakes as well, popt(3) reads. */
static bool is_plain_run(int argc, const char **argv, int *ret_program)
{
    int at = 2;

    if (argc <= at || strcmp(argv[1], "run") != 0)
        return false;
    while (at < argc && setting_option_take(argv[at]))
        at++;
    if (at < argc && strcmp(argv[at], "--") == 0)
        at++;
    else if (at < argc && argv[at][0] == '-')
        return false;
    *ret_program = at;
    return at < argc;
}

int main(int argc, char **argv)
{
    const char **words = (const char **)argv;
    int program;

    return is_plain_run(argc, words, &program) ? run_program(words + program)
                                               : load_and_run(argc, words);
}
