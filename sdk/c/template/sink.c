/* Says in the step's log how many rows it was given, under the key of the delivery. */
#include "stepwell.h"

static void describe(sw_description *about) {
    sw_about(about, "my-plugin", "0.1.0", "Says in the step's log how many rows it was given, under the key of the delivery.");
    sw_input(about, "table"); /* a report comes at the port `report`, a model at `model` */
}

static void deliver(const char *key, const sw_delivery *delivery, sw_receipt *receipt) {
    /* An attempt that was cut off is followed by another with the same key: send it along, so that whoever receives the rows
     * can tell a repetition. */
    sw_log(SW_INFO, "%s: %zu rows", key, sw_rows(delivery->table));
    receipt->location = "the step's log";
}

SW_DESCRIBE(describe);
SW_SINK(deliver);
