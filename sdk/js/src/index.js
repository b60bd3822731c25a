// Stepwell for JavaScript and TypeScript: a step is what one file exports by default. The README says how.

export { apply } from "./apply.js";
export { tidy } from "./arena.js";
export { loadCheckpoint, saveCheckpoint } from "./checkpoint.js";
export { Column } from "./columns.js";
export {
    BudgetExceeded,
    Cancelled,
    Denied,
    InvalidInput,
    Permanent,
    ShapeMismatch,
    StepError,
    Transient,
} from "./errors.js";
export { createFile, listFiles, openFile } from "./files.js";
export { fetch, secret } from "./http.js";
export { pretend } from "./pretend.js";
export { log, metric, progress } from "./report.js";
export { collector } from "./roles/collector.js";
export { evaluator } from "./roles/evaluator.js";
export { learner } from "./roles/learner.js";
export { rowWise } from "./roles/row_wise.js";
export { sink } from "./roles/sink.js";
export { transformer } from "./roles/transformer.js";
export { validator } from "./roles/validator.js";
export { Rng, rng, seed } from "./seed.js";
export { query } from "./sql.js";
export { Table } from "./table.js";
export { logicalTime } from "./time.js";
export { decode as decodeText, encode as encodeText } from "./utf8.js";
export { now, randomBytes, variable } from "./world.js";
