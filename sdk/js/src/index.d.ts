// What an editor and `tsc` know of `stepwell`.

/** A column's type; a `?` at the end says that there may be nulls. */
export type Written = `${Name}${"" | "?"}`;
type Name = "boolean" | "int64" | "float32" | "float64" | "text" | "bytes" | "timestamp" | "date" | `vector(${number})`;

/** Columns as a step declares them: `{ age: "int64?" }`. */
export type Columns = Record<string, Written>;

type Plain<W extends Written> = W extends `${infer N}?` ? N : W;
/** What `get` gives of a column of a type: int64 and timestamp (microseconds since 1970) are BigInts, a date is a day. */
export type Value<W extends Written> =
    | (Plain<W> extends "boolean"
          ? boolean
          : Plain<W> extends "int64" | "timestamp"
            ? bigint
            : Plain<W> extends "text"
              ? string
              : Plain<W> extends "bytes"
                ? Uint8Array
                : Plain<W> extends `vector(${string})`
                  ? Float32Array
                  : number)
    | (W extends `${string}?` ? null : never);

/** The array over the bytes of a column. */
export type Values<W extends Written> = Plain<W> extends "float64"
    ? Float64Array
    : Plain<W> extends "float32" | `vector(${string})`
      ? Float32Array
      : Plain<W> extends "int64" | "timestamp"
        ? BigInt64Array
        : Plain<W> extends "date"
          ? Int32Array
          : Uint8Array;

/**
 * One value a row, over the bytes that the host gave. `values` is the typed array over them; a bitmap for `boolean`, all
 * bytes in a row for `text` and `bytes`, of which value i begins at `offsets[i]`.
 */
export class Column<W extends Written = Written> implements Iterable<Value<W>> {
    private constructor();
    readonly length: number;
    readonly values: Values<W>;
    readonly offsets: Int32Array | null;
    /** A bitmap of the rows that have a value, least significant bit first; null when all have. */
    readonly validity: Uint8Array | null;
    /** How many rows have no value. */
    readonly nulls: number;
    /** The value of a row; null where there is none, undefined beyond the end. */
    get(row: number): Value<W>;
    isNull(row: number): boolean;
    /** An array of what a function makes of each value and its row; a null stays null. */
    map<R>(make: (value: NonNullable<Value<W>>, row: number) => R): (R | Extract<Value<W>, null>)[];
    slice(offset: number, length: number): Column<W>;
    take(rows: ArrayLike<number>): Column<W>;
    [Symbol.iterator](): Iterator<Value<W>>;
}

/** What a column is made of: another column, a typed array, or a list with null for no value. */
export type Given =
    | Column<any>
    | Float64Array
    | Float32Array
    | BigInt64Array
    | Int32Array
    | Iterable<boolean | number | bigint | string | Uint8Array | Float32Array | number[] | Date | null>;

/** Immutable rows with named columns: what changes a table returns a new one. */
export class Table {
    /** Of lists of equal length. A type is told by the values, or by `types`. */
    constructor(columns?: Record<string, Given>, types?: Columns);
    readonly names: string[];
    readonly types: Columns;
    readonly length: number;
    has(name: string): boolean;
    column<W extends Written = Written>(name: string): Column<W>;
    /** More columns of as many values; one of the same name is replaced where it stands. */
    with(columns: Record<string, Given>, types?: Columns): Table;
    select(names: string[]): Table;
    without(names: string[]): Table;
    /** The rows at these positions, in this order; a position may come twice. */
    take(rows: ArrayLike<number> & Iterable<number>): Table;
    /** `length` rows from row `offset`; fewer at the end. */
    slice(offset: number, length?: number): Table;
    /** Consecutive pieces of at most so many rows, 65,536 unless said. */
    chunks(rows?: number): Generator<Table>;
    /** All columns as arrays: for tests and small tables. */
    toObject(): Record<string, any[]>;
}

/** A property of the parameters, as JSON Schema. */
export interface Parameter {
    type?: string;
    description?: string;
    default?: unknown;
    [keyword: string]: unknown;
}

/** What all roles say of themselves. */
export interface About {
    /** 1 to 64 of `a-z 0-9 -`; the file's name unless said. */
    name?: string;
    version?: string;
    /** One sentence for people. */
    summary?: string;
    /** The parameters' schemas by name. One without a `default` is required. */
    parameters?: Record<string, Parameter>;
}

/** The parameters' values: what the pipeline sets, else the schema's default. */
export type Params = Record<string, any>;
type Said<T, C> = T | ((context: C) => T);
type Read<R> = R extends (...any: any[]) => infer C ? Read<C> : { readonly [K in keyof R]: R[K] extends Written ? Column<R[K]> : never };
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export interface Settled {
    readonly params: Params;
}
export interface OfColumns extends Settled {
    /** The types of the columns that come. */
    readonly columns: Columns;
}
export interface OfRows extends OfColumns {
    readonly rows: Table;
}

/** What a step's file exports by default. */
export class Step {
    private constructor();
    readonly role: string;
}

export interface RowWise<R extends Said<Columns, OfColumns>, S> extends About {
    /** The columns it needs; one without `?` is refused when it holds a null. */
    reads?: R;
    /** The columns it makes. */
    adds?: Said<Columns, OfColumns>;
    /** The columns it takes away. */
    drops?: Said<readonly string[], OfColumns>;
    /** Learns from the training rows; gives a state that JSON keeps. */
    fit?(columns: Read<R>, context: OfRows): S;
    /** The columns that were made, or a table of as many rows. Large tables come in pieces, a request as a few rows. */
    apply?(columns: Read<R>, context: OfRows & { readonly state: S }): Record<string, Given> | Table;
}

/** Makes row i of the output of row i of the input, so that it can stand on the path of a request. */
export function rowWise<const R extends Said<Columns, OfColumns>, S extends Json = any>(
    does: RowWise<R, S>,
    apply?: (columns: Read<R>, context: OfRows & { readonly state: S }) => Record<string, Given> | Table,
): Step;

type Tables = Record<string, Table>;
interface OfPorts extends Settled {
    readonly inputs: Record<string, Columns>;
}

export interface Transformer extends About {
    /** The columns it needs on each input; any inputs unless said. */
    takes?: Said<Record<string, Columns>, OfPorts>;
    /** The columns on each output. */
    gives: Said<Record<string, Columns>, OfPorts>;
    /** `{output: input}` for outputs that are some rows of an input, its columns unchanged. */
    subsetOf?: Said<Record<string, string>, OfPorts>;
    run?(inputs: Tables, context: Settled): Tables;
}

/** Tables to tables, without state: split, join, aggregate. */
export function transformer(does: Transformer, run?: (inputs: Tables, context: Settled) => Tables): Step;

export interface Page {
    table: Table | Record<string, Given>;
    /** Where the next page begins, in the collector's own terms. */
    nextCursor?: Uint8Array;
    /** Whether to ask again now. */
    more?: boolean;
    /** The source changed before the cursor: this page is the first again. */
    restarted?: boolean;
}

export interface Collector extends About {
    gives?: Said<Columns, Settled>;
    /** The columns there are at the source; `gives` unless said. */
    discover?(context: Settled): Columns;
    read?(cursor: Uint8Array | null, context: Settled): Page;
}

/** Brings rows in from outside, a page at a time; a cursor of null asks for the first. */
export function collector(does: Collector, read?: (cursor: Uint8Array | null, context: Settled) => Page): Step;

export interface Finding {
    /** `type`, `presence`, `range`, `unique`, .. */
    check: string;
    passed: boolean;
    observed: unknown;
    expected: unknown;
    column?: string | null;
    /** An `error` that did not pass stops the run, a `warning` is shown; `error` unless said. */
    severity?: "warning" | "error";
    /** Positions of offending rows, of which the first 20 count. */
    sample?: number[];
}

interface OfReference extends OfRows {
    readonly reference: Table | null;
}

export interface Validator<R> extends About {
    reads?: R;
    check?(columns: Read<R>, context: OfReference): Iterable<Finding>;
}

/** Judges rows; the rows themselves pass on unchanged. */
export function validator<const R extends Said<Columns, OfColumns>>(
    does: Validator<R>,
    check?: (columns: Read<R>, context: OfReference) => Iterable<Finding>,
): Step;

/** A file in a saved state: bytes under a short name. */
export type Files = Record<string, Uint8Array>;

export interface Training {
    readonly train: Table;
    readonly validation: Table | null;
    readonly features: string[];
    readonly label: string | null;
    readonly weight: string | null;
    /** Files of a model to start from. */
    readonly initial: Files | null;
}

export interface Trained {
    files: Files;
    /** What `predict` reads and gives. */
    inputs: Columns;
    outputs: Columns;
    /** What training itself knows, by name. */
    measures?: Record<string, number>;
}

export interface Learner<M> extends About {
    /** The columns that `predict` gives, if they are known before training; `inputs` has the ports `features` and `label`. */
    gives?: Said<Columns, OfPorts>;
    /** That `train` learns a column: a pipeline that names no `label` is refused. */
    labelled?: boolean;
    /** That `train` goes on from `training.initial`, where a pipeline wires it: one that does not is refused there. */
    warmStarts?: boolean;
    train(training: Training, context: Settled): Trained;
    /** A model of the files that `train` gave. */
    load(files: Files, context: Settled): M;
    /** The columns that `train` named as outputs, a row a row; row i is made of row i alone. */
    predict(model: M, rows: Table, context: Settled): Record<string, Given> | Table;
}

/** Learns a model from rows, and answers with it. */
export function learner<M>(does: Learner<M>): Step;

export interface Measure {
    name: string;
    value: number;
    /** `column=value`; absent for all rows. */
    slice?: string | null;
    interval?: [low: number, high: number];
    baselineValue?: number | null;
    /** Of candidate minus baseline on the same rows. */
    differenceInterval?: [low: number, high: number];
}

interface OfCandidate extends OfRows {
    readonly baseline: Table | null;
    readonly slices: string[];
}

export interface Evaluator<R> extends About {
    reads?: R;
    evaluate?(columns: Read<R>, context: OfCandidate): Iterable<Measure>;
}

/** Measures how good predictions are. */
export function evaluator<const R extends Said<Columns, OfColumns>>(
    does: Evaluator<R>,
    evaluate?: (columns: Read<R>, context: OfCandidate) => Iterable<Measure>,
): Step;

/** A trained model on its way out: the trainer's files, and its signature, measures and plugin. */
export interface TrainedModel {
    readonly files: Files;
    readonly about: Record<string, any>;
}

interface Deliverable {
    table: Table;
    /** Measures or findings. */
    report: readonly Record<string, any>[];
    model: TrainedModel;
}
type Takes = { readonly [P in keyof Deliverable]?: Columns };
/** One of the ports that a sink takes, under its name. */
type Delivery<T> = T extends (...any: any[]) => infer C
    ? Delivery<C>
    : { [P in keyof T & keyof Deliverable]: { readonly [K in P]: Deliverable[P] } & { readonly [K in Exclude<keyof T, P>]?: undefined } }[keyof T & keyof Deliverable];

export interface Receipt {
    /** Where it lies now, for people: a path, an address, an identifier. */
    location: string;
    /** Whether an earlier attempt had already delivered it. */
    repeated?: boolean;
}

export interface Sink<T> extends About {
    /** The ports it can take, each with the columns it needs there; a pipeline wires one of them. */
    takes: T;
    /** An attempt that was cut off is followed by another with the same key, of `a-z 0-9 . _ - /`: deliver once for each. */
    deliver?(key: string, delivery: Delivery<T>, context: Settled): Receipt;
}

/** Brings something out: a table, a report or a model. */
export function sink<const T extends Said<Takes, Settled>>(
    does: Sink<T>,
    deliver?: (key: string, delivery: Delivery<T>, context: Settled) => Receipt,
): Step;

/** What every error of the contract is. */
export class StepError extends Error {}
/** An argument, column or parameter that cannot be used; never retried. */
export class InvalidInput extends StepError {
    constructor(argument: string, reason: string);
    readonly argument: string;
    readonly reason: string;
}
/** Operands whose shapes do not fit together; never retried. */
export class ShapeMismatch extends StepError {
    constructor(operation: string, expected: string, got: string);
    readonly operation: string;
    readonly expected: string;
    readonly got: string;
}
/** A limit of the step that was reached; retried only with a larger limit. */
export class BudgetExceeded extends StepError {
    constructor(kind: string, used: number, limit: number);
    readonly kind: string;
    readonly used: number;
    readonly limit: number;
}
/** A door that no grant opened. */
export class Denied extends StepError {}
/** The run was cancelled; return as soon as possible. */
export class Cancelled extends StepError {}
/** The outside world failed for now; the step is tried again after `retryAfterMs`. */
export class Transient extends StepError {
    constructor(reason: string, retryAfterMs?: number);
    readonly reason: string;
    readonly retryAfterMs: number;
}
/** It will fail again; never retried. */
export class Permanent extends StepError {}

/** Adds a line to the step's log. */
export function log(message: unknown, level?: "debug" | "info" | "warn" | "error"): void;
/** Says how much is done, in the step's own unit. */
export function progress(done: number, total?: number | null): void;
/** Records a point of a series, such as the loss at an epoch. */
export function metric(name: string, value: number, index?: number): void;
/** The seed of everything random in this step: equal over re-runs. One beyond 2^53 comes rounded. */
export function seed(): number;
/** A generator that starts from the step's seed. */
export function rng(): Rng;
/** SplitMix64; for sampling, not for secrets. */
export class Rng {
    constructor(start: number | bigint);
    /** The next 64 random bits. */
    bits(): bigint;
    /** Uniform in [0, 1). */
    uniform(): number;
    /** A whole number in 0..bound. */
    below(bound: number): number;
    /** Puts a list into a random order. */
    shuffle<T>(list: T[]): T[];
}
/** The run's logical time: the scheduled instant, not the clock. */
export function logicalTime(): Date;
/** Saves bytes that an interrupted attempt goes on from; at most 64 MiB. */
export function saveCheckpoint(state: Uint8Array): void;
/** What an interrupted attempt of this step saved last; null on a first attempt. */
export function loadCheckpoint(): Uint8Array | null;

export interface File {
    readonly size: number;
    /** `length` bytes from byte `offset`; fewer at the end. */
    read(offset?: number, length?: number): Uint8Array;
    /** The whole file as text. */
    text(): string;
}
/** Opens a granted file; the path is relative to the project's folder. */
export function openFile(path: string): File;
/** The names of the regular files in a granted folder, sorted; hidden ones (`.name`) and links are none. */
export function listFiles(folder: string): string[];
/**
 * Writes a granted file, its folder granted with `write = true`, and gives what the function gives. Nobody sees the file before
 * the function ends well, and then whole.
 */
export function createFile<T>(path: string, fill: (out: { write(data: string | Uint8Array): void }) => T): T;

export interface Response {
    readonly status: number;
    /** Names in lower case. */
    readonly headers: Record<string, string>;
    readonly body: Uint8Array;
    text(): string;
    json(): any;
}
/**
 * Has the server make a request that `grants.http` covers, and waits for the whole answer: 60 s and 32 MiB at most. An answer
 * that says no, such as 404, is an answer; where no grant covers it, that is `Denied`, and `Transient` where nobody answers.
 */
export function fetch(
    url: string,
    request?: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array; timeoutMs?: number },
): Response;
/** A text that stands for a secret in headers and bodies of requests; its value never reaches the step. */
export function secret(name: string): string;
/** The real time, where `grants.clock` opens it. A step that reads it cannot be replayed: prefer `logicalTime`. */
export function now(): Date;
/** Bytes as random as the operating system's, where `grants.randomness` opens it. Not replayed either: prefer `rng`. */
export function randomBytes(length: number): Uint8Array;
/** A value that whoever runs the server set, where `grants.environment` names it; null if nobody set it. */
export function variable(name: string): string | null;
/**
 * The table that an SQL query gives over tables, each under its name; the host computes it. What is wrong with the text is
 * an `InvalidInput` with line, column and a caret.
 */
export function query(sql: string, tables?: Record<string, Table>): Table;
/** The text of UTF-8, and the UTF-8 of a text: inside a component there is no TextDecoder. */
export function decodeText(bytes: Uint8Array): string;
export function encodeText(text: string): Uint8Array;

/** Calls a function and lets go of the tensors and tables it made, but for those it returns. */
export function tidy<T>(body: () => T): T;

interface Pretended {
    params?: Params;
    seed?: number;
    /** Microseconds since 1970. */
    logicalTime?: number;
    /** The same of the real time; without it `now` reads this machine's clock. */
    now?: number;
    /** What `variable` gives. */
    environment?: Record<string, string>;
}
/** What a run makes of these rows: fits on `fit` (or on the rows themselves), saves, restores, applies in pieces. */
export function apply(step: Step, rows: Table, settings?: Pretended & { fit?: Table; pieceRows?: number }): Table;
/** Calls a function whose steps see these settings, natively. */
export function pretend<T>(settings: Pretended, body: () => T): T;
