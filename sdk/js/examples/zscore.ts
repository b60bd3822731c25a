// The twin of `zscore.js` in TypeScript: the columns and the state are typed.

import { type Column, InvalidInput, type OfColumns, rowWise } from "stepwell";

type Scale = { mean: number; scale: number };

export default rowWise({
    summary: "Scales columns to mean 0 and deviation 1, as learnt from the training rows.",
    parameters: {
        columns: {
            type: "array",
            items: { type: "string" },
            minItems: 1,
            uniqueItems: true,
            description: "Columns to scale.",
        },
    },
    reads: ({ params }: OfColumns): Record<string, "float64?"> => {
        const names: string[] = params.columns;
        return Object.fromEntries(names.map((name) => [name, "float64?"]));
    },

    fit(columns): Record<string, Scale> {
        return each(columns, learnt);
    },

    apply(columns, { state }) {
        return each(columns, (name, column) => {
            const { mean, scale } = state[name]!;
            return column.map((value) => (value - mean) / scale);
        });
    },
});

function each<T>(columns: Readonly<Record<string, Column<"float64?">>>, make: (name: string, column: Column<"float64?">) => T) {
    return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, make(name, column)]));
}

function learnt(name: string, column: Column<"float64?">): Scale {
    const values = [...column].filter((value) => value !== null);
    const count = Math.max(values.length, 1);
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    const variance = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / count;
    // scikit-learn's bound: a variance that rounding alone can make is none.
    const slack = count * mean * Number.EPSILON;
    const scale = variance <= count * Number.EPSILON * variance + slack * slack ? 1 : Math.sqrt(variance);
    if (Number.isFinite(mean) && Number.isFinite(variance)) return { mean, scale };
    throw new InvalidInput(name, "expected numbers of a finite mean and deviation to learn from");
}
