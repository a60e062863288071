/* SPDX-License-Identifier: MIT
 *
 * What a Windows program is built for. It never runs it.
 */
#ifndef WSRX_PROGRAM_PE_PROBE_H
#define WSRX_PROGRAM_PE_PROBE_H

/* The machines of a Windows program's header that matter here. */
enum { PE_MACHINE_I386 = 0x14c, PE_MACHINE_AMD64 = 0x8664 };

/* The machine of a Windows program (NAME.exe); 0: it is none. */
unsigned pe_machine(int fd);

/* The same for a program built with winegcc (NAME.exe.so). */
unsigned pe_winelib_machine(int fd);

#endif
