/* One call of the host: the memory it took, the error it ends with, what it says while it goes. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- memory ---- */

typedef struct block {
    struct block *before, *after;
    size_t bytes;
    int32_t table; /* a handle to drop with the block; 0: none */
} block;

_Static_assert(sizeof(block) == 16, "what follows a header is aligned for any value");

typedef struct {
    block blocks; /* head of a ring */
} arena;

static arena call = {{&call.blocks, &call.blocks, 0, 0}};

struct kept {
    arena arena;
    void *value;
};
static struct kept *keeping;

static void *take(arena *from, size_t bytes) {
    block *made = bytes < SIZE_MAX - sizeof(block) ? calloc(1, sizeof(block) + bytes) : NULL;
    if (!made) __builtin_trap(); /* the host says that memory ran out */
    made->bytes = bytes;
    made->after = &from->blocks;
    made->before = from->blocks.before;
    made->before->after = from->blocks.before = made;
    return made + 1;
}

static void drop(block *one) {
    if (one->table) stepwell_data_tables_table_drop_own((stepwell_data_tables_own_table_t){one->table});
    one->table = 0;
}

static void give_back(block *one) {
    drop(one);
    one->before->after = one->after;
    one->after->before = one->before;
    free(one);
}

static void give_back_all(arena *from) {
    while (from->blocks.after != &from->blocks) give_back(from->blocks.after);
}

void *sw_alloc(size_t bytes) { return take(&call, bytes); }

void sw_free(void *memory) {
    if (memory) give_back((block *)memory - 1);
}

void *sw_keep(size_t bytes) { return take(keeping ? &keeping->arena : &call, bytes); }

void sw_keep_begin(void) {
    keeping = calloc(1, sizeof *keeping);
    if (!keeping) __builtin_trap();
    keeping->arena.blocks.before = keeping->arena.blocks.after = &keeping->arena.blocks;
}

void *sw_keep_end(void *value) {
    struct kept *kept = keeping;
    kept->value = value;
    keeping = NULL;
    if (!sw_failed()) return kept;
    sw_keep_free(kept);
    return NULL;
}

void *sw_kept(void *kept) { return ((struct kept *)kept)->value; }

void sw_keep_free(void *kept) {
    give_back_all(&((struct kept *)kept)->arena);
    free(kept);
}

/* What the host passes in lies among the call's blocks too. */
__attribute__((export_name("cabi_realloc")))
void *cabi_realloc(void *old, size_t old_bytes, size_t align, size_t bytes) {
    if (bytes == 0) return (void *)align;
    void *made = sw_alloc(bytes);
    if (old_bytes) {
        memcpy(made, old, old_bytes < bytes ? old_bytes : bytes);
        sw_free(old);
    }
    return made;
}

void *sw_grown(void *items, size_t count, size_t *capacity, size_t item) {
    if (count < *capacity) return items;
    size_t wanted = *capacity ? 2 * *capacity : 8;
    if (wanted > SIZE_MAX / 2 / item) __builtin_trap();
    void *made = sw_alloc(wanted * item);
    if (count) memcpy(made, items, count * item);
    sw_free(*capacity ? items : NULL);
    *capacity = wanted;
    return made;
}

/* ---- tables as blocks ---- */

struct sw_table {
    int32_t handle;
};

sw_table *sw_table_from(int32_t handle) {
    sw_table *table = sw_alloc(sizeof *table);
    table->handle = ((block *)table - 1)->table = handle;
    return table;
}

int32_t sw_table_handle(const sw_table *table) { return table ? table->handle : 0; }

int32_t sw_table_give(sw_table *table) {
    if (!sw_table_handle(table)) {
        sw_permanent("the step gave no table, or one that it gave or dropped before");
        return 0;
    }
    int32_t handle = table->handle;
    table->handle = ((block *)table - 1)->table = 0;
    return handle;
}

void sw_drop(sw_table *table) {
    if (!sw_table_handle(table)) return;
    stepwell_data_tables_table_drop_own((stepwell_data_tables_own_table_t){sw_table_give(table)});
}

/* ---- texts ---- */

static const char *formatted(const char *format, va_list values) {
    va_list again;
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) return "";
    char *text = sw_alloc((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, values);
    return text;
}

const char *sw_print(const char *format, ...) {
    va_list values;
    va_start(values, format);
    const char *text = formatted(format, values);
    va_end(values);
    return text;
}

contract_string_t sw_given(const char *text) { return (contract_string_t){(uint8_t *)text, text ? strlen(text) : 0}; }

contract_string_t sw_copied(const char *text) {
    contract_string_t given = sw_given(text), copy = {sw_alloc(given.len), given.len};
    if (given.len) memcpy(copy.ptr, given.ptr, given.len);
    return copy;
}

const char *sw_c_string(contract_string_t text) {
    char *copy = sw_alloc(text.len + 1);
    if (text.len) memcpy(copy, text.ptr, text.len);
    return copy;
}

const char *sw_same_text(const char *text) { return sw_c_string(sw_given(text)); }

sw_text sw_text_of(const char *text) { return (sw_text){text, strlen(text)}; }

bool sw_equal(sw_text text, const char *other) {
    return text.length == strlen(other) && memcmp(text.data, other, text.length) == 0;
}

/* ---- errors ---- */

static sw_error first;
static bool failed;

bool sw_failed(void) { return failed; }

void sw_fail(const sw_error *error) {
    if (!failed) first = *error;
    failed = true;
}

/* The host lets nobody drop a table once it reads the result: it is now or never. */
bool sw_take_error(sw_error *error) {
    for (block *one = call.blocks.after; one != &call.blocks; one = one->after) drop(one);
    *error = first;
    bool was = failed;
    failed = false;
    return was;
}

void sw_invalid(const char *name, const char *reason, ...) {
    va_list values;
    va_start(values, reason);
    sw_error error = {.tag = STEPWELL_PLATFORM_ERRORS_ERROR_INVALID_INPUT};
    error.val.invalid_input.name = sw_copied(name);
    error.val.invalid_input.reason = sw_given(formatted(reason, values));
    va_end(values);
    sw_fail(&error);
}

void sw_permanent(const char *reason, ...) {
    va_list values;
    va_start(values, reason);
    sw_error error = {.tag = STEPWELL_PLATFORM_ERRORS_ERROR_PERMANENT};
    error.val.permanent = sw_given(formatted(reason, values));
    va_end(values);
    sw_fail(&error);
}

void sw_transient(uint64_t retry_after_ms, const char *reason, ...) {
    va_list values;
    va_start(values, reason);
    sw_error error = {.tag = STEPWELL_PLATFORM_ERRORS_ERROR_TRANSIENT};
    error.val.transient.f0 = sw_given(formatted(reason, values));
    error.val.transient.f1 = retry_after_ms;
    va_end(values);
    sw_fail(&error);
}

void sw_call_end(void) { give_back_all(&call); }

/* ---- reports, seed, time ---- */

void sw_log(sw_level level, const char *format, ...) {
    va_list values;
    va_start(values, format);
    contract_string_t message = sw_given(formatted(format, values));
    va_end(values);
    stepwell_platform_report_log((stepwell_platform_report_level_t)level, &message);
    sw_free(message.len ? message.ptr : NULL);
}

void sw_progress(uint64_t done, uint64_t total) { stepwell_platform_report_progress(done, total ? &total : NULL); }

void sw_metric(const char *name, double value, uint64_t index) {
    contract_string_t given = sw_given(name);
    stepwell_platform_report_metric(&given, value, index);
}

uint64_t sw_seed(void) { return stepwell_platform_config_seed(); }

int64_t sw_logical_time(void) { return stepwell_platform_config_logical_time(); }
