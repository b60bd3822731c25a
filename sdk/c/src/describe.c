/* What a plugin says of itself, put together. */
#include "internal.h"

typedef exports_stepwell_step_description_output_t wire_output;

struct output {
    const char *name, *input;
    uint8_t relation;
    sw_fields *columns;
};

struct input {
    const char *name;
    sw_fields columns;
};

struct sw_description {
    exports_stepwell_step_description_list_port_t wired;
    const char *name, *version, *summary, *parameters;
    bool learns;
    struct {
        struct input *items;
        size_t count, capacity;
    } inputs;
    struct {
        struct output *items;
        size_t count, capacity;
    } outputs;
};

extern void (*const sw_describe)(sw_description *);

static bool same(contract_string_t text, const char *name) {
    return sw_equal((sw_text){(const char *)text.ptr, text.len}, name);
}

void sw_field(sw_fields *fields, const char *name, sw_type type, bool nullable) {
    stepwell_data_tables_field_t field = {sw_copied(name), type, nullable};
    for (size_t at = 0; at < fields->count; at++) {
        if (!same(fields->items[at].name, name)) continue;
        fields->items[at] = field;
        return;
    }
    SW_PUSH(fields, field);
}

void sw_about(sw_description *about, const char *name, const char *version, const char *summary) {
    about->name = sw_same_text(name);
    about->version = sw_same_text(version);
    about->summary = sw_same_text(summary);
}

void sw_parameter_schema(sw_description *about, const char *json_schema) {
    about->parameters = sw_same_text(json_schema);
}

void sw_learns(sw_description *about) { about->learns = true; }

static struct input *input(sw_description *about, const char *port) {
    for (size_t at = 0; at < about->inputs.count; at++) {
        if (same(sw_given(about->inputs.items[at].name), port)) return &about->inputs.items[at];
    }
    SW_PUSH(&about->inputs, (struct input){.name = sw_same_text(port)});
    return &about->inputs.items[about->inputs.count - 1];
}

void sw_input(sw_description *about, const char *port) { input(about, port); }

void sw_reads(sw_description *about, const char *port, const char *column, sw_type type) {
    sw_field(&input(about, port)->columns, column, type, true);
}

sw_fields sw_wired(const sw_description *about, const char *port) {
    sw_fields fields = {0};
    for (size_t at = 0; at < about->wired.len; at++) {
        if (!same(about->wired.ptr[at].name, port)) continue;
        fields.items = about->wired.ptr[at].columns.ptr;
        fields.count = about->wired.ptr[at].columns.len;
    }
    return fields;
}

static bool is_wired(const sw_description *about, const char *port) {
    for (size_t at = 0; at < about->wired.len; at++) {
        if (same(about->wired.ptr[at].name, port)) return true;
    }
    return false;
}

static sw_fields *output(sw_description *about, const char *port, uint8_t relation, const char *of, sw_fields begin) {
    struct output made = {sw_same_text(port), sw_same_text(of), relation, sw_alloc(sizeof(sw_fields))};
    for (size_t at = 0; at < begin.count; at++) SW_PUSH(made.columns, begin.items[at]);
    if (of) input(about, of);
    SW_PUSH(&about->outputs, made);
    return made.columns;
}

sw_fields *sw_output_same(sw_description *about, const char *port, const char *of) {
    return output(about, port, EXPORTS_STEPWELL_STEP_DESCRIPTION_ROW_RELATION_SAME, of, sw_wired(about, of));
}

sw_fields *sw_output_subset(sw_description *about, const char *port, const char *of) {
    return output(about, port, EXPORTS_STEPWELL_STEP_DESCRIPTION_ROW_RELATION_SUBSET, of, sw_wired(about, of));
}

sw_fields *sw_output(sw_description *about, const char *port) {
    return output(about, port, EXPORTS_STEPWELL_STEP_DESCRIPTION_ROW_RELATION_OTHER, NULL, (sw_fields){0});
}

static void reads_wired(sw_description *about, const char *port, const char *as) {
    sw_fields wired = sw_wired(about, as);
    for (size_t at = 0; at < wired.count; at++)
        sw_reads(about, port, sw_c_string(wired.items[at].name), wired.items[at].data_type);
}

sw_fields *sw_predicts(sw_description *about) {
    static const char *const PORTS[] = {"train", "validation"};
    for (int at = 0; at < 2; at++) {
        if (at == 1 && about->wired.len && !is_wired(about, PORTS[at])) continue;
        input(about, PORTS[at]);
        reads_wired(about, PORTS[at], "features");
        reads_wired(about, PORTS[at], "label");
    }
    return output(about, "predictions", EXPORTS_STEPWELL_STEP_DESCRIPTION_ROW_RELATION_SAME, "train", (sw_fields){0});
}

/* ---- the role that every plugin has ---- */

static exports_stepwell_step_description_list_port_t wire_inputs(const sw_description *about) {
    size_t count = about->inputs.count;
    stepwell_step_types_port_t *ports = sw_alloc(count * sizeof *ports);
    for (size_t at = 0; at < count; at++) {
        const struct input *one = &about->inputs.items[at];
        ports[at] = (stepwell_step_types_port_t){sw_given(one->name), {one->columns.items, one->columns.count}};
    }
    return (exports_stepwell_step_description_list_port_t){ports, count};
}

static exports_stepwell_step_description_list_output_t wire_outputs(const sw_description *about) {
    size_t count = about->outputs.count;
    wire_output *outputs = sw_alloc(count * sizeof *outputs);
    for (size_t at = 0; at < count; at++) {
        const struct output *one = &about->outputs.items[at];
        outputs[at] = (wire_output){sw_given(one->name), {one->columns->items, one->columns->count}, {.tag = one->relation}};
        outputs[at].rows.val.same = sw_given(one->input); /* of `subset`, too; `other` has none */
    }
    return (exports_stepwell_step_description_list_output_t){outputs, count};
}

bool exports_stepwell_step_description_describe(exports_stepwell_step_description_list_port_t *inputs,
                                                exports_stepwell_step_description_descriptor_t *ret, sw_error *error) {
    sw_description *about = sw_alloc(sizeof *about);
    about->wired = *inputs;
    about->parameters = "{\"type\": \"object\", \"additionalProperties\": false}";
    sw_describe(about);
    if (!about->name) sw_permanent("describe names no plugin: call sw_about");
    ret->name = sw_given(about->name);
    ret->version = sw_given(about->version);
    ret->summary = sw_given(about->summary);
    ret->parameters = sw_given(about->parameters);
    ret->learns = about->learns;
    ret->inputs = wire_inputs(about);
    ret->outputs = wire_outputs(about);
    SW_RETURN(error);
}

SW_POST_RETURN("description@0.1.0#describe", description_describe)
