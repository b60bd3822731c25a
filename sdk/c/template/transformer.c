/* Keeps the rows whose value is at least some number. */
#include "stepwell.h"

static const char *column(void) { return sw_string(sw_parameters(), "column", "value"); }

static void describe(sw_description *about) {
    sw_about(about, "my-plugin", "0.1.0", "Keeps the rows whose value is at least some number.");
    sw_parameter_schema(about, SW_JSON({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "column": {"type": "string", "default": "value", "description": "A column of numbers."},
            "at_least": {"type": "number", "default": 0}
        }
    }));
    sw_reads(about, "table", column(), SW_FLOAT64);
    sw_output_subset(about, "table", "table");
}

static void run(const sw_tables *inputs, sw_tables *outputs) {
    sw_table *rows = sw_port(inputs, "table");
    sw_column x = sw_read(rows, column(), SW_FLOAT64);
    double at_least = sw_number(sw_parameters(), "at_least", 0);
    uint64_t *kept = sw_alloc(x.length * sizeof *kept);
    size_t count = 0;
    for (size_t row = 0; row < x.length; row++)
        if (sw_has(&x, row) && x.f64[row] >= at_least) kept[count++] = row;
    sw_put(outputs, "table", sw_take(rows, kept, count));
}

SW_DESCRIBE(describe);
SW_TRANSFORMER(run);
