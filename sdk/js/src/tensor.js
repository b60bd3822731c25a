// Tensors that stay in the host. Every operation is one call into native code on all the cores that the step was given.
// There are none natively: a step that computes with tensors is tested as a component.
//
// Each result is a handle that the host holds until the call ends, and it holds only so many: wrap the body of a loop in
// `tidy(() => ..)`, which lets go of all but what the function returns.

import { adopt, HANDLE } from "./arena.js";
import { view } from "./columns.js";
import { lower } from "./crossing.js";
import { call } from "./errors.js";
import { Tensor as Host } from "./host/tensors.js";
import { lift, Table } from "./table.js";

const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array };
const UNARY = "neg abs exp log sqrt square recip tanh sigmoid relu gelu sin cos sign floor round expm1 log1p erf gelu-tanh "
    + "silu softplus";
const BINARY = "add sub mul div maximum minimum pow";
const COMPARISONS = "eq ne lt le gt ge";
const REDUCTIONS = "sum mean max min variance log-sum-exp";

/** The tensor that a call of the host gives. */
export function wrap(made) {
    return new Tensor(call(made));
}

/** At most 8 dimensions of float32, float64 or int64; immutable. */
export class Tensor {
    #handle;

    constructor(handle) {
        this.#handle = adopt(handle);
    }

    get [HANDLE]() {
        return this.#handle;
    }

    /** Sizes of the dimensions. */
    get shape() {
        return [...this.#handle.shape()];
    }

    /** `float32`, `float64` or `int64`. */
    get type() {
        return this.#handle.elementType();
    }

    /** The one value of a tensor of one element. */
    item() {
        return call(() => this.#handle.item());
    }

    /** All values, row by row. The bytes come into the step, at most 32 MiB. */
    values() {
        const bytes = call(() => this.#handle.toBytes());
        const TypedArray = ARRAYS[this.type];
        return view(TypedArray, bytes, bytes.length / TypedArray.BYTES_PER_ELEMENT);
    }

    /** The columns of a matrix under these names. */
    toTable(columns) {
        return lift(call(() => this.#handle.toTable(columns)));
    }

    matmul(right) {
        return wrap(() => this.#handle.matmul(right[HANDLE]));
    }

    /** The position of the largest element along a dimension, as int64. */
    argmax(dimension) {
        return wrap(() => this.#handle.argmax(dimension));
    }

    /** exp(x) / sum(exp(x)) along a dimension. */
    softmax(dimension) {
        return wrap(() => this.#handle.softmax(dimension));
    }

    /** log(softmax(x)) along a dimension. */
    logSoftmax(dimension) {
        return wrap(() => this.#handle.logSoftmax(dimension));
    }

    /** The same values in another shape. */
    reshape(...shape) {
        return wrap(() => this.#handle.reshape(shape));
    }

    /** Exchanges two dimensions. */
    transpose(first, second) {
        return wrap(() => this.#handle.transpose(first, second));
    }

    /** `length` elements from `start` along a dimension. */
    narrow(dimension, start, length) {
        return wrap(() => this.#handle.narrow(dimension, start, length));
    }

    /** The elements at these positions along a dimension. */
    indexSelect(dimension, positions) {
        return wrap(() => this.#handle.indexSelect(dimension, [...positions]));
    }

    cast(type) {
        return wrap(() => this.#handle.cast(type));
    }
}

function method(names, make) {
    for (const name of names.split(" ")) {
        const camel = name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
        Object.defineProperty(Tensor.prototype, camel, { value: make(name), writable: true, configurable: true });
    }
}

method(UNARY, (name) => function () {
    return wrap(() => this[HANDLE].unary(name));
});
method(BINARY, (name) => function (right) {
    if (typeof right === "number") return wrap(() => this[HANDLE].binaryScalar(name, right));
    return wrap(() => this[HANDLE].binary(name, right[HANDLE]));
});
method(COMPARISONS, (name) => function (right) {
    if (typeof right === "number") return wrap(() => this[HANDLE].compareScalar(name, right));
    return wrap(() => this[HANDLE].compare(name, right[HANDLE]));
});
method(REDUCTIONS, (name) => function (dimension = null, keep = false) {
    return wrap(() => this[HANDLE].reduce(name, dimension, keep));
});

/** Of a table's columns, as a matrix [rows, columns] whose bytes stay in the host; or of values, row by row, in a shape. */
export function tensor(source, columnsOrShape, type = "float32") {
    if (source instanceof Table) {
        const handle = adopt(lower(source.select(columnsOrShape)));
        return wrap(() => Host.fromTable(handle, columnsOrShape, type));
    }
    const values = source instanceof ARRAYS[type] ? source : ARRAYS[type].from(source);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return wrap(() => Host.fromBytes(columnsOrShape, type, bytes));
}

/** One value everywhere. */
export function full(shape, value, type = "float32") {
    return wrap(() => Host.full(shape, type, value));
}

/** Standard normal; the same seed gives the same numbers on any machine. */
export function normal(shape, seed, type = "float32") {
    return wrap(() => Host.normal(shape, type, seed));
}

/** Uniform in [0, 1); the same seed gives the same numbers on any machine. */
export function uniform(shape, seed, type = "float32") {
    return wrap(() => Host.uniform(shape, type, seed));
}

/** Side by side along an existing dimension. */
export function concat(parts, dimension) {
    return wrap(() => Host.concat(parts.map((part) => part[HANDLE]), dimension));
}

export { adamw, binaryCrossEntropy, crossEntropy, gradients, sgd, Variable } from "./training.js";
