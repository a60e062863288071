/* SPDX-License-Identifier: MIT
 *
 * As much of Criterion as the unit tests use, for a build with ThreadSanitizer: Criterion starts its
 * tests in a way that its runtime does not bear. Here each test runs in a forked child.
 */
#ifndef WSRX_TESTS_FORKED_CRITERION_H
#define WSRX_TESTS_FORKED_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct criterion_test_params {
    size_t size, length;
    void *params;
};

struct forked_options {
    void (*init)(void), (*fini)(void);
    double timeout;
};

struct forked_test {
    const char *suite, *name; /* name NULL: the options are the suite's */
    void (*body)(void);
    void (*row_body)(void *row);
    struct criterion_test_params (*rows)(void);
    struct forked_options options;
    struct forked_test *next;
};

/* A check without words has an empty format. */
#pragma GCC diagnostic ignored "-Wformat-zero-length"

void forked_add(struct forked_test *test);
__attribute__((format(printf, 4, 5))) void forked_failed(bool ends, const char *at,
                                                         const char *what, const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void forked_skip(const char *format, ...);

#define FORKED_ADD(suite_, name_, id, ...)                                                  \
    static struct forked_test id##_test = {.suite = #suite_, .name = (name_), __VA_ARGS__}; \
    __attribute__((constructor)) static void id##_add(void)                                 \
    {                                                                                       \
        forked_add(&id##_test);                                                             \
    }
#define TestSuite(suite, ...) FORKED_ADD(suite, NULL, suite##_suite, .options = {__VA_ARGS__})
#define Test(suite, name, ...)                                                                 \
    static void suite##_##name(void);                                                          \
    FORKED_ADD(suite, #name, suite##_##name, .body = suite##_##name, .options = {__VA_ARGS__}) \
    static void suite##_##name(void)
#define ParameterizedTestParameters(suite, name) \
    static struct criterion_test_params suite##_##name##_rows(void)
#define cr_make_param_array(type, array, count) \
    ((struct criterion_test_params){sizeof(type), (count), (array)})
#define ParameterizedTest(parameter, suite, name)                              \
    static void suite##_##name##_row(parameter);                               \
    static void suite##_##name##_any(void *row)                                \
    {                                                                          \
        suite##_##name##_row(row);                                             \
    }                                                                          \
    FORKED_ADD(suite, #name, suite##_##name, .row_body = suite##_##name##_any, \
               .rows = suite##_##name##_rows)                                  \
    static void suite##_##name##_row(parameter)

#define FORKED_STRING_OF(line) #line
#define FORKED_STRING(line)    FORKED_STRING_OF(line)
#define FORKED_AT              __FILE__ ":" FORKED_STRING(__LINE__)
#define FORKED_CHECK(ends, good, what, ...)                           \
    do {                                                              \
        if (!(good))                                                  \
            forked_failed((ends), FORKED_AT, (what), "" __VA_ARGS__); \
    } while (0)

#define cr_assert(good, ...)       FORKED_CHECK(true, good, #good, __VA_ARGS__)
#define cr_assert_not(bad, ...)    FORKED_CHECK(true, !(bad), "not " #bad, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)    FORKED_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)   FORKED_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)    FORKED_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)   FORKED_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)    FORKED_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)   FORKED_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(a, ...)     FORKED_CHECK(true, !(a), #a " is NULL", __VA_ARGS__)
#define cr_assert_not_null(a, ...) FORKED_CHECK(true, (a), #a " is not NULL", __VA_ARGS__)
#define cr_assert_fail(...)        FORKED_CHECK(true, false, "", __VA_ARGS__)
#define cr_expect(good, ...)       FORKED_CHECK(false, good, #good, __VA_ARGS__)
#define cr_expect_not(bad, ...)    FORKED_CHECK(false, !(bad), "not " #bad, __VA_ARGS__)
#define cr_expect_eq(a, b, ...)    FORKED_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...)   FORKED_CHECK(false, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...)    FORKED_CHECK(false, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...)    FORKED_CHECK(false, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...)   FORKED_CHECK(false, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...)   FORKED_CHECK(false, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_expect_null(a, ...)     FORKED_CHECK(false, !(a), #a " is NULL", __VA_ARGS__)
#define cr_expect_not_null(a, ...) FORKED_CHECK(false, (a), #a " is not NULL", __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) \
    FORKED_CHECK(false, strcmp((a), (b)) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) \
    FORKED_CHECK(false, strcmp((a), (b)) != 0, #a " is not " #b, __VA_ARGS__)
#define cr_skip_test(...) forked_skip("" __VA_ARGS__)

#endif
