/* Scales columns to mean 0 and deviation 1, as learnt from the training rows. Nulls are left out of learning and stay null.
 * The same step stands in the examples of every SDK, and saves the same state. */
#include <float.h>
#include <math.h>

#include "stepwell.h"

typedef struct {
    double mean, scale; /* scale is 1 for a column that does not vary */
} learnt;

static size_t count(void) { return sw_count(sw_member(sw_parameters(), "columns")); }
static const char *column(size_t at) { return sw_as_string(sw_item(sw_member(sw_parameters(), "columns"), at)); }

static void describe(sw_description *about) {
    sw_about(about, "zscore", "0.1.0", "Scales columns to mean 0 and deviation 1, as learnt from the training rows.");
    sw_parameter_schema(about, SW_JSON({
        "type": "object",
        "additionalProperties": false,
        "required": ["columns"],
        "properties": {
            "columns": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "uniqueItems": true,
                "description": "Columns to scale."
            }
        }
    }));
    sw_learns(about);
    sw_output_same(about, "rows", "rows"); /* as they come: float64 stays float64 */
    for (size_t at = 0, end = count(); at < end; at++) sw_reads(about, "rows", column(at), SW_FLOAT64);
}

static learnt learn(const char *name, const sw_column *x) {
    double values = 0, sum = 0, squares = 0;
    for (size_t row = 0; row < x->length; row++)
        if (sw_has(x, row)) values++, sum += x->f64[row];
    if (values == 0) return (learnt){0, 1};
    double mean = sum / values;
    for (size_t row = 0; row < x->length; row++)
        if (sw_has(x, row)) squares += (x->f64[row] - mean) * (x->f64[row] - mean);
    double variance = squares / values;
    /* scikit-learn's bound: a variance that rounding alone can make is none. */
    double slack = values * mean * DBL_EPSILON;
    double scale = variance <= values * DBL_EPSILON * variance + slack * slack ? 1 : sqrt(variance);
    if (!isfinite(mean) || !isfinite(variance))
        sw_invalid(name, "expected numbers of a finite mean and deviation to learn from");
    return (learnt){mean, scale};
}

static void *fit(sw_table *rows) {
    learnt *all = sw_keep(count() * sizeof *all);
    for (size_t at = 0, end = count(); at < end; at++) {
        sw_column x = sw_read(rows, column(at), SW_FLOAT64);
        all[at] = learn(column(at), &x);
        sw_free_column(&x);
    }
    return all;
}

static void save(const void *kept, sw_files *files) {
    const learnt *all = kept;
    const char *text = "";
    for (size_t at = 0, end = count(); at < end; at++)
        text = sw_print("%s%s%s: {\"mean\": %s, \"scale\": %s}", text, at ? ", " : "", sw_quoted(column(at)),
                        sw_exact(all[at].mean), sw_exact(all[at].scale));
    sw_save_text(files, "state.json", sw_print("{%s}", text));
}

static void *restore(const sw_files *files) {
    const sw_json *state = sw_parse(sw_saved(files, "state.json"), "state.json");
    learnt *all = sw_keep(count() * sizeof *all);
    for (size_t at = 0, end = count(); at < end; at++) {
        const sw_json *one = sw_member(state, column(at));
        all[at] = (learnt){sw_as_number(sw_member(one, "mean")), sw_as_number(sw_member(one, "scale"))};
    }
    return all;
}

static sw_table *apply(const void *kept, sw_table *rows) {
    const learnt *all = kept;
    sw_columns scaled = {0};
    for (size_t at = 0, end = count(); at < end; at++) {
        sw_column x = sw_read(rows, column(at), SW_FLOAT64);
        for (size_t row = 0; row < x.length; row++) x.f64[row] = (x.f64[row] - all[at].mean) / all[at].scale;
        sw_add(&scaled, column(at), x);
    }
    return sw_with(rows, &scaled);
}

SW_DESCRIBE(describe);
SW_FITTED(fit, save, restore, apply);
