/* Every row has a value in a column. */
#include "stepwell.h"

static const char *column(void) { return sw_string(sw_parameters(), "column", "value"); }

static void describe(sw_description *about) {
    sw_about(about, "my-plugin", "0.1.0", "Every row has a value in a column.");
    sw_parameter_schema(about, SW_JSON({
        "type": "object",
        "additionalProperties": false,
        "properties": {"column": {"type": "string", "default": "value", "description": "A column of numbers."}}
    }));
    sw_reads(about, "table", column(), SW_FLOAT64);
    sw_output_same(about, "table", "table");
}

static void check(sw_table *rows, sw_table *reference, sw_findings *findings) {
    (void)reference; /* rows of an earlier run, to compare with, if the pipeline gives them */
    sw_column x = sw_read(rows, column(), SW_FLOAT64);
    uint64_t missing[20];
    size_t count = 0;
    for (size_t row = 0; row < x.length; row++) {
        if (sw_has(&x, row)) continue;
        if (count < 20) missing[count] = row;
        count++;
    }
    sw_found(findings, (sw_finding){
                           .check = "presence",
                           .column = column(),
                           .error = true,
                           .passed = count == 0,
                           .observed = sw_print("%zu nulls", count),
                           .expected = "no nulls",
                           .sample = missing,
                           .sample_count = count < 20 ? count : 20,
                       });
}

SW_DESCRIBE(describe);
SW_VALIDATOR(check);
