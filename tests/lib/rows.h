/* SPDX-License-Identifier: MIT */
/*
 * One Criterion test for each row of a static table. Criterion starts a process for every
 * parameter, in which pointers of its parent mean nothing: the parameter is the row's index.
 */
#ifndef WSRX_TESTS_ROWS_H
#define WSRX_TESTS_ROWS_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#define ROWS(suite, name, count)                            \
    ParameterizedTestParameters(suite, name)                \
    {                                                       \
        static size_t indices[count];                       \
                                                            \
        for (size_t i = 0; i < (count); i++)                \
            indices[i] = i;                                 \
        return cr_make_param_array(size_t, indices, count); \
    }                                                       \
    ParameterizedTest(size_t *row, suite, name)

#define ROWS_OF(array) (sizeof(array) / sizeof(*(array)))

#endif
