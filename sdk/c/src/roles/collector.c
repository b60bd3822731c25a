/* The role `collector`: what the host calls -> the functions that SW_COLLECTOR names. */
#include "../internal.h"

extern const sw_role_collector sw_collector;

bool exports_stepwell_step_collector_discover(exports_stepwell_step_collector_list_field_t *ret, sw_error *error) {
    sw_fields columns = {0};
    sw_collector.discover(&columns);
    *ret = (exports_stepwell_step_collector_list_field_t){columns.items, columns.count};
    SW_RETURN(error);
}

bool exports_stepwell_step_collector_read(contract_list_u8_t *cursor, exports_stepwell_step_collector_page_t *ret,
                                          sw_error *error) {
    sw_text from = cursor ? (sw_text){(const char *)cursor->ptr, cursor->len} : (sw_text){0};
    sw_page page = {0};
    sw_collector.read(cursor ? &from : NULL, &page);
    if (!sw_failed()) ret->table.__handle = sw_table_give(page.table);
    ret->next_cursor = (contract_list_u8_t){(uint8_t *)page.next.data, page.next.length};
    ret->more = page.more;
    ret->restarted = page.restarted;
    SW_RETURN(error);
}

SW_POST_RETURN("collector@0.1.0#discover", collector_discover)
SW_POST_RETURN("collector@0.1.0#read", collector_read)
