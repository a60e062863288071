/* SPDX-License-Identifier: MIT */
#ifndef WSRX_BENEATH_H
#define WSRX_BENEATH_H

/* Starts the core beneath this process's Wine, unless it is there already. Once a process. */
void beneath_start(void);

#endif
