// A row-wise step -> the interfaces `description` and `fitted`.

import { lowerPieces } from "../crossing.js";
import { columnsOut, fitted, learns, pieces, reads, restored, saved } from "../roles/row_wise.js";
import { Context } from "../step.js";
import { lift } from "../table.js";
import { description, doesOf, same } from "./describe.js";
import { contents, exported, toFiles } from "./guard.js";

export function bind(given, about) {
    const does = doesOf(given, "rowWise", about.file);

    class Transform {
        static fit = exported((rows) => new Transform(fitted(does, lift(rows))));
        static restore = exported((files) => new Transform(restored(does, contents(files))));

        constructor(state) {
            this.state = state;
        }
    }
    Transform.prototype.save = exported(function () {
        return toFiles(saved(does, this.state));
    });
    Transform.prototype.apply = exported(function (handle) {
        const rows = lift(handle);
        return lowerPieces(rows, pieces(does, this.state, rows));
    });

    return {
        description: description(does, { ...about, learns: learns(does) }, (_, wired) => ports(does, wired)),
        fitted: { Transform },
    };
}

// Each input gives an output of its name; but what stands on `fit` is only learnt from.
function ports(does, wired) {
    const context = (port) => new Context(does, { columns: wired[port] ?? {} });
    const names = Object.keys(wired);
    const takes = (names.length > 0 ? names : ["rows"]).map((port) => [port, reads(does, context(port))]);
    const gives = names.filter((port) => port !== "fit");
    return {
        takes: Object.fromEntries(takes),
        gives: gives.map((port) => [port, Object.fromEntries(columnsOut(does, context(port))), same(port)]),
    };
}
