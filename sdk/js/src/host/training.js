// `stepwell:tensor/training` where there is no host: there are no tensors to train.

import { absent } from "./tensors.js";

export const Variable = absent("Variable");
export const Optimiser = absent("Optimiser");

export function gradients() {
    return Variable.absent;
}

export function binaryCrossEntropy() {
    return Variable.absent;
}

export function crossEntropy() {
    return Variable.absent;
}
