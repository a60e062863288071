/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "input/jsonl_reader.h"

#include "trace/format.h"
#include "trace/ring.h"
#include "util/complain.h"
#include "util/memory.h"
#include "util/printable.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <json-c/json.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static uint64_t number_of(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

/* Of null json-c gives no string, but NULL. */
static const char *string_of(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value) || !value)
        return "";
    return json_object_get_string(value);
}

static bool flag_of(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

/* The inverse of record_address(); what it does not know has no name. */
static socklen_t address_of(const char *protocol, const char *text, struct sockaddr_storage *to)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 1];

    memset(to, 0, sizeof *to);
    if (strcmp(protocol, "unix") == 0) {
        struct sockaddr_un *un = (struct sockaddr_un *)to;
        size_t length = strlen(text);

        un->sun_family = AF_UNIX;
        if (length > sizeof un->sun_path)
            length = sizeof un->sun_path;
        memcpy(un->sun_path, text, length);
        if (text[0] == '@')
            un->sun_path[0] = '\0';
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    }
    if (strcmp(protocol, "vsock") == 0) {
        struct sockaddr_vm *vm = (struct sockaddr_vm *)to;

        if (sscanf(text, "vsock:%u:%u", &vm->svm_cid, &vm->svm_port) != 2)
            return 0;
        vm->svm_family = AF_VSOCK;
        return sizeof *vm;
    }
    if (!colon || (size_t)(colon - text) >= sizeof host)
        return 0;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    if (host[0] == '[') {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

        host[strlen(host) - 1] = '\0';
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)atoi(colon + 1));
        return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 ? sizeof *in6 : 0;
    }
    ((struct sockaddr_in *)to)->sin_family = AF_INET;
    ((struct sockaddr_in *)to)->sin_port = htons((uint16_t)atoi(colon + 1));
    return inet_pton(AF_INET, host, &((struct sockaddr_in *)to)->sin_addr) == 1
               ? sizeof(struct sockaddr_in)
               : 0;
}

/* "SECONDS.NANOSECONDS": as text, for a double has not so many digits. */
static uint64_t time_of(struct json_object *object)
{
    struct json_object *value;
    unsigned long long seconds = 0;
    char fraction[10] = "000000000";
    const char *text, *dot;

    if (!json_object_object_get_ex(object, "time", &value) || !value)
        return 0;
    text = json_object_to_json_string(value);
    seconds = strtoull(text, NULL, 10);
    dot = strchr(text, '.');
    for (int i = 0; dot && i < 9 && dot[1 + i] >= '0' && dot[1 + i] <= '9'; i++)
        fraction[i] = dot[1 + i];
    return seconds * 1000000000 + strtoull(fraction, NULL, 10);
}

static struct jsonl_record *record_of(struct json_object *object)
{
    const char *data = string_of(object, "data"), *protocol = string_of(object, "protocol");
    const char *call = string_of(object, "call");
    size_t data_length = strlen(data) / 2;
    struct jsonl_record *line = need(calloc(1, sizeof *line + data_length));
    struct record *record = &line->record;

    record->time = time_of(object);
    record->sequence = number_of(object, "seq");
    record->cookie = number_of(object, "socket");
    record->caller = strtoull(string_of(object, "caller"), NULL, 16);
    record->room = number_of(object, "buffer");
    record->length = (uint32_t)number_of(object, "length");
    record->given = (uint32_t)number_of(object, "bytes");
    record->offset = (uint32_t)number_of(object, "offset");
    record->left = (uint32_t)number_of(object, "left");
    record->lost = (uint32_t)number_of(object, "lost");
    record->dropped = (uint32_t)number_of(object, "dropped");
    record->pid = (uint32_t)number_of(object, "pid");
    record->tid = (uint32_t)number_of(object, "tid");
    record->fd = (int32_t)number_of(object, "fd");
    record->call = record_call_named(call, strlen(call));
    record->error = (int)number_of(object, "errno");
    record->flags = (flag_of(object, "partial") ? RECORD_PARTIAL : 0u) |
                    (flag_of(object, "last") ? RECORD_LAST : 0u) |
                    (flag_of(object, "peek") ? RECORD_PEEK : 0u) |
                    (flag_of(object, "cut") ? RECORD_CUT : 0u) |
                    (record->lost > 0 ? RECORD_LOST : 0u);
    record->local = (struct sockaddr *)&line->local;
    record->peer = (struct sockaddr *)&line->peer;
    record->local_length = address_of(protocol, string_of(object, "local"), &line->local);
    record->peer_length = address_of(protocol, string_of(object, "peer"), &line->peer);
    if (record->peer_length <= sizeof(sa_family_t))
        record->peer_length = 0;
    record->data = line->data;
    record->data_length = data_length;
    for (size_t i = 0; i < data_length; i++) {
        char byte[3] = {data[2 * i], data[2 * i + 1], '\0'};

        line->data[i] = (unsigned char)strtoul(byte, NULL, 16);
    }
    return line;
}

static int by_time(const void *one, const void *other)
{
    const struct record *a = &(*(struct jsonl_record *const *)one)->record;
    const struct record *b = &(*(struct jsonl_record *const *)other)->record;

    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* What our own lines for people begin with: "HH:MM:SS." */
static bool is_text(const char *line)
{
    static const char form[] = "00:00:00.000000 ";

    for (size_t i = 0; form[i]; i++)
        if (form[i] == '0' ? !isdigit((unsigned char)line[i]) : line[i] != form[i])
            return false;
    return true;
}

static void report_foreign(const char *path, size_t number, const char *line, size_t records)
{
    if (records > 0)
        complain("%s: line %zu is not a record; only what is before it is read", path, number);
    else if (strncmp(line, RING_MAGIC, strlen(RING_MAGIC)) == 0)
        complain("%s: a ring can be read from a file, but not from a pipe", path);
    else if (is_text(line))
        complain("%s: a text trace cannot be read; use a ring or JSON Lines", path);
    else
        complain("%s: line %zu is not a record: not a libwsrx trace", path, number);
}

enum {
    LINE_MOST = 1 << 20,  /* no record is so long: 64 KiB of payload in hexadecimal, and names */
    ZEROS_MOST = 64 << 20 /* nor reserves a process so much */
};

/* The next line into `text`, of LINE_MOST bytes. False: there is none. A program that was killed,
 * or ran exec, leaves zeros where its next lines would have been. */
static bool next_line(FILE *stream, char *text)
{
    int zeros = 0, next;

    while ((next = getc_unlocked(stream)) == '\0' && zeros < ZEROS_MOST)
        zeros++;
    if (next == EOF)
        return false;
    ungetc(next, stream);
    return fgets(text, LINE_MOST, stream) != NULL;
}

/* --- lines that are no records ----------------------------------------------------------- */

static void copy(struct json_object *object, const char *key, char *to, size_t size)
{
    snprintf(to, size, "%s", string_of(object, key));
}

static void take_start(struct reader_file *file, struct json_object *object)
{
    struct reader_process *process = need(calloc(1, sizeof *process));
    const char *slash;

    process->pid = (uint32_t)number_of(object, "pid");
    process->time = time_of(object);
    process->parent = (uint32_t)number_of(object, "parent");
    copy(object, "program", process->about.path, sizeof process->about.path);
    copy(object, "mode", process->about.mode, sizeof process->about.mode);
    copy(object, "host", process->about.host, sizeof process->about.host);
    copy(object, "command", process->about.command, sizeof process->about.command);
    slash = strrchr(process->about.path, '/');
    process->name = printable(slash ? slash + 1 : process->about.path);
    file->process = need(realloc(file->process, (file->processes + 1) * sizeof *file->process));
    file->process[file->processes++] = process;
    if (file->processes > 1)
        return;
    file->pid = process->pid;
    file->parent = process->parent;
    file->about = process->about;
    copy(object, "library", file->library, sizeof file->library);
    free(file->program);
    file->program = need(strdup(process->name));
}

static void take_module(struct reader_file *file, struct json_object *object)
{
    struct record_module module = {
        .start = strtoull(string_of(object, "start"), NULL, 16),
        .end = strtoull(string_of(object, "end"), NULL, 16),
        .bias = strtoull(string_of(object, "bias"), NULL, 16),
    };
    const char *id = string_of(object, "build_id");
    size_t length = strlen(id) / 2;

    copy(object, "path", module.path, sizeof module.path);
    if (length <= sizeof module.build_id)
        module.build_id_length = (uint8_t)length;
    for (size_t i = 0; i < module.build_id_length; i++) {
        char byte[3] = {id[2 * i], id[2 * i + 1], '\0'};

        module.build_id[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    reader_file_add_module(file, (uint32_t)number_of(object, "pid"), &module);
}

/* False: newer than this command. */
static bool is_version(const struct reader_file *file, struct json_object *object)
{
    uint64_t version = number_of(object, "version");

    if (version <= JSONL_VERSION)
        return true;
    complain("%s: its format is version %llu, newer than this wsrx (version %d)", file->path,
             (unsigned long long)version, JSONL_VERSION);
    return false;
}

/* A line that has a type; one of a type that is not known here is passed over. */
static bool take_other(struct reader_file *file, struct json_object *object)
{
    const char *type = string_of(object, "type");

    if (strcmp(type, "module") == 0)
        take_module(file, object);
    if (strcmp(type, "start") != 0)
        return true;
    if (!is_version(file, object))
        return false;
    take_start(file, object);
    return true;
}

/* The records that have been read. */
struct lines {
    struct jsonl_record **line;
    size_t count, room;
};

static void add_record(struct lines *lines, struct jsonl_record *record)
{
    if (lines->count == lines->room) {
        lines->room = lines->room ? 2 * lines->room : 256;
        lines->line = need(realloc(lines->line, lines->room * sizeof *lines->line));
    }
    lines->line[lines->count++] = record;
}

/* A line's object; NULL: it is none of ours. */
static struct json_object *object_of(struct json_tokener *tokener, const char *text)
{
    struct json_object *object;

    json_tokener_reset(tokener);
    object = json_tokener_parse_ex(tokener, text, (int)strlen(text));
    if (object && json_object_is_type(object, json_type_object) &&
        (json_object_object_get_ex(object, "type", NULL) ||
         json_object_object_get_ex(object, "call", NULL)))
        return object;
    json_object_put(object);
    return NULL;
}

/* False: no more of the file can be read, and that was reported. */
static bool take_line(struct reader_file *file, struct json_tokener *tokener, size_t number,
                      const char *text, struct lines *lines)
{
    struct json_object *object = object_of(tokener, text);
    bool good = true;

    if (!object) {
        report_foreign(file->path, number, text, lines->count);
        return false;
    }
    if (json_object_object_get_ex(object, "type", NULL))
        good = take_other(file, object);
    else
        add_record(lines, record_of(object));
    json_object_put(object);
    return good;
}

bool jsonl_read(struct reader_file *file, FILE *stream, struct jsonl_record ***ret_lines,
                size_t *ret_count)
{
    struct json_tokener *tokener = need(json_tokener_new());
    char *text = need(malloc(LINE_MOST));
    struct lines lines = {0};
    size_t number = 0;
    bool good = true;

    while (good && next_line(stream, text)) {
        number++;
        if (text[0] != '\n')
            good = take_line(file, tokener, number, text, &lines);
    }
    if (number == 0) {
        complain("%s: empty", file->path);
        good = false;
    }
    free(text);
    json_tokener_free(tokener);
    if (lines.count > 0)
        qsort(lines.line, lines.count, sizeof *lines.line, by_time);
    *ret_lines = lines.line;
    *ret_count = lines.count;
    return good;
}
