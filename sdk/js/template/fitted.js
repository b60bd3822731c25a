import { rowWise } from "stepwell";

export default rowWise({
    version: "0.1.0",
    summary: "Scales a column to zero mean and unit variance, as learnt from the training rows; nulls stay nulls.",
    parameters: { column: { type: "string", description: "Column of numbers to scale." } },
    reads: ({ params }) => ({ [params.column]: "float64?" }),
    adds: ({ params }) => ({ [params.column]: "float64?" }),

    fit(columns, { params }) {
        const values = [...columns[params.column]].filter((value) => value !== null);
        const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(values.length, 1);
        // A constant column is moved, not scaled. What is returned is saved, and used for training rows and requests.
        return { mean, deviation: variance > 0 ? Math.sqrt(variance) : 1 };
    },

    apply(columns, { params, state }) {
        return { [params.column]: columns[params.column].map((value) => (value - state.mean) / state.deviation) };
    },
});
