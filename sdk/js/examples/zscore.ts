// The twin of `zscore.js` in TypeScript: the columns and the state are typed.

import { type Column, type OfColumns, rowWise } from "stepwell";

type Scale = { mean: number; scale: number };

const scaled = ({ params }: OfColumns): Record<string, "float64?"> => {
    const names: string[] = params.columns;
    return Object.fromEntries(names.map((name) => [name, "float64?"]));
};

export default rowWise({
    summary: "Scales columns to mean 0 and deviation 1.",
    parameters: { columns: { type: "array", items: { type: "string" }, minItems: 1, description: "Columns to scale." } },
    reads: scaled,
    adds: scaled,

    fit(columns): Record<string, Scale> {
        return each(columns, (column) => learnt(column));
    },

    apply(columns, { state }) {
        return each(columns, (column, name) => {
            const { mean, scale } = state[name]!;
            return column.map((value) => (value - mean) / scale);
        });
    },
});

function each<T>(columns: Readonly<Record<string, Column<"float64?">>>, make: (column: Column<"float64?">, name: string) => T) {
    return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, make(column, name)]));
}

function learnt(column: Column<"float64?">): Scale {
    const values = [...column].filter((value) => value !== null);
    const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
    const variance = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / Math.max(values.length, 1);
    // scikit-learn's bound: a variance that rounding alone can make is none.
    const rounding = values.length * Number.EPSILON * variance + (values.length * mean * Number.EPSILON) ** 2;
    return { mean, scale: variance <= rounding ? 1 : Math.sqrt(variance) };
}
