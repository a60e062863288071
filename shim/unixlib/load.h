/* SPDX-License-Identifier: MIT */
#ifndef WSRX_UNIXLIB_LOAD_H
#define WSRX_UNIXLIB_LOAD_H

#include <windows.h>

/* Loads the wsrx.dll beside the DLL `self`, if there is one: see windows.c. */
void unixlib_load(HINSTANCE self);

#endif
