/* SPDX-License-Identifier: MIT */
/*
 * The messages that were sent, and the recognition of what was received. The list and the place
 * where the last recognition ended live in shared memory: a child's receive is described as its
 * parent would describe it.
 */
#include "victim.h"

#include <sys/mman.h>

#include "../../lib/pattern.h"

struct messages {
    unsigned count;
    unsigned last_message; /* where the bytes recognised last end */
    size_t last_end;
    size_t length[VICTIM_MESSAGES + 1];
};

static struct messages *messages;

void messages_start(void)
{
    messages =
        mmap(NULL, sizeof(*messages), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (messages == MAP_FAILED)
        victim_fail("no memory");
}

unsigned messages_sent(size_t length)
{
    if (messages->count == VICTIM_MESSAGES)
        victim_fail("too many messages");
    messages->length[++messages->count] = length;
    return messages->count;
}

size_t messages_length(unsigned number)
{
    return messages->length[number];
}

struct place {
    unsigned message;
    size_t offset;
    size_t matched;
};

static void try_place(struct place *best, const unsigned char *bytes, size_t length,
                      unsigned message, size_t offset)
{
    size_t matched;

    if (message == 0 || message > messages->count || offset >= messages->length[message])
        return;
    matched = pattern_match(bytes, length, message, offset, messages->length[message]);
    if (matched > best->matched)
        *best = (struct place){message, offset, matched};
}

/*
 * A few bytes match in many places. The place that a test expects is one of three, in this order:
 * right after the last bytes, the start of a message, the same bytes again. Only when none of
 * them fits are all offsets tried, to find where stray bytes come from.
 */
static struct place find_place(const unsigned char *bytes, size_t length)
{
    struct place best = {0, 0, 0};

    try_place(&best, bytes, length, messages->last_message, messages->last_end);
    if (best.matched == length)
        return best;
    for (unsigned m = messages->last_message + 1; m <= messages->count; m++)
        try_place(&best, bytes, length, m, 0);
    for (unsigned m = 1; m <= messages->last_message; m++)
        try_place(&best, bytes, length, m, 0);
    if (best.matched >= 8 || best.matched == length)
        return best;
    for (unsigned m = 1; m <= messages->count; m++)
        for (size_t o = 1; o < messages->length[m] && best.matched < length; o++)
            try_place(&best, bytes, length, m, o);
    return best;
}

void messages_describe(struct line *line, const unsigned char *bytes, size_t length, bool advance)
{
    const char *separator = " ";
    size_t garbage = 0;

    while (length > 0) {
        struct place place = find_place(bytes, length);

        if (place.matched < 4 && (place.matched < length || garbage)) {
            garbage++;
            bytes++;
            length--;
            continue;
        }
        if (garbage)
            line_add(line, "%sother[%zu]", separator, garbage);
        if (garbage)
            separator = "+";
        garbage = 0;
        line_add(line, "%sm%u[%zu..%zu]", separator, place.message, place.offset,
                 place.offset + place.matched - 1);
        separator = "+";
        if (advance) {
            messages->last_message = place.message;
            messages->last_end = place.offset + place.matched;
        }
        bytes += place.matched;
        length -= place.matched;
    }
    if (garbage)
        line_add(line, "%sother[%zu]", separator, garbage);
}
