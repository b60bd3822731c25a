// A row-wise step run natively, as the host would run it.

import { pretend } from "./pretend.js";
import { fitted, pieces, restored, saved } from "./roles/row_wise.js";
import { CHUNK_ROWS, stacked } from "./table.js";

/** What a run makes of these rows: fits on `fit` (or on the rows themselves), saves, restores, applies in pieces. */
export function apply({ does }, rows, { fit = rows, pieceRows = CHUNK_ROWS, ...settings } = {}) {
    return pretend(settings, () => {
        const state = restored(does, saved(does, fitted(does, fit)));
        return stacked([...pieces(does, state, rows, pieceRows)]);
    });
}
