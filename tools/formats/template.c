/* SPDX-License-Identifier: MIT */
#include "formats/template.h"

#include "util/number.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* The data of a section, and of those around it. */
struct scope {
    struct json_object *data;
    const struct scope *outer;
};

struct tag {
    char kind; /* '#', '^', '/', '&', or 0: a value */
    const char *name;
    size_t length;
    const char *end; /* behind it */
};

static bool find_tag(const char *text, const char **ret_start, struct tag *ret_tag)
{
    const char *start = strstr(text, "{{"), *end = start ? strstr(start, "}}") : NULL;

    if (!end)
        return false;
    *ret_start = start;
    start += 2;
    ret_tag->kind = *start && strchr("#^/&", *start) ? *start++ : 0;
    ret_tag->name = start;
    ret_tag->length = (size_t)(end - start);
    ret_tag->end = end + 2;
    return true;
}

static struct json_object *look_up(const struct scope *scope, const struct tag *tag)
{
    char name[64];
    struct json_object *found;

    if (tag->length == 1 && tag->name[0] == '.')
        return scope->data;
    snprintf(name, sizeof name, "%.*s", (int)tag->length, tag->name);
    for (; scope; scope = scope->outer)
        if (json_object_object_get_ex(scope->data, name, &found))
            return found;
    return NULL;
}

static void put_escaped(const char *text, FILE *out)
{
    for (; *text; text++) {
        const char *entity = *text == '&'   ? "&amp;"
                             : *text == '<' ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '"' ? "&quot;"
                                            : NULL;

        if (entity)
            fputs(entity, out);
        else
            fputc(*text, out);
    }
}

static void put_value(struct json_object *value, bool plain, FILE *out)
{
    char text[GROUPED_MAX];
    int64_t number;

    switch (json_object_get_type(value)) {
    case json_type_null:
        return;
    case json_type_int:
        number = json_object_get_int64(value);
        if (plain || number < 0)
            fprintf(out, "%" PRId64, number);
        else
            fputs(grouped((uint64_t)number, text), out);
        return;
    case json_type_double:
        fprintf(out, "%.2f", json_object_get_double(value));
        return;
    default:
        put_escaped(json_object_get_string(value), out);
    }
}

static bool is_something(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_array:
        return json_object_array_length(value) > 0;
    case json_type_string:
        return json_object_get_string_len(value) > 0;
    default:
        return json_object_get_boolean(value);
    case json_type_object:
        return true;
    }
}

/* Writes the text until the end of its section, or of all; `out` NULL: only looks for that. Returns
 * what is behind. */
static const char *write_section(const char *text, const struct scope *scope, FILE *out);

/* `text` is behind the tag that opens it. */
static const char *write_inner(const char *text, const struct tag *tag, const struct scope *scope,
                               FILE *out)
{
    struct json_object *value = out ? look_up(scope, tag) : NULL;
    bool wanted = is_something(value) == (tag->kind == '#');
    const char *end = text;

    if (!out || !wanted)
        return write_section(text, scope, NULL);
    if (!json_object_is_type(value, json_type_array) || tag->kind == '^')
        return write_section(text, &(struct scope){value, scope}, out);
    for (size_t i = 0; i < json_object_array_length(value); i++)
        end = write_section(text, &(struct scope){json_object_array_get_idx(value, i), scope}, out);
    return end;
}

static const char *write_section(const char *text, const struct scope *scope, FILE *out)
{
    const char *start;
    struct tag tag;

    while (find_tag(text, &start, &tag)) {
        if (out)
            fwrite(text, 1, (size_t)(start - text), out);
        text = tag.end;
        if (tag.kind == '/')
            return text;
        if (tag.kind == '#' || tag.kind == '^')
            text = write_inner(text, &tag, scope, out);
        else if (out)
            put_value(look_up(scope, &tag), tag.kind == '&', out);
    }
    if (out)
        fputs(text, out);
    return text + strlen(text);
}

void template_write(const char *text, struct json_object *data, FILE *out)
{
    write_section(text, &(struct scope){data, NULL}, out);
}
