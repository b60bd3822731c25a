// UTF-8 <-> strings. The engine inside a component has no TextDecoder and no TextEncoder.

// The most arguments of one call that every engine takes.
const UNITS_AT_ONCE = 4096;

/** The text of valid UTF-8. */
export function decode(bytes) {
    if (bytes.length <= UNITS_AT_ONCE && isAscii(bytes)) return String.fromCharCode.apply(null, bytes);
    let text = "";
    let units = [];
    for (let at = 0; at < bytes.length; ) {
        const first = bytes[at];
        const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        let point = length === 1 ? first : first & (0x7f >> length);
        for (let next = 1; next < length; next++) point = (point << 6) | (bytes[at + next] & 0x3f);
        if (point > 0xffff) units.push(0xd7c0 + (point >> 10), 0xdc00 | (point & 0x3ff));
        else units.push(point);
        at += length;
        if (units.length >= UNITS_AT_ONCE - 1) {
            text += String.fromCharCode.apply(null, units);
            units = [];
        }
    }
    return text + String.fromCharCode.apply(null, units);
}

function isAscii(bytes) {
    let at = 0;
    while (at < bytes.length && bytes[at] < 0x80) at++;
    return at === bytes.length;
}

/** The UTF-8 of a text. Half of a surrogate pair becomes U+FFFD. */
export function encode(text) {
    const bytes = new Uint8Array(text.length * 3);
    return bytes.slice(0, encodeInto(text, bytes, 0));
}

/** Writes the UTF-8 of a text, for which there must be room (3 bytes a unit), and returns where it ends. */
export function encodeInto(text, bytes, at) {
    for (let index = 0; index < text.length; index++) {
        let point = text.charCodeAt(index);
        if (point < 0x80) {
            bytes[at++] = point;
            continue;
        }
        if (point >= 0xd800 && point < 0xe000) {
            point = text.codePointAt(index);
            if (point > 0xffff) index++;
            else point = 0xfffd;
        }
        if (point < 0x800) {
            bytes[at++] = 0xc0 | (point >> 6);
        } else {
            if (point < 0x10000) {
                bytes[at++] = 0xe0 | (point >> 12);
            } else {
                bytes[at++] = 0xf0 | (point >> 18);
                bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
            }
            bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
        }
        bytes[at++] = 0x80 | (point & 0x3f);
    }
    return at;
}
