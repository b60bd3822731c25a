import { decodeText, encodeText, InvalidInput, learner } from "stepwell";

export default learner({
    version: "0.1.0",
    summary: "The baseline of every regression: answers with the mean of the label, whatever the features.",
    gives: { prediction: "float64" },
    labelled: true,

    train({ train, features, label }) {
        if (label === null) throw new InvalidInput("label", "expected one, got none");
        const column = train.column(label);
        if (column.length === 0 || column.nulls > 0) {
            throw new InvalidInput(label, `expected a number in every row, got ${column.length} rows and ${column.nulls} nulls`);
        }
        const mean = [...column].map(Number).reduce((sum, value) => sum + value, 0) / column.length;
        return {
            files: { "model.json": encodeText(JSON.stringify({ mean })) },
            inputs: train.select(features).types,
            outputs: { prediction: "float64" },
            measures: { mean },
        };
    },

    load(files) {
        return JSON.parse(decodeText(files["model.json"]));
    },

    predict({ mean }, rows) {
        return { prediction: new Float64Array(rows.length).fill(mean) };
    },
});
