// Granted files.

import { adopt, dispose, release } from "./arena.js";
import { call } from "./errors.js";
import { create, listFiles as list, NewFile, open } from "./host/files.js";
import * as utf8 from "./utf8.js";

const READ_BYTES_MAX = 4 << 20;
const WRITE_BYTES_MAX = 4 << 20;

/** An open file; every read says where it starts. */
class File {
    #handle;

    constructor(handle) {
        this.#handle = handle;
    }

    get size() {
        return this.#handle.size();
    }

    /** `length` bytes from byte `offset`; fewer at the end. */
    read(offset = 0, length = this.size - offset) {
        const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
        for (let done = 0; done < bytes.length; ) {
            const few = Math.min(bytes.length - done, READ_BYTES_MAX);
            const part = call(() => this.#handle.read(offset + done, few));
            if (part.length === 0) return bytes.subarray(0, done);
            bytes.set(part, done);
            done += part.length;
        }
        return bytes;
    }

    /** The whole file as text. */
    text() {
        return utf8.decode(this.read());
    }
}

/** Opens a granted file. The path is relative to the project's folder, beneath a folder that `grants.files` names. */
export function openFile(path) {
    return new File(adopt(call(() => open(path))));
}

/** The names of the regular files in a granted folder, sorted; hidden ones (`.name`) and links are none. */
export function listFiles(folder) {
    return call(() => list(folder));
}

/**
 * Writes a granted file: `createFile("out/rows.csv", (out) => out.write("a,b\n"))`. Nobody sees it before the function ends
 * well, and then whole; one that throws leaves nothing. The folder must be granted with `write = true`.
 */
export function createFile(path, fill) {
    const handle = adopt(call(() => create(path)));
    try {
        const given = fill({ write: (data) => append(handle, typeof data === "string" ? utf8.encode(data) : data) });
        call(() => NewFile.finish(release(handle)));
        return given;
    } catch (error) {
        dispose(handle);
        throw error;
    }
}

function append(handle, bytes) {
    for (let start = 0; start < bytes.length; start += WRITE_BYTES_MAX) {
        call(() => handle.write(bytes.subarray(start, start + WRITE_BYTES_MAX)));
    }
}
