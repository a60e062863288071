/* SPDX-License-Identifier: MIT
 *
 * The report as one HTML page: complete in itself, no script, drawings as inline SVG, light or dark
 * as the reader's system is.
 */
#define _GNU_SOURCE
#include "formats/formats.h"

#include <inttypes.h>
#include <string.h>

enum { DRAWN_SOCKETS = 12, TABLE_ROWS = 50 };

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2125;--dim:#65707a;"
    "--line:#dfe3e6;--fit:#4c86c6;--saved:#2c9a6b;--lost:#d0453b;--buffer:#8a6d1b}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--ink:#e6e9ec;"
    "--dim:#98a3ad;--line:#30363c;--fit:#6ba4e3;--saved:#4cc38f;--lost:#f0716a;--buffer:#e0bb55}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif}main{max-width:1080px;margin:0 auto;padding:28px 20px}"
    "h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 10px}"
    "h3{font-size:15px;margin:0 0 2px;overflow-wrap:anywhere}p{margin:4px 0;color:var(--dim)}"
    ".tiles{display:flex;flex-wrap:wrap;gap:12px;margin:18px 0}"
    ".tile,.card{background:var(--card);border:1px solid var(--line);border-radius:8px}"
    ".tile{padding:10px 16px;min-width:150px;flex:1}.tile b{display:block;font-size:22px}"
    ".tile span{color:var(--dim);font-size:13px}.bad b{color:var(--lost)}"
    ".good b{color:var(--saved)}"
    ".card{padding:14px 16px;margin:0 0 14px}.grid{display:grid;gap:14px;"
    "grid-template-columns:repeat(auto-fill,minmax(440px,1fr))}.grid .card{margin:0}"
    "@media(max-width:520px){.grid{grid-template-columns:1fr}}"
    "svg{display:block;width:100%;height:auto}"
    "svg text{fill:var(--dim);font:11px system-ui,sans-serif}"
    ".fit{fill:var(--fit)}.saved{fill:var(--saved)}.lost{fill:var(--lost)}"
    ".axis{stroke:var(--line);stroke-width:1}.buffer{stroke:var(--buffer);stroke-width:1.5;"
    "stroke-dasharray:4 3}svg .buffer-text{fill:var(--buffer)}"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--dim);margin:6px 0}"
    ".legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13.5px;"
    "font-variant-numeric:tabular-nums}th,td{padding:6px 10px;border-bottom:1px solid var(--line);"
    "text-align:right;white-space:nowrap}th{color:var(--dim);font-weight:600}"
    "th.t,td.t{text-align:left}td.t{white-space:normal;overflow-wrap:anywhere;min-width:180px}"
    "td.x{color:var(--lost);font-weight:600}td.s{color:var(--saved);font-weight:600}";

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void put_number(FILE *out, uint64_t number)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number);

    for (int i = 0; i < length; i++) {
        fputc(digits[i], out);
        if ((length - i - 1) % 3 == 0 && i < length - 1)
            fputc(',', out);
    }
}

/* "1 message", "2 messages". */
static void put_count(FILE *out, uint64_t number, const char *what)
{
    put_number(out, number);
    fprintf(out, " %s%s", what, number == 1 ? "" : "s");
}

/* "512", "4K", "1M": for axes. */
static void put_size(FILE *out, uint64_t size)
{
    if (size >= 1 << 20 && size % (1 << 20) == 0)
        fprintf(out, "%" PRIu64 "M", size >> 20);
    else if (size >= 1 << 10 && size % (1 << 10) == 0)
        fprintf(out, "%" PRIu64 "K", size >> 10);
    else
        fprintf(out, "%" PRIu64, size);
}

static void put_tile(FILE *out, const char *class, uint64_t number, const char *what)
{
    fprintf(out, "<div class=\"tile %s\"><b>", class);
    put_number(out, number);
    fprintf(out, "</b><span>%s</span></div>", what);
}

static void put_duration(FILE *out, double seconds)
{
    if (seconds >= 1)
        fprintf(out, "%.3g s", seconds);
    else if (seconds >= 1e-3)
        fprintf(out, "%.3g ms", seconds * 1e3);
    else
        fprintf(out, "%.3g µs", seconds * 1e6);
}

static void put_bar(FILE *out, const char *class, double x, double y, double width, double height,
                    const char *what, uint64_t number)
{
    if (number == 0)
        return;
    fprintf(out,
            "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
            "<title>%s: ",
            class, x, y, width, height < 1 ? 1 : height, what);
    put_number(out, number);
    fputs("</title></rect>", out);
}

/* --- over time --------------------------------------------------------------------------- */

static const int TIME_WIDTH = 1000, TIME_HEIGHT = 200, TIME_LEFT = 70, TIME_TOP = 10,
                 TIME_PLOT = 150;

/* The next number with two digits and zeros that is even in its second: for the top of an axis. */
static uint64_t round_up(uint64_t number)
{
    uint64_t step = 2;

    while (number / step >= 50)
        step *= 10;
    return (number + step - 1) / step * step;
}

static void put_time(const struct summary *summary, FILE *out)
{
    uint64_t most = 1, span = summary->last - summary->first;
    size_t bins = summary->width ? (size_t)(span / summary->width) + 1 : 1;
    double width = (double)(TIME_WIDTH - TIME_LEFT) / (double)bins;

    for (size_t i = 0; i < bins; i++) {
        uint64_t all = summary->time[i].bytes + summary->time[i].lost;

        most = all > most ? all : most;
    }
    most = round_up(most);
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"bytes over time\">",
            TIME_WIDTH, TIME_HEIGHT);
    for (int i = 0; i <= 2; i++) {
        double y = TIME_TOP + TIME_PLOT * (1 - i / 2.0);

        fprintf(out,
                "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
                TIME_LEFT, TIME_WIDTH, y, y, TIME_LEFT - 8, y + 4);
        put_number(out, most * (unsigned)i / 2);
        fputs("</text>", out);
    }
    for (size_t i = 0; i < bins; i++) {
        const struct summary_time *bin = &summary->time[i];
        double scale = (double)TIME_PLOT / (double)most, y = TIME_TOP + TIME_PLOT;
        double x = TIME_LEFT + width * (double)i, bar = width > 3 ? width - 1 : width;
        uint64_t first = bin->bytes - bin->saved;

        y -= (double)first * scale;
        put_bar(out, "fit", x, y, bar, (double)first * scale, "bytes received", first);
        y -= (double)bin->saved * scale;
        put_bar(out, "saved", x, y, bar, (double)bin->saved * scale, "bytes saved", bin->saved);
        y -= (double)bin->lost * scale;
        put_bar(out, "lost", x, y, bar, (double)bin->lost * scale, "bytes lost", bin->lost);
    }
    for (int i = 0; i <= 4; i++) {
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">",
                TIME_LEFT + (TIME_WIDTH - TIME_LEFT) * i / 4, TIME_HEIGHT - 16,
                i == 0   ? "start"
                : i == 4 ? "end"
                         : "middle");
        if (i == 0)
            fputs("0", out);
        else
            put_duration(out, (double)span * i / 4e9);
        fputs("</text>", out);
    }
    fputs("</svg>", out);
}

/* --- a socket's sizes -------------------------------------------------------------------- */

static const int SIZES_WIDTH = 480, SIZES_HEIGHT = 190, SIZES_LEFT = 46, SIZES_TOP = 20,
                 SIZES_PLOT = 130;

/* Where a size lies on the axis of powers of two: bin n begins at 2^(n-1). */
static double place_of(uint64_t size, double width)
{
    unsigned bin = size ? 64 - (unsigned)__builtin_clzll(size) : 0;
    double within = bin > 0 ? (double)size / (double)(UINT64_C(1) << (bin - 1)) - 1 : 0;

    return SIZES_LEFT + width * ((double)bin + within);
}

static void put_buffer(FILE *out, uint64_t room, double width, const char *what, int row)
{
    double x = place_of(room, width);
    bool right = x > SIZES_WIDTH - 110, beyond = x > SIZES_WIDTH;

    if (beyond)
        x = SIZES_WIDTH - 1;
    fprintf(out,
            "<line class=\"buffer\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"buffer-text\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s ",
            x, x, SIZES_TOP - 6, SIZES_TOP + SIZES_PLOT, right ? x - 5 : x + 5,
            SIZES_TOP - 8 + 12 * row, right ? "end" : "start", what);
    put_number(out, room);
    fputs(beyond ? " →</text>" : "</text>", out); /* it lies where the axis has ended */
}

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
    return bins < 8 ? 8 : bins;
}

static void put_sizes_axis(uint64_t most, FILE *out)
{
    fprintf(out,
            "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>"
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">",
            SIZES_LEFT, SIZES_WIDTH, SIZES_TOP + SIZES_PLOT, SIZES_TOP + SIZES_PLOT, SIZES_LEFT - 6,
            SIZES_TOP + 8);
    put_number(out, most);
    fprintf(out, "</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>", SIZES_LEFT - 6,
            SIZES_TOP + SIZES_PLOT);
}

static void put_size_bin(const struct summary_socket *socket, unsigned bin, double x, double width,
                         double scale, FILE *out)
{
    const struct {
        const char *class, *what;
        uint64_t messages;
    } piles[] = {
        {"fit", "messages that fit", socket->fits[bin]},
        {"saved", "messages received in parts", socket->parts[bin]},
        {"lost", "messages that lost bytes", socket->cut[bin]},
    };
    double y = SIZES_TOP + SIZES_PLOT;

    for (size_t i = 0; i < sizeof piles / sizeof *piles; i++) {
        double height = (double)piles[i].messages * scale;

        y -= height;
        put_bar(out, piles[i].class, x, y, width, height, piles[i].what, piles[i].messages);
    }
}

static void put_sizes(const struct summary_socket *socket, FILE *out)
{
    uint64_t most;
    unsigned bins = bins_of(socket, &most);
    double width = (double)(SIZES_WIDTH - SIZES_LEFT) / (double)bins;

    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"message sizes\">",
            SIZES_WIDTH, SIZES_HEIGHT);
    put_sizes_axis(most, out);
    for (unsigned i = 0; i < bins; i++) {
        double x = SIZES_LEFT + width * i + 1;

        put_size_bin(socket, i, x, width - 2, (double)(SIZES_PLOT - 8) / (double)most, out);
        if (i % (bins > 14 ? 2 : 1) == 0) {
            fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x, SIZES_HEIGHT - 24);
            put_size(out, i ? UINT64_C(1) << (i - 1) : 0);
            fputs("</text>", out);
        }
    }
    if (socket->least_room != UINT64_MAX) {
        bool several = socket->most_room > socket->least_room;

        put_buffer(out, socket->least_room, width, several ? "smallest buffer" : "buffer", 0);
        if (several)
            put_buffer(out, socket->most_room, width, "largest", 1);
    }
    fprintf(out,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">message size in bytes, by powers of "
            "two</text></svg>",
            SIZES_WIDTH, SIZES_HEIGHT - 6);
}

static void put_socket(const struct summary_socket *socket, FILE *out)
{
    fputs("<section class=\"card\"><h3>", out);
    put_text(out, socket->address[0] ? socket->address : "no name");
    fputs("</h3><p>", out);
    put_text(out, socket->program);
    fprintf(out, "[%u], fd %d; ", socket->pid, socket->fd);
    if (socket->least_room == UINT64_MAX) {
        fputs("no message in ", out);
        put_count(out, socket->sums.receives, "receive");
        if (socket->sums.lost > 0) { /* of one before, whose tail nobody received */
            fputs("; ", out);
            put_count(out, socket->sums.lost, "byte");
            fputs(" lost", out);
        }
        fputs("</p></section>", out);
        return;
    }
    put_count(out, socket->sums.messages, "message");
    fputs(", ", out);
    if (socket->sums.lost == 0 && socket->sums.saved == 0) {
        fputs("the longest, of ", out);
        put_count(out, socket->longest, "byte");
        fputs(", fit</p>", out);
    } else {
        put_count(out, socket->sums.lost, "byte");
        fputs(" lost, ", out);
        put_number(out, socket->sums.saved);
        fputs(" saved; a buffer of ", out);
        put_number(out, socket->longest);
        fputs(" would have been enough</p>", out);
    }
    put_sizes(socket, out);
    fputs("</section>", out);
}

/* --- tables ------------------------------------------------------------------------------ */

static void put_cells(const struct sums *sums, uint64_t room, uint32_t longest, FILE *out)
{
    enum { ROOM = 6 }; /* its place */
    const uint64_t number[] = {sums->lost,   sums->saved, sums->receives, sums->partial,
                               sums->errors, sums->bytes, room,           longest};

    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        fprintf(out, "<td%s>",
                number[i] > 0 && i == 0   ? " class=\"x\""
                : number[i] > 0 && i == 1 ? " class=\"s\""
                                          : "");
        if (room == UINT64_MAX && i >= ROOM)
            fputs("–", out); /* there was no message */
        else
            put_number(out, number[i]);
        fputs("</td>", out);
    }
}

static void put_header(const char *first, FILE *out)
{
    fprintf(out,
            "<div class=\"card scroll\"><table><thead><tr><th class=\"t\">%s</th>"
            "<th>bytes lost</th><th>bytes saved</th><th>receives</th><th>partial</th>"
            "<th>errors</th><th>bytes</th><th>smallest buffer</th><th>needed</th></tr></thead>"
            "<tbody>",
            first);
}

static void put_tables(const struct summary *summary, FILE *out)
{
    fputs("<h2>Sockets</h2>", out);
    put_header("socket", out);
    for (size_t i = 0; i < summary->sockets && i < TABLE_ROWS; i++) {
        const struct summary_socket *socket = summary->socket[i];
        bool any = false;

        fputs("<tr><td class=\"t\">", out);
        put_text(out, socket->address[0] ? socket->address : "no name");
        fprintf(out, " <span style=\"color:var(--dim)\">");
        put_text(out, socket->program);
        fprintf(out, "[%u] fd %d, ", socket->pid, socket->fd);
        for (unsigned call = 1; call < RECORD_CALLS; call++)
            if (socket->calls & 1u << call) {
                fprintf(out, "%s%s", any ? ", " : "", record_call_name((enum record_call)call));
                any = true;
            }
        fputs("</span></td>", out);
        put_cells(&socket->sums, socket->least_room, socket->longest, out);
        fputs("</tr>", out);
    }
    fputs("</tbody></table></div><h2>Callers</h2>", out);
    put_header("caller", out);
    for (size_t i = 0; i < summary->callers && i < TABLE_ROWS; i++) {
        const struct summary_caller *caller = summary->caller[i];

        fprintf(out, "<tr><td class=\"t\">%s at 0x%" PRIx64 " <span style=\"color:var(--dim)\">",
                record_call_name(caller->call), caller->address);
        put_text(out, caller->program);
        fprintf(out, "[%u]</span></td>", caller->pid);
        put_cells(&caller->sums, caller->least_room, caller->longest, out);
        fputs("</tr>", out);
    }
    fputs("</tbody></table></div>", out);
    if (summary->sockets > TABLE_ROWS || summary->callers > TABLE_ROWS)
        fprintf(out, "<p>The worst %d of %zu sockets and of %zu callers.</p>", TABLE_ROWS,
                summary->sockets, summary->callers);
}

static void put_files(const struct reader *reader, FILE *out)
{
    for (size_t i = 0; i < reader_files(reader); i++) {
        const struct reader_file *file = reader_file(reader, i);

        fputs("<p>", out);
        put_text(out, file->program);
        fprintf(out, "[%u], from ", file->pid);
        put_text(out, file->shown);
        if (file->overwritten > 0) {
            fputs("; ", out);
            put_number(out, file->overwritten);
            fputs(" older records were overwritten", out);
        }
        if (file->dropped > 0) {
            fputs("; ", out);
            put_number(out, file->dropped);
            fputs(" records could not be written", out);
        }
        fputs("</p>", out);
    }
}

void write_html(const struct summary *summary, const struct reader *reader, FILE *out)
{
    fprintf(out,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
            "<title>libwsrx report</title><style>%s</style></head><body><main>"
            "<h1>What the sockets received, and what they lost</h1>",
            style);
    put_files(reader, out);
    fputs("<div class=\"tiles\">", out);
    put_tile(out, summary->total.lost > 0 ? "bad" : "", summary->total.lost, "bytes lost");
    put_tile(out, summary->total.saved > 0 ? "good" : "", summary->total.saved, "bytes saved");
    put_tile(out, "", summary->total.messages, "messages");
    put_tile(out, "", summary->total.receives, "receives");
    put_tile(out, "", summary->total.bytes, "bytes received");
    fputs("</div><h2>Over time</h2><div class=\"card\"><div class=\"legend\">bytes: "
          "<span><i style=\"background:var(--fit)\"></i>delivered by Linux</span>"
          "<span><i style=\"background:var(--saved)\"></i>saved: later parts of a message</span>"
          "<span><i style=\"background:var(--lost)\"></i>lost</span></div>",
          out);
    put_time(summary, out);
    fputs("</div><h2>Message sizes against the buffer</h2><div class=\"legend\">messages: "
          "<span><i style=\"background:var(--fit)\"></i>that fit</span>"
          "<span><i style=\"background:var(--saved)\"></i>received in parts</span>"
          "<span><i style=\"background:var(--lost)\"></i>cut: bytes were lost</span>"
          "<span><i style=\"background:var(--buffer)\"></i>the buffer</span></div>"
          "<div class=\"grid\">",
          out);
    for (size_t i = 0; i < summary->sockets && i < DRAWN_SOCKETS; i++)
        put_socket(summary->socket[i], out);
    fputs("</div>", out);
    if (summary->sockets > DRAWN_SOCKETS)
        fprintf(out, "<p>The worst %d of %zu sockets; the others are in the table.</p>",
                DRAWN_SOCKETS, summary->sockets);
    put_tables(summary, out);
    fputs("</main></body></html>\n", out);
}
