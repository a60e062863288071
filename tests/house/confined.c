/* SPDX-License-Identifier: MIT
 *
 * `confined NUMBERS LD_PRELOAD PROGRAM [ARGUMENT...]`: runs a program under a filter that was there
 * before it: see killed.py. NUMBERS: as in confine.h.
 */
#include "confine.h"

#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 4 || setenv("LD_PRELOAD", argv[2], 1) != 0 || confine("raw", argv[1]) != 0)
        return 125;
    execv(argv[3], argv + 3);
    return 125;
}
