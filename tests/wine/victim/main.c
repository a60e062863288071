/* SPDX-License-Identifier: MIT
 *
 * victim.exe [NAME...]: runs scenarios, all or those named, and writes a line for each: "ok NAME"
 * or "not ok NAME - REASON". One that hangs ends the program with its line.
 * victim.exe --list: the names.  Other words: what a scenario starts it with (see people.c).
 */
#include "victim.h"

#include <stdarg.h>

static const struct scenario *const lists[] = {scenarios_basic, scenarios_after, scenarios_shared,
                                               scenarios_error, scenarios_people};
static volatile LONG running; /* counts scenarios, and what they do */
static const char *volatile running_name;

int other_words(int count, char **words);

const char *wrong(const char *format, ...)
{
    static char reason[400];
    va_list list;

    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    return reason;
}

void progress(void)
{
    InterlockedIncrement(&running);
}

static DWORD WINAPI __attribute__((noreturn)) watch(void *unused)
{
    (void)unused;
    for (;;) {
        LONG before = running;

        Sleep(PATIENCE);
        if (running == before) {
            printf("not ok %s - hangs\n", running_name);
            fflush(stdout);
            TerminateProcess(GetCurrentProcess(), 3);
        }
    }
}

static BOOL is_wanted(const char *name, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return TRUE;
    return count == 0;
}

int main(int argc, char **argv)
{
    WSADATA data;
    int failed = 0;

    if (argc > 2 && strncmp(argv[1], "--", 2) == 0)
        return other_words(argc - 1, argv + 1);
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (const struct scenario *at = lists[l]; at->name && argc == 2; at++)
            if (strcmp(argv[1], "--list") == 0)
                puts(at->name);
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return 0;

    CloseHandle(CreateThread(NULL, 0, watch, NULL, 0, NULL));
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        for (const struct scenario *at = lists[l]; at->name; at++) {
            const char *reason;

            if (!is_wanted(at->name, argc - 1, argv + 1))
                continue;
            running_name = at->name;
            progress();
            WSAStartup(MAKEWORD(2, 2), &data);
            reason = at->run();
            pair_close();
            WSACleanup();
            failed += reason != NULL;
            if (reason)
                printf("not ok %s - %s\n", at->name, reason);
            else
                printf("ok %s\n", at->name);
            fflush(stdout);
        }
    }
    return failed != 0;
}
