/* SPDX-License-Identifier: MIT
 *
 * Runs the tests one after the other, each in a child of its own, and says what became of them as TAP
 * does. It takes no arguments into account.
 */
#include <criterion/criterion.h>

#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 1, SKIPPED = 77, PATIENCE = 120 }; /* PATIENCE: seconds */

static struct forked_test *first, **last = &first;
static bool failed; /* this child's test */
static unsigned count, wrong;

void forked_add(struct forked_test *test)
{
    *last = test;
    last = &test->next;
}

static void say(const char *format, va_list list)
{
    printf("# ");
    vprintf(format, list);
    printf("\n");
}

void forked_failed(bool ends, const char *at, const char *what, const char *format, ...)
{
    va_list list;

    printf("# %s: %s\n", at, what);
    va_start(list, format);
    if (*format)
        say(format, list);
    va_end(list);
    failed = true;
    if (ends)
        exit(FAILED);
}

void forked_skip(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(format, list);
    va_end(list);
    exit(SKIPPED);
}

static const struct forked_options *suite_options(const struct forked_test *test)
{
    for (const struct forked_test *each = first; each; each = each->next)
        if (!each->name && strcmp(each->suite, test->suite) == 0)
            return &each->options;
    return &test->options;
}

static void run_here(const struct forked_test *test, void *row)
{
    const struct forked_options *options = suite_options(test);

    alarm(PATIENCE);
    if (options->init)
        options->init();
    if (row)
        test->row_body(row);
    else
        test->body();
    if (options->fini)
        options->fini();
    exit(failed ? FAILED : 0);
}

static void run(const struct forked_test *test, void *row, size_t number)
{
    int status = 0;
    bool good;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0)
        run_here(test, row);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        status = -1;
    good = WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIPPED);
    count++;
    wrong += !good;
    printf("%s %u - %s::%s", good ? "ok" : "not ok", count, test->suite, test->name);
    if (row)
        printf(" row %zu", number);
    if (good && WEXITSTATUS(status) == SKIPPED)
        printf(" # SKIP");
    if (!good)
        printf(" (status %x)", (unsigned)status);
    printf("\n");
}

int main(void)
{
    for (const struct forked_test *test = first; test; test = test->next) {
        struct criterion_test_params rows = {0};

        if (!test->name)
            continue;
        if (!test->rows)
            run(test, NULL, 0);
        else
            rows = test->rows();
        for (size_t i = 0; i < rows.length; i++)
            run(test, (char *)rows.params + i * rows.size, i);
    }
    printf("1..%u\n", count);
    return wrong > 0;
}
