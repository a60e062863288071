/* SPDX-License-Identifier: MIT */
#include "formats/drawing.h"

#include "formats/report_data.h"
#include "util/number.h"

#include <inttypes.h>

/* A pile of bars, one upon the other: in the order of enum pile. */
enum pile { FITS, SAVED, LOST, PILES };

static const char *const pile_class[PILES] = {"fit", "saved", "lost"};

enum { LABEL_MAX = 400 };

static struct json_object *new_picture(void)
{
    struct json_object *picture = json_object_new_object();

    json_object_object_add(picture, "bars", json_object_new_array());
    json_object_object_add(picture, "lines", json_object_new_array());
    json_object_object_add(picture, "ticks", json_object_new_array());
    return picture;
}

static void put_place(struct json_object *to, const char *name, double place)
{
    json_object_object_add(to, name, json_object_new_double(place));
}

/* Puts it into one of the picture's lists. */
static void put_in(struct json_object *picture, const char *list, struct json_object *thing)
{
    json_object_array_add(json_object_object_get(picture, list), thing);
}

/* `x` and `width` in percent; the pile stands on `base`, and `scale` is the height of one. */
static void put_pile(struct json_object *picture, double x, double width, double base, double scale,
                     const uint64_t piles[PILES], const char *const what[PILES])
{
    for (int i = 0; i < PILES; i++) {
        double height = (double)piles[i] * scale;
        struct json_object *bar;

        if (piles[i] == 0)
            continue;
        /* What is hardly there is seen all the same. */
        height = height < 2 ? 2 : height;
        base -= height;
        bar = json_object_new_object();
        put_string_in(bar, "class", pile_class[i]);
        put_place(bar, "x", x);
        put_place(bar, "y", base);
        put_place(bar, "width", width);
        put_place(bar, "height", height);
        put_string_in(bar, "what", what[i]);
        put_number_in(bar, "number", piles[i]);
        put_in(picture, "bars", bar);
    }
}

static void put_line(struct json_object *picture, double y, uint64_t number)
{
    struct json_object *line = json_object_new_object();

    put_place(line, "y", y);
    put_place(line, "label_y", y - 4);
    put_number_in(line, "number", number);
    put_in(picture, "lines", line);
}

static void put_tick(struct json_object *picture, double x, const char *label)
{
    struct json_object *tick = json_object_new_object();

    put_place(tick, "x", x);
    put_string_in(tick, "anchor", x < 1 ? "start" : x > 99 ? "end" : "middle");
    put_string_in(tick, "label", label);
    put_in(picture, "ticks", tick);
}

/* --- over time --------------------------------------------------------------------------- */

enum { TIME_TOP = 20, TIME_BASE = 170, TIME_TICKS = 4 };

/* The next number with two digits and zeros that is even in its second: for the top of an axis. */
static uint64_t round_up(uint64_t number)
{
    uint64_t step = 2;

    while (number / step >= 50)
        step *= 10;
    return (number + step - 1) / step * step;
}

void draw_duration(char *to, size_t size, double seconds)
{
    if (seconds == 0)
        snprintf(to, size, "0");
    else if (seconds >= 1)
        snprintf(to, size, "%.3g s", seconds);
    else if (seconds >= 1e-3)
        snprintf(to, size, "%.3g ms", seconds * 1e3);
    else
        snprintf(to, size, "%.3g µs", seconds * 1e6);
}

static uint64_t most_in_a_bar(const struct summary *summary, size_t bars)
{
    uint64_t most = 1;

    for (size_t i = 0; i < bars; i++) {
        uint64_t all = summary->time[i].bytes + summary->time[i].lost;

        most = all > most ? all : most;
    }
    return most;
}

static void put_time_label(struct json_object *picture, const struct summary *summary,
                           uint64_t most)
{
    char received[GROUPED_MAX], saved[GROUPED_MAX], lost[GROUPED_MAX], high[GROUPED_MAX];
    char span[32], label[LABEL_MAX];

    draw_duration(span, sizeof span, (double)(summary->last - summary->first) / 1e9);
    snprintf(label, sizeof label,
             "Bytes over time, in %s: %s received, of which %s saved; %s lost; at most %s in a bar",
             span, grouped(summary->total.bytes, received), grouped(summary->total.saved, saved),
             grouped(summary->total.lost, lost), grouped(most, high));
    put_string_in(picture, "label", label);
}

struct json_object *draw_time(const struct summary *summary)
{
    static const char *const what[PILES] = {"bytes received", "bytes saved", "bytes lost"};
    struct json_object *picture = new_picture();
    uint64_t span = summary->last - summary->first;
    size_t bars = summary->width ? (size_t)(span / summary->width) + 1 : 1;
    uint64_t most = most_in_a_bar(summary, bars), top = round_up(most);
    double width = 100 / (double)bars, scale = (double)(TIME_BASE - TIME_TOP) / (double)top;

    put_time_label(picture, summary, most);
    for (unsigned i = 0; i <= 2; i++)
        put_line(picture, (double)(TIME_BASE * 2 - (TIME_BASE - TIME_TOP) * (int)i) / 2,
                 top * i / 2);
    for (size_t i = 0; i < bars; i++) {
        const struct summary_time *bar = &summary->time[i];
        const uint64_t piles[PILES] = {bar->bytes - bar->saved, bar->saved, bar->lost};

        put_pile(picture, width * (double)i, width * 0.85, TIME_BASE, scale, piles, what);
    }
    for (int i = 0; i <= TIME_TICKS; i++) {
        char label[32];

        draw_duration(label, sizeof label, (double)(span * (uint64_t)i) / (double)TIME_TICKS / 1e9);
        put_tick(picture, 100.0 * i / (double)TIME_TICKS, label);
    }
    return picture;
}

/* --- a socket's sizes -------------------------------------------------------------------- */

enum { SIZES_TOP = 44, SIZES_BASE = 164, SIZE_LABELS = 8, LEAST_SIZES = 8 };

/* How many bins of the axis are drawn; `*ret_most`: the messages in the fullest one. */
static unsigned bins_of(const struct summary_socket *socket, uint64_t *ret_most)
{
    uint64_t most = 1;
    unsigned bins = 1;

    for (unsigned i = 0; i < SIZE_BINS; i++) {
        uint64_t all = socket->fits[i] + socket->parts[i] + socket->cut[i];

        most = all > most ? all : most;
        if (all > 0)
            bins = i + 1;
    }
    /* The buffer is to be seen too, but not one that is much too large. */
    if (socket->least_room != UINT64_MAX && socket->least_room > 0) {
        unsigned bin = 65 - (unsigned)__builtin_clzll(socket->least_room);

        if (bin > bins)
            bins = bin < bins + 4 ? bin : bins + 4;
    }
    *ret_most = most;
    return bins < LEAST_SIZES ? LEAST_SIZES : bins;
}

/* Where a size lies on the axis of powers of two: bin n begins at 2^(n-1). */
static double place_of(uint64_t size, double width)
{
    unsigned bin = size ? 64 - (unsigned)__builtin_clzll(size) : 0;
    double within = bin > 0 ? (double)size / (double)(UINT64_C(1) << (bin - 1)) - 1 : 0;

    return width * ((double)bin + within);
}

static void put_buffer(struct json_object *picture, uint64_t room, double width, const char *what,
                       int row)
{
    double x = place_of(room, width);
    bool beyond = x > 100; /* it lies where the axis has ended */
    struct json_object *buffer = json_object_new_object();

    x = beyond ? 100 : x;
    put_place(buffer, "x", x);
    put_string_in(buffer, "anchor", x > 50 ? "end" : "start");
    json_object_object_add(buffer, "aside", json_object_new_int(x > 50 ? -5 : 5));
    json_object_object_add(buffer, "y", json_object_new_int(14 + 15 * row));
    put_string_in(buffer, "what", what);
    put_number_in(buffer, "number", room);
    put_string_in(buffer, "beyond", beyond ? " →" : "");
    put_in(picture, "buffers", buffer);
}

static void put_buffers(struct json_object *picture, const struct summary_socket *socket,
                        double width)
{
    bool several = socket->most_room > socket->least_room;

    json_object_object_add(picture, "buffers", json_object_new_array());
    if (socket->least_room == UINT64_MAX)
        return;
    put_buffer(picture, socket->least_room, width, several ? "smallest buffer" : "buffer", 0);
    if (several)
        put_buffer(picture, socket->most_room, width, "largest buffer", 1);
}

/* "512", "4K", "1M". */
static void put_size_tick(struct json_object *picture, double x, unsigned bin)
{
    uint64_t size = bin ? UINT64_C(1) << (bin - 1) : 0;
    char label[32];

    if (size >= 1 << 20)
        snprintf(label, sizeof label, "%" PRIu64 "M", size >> 20);
    else if (size >= 1 << 10)
        snprintf(label, sizeof label, "%" PRIu64 "K", size >> 10);
    else
        snprintf(label, sizeof label, "%" PRIu64, size);
    put_tick(picture, x, label);
}

static void put_sizes_label(struct json_object *picture, const struct summary_socket *socket)
{
    uint64_t sum[PILES] = {0};
    char text[PILES][GROUPED_MAX], longest[GROUPED_MAX], room[GROUPED_MAX], label[LABEL_MAX];

    for (unsigned i = 0; i < SIZE_BINS; i++) {
        sum[FITS] += socket->fits[i];
        sum[SAVED] += socket->parts[i];
        sum[LOST] += socket->cut[i];
    }
    for (int i = 0; i < PILES; i++)
        grouped(sum[i], text[i]);
    snprintf(label, sizeof label,
             "Sizes of the messages on %s, fd %d: %s fit, %s came in parts, %s lost bytes; the "
             "longest has %s bytes, the buffer %s",
             socket->address[0] ? socket->address : "a socket without a name", socket->fd,
             text[FITS], text[SAVED], text[LOST], grouped(socket->longest, longest),
             grouped(socket->least_room, room));
    put_string_in(picture, "label", label);
}

struct json_object *draw_sizes(const struct summary_socket *socket)
{
    static const char *const what[PILES] = {"messages that fit", "messages received in parts",
                                            "messages that lost bytes"};
    struct json_object *picture = new_picture();
    uint64_t most;
    unsigned bins = bins_of(socket, &most), step = (bins + SIZE_LABELS - 1) / SIZE_LABELS;
    double width = 100.0 / bins;

    put_sizes_label(picture, socket);
    put_line(picture, SIZES_TOP, most);
    put_line(picture, SIZES_BASE, 0);
    for (unsigned i = 0; i < bins; i++) {
        const uint64_t piles[PILES] = {socket->fits[i], socket->parts[i], socket->cut[i]};

        put_pile(picture, width * i, width * 0.9, SIZES_BASE,
                 (SIZES_BASE - SIZES_TOP) / (double)most, piles, what);
        if (i % step == 0)
            put_size_tick(picture, width * i, i);
    }
    put_buffers(picture, socket, width);
    return picture;
}
