/* The role `transformer`: what the host calls -> the function that SW_TRANSFORMER names. */
#include <string.h>

#include "../internal.h"

extern const sw_role_transformer sw_transformer;

sw_table *sw_port(const sw_tables *tables, const char *name) {
    for (size_t at = 0; at < tables->count; at++) {
        if (strcmp(tables->items[at].name, name) == 0) return tables->items[at].table;
    }
    sw_invalid(name, "expected a table on this port, got %zu on other ports", tables->count);
    return sw_table_from(0);
}

void sw_put(sw_tables *tables, const char *name, sw_table *table) {
    SW_PUSH(tables, (struct sw_port){sw_same_text(name), table});
}

/* Each table leaves the call; one under two names is an error. */
static exports_stepwell_step_transformer_list_named_table_t given(const sw_tables *outputs) {
    exports_stepwell_step_transformer_named_table_t *named = sw_alloc(outputs->count * sizeof *named);
    for (size_t at = 0; at < outputs->count && !sw_failed(); at++) {
        named[at].name = sw_given(outputs->items[at].name);
        named[at].table.__handle = sw_table_give(outputs->items[at].table);
    }
    return (exports_stepwell_step_transformer_list_named_table_t){named, outputs->count};
}

bool exports_stepwell_step_transformer_run(exports_stepwell_step_transformer_list_named_table_t *inputs,
                                           exports_stepwell_step_transformer_list_named_table_t *ret, sw_error *error) {
    sw_tables given_in = {0}, outputs = {0};
    for (size_t at = 0; at < inputs->len; at++)
        sw_put(&given_in, sw_c_string(inputs->ptr[at].name), sw_table_from(inputs->ptr[at].table.__handle));
    sw_transformer.run(&given_in, &outputs);
    if (!sw_failed()) *ret = given(&outputs);
    SW_RETURN(error);
}

SW_POST_RETURN("transformer@0.1.0#run", transformer_run)
