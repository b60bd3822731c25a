/* Predicts the mean of the training labels, whatever the features: what any model must beat. */
#include "stepwell.h"

static void describe(sw_description *about) {
    sw_about(about, "my-plugin", "0.1.0", "Predicts the mean of the training labels.");
    sw_input(about, "label"); /* it learns a column: `check` refuses a step without `label` */
    sw_field(sw_predicts(about), "prediction", SW_FLOAT64, false);
}

static void train(const sw_training *training, sw_trained *trained) {
    sw_column y = sw_read(training->train, training->label, SW_FLOAT64);
    double count = 0, sum = 0;
    for (size_t row = 0; row < y.length; row++)
        if (sw_has(&y, row)) count++, sum += y.f64[row];
    if (count == 0) sw_invalid(training->label, "expected a value in at least one row, got only nulls");
    sw_save_text(&trained->files, "model.json", sw_print("{\"mean\": %s}", sw_exact(count ? sum / count : 0)));
    sw_field(&trained->outputs, "prediction", SW_FLOAT64, false);
    sw_measured(trained, "rows", count);
}

static void *load(const sw_files *files) {
    double *mean = sw_keep(sizeof *mean);
    *mean = sw_as_number(sw_member(sw_parse(sw_saved(files, "model.json"), "model.json"), "mean"));
    return mean;
}

static sw_table *predict(const void *model, sw_table *rows) {
    sw_column prediction = sw_new(SW_FLOAT64, sw_rows(rows));
    for (size_t row = 0; row < prediction.length; row++) prediction.f64[row] = *(const double *)model;
    sw_columns out = {0};
    sw_add(&out, "prediction", prediction);
    return sw_table_of(&out);
}

SW_DESCRIBE(describe);
SW_TRAINER(train);
SW_PREDICTOR(load, predict);
