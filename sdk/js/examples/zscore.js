// Columns of numbers -> the same with mean 0 and deviation 1, as learnt from the training rows. Nulls are left out of
// learning and stay null; a column that does not vary has scale 1.

import { rowWise } from "stepwell";

const scaled = ({ params }) => Object.fromEntries(params.columns.map((name) => [name, "float64?"]));

export default rowWise({
    summary: "Scales columns to mean 0 and deviation 1.",
    parameters: { columns: { type: "array", items: { type: "string" }, minItems: 1, description: "Columns to scale." } },
    reads: scaled,
    adds: scaled,

    fit(columns) {
        return each(columns, (column) => learnt(column));
    },

    apply(columns, { state }) {
        return each(columns, (column, name) => {
            const { mean, scale } = state[name];
            return column.map((value) => (value - mean) / scale);
        });
    },
});

function each(columns, make) {
    return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, make(column, name)]));
}

function learnt(column) {
    const values = [...column].filter((value) => value !== null);
    const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
    const variance = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / Math.max(values.length, 1);
    // scikit-learn's bound: a variance that rounding alone can make is none.
    const rounding = values.length * Number.EPSILON * variance + (values.length * mean * Number.EPSILON) ** 2;
    return { mean, scale: variance <= rounding ? 1 : Math.sqrt(variance) };
}
