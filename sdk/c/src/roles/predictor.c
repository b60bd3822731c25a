/* The role `predictor`: what the host calls -> the functions that SW_PREDICTOR names. */
#include "../internal.h"

extern const sw_role_predictor sw_predictor;

typedef exports_stepwell_step_predictor_model_t model;

bool exports_stepwell_step_predictor_static_model_load(exports_stepwell_step_predictor_list_saved_file_t *files,
                                                       exports_stepwell_step_predictor_own_model_t *ret, sw_error *error) {
    sw_files saved = {files->ptr, files->len, files->len};
    sw_keep_begin();
    void *kept = sw_keep_end(sw_predictor.load(&saved));
    if (kept) *ret = exports_stepwell_step_predictor_model_new(kept);
    SW_RETURN(error);
}

bool exports_stepwell_step_predictor_method_model_predict(model *self, exports_stepwell_step_predictor_own_table_t rows,
                                                          exports_stepwell_step_predictor_own_table_t *ret, sw_error *error) {
    sw_table *made = sw_predictor.predict(sw_kept(self), sw_table_from(rows.__handle));
    if (!sw_failed()) ret->__handle = sw_table_give(made);
    SW_RETURN(error);
}

void exports_stepwell_step_predictor_model_destructor(model *self) { sw_keep_free(self); }

SW_POST_RETURN("predictor@0.1.0#[static]model.load", predictor_static_model_load)
SW_POST_RETURN("predictor@0.1.0#[method]model.predict", predictor_method_model_predict)
