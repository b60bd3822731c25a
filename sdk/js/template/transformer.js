import { transformer } from "stepwell";

export default transformer({
    version: "0.1.0",
    summary: "Keeps the first row of each value of a column; nulls are a value of their own.",
    parameters: { column: { type: "string", description: "Column whose values are to come once." } },
    takes: { table: {} },
    gives: ({ inputs }) => inputs,
    subsetOf: { table: "table" },

    run({ table }, { params }) {
        const first = new Map();
        let row = 0;
        for (const value of table.column(params.column)) {
            if (!first.has(value)) first.set(value, row);
            row++;
        }
        return { table: table.take([...first.values()]) };
    },
});
