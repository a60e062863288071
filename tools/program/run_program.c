/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/run_program.h"

#include "program/beside.h"
#include "program/run_directory.h"
#include "program/setting_options.h"
#include "program/spawn.h"
#include "program/users.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only in the default mode and in mode error are tails held. */
static bool holds_tails(void)
{
    const char *mode = setting_value(INDEX_WSRX_MODE);

    return !mode || strcmp(mode, "continue") == 0 || strcmp(mode, "error") == 0;
}

static void remove_table(int pidfd, void *context)
{
    beside_wait(pidfd);
    users_wait(context);
    run_directory_remove();
}

/* By a file, a tail survives exec. It is removed when neither the program nor one that it has
 * started uses it. */
static void make_table(void)
{
    static char path[PATH_MAX + 8];
    const char *directory = run_directory();

    if (!directory)
        return;
    users_begin();
    snprintf(path, sizeof path, "%s/table", directory);
    setenv("WSRX_TABLE", path, 1);
    if (beside_is_possible())
        beside_start(remove_table, (void *)directory, false);
}

int run_program(const char **words)
{
    int result;

    if (!setting_options_check("run"))
        return EXIT_OURS;
    if (!words || !*words) {
        complain("run: missing PROGRAM");
        return EXIT_OURS;
    }
    if (!setting_value(INDEX_WSRX_TABLE) && holds_tails())
        make_table();
    result = spawn_become(words);
    run_directory_remove();
    return result;
}
