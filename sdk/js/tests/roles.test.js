// The glue of each role against the host in memory: what a component exports, called as the host calls it.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import * as stepwell from "stepwell";
import { column } from "../src/columns.js";
import * as collector from "../src/entry/collector.js";
import * as evaluator from "../src/entry/evaluator.js";
import { beforeCalls, exported } from "../src/entry/guard.js";
import * as learner from "../src/entry/learner.js";
import * as rowWise from "../src/entry/row_wise.js";
import * as sink from "../src/entry/sink.js";
import * as transformer from "../src/entry/transformer.js";
import * as validator from "../src/entry/validator.js";
import { call, toContract } from "../src/errors.js";
import { open, Table as Held } from "../src/host/tables.js";
import { parse } from "../src/types.js";

const ABOUT = { file: "tried.js", name: "tried" };
const FLOAT = { dataType: { tag: "float64" }, nullable: false };
const X = { name: "x", ...FLOAT };

const held = (values = [1, 2]) => new Held(new Map([["x", column("x", parse("x", "float64"), values)]]));
const values = (handle) => Object.fromEntries([...handle.columns].map(([name, held]) => [name, [...held]]));

beforeEach(() => open.clear());

test("row-wise: fit, save, restore, apply", () => {
    const step = stepwell.rowWise({
        summary: "Takes the mean away.",
        parameters: { by: { type: "number", default: 1 }, must: { type: "string" } },
        reads: { x: "float64" },
        adds: { y: "float64" },
        fit: ({ x }) => ({ mean: (x.get(0) + x.get(1)) / 2 }),
        apply: ({ x }, { state }) => ({ y: x.map((value) => value - state.mean) }),
    });
    const { description, fitted } = rowWise.bind(step, ABOUT);
    const said = description.describe([{ name: "fit", columns: [X] }, { name: "rows", columns: [X] }]);
    assert.deepEqual([said.name, said.version, said.summary, said.learns], ["tried", "0.1.0", "Takes the mean away.", true]);
    assert.deepEqual(JSON.parse(said.parameters).required, ["must"]);
    assert.deepEqual(said.inputs.map(({ name }) => name), ["fit", "rows"]);
    assert.deepEqual(said.outputs, [{ name: "rows", columns: [X, { name: "y", ...FLOAT }], rows: { tag: "same", val: "rows" } }]);

    const files = fitted.Transform.fit(held()).save();
    assert.equal(files[0].name, "state.json");
    const made = fitted.Transform.restore(files).apply(held([5, 6, 7]));
    assert.deepEqual(values(made), { x: [5, 6, 7], y: [3.5, 4.5, 5.5] });
    assert.deepEqual([...open], [made], "nothing else stays in the host");
});

test("what depends on a parameter is not asked of a person", () => {
    const step = stepwell.rowWise({ reads: ({ params }) => ({ [params.column.trim()]: "text" }) }, () => ({}));
    const { description } = rowWise.bind(step, ABOUT);
    assert.deepEqual(description.describe([]).outputs, []);
    assert.throws(() => description.describe([{ name: "rows", columns: [X] }]), { tag: "permanent" });
});

test("transformer", () => {
    const step = stepwell.transformer(
        { takes: { rows: { x: "float64" } }, gives: ({ inputs }) => ({ few: inputs.rows }), subsetOf: { few: "rows" } },
        ({ rows }) => ({ few: rows.slice(1) }),
    );
    const exports = transformer.bind(step, ABOUT);
    const said = exports.description.describe([{ name: "rows", columns: [X] }]);
    assert.deepEqual(said.outputs, [{ name: "few", columns: [X], rows: { tag: "subset", val: "rows" } }]);
    const [{ name, table }] = exports.transformer.run([{ name: "rows", table: held() }]);
    assert.deepEqual([name, values(table)], ["few", { x: [2] }]);
    const wrong = transformer.bind(stepwell.transformer({ gives: {} }, () => ({ few: [1] })), ABOUT);
    assert.throws(() => wrong.transformer.run([]), { tag: "permanent", val: "expected a table as the output `few` of `run`, got Array" });
});

test("collector", () => {
    const step = stepwell.collector({ gives: { x: "float64?" } }, (cursor) => ({
        table: { x: [null] },
        nextCursor: new Uint8Array([cursor === null ? 1 : cursor[0] + 1]),
        more: cursor === null,
    }));
    const exports = collector.bind(step, ABOUT);
    assert.deepEqual(exports.collector.discover(), [{ ...X, nullable: true }]);
    const page = exports.collector.read(null);
    assert.deepEqual([values(page.table), [...page.nextCursor], page.more, page.restarted], [{ x: [null] }, [1], true, false]);
    assert.deepEqual([...exports.collector.read(page.nextCursor).nextCursor], [2]);
});

test("validator", () => {
    const step = stepwell.validator({ reads: { x: "float64" } }, function* ({ x }, { reference }) {
        yield { check: "range", column: "x", passed: x.get(0) > 1, observed: x.get(0), expected: "> 1", sample: Array(30).fill(0) };
        yield { check: "count", passed: reference === null, observed: 0, expected: 0, severity: "warning" };
    });
    const exports = validator.bind(step, ABOUT);
    const [range, count] = exports.validator.check(held(), null);
    assert.deepEqual([range.passed, range.observed, range.severity, range.sample.length], [false, "1", "error", 20]);
    assert.deepEqual([count.passed, count.column, count.severity], [true, null, "warning"]);
    assert.deepEqual(exports.description.describe([{ name: "table", columns: [X] }]).outputs[0].rows, { tag: "subset", val: "table" });
});

test("learner", () => {
    const step = stepwell.learner({
        gives: { answer: "float64" },
        train: ({ train, features }) => ({
            files: { "mean.txt": stepwell.encodeText(String(train.column(features[0]).get(1))) },
            inputs: { x: "float64" },
            outputs: { answer: "float64" },
            measures: { loss: 0.5 },
        }),
        load: (files) => Number(stepwell.decodeText(files["mean.txt"])),
        predict: (model, rows) => ({ answer: rows.column("x").map((x) => x * model) }),
    });
    const { trainer, predictor, description } = learner.bind(step, ABOUT);
    const asked = { train: held(), validation: null, features: ["x"], label: null, weight: null, initial: null };
    const trained = trainer.train(asked);
    assert.deepEqual([trained.inputs, trained.measures], [[X], [{ name: "loss", value: 0.5 }]]);
    assert.deepEqual(values(predictor.Model.load(trained.files).predict(held([3]))), { answer: [6] });
    const ports = ["train", "features", "validation"].map((name) => ({ name, columns: [X] }));
    const said = description.describe(ports);
    assert.deepEqual(said.inputs, [{ name: "train", columns: [X] }, { name: "validation", columns: [X] }]);
    const warm = learner.bind(stepwell.learner({ train() {}, load() {}, predict() {}, warmStarts: true }), ABOUT);
    assert.deepEqual(warm.description.describe([]).inputs.map(({ name }) => name), ["train", "initial"]);
    const labelled = learner.bind(stepwell.learner({ train() {}, load() {}, predict() {}, labelled: true }), ABOUT);
    assert.deepEqual(labelled.description.describe([]).inputs.map(({ name }) => name), ["train", "label"]);
    const columns = [{ name: "answer", ...FLOAT }];
    assert.deepEqual(said.outputs, [{ name: "predictions", columns, rows: { tag: "same", val: "train" } }]);
});

test("evaluator", () => {
    const step = stepwell.evaluator({ reads: { x: "float64" } }, ({ x }, { slices }) => [
        { name: "first", value: x.get(0), interval: [0, 2] },
        { name: "sliced", value: slices.length, slice: "a=b" },
    ]);
    const { evaluator: exports } = evaluator.bind(step, ABOUT);
    const [first, sliced] = exports.evaluate(held(), null, ["a", "b"]);
    assert.deepEqual([first.value, first.interval, first.slice, first.differenceInterval], [1, { low: 0, high: 2 }, null, null]);
    assert.deepEqual([sliced.value, sliced.slice], [2, "a=b"]);
});

test("sink", () => {
    const takes = ({ params }) => ({ table: { x: "float64" }, report: {}, model: {}, ...params.more });
    const step = stepwell.sink({ takes }, (key, { table, report, model }) => {
        const told = table?.length ?? report?.map(({ name }) => name) ?? [Object.keys(model.files), model.about.plugin];
        return { location: `${key}: ${told}`, repeated: model !== undefined };
    });
    const { description, sink: exports } = sink.bind(step, ABOUT);
    const said = description.describe([{ name: "table", columns: [X] }]);
    assert.deepEqual([said.inputs[0], said.outputs], [{ name: "table", columns: [X] }, []]);
    const deliver = (tag, val) => exports.deliver("a/b/1/c", { tag, val });
    assert.deepEqual(deliver("table", held()), { location: "a/b/1/c: 2", repeated: false });
    assert.deepEqual(deliver("report", '[{"name": "auc"}]').location, "a/b/1/c: auc");
    const files = [{ name: "model.json", content: new Uint8Array() }];
    const model = deliver("model", { files, about: '{"plugin": "logistic"}' });
    assert.deepEqual(model, { location: "a/b/1/c: model.json,logistic", repeated: true });
    assert.deepEqual([...open], [], "nothing stays in the host");
    const silent = sink.bind(stepwell.sink({}, () => undefined), ABOUT);
    const says = "expected a receipt with a `location` from `deliver`, got undefined";
    assert.throws(() => silent.sink.deliver("a", { tag: "report", val: "[]" }), { tag: "permanent", val: says });
});

test("a file of another role is named", () => {
    const step = stepwell.validator({}, () => []);
    assert.throws(() => rowWise.bind(step, ABOUT), { message: "tried.js: expected `export default rowWise(..)`, got a validator" });
    assert.throws(() => rowWise.bind(undefined, ABOUT), { message: "tried.js: expected `export default rowWise(..)`, got none" });
});

const THROWN = [
    [new stepwell.InvalidInput("x", "expected y"), { tag: "invalid-input", val: { name: "x", reason: "expected y" } }],
    [new stepwell.ShapeMismatch("matmul", "2", "3"), { tag: "shape-mismatch", val: { operation: "matmul", expected: "2", got: "3" } }],
    [new stepwell.BudgetExceeded("memory", 2, 1), { tag: "budget-exceeded", val: { kind: "memory", used: 2, limit: 1 } }],
    [new stepwell.Denied("no"), { tag: "denied", val: "no" }],
    [new stepwell.Cancelled("stop"), { tag: "cancelled" }],
    [new stepwell.Transient("later", 5), { tag: "transient", val: ["later", 5] }],
    [new stepwell.Permanent("never"), { tag: "permanent", val: "never" }],
    ["text", { tag: "permanent", val: "expected an error to be thrown, got text" }],
    [null, { tag: "permanent", val: "expected an error to be thrown, got null" }],
    [new TypeError("no"), { tag: "permanent", val: "TypeError: no" }],
];

const SAFE_MAX = Number.MAX_SAFE_INTEGER;
const HALF = "a\ud800b";

// What the contract cannot hold as it is, and what it gets: anything else would end the component without a word.
const UNFIT = [
    ...[[0.01, 0], [1.5, 2], [-1, 0], [1e30, SAFE_MAX], [Infinity, SAFE_MAX], [7n, 7], [1n << 64n, SAFE_MAX]].map(
        ([given, ms]) => [new stepwell.Transient("t", given), { tag: "transient", val: ["t", ms] }],
    ),
    ...[[NaN, "NaN"], ["soon", '"soon"'], [null, "null"]].map(([given, shown]) => [
        new stepwell.Transient("t", given),
        { tag: "permanent", val: `TypeError: \`retryAfterMs\`: expected a number, got ${shown}` },
    ]),
    [new stepwell.Transient(HALF, 1), { tag: "transient", val: ["a\ufffdb", 1] }],
    [new stepwell.Permanent(HALF), { tag: "permanent", val: "a\ufffdb" }],
    [new stepwell.Denied(HALF), { tag: "denied", val: "a\ufffdb" }],
    [new stepwell.InvalidInput(undefined, 3), { tag: "invalid-input", val: { name: "undefined", reason: "3" } }],
    [new stepwell.ShapeMismatch("add", [2], HALF), { tag: "shape-mismatch", val: { operation: "add", expected: "2", got: "a\ufffdb" } }],
    [new stepwell.BudgetExceeded("rows", 2.4, -1), { tag: "budget-exceeded", val: { kind: "rows", used: 2, limit: 0 } }],
    [Object.create(null), { tag: "permanent", val: "TypeError: Cannot convert object to primitive value" }],
];

test("what a step puts into an error crosses, or is told", () => {
    for (const [thrown, expected] of UNFIT) {
        assert.throws(exported(() => raise(thrown)), (got) => assert.deepEqual(got, expected) ?? true);
    }
});

function raise(error) {
    throw error;
}

for (const [thrown, expected] of THROWN) {
    test(`thrown: ${JSON.stringify(expected)}`, () => {
        const failing = exported(() => raise(thrown));
        assert.throws(failing, (got) => assert.deepEqual(got, expected) ?? true);
        if (!(thrown instanceof stepwell.StepError)) return;
        const fromHost = () => call(() => raise({ payload: expected }));
        assert.throws(fromHost, (got) => assert.deepEqual([got.constructor, toContract(got)], [thrown.constructor, expected]) ?? true);
    });
}

test("what a step left behind is taken away before each call", () => {
    let prepared = 0;
    const prepare = () => prepared++;
    beforeCalls.add(prepare);
    exported(() => undefined)();
    beforeCalls.delete(prepare);
    assert.equal(prepared, 1);
});
