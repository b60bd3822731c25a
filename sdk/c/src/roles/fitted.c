/* The role `fitted`: what the host calls -> the functions that SW_FITTED names. */
#include "../internal.h"

extern const sw_role_fitted sw_fitted;

typedef exports_stepwell_step_fitted_transform_t transform;

/* Keeps what was learnt for as long as the host does. */
static bool learnt(void *value, exports_stepwell_step_fitted_own_transform_t *ret, sw_error *error) {
    void *kept = sw_keep_end(value);
    if (kept) *ret = exports_stepwell_step_fitted_transform_new(kept);
    SW_RETURN(error);
}

bool exports_stepwell_step_fitted_static_transform_fit(exports_stepwell_step_fitted_own_table_t rows,
                                                       exports_stepwell_step_fitted_own_transform_t *ret, sw_error *error) {
    sw_table *table = sw_table_from(rows.__handle);
    sw_keep_begin();
    return learnt(sw_fitted.fit ? sw_fitted.fit(table) : NULL, ret, error);
}

bool exports_stepwell_step_fitted_static_transform_restore(exports_stepwell_step_fitted_list_saved_file_t *files,
                                                           exports_stepwell_step_fitted_own_transform_t *ret, sw_error *error) {
    sw_files saved = {files->ptr, files->len, files->len};
    sw_keep_begin();
    return learnt(sw_fitted.restore ? sw_fitted.restore(&saved) : NULL, ret, error);
}

bool exports_stepwell_step_fitted_method_transform_save(transform *self, exports_stepwell_step_fitted_list_saved_file_t *ret,
                                                        sw_error *error) {
    sw_files files = {0};
    if (sw_fitted.save) sw_fitted.save(sw_kept(self), &files);
    *ret = (exports_stepwell_step_fitted_list_saved_file_t){files.items, files.count};
    SW_RETURN(error);
}

bool exports_stepwell_step_fitted_method_transform_apply(transform *self, exports_stepwell_step_fitted_own_table_t rows,
                                                         exports_stepwell_step_fitted_own_table_t *ret, sw_error *error) {
    sw_table *made = sw_fitted.apply(sw_kept(self), sw_table_from(rows.__handle));
    if (!sw_failed()) ret->__handle = sw_table_give(made);
    SW_RETURN(error);
}

void exports_stepwell_step_fitted_transform_destructor(transform *self) { sw_keep_free(self); }

SW_POST_RETURN("fitted@0.1.0#[static]transform.fit", fitted_static_transform_fit)
SW_POST_RETURN("fitted@0.1.0#[static]transform.restore", fitted_static_transform_restore)
SW_POST_RETURN("fitted@0.1.0#[method]transform.save", fitted_method_transform_save)
SW_POST_RETURN("fitted@0.1.0#[method]transform.apply", fitted_method_transform_apply)
