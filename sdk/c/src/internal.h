/* What the SDK's own files share; not for steps. */
#ifndef STEPWELL_INTERNAL_H
#define STEPWELL_INTERNAL_H

#include "stepwell.h"

typedef stepwell_platform_errors_error_t sw_error;

/* ---- memory of a call (call.c) ---- */

/* Between these two, what sw_keep gives belongs to what sw_keep_end returns: a handle on `value`, NULL if the call failed. */
void sw_keep_begin(void);
void *sw_keep_end(void *value);
void *sw_kept(void *kept); /* the value */
void sw_keep_free(void *kept);

/* Frees all blocks of the call. */
void sw_call_end(void);

/* Room for one more item in a list of the header's kind: { items, count, capacity }. */
void *sw_grown(void *items, size_t count, size_t *capacity, size_t item);
#define SW_PUSH(list, ...)                                                                                  \
    do {                                                                                                    \
        (list)->items = sw_grown((list)->items, (list)->count, &(list)->capacity, sizeof *(list)->items); \
        (list)->items[(list)->count++] = __VA_ARGS__;                                                       \
    } while (0)

/* ---- texts and errors ---- */

contract_string_t sw_given(const char *text);  /* not copied; for an argument of an import */
contract_string_t sw_copied(const char *text); /* for a result */
const char *sw_c_string(contract_string_t text);
const char *sw_same_text(const char *text); /* a copy; of NULL, "" */
void sw_fail(const sw_error *error); /* the first stays */
/* The end of a call's work: whether it failed, and its error. Tables are dropped; the memory stays for the result. */
bool sw_take_error(sw_error *error);

/* ---- tables ---- */

sw_table *sw_table_from(int32_t handle);         /* owned: dropped with the call */
int32_t sw_table_handle(const sw_table *table);  /* 0: none, after an error */
int32_t sw_table_give(sw_table *table);          /* out of the call's hands; none is an error */

/* An export's end: the error if there is one, else `ok` was filled. */
#define SW_RETURN(error) return !sw_take_error(error)
/* Frees what a call left, after the host has read its result. */
#define SW_POST_RETURN(name, function)                               \
    __attribute__((export_name("cabi_post_stepwell:step/" name))) \
    void __wasm_export_exports_stepwell_step_##function##_post_return(uint8_t *result) { \
        (void)result;                                                \
        sw_call_end();                                               \
    }

#endif
