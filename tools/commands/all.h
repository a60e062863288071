/* SPDX-License-Identifier: MIT
 *
 * What the command does with its words: it knows its subcommands by the table, and not what they do.
 */
#ifndef WSRX_COMMANDS_ALL_H
#define WSRX_COMMANDS_ALL_H

/* All of it, in a file that the command loads for every subcommand but run. */
typedef int commands_main_function(int argc, const char **argv);
#define COMMANDS_MAIN "wsrx_commands_main"
__attribute__((visibility("default"))) commands_main_function wsrx_commands_main;

#endif
