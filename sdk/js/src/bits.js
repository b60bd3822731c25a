// Bitmaps as Apache Arrow has them: one bit a row, least significant first.

export function isSet(bits, row) {
    return ((bits[row >> 3] >> (row & 7)) & 1) === 1;
}

export function set(bits, row) {
    bits[row >> 3] |= 1 << (row & 7);
}

/** Room for so many bits, none of them set. */
export function unset(length) {
    return new Uint8Array((length + 7) >> 3);
}

/** Room for so many bits, all of them set. */
export function allSet(length) {
    return unset(length).fill(0xff);
}

export function countUnset(bits, length) {
    let count = 0;
    for (let row = 0; row < length; row++) if (!isSet(bits, row)) count++;
    return count;
}

/** `length` bits from `offset`: a view where a byte begins there, else a copy. */
export function slice(bits, offset, length) {
    if ((offset & 7) === 0) return bits.subarray(offset >> 3, (offset + length + 7) >> 3);
    const made = unset(length);
    for (let row = 0; row < length; row++) if (isSet(bits, offset + row)) set(made, row);
    return made;
}

/** Bitmaps one after another. Each part is `[bits, length]`; null stands for bits that are all set. */
export function join(parts) {
    const made = unset(parts.reduce((sum, [, length]) => sum + length, 0));
    let end = 0;
    for (const [bits, length] of parts) {
        const source = bits ?? allSet(length);
        if ((end & 7) === 0) {
            made.set(source.subarray(0, (length + 7) >> 3), end >> 3);
            clearBeyond(made, end + length);
        } else {
            for (let row = 0; row < length; row++) if (isSet(source, row)) set(made, end + row);
        }
        end += length;
    }
    return made;
}

/** The next part sets bits in the last byte, which must hold none of this one's padding. */
function clearBeyond(bits, length) {
    if (length & 7) bits[length >> 3] &= (1 << (length & 7)) - 1;
}
