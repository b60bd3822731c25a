/* JSON text -> values, strictly (RFC 8259); numbers -> JSON text, exactly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DEPTH_MAX 64

typedef enum { JSON_NULL, JSON_TRUTH, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_OBJECT } kind;
static const char *const KINDS[] = {"null", "a truth value", "a number", "a string", "a list", "an object"};

struct sw_json {
    kind kind;
    const char *key; /* of a member; else what the whole text is called */
    bool truth;
    double number;
    int64_t integer;
    bool is_integer;
    const char *string;
    struct sw_json *items; /* of a list and an object */
    size_t count, capacity;
};

typedef struct {
    const char *at, *end, *what;
    bool broken;
} reader;

static void blanks(reader *in) {
    while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at) in->at++;
}

static bool next(reader *in, char wanted) {
    blanks(in);
    if (in->at == in->end || *in->at != wanted) return false;
    in->at++;
    return true;
}

static bool word(reader *in, const char *wanted) {
    size_t length = strlen(wanted);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, wanted, length)) return false;
    in->at += length;
    return true;
}

static unsigned hex4(reader *in) {
    unsigned code = 0;
    for (int digit = 0; digit < 4; digit++, in->at++) {
        const char *digits = "0123456789abcdef", *found = NULL;
        if (in->at < in->end && *in->at) found = strchr(digits, *in->at | ('A' <= *in->at && *in->at <= 'F' ? 32 : 0));
        if (!found) {
            in->broken = true;
            return 1;
        }
        code = code * 16 + (unsigned)(found - digits);
    }
    return code;
}

/* A character after `\u`, in UTF-8. A zero would end a string of C: it is refused. */
static char *escaped(reader *in, char *out) {
    unsigned code = hex4(in);
    if (code >= 0xd800 && code < 0xdc00 && word(in, "\\u")) {
        unsigned low = hex4(in);
        if (low < 0xdc00 || low > 0xdfff) in->broken = true;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code == 0 || (code >= 0xd800 && code < 0xe000)) in->broken = true;
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned FIRST[] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = (char)(FIRST[more] | code >> 6 * more);
    while (more--) *out++ = (char)(0x80 | (code >> 6 * more & 0x3f));
    return out;
}

static const char *string(reader *in) {
    const char *close = in->at;
    while (close < in->end && *close != '"') close += *close == '\\' ? 2 : 1;
    if (close >= in->end) {
        in->broken = true;
        return "";
    }
    char *text = sw_alloc((size_t)(close - in->at) + 1), *out = text; /* no escape is shorter than what it says */
    while (in->at < close && !in->broken) {
        char now = *in->at++;
        if ((unsigned char)now < 0x20) in->broken = true;
        if (now != '\\') {
            *out++ = now;
            continue;
        }
        now = *in->at++;
        const char *names = "\"\\/bfnrt", *found = now ? strchr(names, now) : NULL;
        if (now == 'u') {
            out = escaped(in, out);
        } else if (found) {
            *out++ = "\"\\/\b\f\n\r\t"[found - names];
        } else {
            in->broken = true;
        }
    }
    in->at = close + 1;
    return text;
}

static size_t digits(reader *in) {
    const char *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') in->at++;
    return (size_t)(in->at - start);
}

static void number(reader *in, sw_json *value) {
    const char *start = in->at;
    word(in, "-");
    bool zero = in->at < in->end && *in->at == '0';
    size_t whole = digits(in);
    if (whole == 0 || (zero && whole > 1)) in->broken = true;
    value->is_integer = true;
    if (word(in, ".")) {
        value->is_integer = false;
        if (!digits(in)) in->broken = true;
    }
    if (word(in, "e") || word(in, "E")) {
        value->is_integer = false;
        if (!word(in, "+")) word(in, "-");
        if (!digits(in)) in->broken = true;
    }
    const char *text = sw_c_string((contract_string_t){(uint8_t *)start, (size_t)(in->at - start)});
    value->kind = JSON_NUMBER;
    value->number = strtod(text, NULL);
    if (fabs(value->number) >= 0x1p63) value->is_integer = false;
    value->integer = value->is_integer ? strtoll(text, NULL, 10) : 0;
    if (isinf(value->number)) in->broken = true;
    sw_free((void *)text);
}

static void read_value(reader *in, sw_json *value, int depth);

static void items(reader *in, sw_json *value, char close, int depth) {
    value->kind = close == '}' ? JSON_OBJECT : JSON_LIST;
    if (next(in, close)) return;
    do {
        const char *key = NULL;
        if (close == '}') {
            if (!next(in, '"')) in->broken = true;
            key = in->broken ? "" : string(in);
            if (!next(in, ':')) in->broken = true;
        }
        sw_json item = {.key = key ? key : value->key};
        if (!in->broken) read_value(in, &item, depth + 1);
        SW_PUSH(value, item);
    } while (!in->broken && next(in, ','));
    if (!next(in, close)) in->broken = true;
}

static void read_value(reader *in, sw_json *value, int depth) {
    if (depth > DEPTH_MAX) {
        in->broken = true;
    } else if (next(in, '{')) {
        items(in, value, '}', depth);
    } else if (next(in, '[')) {
        items(in, value, ']', depth);
    } else if (next(in, '"')) {
        value->kind = JSON_STRING;
        value->string = string(in);
    } else if (word(in, "true") || word(in, "false")) {
        value->kind = JSON_TRUTH;
        value->truth = in->at[-2] == 'u';
    } else if (!word(in, "null")) {
        number(in, value);
    }
}

const sw_json *sw_parse(sw_text text, const char *what) {
    reader in = {text.data, text.data + text.length, what, false};
    sw_json *value = sw_alloc(sizeof *value);
    value->key = sw_c_string(sw_given(what));
    read_value(&in, value, 0);
    blanks(&in);
    if (!in.broken && in.at == in.end) return value;
    sw_invalid(what, "expected JSON, it breaks off near byte %zu", (size_t)(in.at - text.data));
    return NULL;
}

const sw_json *sw_parameters(void) {
    contract_string_t text;
    stepwell_platform_config_parameters(&text);
    return sw_parse((sw_text){(const char *)text.ptr, text.len}, "params");
}

const sw_json *sw_member(const sw_json *object, const char *key) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (size_t at = 0; at < object->count; at++) {
        if (strcmp(object->items[at].key, key) == 0) return &object->items[at];
    }
    return NULL;
}

size_t sw_count(const sw_json *list) { return list ? list->count : 0; }

const sw_json *sw_item(const sw_json *list, size_t at) { return at < sw_count(list) ? &list->items[at] : NULL; }

/* Whether a value is what is asked for; else that is an error. */
static bool is(const sw_json *value, kind wanted) {
    if (value && value->kind == wanted) return true;
    const char *got = value ? KINDS[value->kind] : "nothing";
    sw_invalid(value ? value->key : "json", "expected %s, got %s", KINDS[wanted], got);
    return false;
}

double sw_as_number(const sw_json *value) { return is(value, JSON_NUMBER) ? value->number : 0; }

const char *sw_as_string(const sw_json *value) { return is(value, JSON_STRING) ? value->string : ""; }

double sw_number(const sw_json *object, const char *key, double otherwise) {
    const sw_json *value = sw_member(object, key);
    return value ? sw_as_number(value) : otherwise;
}

int64_t sw_integer(const sw_json *object, const char *key, int64_t otherwise) {
    const sw_json *value = sw_member(object, key);
    if (!value || !is(value, JSON_NUMBER)) return otherwise;
    if (!value->is_integer) sw_invalid(key, "expected an integer of 64 bits, got %g", value->number);
    return value->integer;
}

bool sw_truth(const sw_json *object, const char *key, bool otherwise) {
    const sw_json *value = sw_member(object, key);
    return value && is(value, JSON_TRUTH) ? value->truth : otherwise;
}

const char *sw_string(const sw_json *object, const char *key, const char *otherwise) {
    const sw_json *value = sw_member(object, key);
    return value ? sw_as_string(value) : otherwise;
}

const char *sw_exact(double value) {
    if (!isfinite(value)) sw_permanent("expected a finite number to save, got %g", value);
    return sw_print("%.17g", value);
}

const char *sw_numbers(const double *values, size_t count) {
    sw_column out = sw_new(SW_TEXT, 0); /* its bytes grow by doubling */
    for (size_t at = 0; at < count; at++) {
        const char *value = sw_exact(values[at]);
        sw_push_text(&out, at ? ", " : "[", at ? 2 : 1);
        sw_push_text(&out, value, strlen(value));
        sw_free((void *)value);
    }
    sw_push_text(&out, count ? "]" : "[]", count ? 2 : 3); /* and the zero that ends a string */
    return out.chars;
}

const char *sw_quoted(const char *text) {
    sw_column out = sw_new(SW_TEXT, 0);
    sw_push_text(&out, "\"", 1);
    for (; *text; text++) {
        bool plain = (unsigned char)*text >= 0x20 && *text != '"' && *text != '\\';
        const char *one = plain ? NULL : sw_print("\\u%04x", (unsigned)(unsigned char)*text);
        sw_push_text(&out, plain ? text : one, plain ? 1 : 6);
    }
    sw_push_text(&out, "\"", 2);
    return out.chars;
}
