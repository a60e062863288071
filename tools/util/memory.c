/* SPDX-License-Identifier: MIT */
#include "util/memory.h"

#include "util/exit_code.h"

#include <stdio.h>
#include <stdlib.h>

void *need(void *memory)
{
    if (memory)
        return memory;
    fputs("wsrx: no memory\n", stderr);
    exit(EXIT_OURS);
}
