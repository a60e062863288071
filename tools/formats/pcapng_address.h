/* SPDX-License-Identifier: MIT
 *
 * Addresses for sockets that have none of the Internet: each name of an AF_UNIX or AF_VSOCK socket
 * gets one of 127.1.0.0/16 for itself, so that what Wireshark calls a conversation is one.
 */
#ifndef WSRX_FORMATS_PCAPNG_ADDRESS_H
#define WSRX_FORMATS_PCAPNG_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/* In the host's order. `*ret_new`: the name was not known yet. Beyond 65,535 names, or without
 * memory, all the others share one. */
uint32_t pcapng_address(const char *name, bool *ret_new);

/* The port by which Wireshark chooses who dissects the messages; 0: none is known. */
unsigned pcapng_port(const char *name);

#endif
