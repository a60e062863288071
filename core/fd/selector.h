/* SPDX-License-Identifier: MIT
 *
 * WSRX_SOCKETS: which message sockets are selected, by their names.
 */
#ifndef WSRX_FD_SELECTOR_H
#define WSRX_FD_SELECTOR_H

#include "settings.h"

/* Whether `fd`, a message socket, is selected: by an inclusion (or there is none), and by no
 * exclusion. Queries its names. `*ret_final`: the answer will not change, since the socket has its
 * name already. Async-signal-safe. */
bool fd_is_selected(const struct selectors *selectors, int fd, bool *ret_final);

/* Whether two numbers of one socket may be selected differently. */
bool fd_selects_by_number(const struct selectors *selectors);

#endif
