// Columns and tables that cross to the host and back: in pieces that the host takes, and never what it has already.

import { adopt, dispose, release } from "./arena.js";
import { fromWire, joined, toWire } from "./columns.js";
import { BudgetExceeded, call, InvalidInput } from "./errors.js";
import { TableWriter } from "./host/tables.js";
import { CHUNK_ROWS, Table } from "./table.js";
import { toFields, written } from "./types.js";

// The host refuses a read of more than 32 MiB; half of it leaves room for validity and offsets.
const READ_BYTES_MAX = 16 << 20;

/** `length` rows of a column of the host's from row `offset`. */
export function readColumn(handle, name, type, offset, length) {
    let rows = type.length ? Math.max(1, Math.min(CHUNK_ROWS, READ_BYTES_MAX / (4 * type.length)) | 0) : CHUNK_ROWS;
    const parts = [];
    for (let done = 0; done < length || parts.length === 0; ) {
        const part = readFew(handle, name, type, offset + done, Math.min(rows, length - done));
        if (part === null) {
            rows = Math.ceil(rows / 2);
            continue;
        }
        parts.push(part);
        done += part.length;
        if (part.length === 0) break;
    }
    return joined(type, parts);
}

/** Null where the host says that these are too many bytes; a single value that is too large is its owner's error. */
function readFew(handle, name, type, offset, rows) {
    try {
        return fromWire(type, call(() => handle.read(name, offset, rows)));
    } catch (error) {
        if (error instanceof BudgetExceeded && rows > 1) return null;
        throw error;
    }
}

/** A handle to these rows, for the host. Columns that came from it do not cross again. */
export function lower(table) {
    return lowerPieces(table, table.chunks());
}

/**
 * A handle to the pieces one after another. `source` is the table they were made of, row by row: the columns that stand
 * in the pieces as they came are taken from it; only one piece need be in memory at a time.
 */
export function lowerPieces(source, pieces) {
    let first = null;
    let writer = null;
    for (const piece of pieces) {
        const { types, local } = Table.parts(piece);
        if (first === null) {
            first = piece;
            const fields = toFields(new Map([...local.keys()].map((name) => [name, types.get(name)])));
            writer = fields.length > 0 ? adopt(call(() => TableWriter.create(fields))) : null;
        }
        requireSame(first, piece);
        if (writer) for (const few of piece.chunks()) append(writer, few, Table.parts(first).local.keys());
    }
    const made = writer ? adopt(call(() => TableWriter.finish(release(writer)))) : null;
    return release(assembled(source, first, made));
}

function requireSame(first, piece) {
    const [expected, got] = [first, piece].map((table) => JSON.stringify(written(Table.parts(table).types)));
    if (expected !== got) throw new InvalidInput("columns", `expected the same in every piece, ${expected}; got ${got}`);
}

function append(writer, few, names) {
    const { local } = Table.parts(few);
    const columns = [...names].map((name) => toWire(local.get(name)));
    call(() => writer.append(columns));
}

/** The columns that came and those that were made, in the order of the first piece. */
function assembled(source, first, made) {
    // All columns were made here; a table without columns has no row to count either.
    if (Table.parts(first).source === null) return made ?? call(() => TableWriter.finish(TableWriter.create([])));
    let handle = rowsOf(source);
    if (made) {
        handle = adopt(call(() => handle.withColumns(made)));
        dispose(made);
    }
    const names = handle.schema().map(({ name }) => name);
    const same = names.length === first.names.length && names.every((name, index) => name === first.names[index]);
    return same ? handle : adopt(call(() => handle.select(first.names)));
}

function rowsOf(table) {
    const { source, length } = Table.parts(table);
    const whole = source.offset === 0 && source.handle.rows() === length;
    return whole ? source.handle : adopt(source.handle.slice(source.offset, length));
}
