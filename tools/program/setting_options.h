/* SPDX-License-Identifier: MIT
 *
 * The settings of settings.def as options of the command.
 */
#ifndef WSRX_PROGRAM_SETTING_OPTIONS_H
#define WSRX_PROGRAM_SETTING_OPTIONS_H

#include "settings.h"
#include "trace/record.h"

#include <popt.h>
#include <stdbool.h>

/* --mode, --calls …: all of them for run, and for the other subcommands those that they do not set
 * themselves. One array, which the next call overwrites. */
const struct poptOption *setting_options(bool for_run);

/* One of them alone, for a subcommand that runs no program. One array, as above. */
const struct poptOption *setting_option(enum settings_index setting);

/* Takes "--NAME=VALUE", if it is one of run's; as popt(3) would, for a command that does without. */
bool setting_option_take(const char *word);

/* The filter that the option asks for; without it, one that lets everything pass. */
void setting_filter(struct trace_filter *ret_filter);

/* The value of an option, or else of its environment variable; NULL: it is not set. */
const char *setting_value(enum settings_index setting);

/* Whether the values of all options are good. False: reported, with what may have been meant. */
bool setting_options_check(const char *command);

/* Puts the values of the options into the environment. */
void setting_options_export(void);

#endif
