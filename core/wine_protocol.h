/* SPDX-License-Identifier: MIT
 *
 * How a caller that cannot call us requests the parts of a message: by the last buffer of its
 * receive.
 *
 * Under Wine a program's receive reaches the kernel as one recvmsg(2), made by Wine, with the
 * program's own list of buffers. A last buffer of length 0 whose address is that of a struct
 * wine_request passes through Wine unchanged (seen on Wine 8.0, for immediate and for pended
 * receives), and has no effect if we are not there. It must be readable and writable memory in the
 * user's range, because the kernel also checks the addresses of empty buffers.
 * Windows code and Unix code share this file: it is plain C and includes no header of either.
 */
#ifndef WSRX_WINE_PROTOCOL_H
#define WSRX_WINE_PROTOCOL_H

/* Exactly the size of the array, without a terminator. */
#define WINE_REQUEST_MAGIC "wsrx:next part?\n"

enum wine_answer {
    WINE_ANSWER_NONE,    /* no answer: we are not beneath */
    WINE_ANSWER_WHOLE,   /* the message ends here, or it is on a socket that we leave alone */
    WINE_ANSWER_PARTIAL, /* there is more of it, and the next receive gets it */
    WINE_ANSWER_DROPPED, /* there was more of it, and WSRX_MODE=discard dropped it */
};

struct wine_request {
    char magic[16];
    unsigned answer; /* enum wine_answer */
    unsigned left;   /* bytes of the message after this part */
    /* Address of an unsigned in this process that changes with every close of a descriptor. What
     * the caller knows of a socket by its number is valid as long as it does not change. */
    unsigned long long closes;
};

#endif
