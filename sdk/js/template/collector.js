import { collector, decodeText, encodeText } from "stepwell";

// Rows of a page: what is committed together, and read again if the run is interrupted.
const PAGE_ROWS = 1000;

export default collector({
    version: "0.1.0",
    summary: "Brings whole numbers and their squares. In place of them, read your source: `openFile` reads a granted file.",
    parameters: { rows: { type: "integer", minimum: 0, default: 100, description: "How many rows there are." } },
    gives: { number: "int64", square: "int64" },

    read(cursor, { params }) {
        const start = cursor ? Number(decodeText(cursor)) : 0;
        const end = Math.max(start, Math.min(params.rows, start + PAGE_ROWS));
        const number = Array.from({ length: end - start }, (_, row) => start + row);
        return {
            table: { number, square: number.map((value) => value * value) },
            nextCursor: encodeText(String(end)),
            more: end < params.rows,
        };
    },
});
