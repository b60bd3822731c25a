/* Fills the nulls of a column with the mean of the training rows. */
#include "stepwell.h"

typedef struct {
    double mean;
} fill;

static const char *column(void) { return sw_string(sw_parameters(), "column", "value"); }

static void describe(sw_description *about) {
    sw_about(about, "my-plugin", "0.1.0", "Fills the nulls of a column with the mean of the training rows.");
    sw_parameter_schema(about, SW_JSON({
        "type": "object",
        "additionalProperties": false,
        "properties": {"column": {"type": "string", "default": "value", "description": "A column of numbers."}}
    }));
    sw_learns(about);
    sw_fields *given = sw_output_same(about, "rows", "rows");
    sw_reads(about, "rows", column(), SW_FLOAT64);
    sw_field(given, column(), SW_FLOAT64, false);
}

static void *fit(sw_table *rows) {
    sw_column x = sw_read(rows, column(), SW_FLOAT64);
    double count = 0, sum = 0;
    for (size_t row = 0; row < x.length; row++)
        if (sw_has(&x, row)) count++, sum += x.f64[row];
    fill *learnt = sw_keep(sizeof *learnt);
    learnt->mean = count ? sum / count : 0;
    return learnt;
}

static void save(const void *learnt, sw_files *files) {
    sw_save_text(files, "state.json", sw_print("{\"mean\": %s}", sw_exact(((const fill *)learnt)->mean)));
}

static void *restore(const sw_files *files) {
    fill *learnt = sw_keep(sizeof *learnt);
    learnt->mean = sw_as_number(sw_member(sw_parse(sw_saved(files, "state.json"), "state.json"), "mean"));
    return learnt;
}

static sw_table *apply(const void *learnt, sw_table *rows) {
    double mean = ((const fill *)learnt)->mean;
    sw_column x = sw_read(rows, column(), SW_FLOAT64), full = sw_new(SW_FLOAT64, x.length);
    for (size_t row = 0; row < x.length; row++) full.f64[row] = sw_has(&x, row) ? x.f64[row] : mean;
    sw_columns out = {0};
    sw_add(&out, column(), full);
    return sw_with(rows, &out);
}

SW_DESCRIBE(describe);
SW_FITTED(fit, save, restore, apply);
