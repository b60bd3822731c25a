/* The role `trainer`: what the host calls -> the function that SW_TRAINER names. */
#include "../internal.h"

extern const sw_role_trainer sw_trainer;

void sw_measured(sw_trained *trained, const char *name, double value) {
    SW_PUSH(&trained->measures, (exports_stepwell_step_trainer_measure_t){sw_copied(name), value});
}

static const char *text_or_null(contract_option_string_t text) { return text.is_some ? sw_c_string(text.val) : NULL; }

static sw_training read(const exports_stepwell_step_trainer_training_t *given, sw_files *initial) {
    const char **features = sw_alloc(given->features.len * sizeof *features);
    for (size_t at = 0; at < given->features.len; at++) features[at] = sw_c_string(given->features.ptr[at]);
    *initial = (sw_files){given->initial.val.ptr, given->initial.val.len, given->initial.val.len};
    return (sw_training){
        .train = sw_table_from(given->train.__handle),
        .validation = given->validation.is_some ? sw_table_from(given->validation.val.__handle) : NULL,
        .features = features,
        .feature_count = given->features.len,
        .label = text_or_null(given->label),
        .weight = text_or_null(given->weight),
        .initial = given->initial.is_some ? initial : NULL,
    };
}

bool exports_stepwell_step_trainer_train(exports_stepwell_step_trainer_training_t *given,
                                         exports_stepwell_step_trainer_trained_t *ret, sw_error *error) {
    sw_files initial;
    sw_trained trained = {0};
    sw_training training = read(given, &initial);
    sw_trainer.train(&training, &trained);
    *ret = (exports_stepwell_step_trainer_trained_t){
        .files = {trained.files.items, trained.files.count},
        .inputs = {trained.inputs.items, trained.inputs.count},
        .outputs = {trained.outputs.items, trained.outputs.count},
        .measures = {trained.measures.items, trained.measures.count},
    };
    SW_RETURN(error);
}

SW_POST_RETURN("trainer@0.1.0#train", trainer_train)
