/* The role `evaluator`: what the host calls -> the function that SW_EVALUATOR names. */
#include "../internal.h"

extern const sw_role_evaluator sw_evaluator;

static exports_stepwell_step_evaluator_option_interval_t interval(const double *bounds) {
    exports_stepwell_step_evaluator_option_interval_t none = {0};
    return bounds ? (exports_stepwell_step_evaluator_option_interval_t){true, {bounds[0], bounds[1]}} : none;
}

void sw_add_measure(sw_measures *measures, sw_measure measure) {
    SW_PUSH(measures, (exports_stepwell_step_evaluator_measure_t){
                          .name = sw_copied(measure.name),
                          .slice = {measure.slice != NULL, sw_copied(measure.slice)},
                          .value = measure.value,
                          .interval = interval(measure.interval),
                          .baseline_value = {measure.baseline != NULL, measure.baseline ? *measure.baseline : 0},
                          .difference_interval = interval(measure.difference),
                      });
}

bool exports_stepwell_step_evaluator_evaluate(exports_stepwell_step_evaluator_own_table_t candidate,
                                              exports_stepwell_step_evaluator_own_table_t *baseline,
                                              contract_list_string_t *slices,
                                              exports_stepwell_step_evaluator_list_measure_t *ret, sw_error *error) {
    const char **names = sw_alloc(slices->len * sizeof *names);
    sw_measures measures = {0};
    for (size_t at = 0; at < slices->len; at++) names[at] = sw_c_string(slices->ptr[at]);
    sw_table *other = baseline ? sw_table_from(baseline->__handle) : NULL;
    sw_evaluator.evaluate(sw_table_from(candidate.__handle), other, names, slices->len, &measures);
    *ret = (exports_stepwell_step_evaluator_list_measure_t){measures.items, measures.count};
    SW_RETURN(error);
}

SW_POST_RETURN("evaluator@0.1.0#evaluate", evaluator_evaluate)
