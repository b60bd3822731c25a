/* The mean absolute error of predictions. */
#include <math.h>

#include "stepwell.h"

static void describe(sw_description *about) {
    sw_about(about, "my-plugin", "0.1.0", "The mean absolute error of predictions.");
    sw_parameter_schema(about, SW_JSON({
        "type": "object",
        "additionalProperties": false,
        "required": ["label"],
        "properties": {
            "label": {"type": "string", "description": "The column of true values."},
            "prediction": {"type": "string", "default": "prediction"}
        }
    }));
    sw_input(about, "candidate");
    sw_input(about, "baseline");
    for (int port = 0; port < 2; port++) {
        const char *name = port ? "baseline" : "candidate";
        if (sw_wired(about, name).count == 0) continue;
        sw_reads(about, name, sw_string(sw_parameters(), "label", ""), SW_FLOAT64);
        sw_reads(about, name, sw_string(sw_parameters(), "prediction", "prediction"), SW_FLOAT64);
    }
}

/* Over the rows that have both values; not-a-number if none has. */
static double error_of(sw_table *rows) {
    sw_column truth = sw_read(rows, sw_string(sw_parameters(), "label", ""), SW_FLOAT64);
    sw_column guess = sw_read(rows, sw_string(sw_parameters(), "prediction", "prediction"), SW_FLOAT64);
    double count = 0, sum = 0;
    for (size_t row = 0; row < truth.length; row++)
        if (sw_has(&truth, row) && sw_has(&guess, row)) count++, sum += fabs(truth.f64[row] - guess.f64[row]);
    if (count == 0) sw_invalid("candidate", "expected at least one row with a truth and a prediction, got none");
    return count ? sum / count : 0;
}

static void evaluate(sw_table *candidate, sw_table *baseline, const char *const *slices, size_t slice_count,
                     sw_measures *measures) {
    (void)slices;
    if (slice_count) sw_invalid("slices", "expected none, got %zu: this evaluator measures all rows together", slice_count);
    double other = baseline ? error_of(baseline) : 0;
    sw_add_measure(measures, (sw_measure){
                                 .name = "mean_absolute_error",
                                 .value = error_of(candidate),
                                 .baseline = baseline ? &other : NULL,
                             });
}

SW_DESCRIBE(describe);
SW_EVALUATOR(evaluate);
