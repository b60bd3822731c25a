// Randomness: SplitMix64, as in the SDK for Rust. A step has no other source.

import { seed as ofHost } from "./host/config.js";

const MASK = (1n << 64n) - 1n;

/** The seed of everything random in this step: equal over re-runs. One beyond 2^53 comes rounded. */
export function seed() {
    return ofHost();
}

/** A generator that starts from the step's seed. */
export function rng() {
    return new Rng(seed());
}

/** SplitMix64 (Steele, Lea and Flood, 2014); for sampling, not for secrets. */
export class Rng {
    #state;

    constructor(start) {
        this.#state = BigInt.asUintN(64, BigInt(start));
    }

    /** The next 64 random bits, as a BigInt. */
    bits() {
        this.#state = (this.#state + 0x9e3779b97f4a7c15n) & MASK;
        let mixed = ((this.#state ^ (this.#state >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
        mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & MASK;
        return mixed ^ (mixed >> 31n);
    }

    /** Uniform in [0, 1). */
    uniform() {
        return Number(this.bits() >> 11n) / 2 ** 53;
    }

    /** A whole number in 0..bound, without bias; 0 for a bound of 0. */
    below(bound) {
        const wide = BigInt(bound);
        for (;;) {
            const product = this.bits() * wide;
            if (wide === 0n || (product & MASK) >= ((1n << 64n) - wide) % wide) return Number(product >> 64n);
        }
    }

    /** Puts a list into a random order (Fisher and Yates). */
    shuffle(list) {
        for (let last = list.length - 1; last > 0; last--) {
            const other = this.below(last + 1);
            [list[last], list[other]] = [list[other], list[last]];
        }
        return list;
    }
}
