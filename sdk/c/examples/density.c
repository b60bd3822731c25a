/* Adds how dense a body is. */
#include "stepwell.h"

static void describe(sw_description *about) {
    sw_about(about, "density", "0.1.0", "Adds how dense a body is.");
    sw_reads(about, "rows", "mass", SW_FLOAT64);
    sw_reads(about, "rows", "volume", SW_FLOAT64);
    sw_field(sw_output_same(about, "rows", "rows"), "density", SW_FLOAT64, true);
}

static sw_table *apply(const void *learnt, sw_table *rows) {
    (void)learnt;
    sw_column mass = sw_read(rows, "mass", SW_FLOAT64), volume = sw_read(rows, "volume", SW_FLOAT64);
    sw_column density = sw_may_be_null(sw_new(SW_FLOAT64, mass.length));
    for (size_t row = 0; row < mass.length; row++) {
        if (sw_has(&mass, row) && sw_has(&volume, row))
            density.f64[row] = mass.f64[row] / volume.f64[row];
        else
            sw_set_null(&density, row);
    }
    sw_columns out = {0};
    sw_add(&out, "density", density);
    return sw_with(rows, &out);
}

SW_DESCRIBE(describe);
SW_FITTED(.apply = apply);
