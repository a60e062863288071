/* SPDX-License-Identifier: MIT */
#ifndef WSRX_BENEATH_H
#define WSRX_BENEATH_H

/* Puts the engine beneath this process's Wine, once, where nobody is there yet. */
void beneath_start(void);

#endif
