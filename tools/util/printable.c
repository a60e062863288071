/* SPDX-License-Identifier: MIT */
#include "util/printable.h"

#include "base/strbuf.h"
#include "util/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* How many bytes from here on are one character that may be shown; 0: none is. RFC 3629. */
static size_t character(const unsigned char *at)
{
    static const unsigned char least[] = {0x00, 0x80, 0xc2, 0xe0, 0xf0, 0xf5};
    static const size_t lengths[] = {1, 0, 2, 3, 4, 0};
    size_t length = 0;

    for (size_t i = 0; i < sizeof least; i++)
        if (at[0] >= least[i])
            length = lengths[i];

    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* The controls of ASCII, and those of Latin 1, which some terminals obey in UTF-8 too. */
    if (at[0] < ' ' || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0))
        return 0;
    return length;
}

static char *put_hexadecimal(char *to, unsigned char byte)
{
    to = PUT(to, "\\x");
    *to++ = line_hex_digits[byte >> 4];
    *to++ = line_hex_digits[byte & 15];
    return to;
}

char *printable(const char *text)
{
    char *shown = need(malloc(4 * strlen(text) + 1)), *to = shown;

    while (*text) {
        size_t length = character((const unsigned char *)text);

        if (length > 0)
            to = put(to, text, length);
        else
            to = put_hexadecimal(to, (unsigned char)*text);
        text += length > 0 ? length : 1;
    }
    *to = '\0';
    return shown;
}

char *printable_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    char *word = need(malloc(4 * strlen(text) + 4)), *to = word, *shown = printable(text);
    bool control = strcmp(shown, text) != 0; /* only $'' has words for these */

    free(shown);
    if (*text && !control && strspn(text, plain) == strlen(text)) {
        strcpy(word, text);
        return word;
    }
    to = control ? PUT(to, "$'") : PUT(to, "'");
    while (*text) {
        size_t length = character((const unsigned char *)text);

        if (length == 0)
            to = put_hexadecimal(to, (unsigned char)*text);
        else if (*text == '\'')
            to = control ? PUT(to, "\\'") : PUT(to, "'\\''");
        else if (*text == '\\' && control)
            to = PUT(to, "\\\\");
        else
            to = put(to, text, length);
        text += length > 0 ? length : 1;
    }
    *to++ = '\'';
    *to = '\0';
    return word;
}
