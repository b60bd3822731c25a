// What an editor and `tsc` know of `stepwell/tensor`.

import type { Table } from "./index.js";

export type ElementType = "float32" | "float64" | "int64";

/** At most 8 dimensions of float32, float64 or int64 that stay in the host; immutable. `tidy` lets go of what a loop made. */
export class Tensor {
    private constructor();
    readonly shape: number[];
    readonly type: ElementType;
    /** The one value of a tensor of one element. */
    item(): number;
    /** All values, row by row; at most 32 MiB. */
    values(): Float32Array | Float64Array | BigInt64Array;
    /** The columns of a matrix under these names. */
    toTable(columns: string[]): Table;

    neg(): Tensor;
    abs(): Tensor;
    exp(): Tensor;
    log(): Tensor;
    sqrt(): Tensor;
    square(): Tensor;
    recip(): Tensor;
    tanh(): Tensor;
    sigmoid(): Tensor;
    relu(): Tensor;
    gelu(): Tensor;
    sin(): Tensor;
    cos(): Tensor;
    sign(): Tensor;
    floor(): Tensor;
    round(): Tensor;
    expm1(): Tensor;
    log1p(): Tensor;
    erf(): Tensor;
    geluTanh(): Tensor;
    silu(): Tensor;
    softplus(): Tensor;

    /** With a number, or with a tensor broadcast from the right as in NumPy; so are the next six. */
    add(right: Tensor | number): Tensor;
    sub(right: Tensor | number): Tensor;
    mul(right: Tensor | number): Tensor;
    div(right: Tensor | number): Tensor;
    maximum(right: Tensor | number): Tensor;
    minimum(right: Tensor | number): Tensor;
    pow(right: Tensor | number): Tensor;

    /** 1 where it holds, else 0; so are the next five. */
    eq(right: Tensor | number): Tensor;
    ne(right: Tensor | number): Tensor;
    lt(right: Tensor | number): Tensor;
    le(right: Tensor | number): Tensor;
    gt(right: Tensor | number): Tensor;
    ge(right: Tensor | number): Tensor;

    /** Over one dimension, or over all; so are the next five. */
    sum(dimension?: number | null, keep?: boolean): Tensor;
    mean(dimension?: number | null, keep?: boolean): Tensor;
    max(dimension?: number | null, keep?: boolean): Tensor;
    min(dimension?: number | null, keep?: boolean): Tensor;
    variance(dimension?: number | null, keep?: boolean): Tensor;
    logSumExp(dimension?: number | null, keep?: boolean): Tensor;

    matmul(right: Tensor): Tensor;
    /** The position of the largest element along a dimension, as int64. */
    argmax(dimension: number): Tensor;
    softmax(dimension: number): Tensor;
    logSoftmax(dimension: number): Tensor;
    reshape(...shape: number[]): Tensor;
    /** Exchanges two dimensions. */
    transpose(first: number, second: number): Tensor;
    /** `length` elements from `start` along a dimension. */
    narrow(dimension: number, start: number, length: number): Tensor;
    indexSelect(dimension: number, positions: Iterable<number>): Tensor;
    cast(type: ElementType): Tensor;
}

/** Of a table's columns, as a matrix [rows, columns] whose bytes stay in the host. */
export function tensor(table: Table, columns: string[], type?: ElementType): Tensor;
/** Of values, row by row, in a shape. */
export function tensor(values: ArrayLike<number>, shape: number[], type?: ElementType): Tensor;
/** One value everywhere. */
export function full(shape: number[], value: number, type?: ElementType): Tensor;
/** Standard normal; the same seed gives the same numbers on any machine. */
export function normal(shape: number[], seed: number, type?: ElementType): Tensor;
/** Uniform in [0, 1). */
export function uniform(shape: number[], seed: number, type?: ElementType): Tensor;
/** Side by side along an existing dimension. */
export function concat(parts: Tensor[], dimension: number): Tensor;

/** A tensor that an optimiser changes; `name` is what errors call it. */
export class Variable {
    constructor(name: string, initial: Tensor);
    /** The current value. What is computed from it remembers how. */
    value(): Tensor;
    set(value: Tensor): void;
}

export interface Optimiser {
    /** One step back from a loss of one element; gives the norm of all gradients together, before clipping. */
    step(loss: Tensor, learningRate: number, clipNorm?: number | null): number;
}
export function sgd(variables: Variable[], settings?: { momentum?: number; nesterov?: boolean; weightDecay?: number }): Optimiser;
export function adamw(
    variables: Variable[],
    settings?: { beta1?: number; beta2?: number; epsilon?: number; weightDecay?: number },
): Optimiser;
/** The gradient of a loss of one element by each variable. */
export function gradients(loss: Tensor, variables: Variable[]): Tensor[];
/** Mean of log(1 + exp(x)) - x y, weighted. */
export function binaryCrossEntropy(logits: Tensor, targets: Tensor, weights?: Tensor | null): Tensor;
/** Mean over rows of -log-softmax(logits) at `targets`, class positions held as numbers. */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor;
