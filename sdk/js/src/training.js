// Gradients and what uses them.

import { adopt, HANDLE } from "./arena.js";
import { call } from "./errors.js";
import * as host from "./host/training.js";
import { Tensor, wrap } from "./tensor.js";

/** A tensor that an optimiser changes; `name` is what errors call it. */
export class Variable {
    #handle;

    constructor(name, initial) {
        this.#handle = adopt(call(() => host.Variable.create(name, initial[HANDLE])));
    }

    get [HANDLE]() {
        return this.#handle;
    }

    /** The current value. What is computed from it remembers how. */
    value() {
        return wrap(() => this.#handle.value());
    }

    set(value) {
        call(() => this.#handle.set(value[HANDLE]));
    }
}

/** Steps variables down the gradient of a loss. */
class Optimiser {
    #handle;

    constructor(method, variables) {
        this.#handle = adopt(call(() => host.Optimiser.create(method, variables.map((each) => each[HANDLE]))));
    }

    get [HANDLE]() {
        return this.#handle;
    }

    /** One step back from a loss of one element; gives the norm of all gradients together, before clipping. */
    step(loss, learningRate, clipNorm = null) {
        return call(() => this.#handle.step(loss[HANDLE], learningRate, clipNorm));
    }
}

/** Stochastic gradient descent as in PyTorch. */
export function sgd(variables, { momentum = 0, nesterov = false, weightDecay = 0 } = {}) {
    return new Optimiser({ tag: "sgd", val: { momentum, nesterov, weightDecay } }, variables);
}

/** AdamW, with decoupled weight decay. */
export function adamw(variables, { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = {}) {
    return new Optimiser({ tag: "adamw", val: { beta1, beta2, epsilon, weightDecay } }, variables);
}

/** The gradient of a loss of one element by each variable. */
export function gradients(loss, variables) {
    const found = call(() => host.gradients(loss[HANDLE], variables.map((each) => each[HANDLE])));
    return found.map((handle) => new Tensor(handle));
}

/** Mean of log(1 + exp(x)) - x y, weighted. */
export function binaryCrossEntropy(logits, targets, weights = null) {
    return wrap(() => host.binaryCrossEntropy(logits[HANDLE], targets[HANDLE], weights && weights[HANDLE]));
}

/** Mean over rows of -log-softmax(logits) at `targets`, class positions held as numbers. */
export function crossEntropy(logits, targets) {
    return wrap(() => host.crossEntropy(logits[HANDLE], targets[HANDLE]));
}
