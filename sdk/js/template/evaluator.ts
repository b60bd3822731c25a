import { evaluator } from "stepwell";

export default evaluator({
    version: "0.1.0",
    summary: "Measures predictions of numbers: the mean absolute error, over all rows and over each slice.",
    parameters: {
        label: { type: "string", description: "Column of the true number." },
        prediction: { type: "string", default: "prediction", description: "Column of the predicted number." },
    },
    reads: ({ params }) => ({ [params.label]: "float64", [params.prediction]: "float64" }),

    evaluate(columns, { rows, baseline, slices, params }) {
        const truth = columns[params.label].values;
        const off = (predicted: Float64Array) => truth.map((label, row) => Math.abs(label - predicted[row]!));
        const errors = off(columns[params.prediction].values);
        const old = baseline && off(baseline.column<"float64">(params.prediction).values);
        const mean = (list: Float64Array, of: number[]) => of.reduce((sum, row) => sum + list[row]!, 0) / Math.max(of.length, 1);
        const measure = (slice: string | null, of: number[]) => ({
            name: "mean_absolute_error",
            value: mean(errors, of),
            slice,
            baselineValue: old && mean(old, of),
        });
        const all = [...Array(rows.length).keys()];
        const sliced = slices.flatMap((name) => {
            const column = rows.column(name);
            const groups = new Map<string, number[]>();
            for (const row of all) {
                const value = String(column.get(row));
                groups.set(value, [...(groups.get(value) ?? []), row]);
            }
            return [...groups].map(([value, of]) => measure(`${name}=${value}`, of));
        });
        return [measure(null, all), ...sliced];
    },
});
