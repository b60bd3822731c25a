// SQL over tables that stay in the host, which computes natively and on the step's cores. There is none natively: a step that
// asks SQL is tested as a component.

import { adopt } from "./arena.js";
import { lower } from "./crossing.js";
import { call } from "./errors.js";
import { run } from "./host/query.js";
import { lift } from "./table.js";

/**
 * The table that answers a query over tables, each under its name: `query("select .. from sales", {sales: rows})`. What is
 * wrong with the text is an `InvalidInput` with line, column and a caret.
 */
export function query(sql, tables = {}) {
    const lowered = Object.entries(tables).map(([name, table]) => [name, adopt(lower(table))]);
    return lift(call(() => run(sql, lowered)));
}
