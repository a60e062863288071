/* SPDX-License-Identifier: MIT
 *
 * The library's own functions. It is preloaded, so they may be missing.
 */
#ifndef WSRX_TESTS_MODEL_WSRX_FUNCTIONS_H
#define WSRX_TESTS_MODEL_WSRX_FUNCTIONS_H

#include "wsrx.h"

#pragma weak wsrx_receive
#pragma weak wsrx_hold

#endif
