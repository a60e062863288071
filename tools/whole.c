/* SPDX-License-Identifier: MIT
 *
 * The command with all its subcommands in one program: for sanitizers, and for musl, whose dlopen(3)
 * takes no file with thread-local variables of the kind that the core has.
 */
#include "commands/all.h"

int main(int argc, char **argv)
{
    return wsrx_commands_main(argc, (const char **)argv);
}
