// `stepwell:platform/files` where there is no host: the files of this machine.

import { closeSync, fstatSync, openSync, readdirSync, readSync, writeFileSync } from "node:fs";

class File {
    constructor(path) {
        this.descriptor = openSync(path);
    }

    size() {
        return fstatSync(this.descriptor).size;
    }

    read(offset, length) {
        const bytes = new Uint8Array(Math.min(length, 4 << 20));
        return bytes.subarray(0, readSync(this.descriptor, bytes, 0, bytes.length, offset));
    }

    [Symbol.dispose]() {
        closeSync(this.descriptor);
    }
}

export function open(path) {
    return new File(path);
}

export function listFiles(folder) {
    const regular = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile() && !entry.name.startsWith("."));
    // By bytes, as the host does.
    return regular.map((entry) => entry.name).sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}

export class NewFile {
    constructor(path) {
        this.path = path;
        this.parts = [];
    }

    write(data) {
        this.parts.push(Uint8Array.from(data));
    }

    static finish({ path, parts }) {
        writeFileSync(path, Buffer.concat(parts));
    }

    [Symbol.dispose]() {}
}

export function create(path) {
    return new NewFile(path);
}
