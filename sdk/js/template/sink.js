import { log, sink } from "stepwell";

export default sink({
    version: "0.1.0",
    summary: "Says in the step's log how many rows it was given, under the key of the delivery.",
    takes: { table: {} },

    deliver(key, { table }) {
        // An attempt that was cut off is followed by another with the same key: send it along, so that whoever receives
        // the rows can tell a repetition.
        log(`${key}: ${table.length} rows`);
        return { location: "the step's log" };
    },
});
