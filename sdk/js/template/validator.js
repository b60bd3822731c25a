import { validator } from "stepwell";

export default validator({
    version: "0.1.0",
    summary: "Checks that a column lacks few enough of its values.",
    parameters: {
        column: { type: "string", description: "Column to check." },
        most: { type: "number", minimum: 0, maximum: 1, default: 0, description: "Share that may be null." },
    },

    check(_, { rows, params: { column, most } }) {
        const values = rows.column(column);
        const sample = [...Array(rows.length).keys()].filter((row) => values.isNull(row));
        const observed = sample.length / Math.max(rows.length, 1);
        // An `error`, which a finding is if nothing else is said, stops the run if it did not pass.
        return [{ check: "nulls", passed: observed <= most, observed, expected: `at most ${most}`, column, sample }];
    },
});
