/* The role `sink`: what the host calls -> the function that SW_SINK names. */
#include "../internal.h"

extern const sw_role_sink sw_sink;

bool exports_stepwell_step_sink_deliver(contract_string_t *key, exports_stepwell_step_sink_delivery_t *given,
                                        exports_stepwell_step_sink_receipt_t *ret, sw_error *error) {
    sw_delivery delivery = {0};
    sw_files files;
    sw_receipt receipt = {0};
    if (given->tag == EXPORTS_STEPWELL_STEP_SINK_DELIVERY_TABLE) {
        delivery.table = sw_table_from(given->val.table.__handle);
    } else if (given->tag == EXPORTS_STEPWELL_STEP_SINK_DELIVERY_REPORT) {
        delivery.report = sw_c_string(given->val.report);
    } else {
        files = (sw_files){given->val.model.files.ptr, given->val.model.files.len, given->val.model.files.len};
        delivery.model = &files;
        delivery.about = sw_c_string(given->val.model.about);
    }
    sw_sink.deliver(sw_c_string(*key), &delivery, &receipt);
    if (!receipt.location) sw_permanent("the step says not where it delivered to: set the receipt's `location`");
    *ret = (exports_stepwell_step_sink_receipt_t){sw_copied(receipt.location), receipt.repeated};
    SW_RETURN(error);
}

SW_POST_RETURN("sink@0.1.0#deliver", sink_deliver)
