/* Scales columns to mean 0 and deviation 1, as learnt from the training rows. Nulls stay null. */
#include <math.h>

#include "stepwell.h"

typedef struct {
    size_t count;
    double *mean, *scale; /* one of each of the parameter's columns */
} zscore;

static const sw_json *columns(void) { return sw_member(sw_parameters(), "columns"); }

static void describe(sw_description *about) {
    sw_about(about, "zscore", "0.1.0", "Scales columns to mean 0 and deviation 1.");
    sw_parameter_schema(about, SW_JSON({
        "type": "object",
        "additionalProperties": false,
        "required": ["columns"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "Columns to scale."}
        }
    }));
    sw_learns(about);
    sw_output_same(about, "rows", "rows"); /* as they come: float64 stays float64 */
    for (size_t at = 0; at < sw_count(columns()); at++)
        sw_reads(about, "rows", sw_as_string(sw_item(columns(), at)), SW_FLOAT64);
}

static zscore *blank(size_t count) {
    zscore *made = sw_keep(sizeof *made);
    *made = (zscore){count, sw_keep(count * sizeof(double)), sw_keep(count * sizeof(double))};
    return made;
}

static void *fit(sw_table *rows) {
    zscore *learnt = blank(sw_count(columns()));
    for (size_t at = 0; at < learnt->count; at++) {
        sw_column x = sw_read(rows, sw_as_string(sw_item(columns(), at)), SW_FLOAT64);
        double count = 0, sum = 0, squares = 0;
        for (size_t row = 0; row < x.length; row++)
            if (sw_has(&x, row)) count++, sum += x.f64[row];
        double mean = count ? sum / count : 0;
        for (size_t row = 0; row < x.length; row++)
            if (sw_has(&x, row)) squares += (x.f64[row] - mean) * (x.f64[row] - mean);
        double scale = count ? sqrt(squares / count) : 0;
        learnt->mean[at] = mean;
        learnt->scale[at] = scale == 0 ? 1 : scale;
        sw_free_column(&x);
    }
    return learnt;
}

static void save(const void *learnt, sw_files *files) {
    const zscore *z = learnt;
    const char *mean = sw_numbers(z->mean, z->count), *scale = sw_numbers(z->scale, z->count);
    sw_save_text(files, "state.json", sw_print("{\"mean\": %s, \"scale\": %s}", mean, scale));
}

static void *restore(const sw_files *files) {
    const sw_json *state = sw_parse(sw_saved(files, "state.json"), "state.json");
    zscore *learnt = blank(sw_count(sw_member(state, "mean")));
    for (size_t at = 0; at < learnt->count; at++) {
        learnt->mean[at] = sw_as_number(sw_item(sw_member(state, "mean"), at));
        learnt->scale[at] = sw_as_number(sw_item(sw_member(state, "scale"), at));
    }
    return learnt;
}

static sw_table *apply(const void *learnt, sw_table *rows) {
    const zscore *z = learnt;
    sw_columns scaled = {0};
    for (size_t at = 0; at < z->count; at++) {
        const char *name = sw_as_string(sw_item(columns(), at));
        sw_column x = sw_read(rows, name, SW_FLOAT64);
        for (size_t row = 0; row < x.length; row++) x.f64[row] = (x.f64[row] - z->mean[at]) / z->scale[at];
        sw_add(&scaled, name, x);
    }
    return sw_with(rows, &scaled);
}

SW_DESCRIBE(describe);
SW_FITTED(fit, save, restore, apply);
