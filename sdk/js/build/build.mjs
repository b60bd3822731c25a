// A step's file -> a WebAssembly component: `node build.mjs STEP.js|STEP.ts OUT.wasm --sdk DIR --wit DIR --tools DIR`.
//
// The step and the SDK are bundled into one module, of which only what is used stays; the module's imports are then the
// component's: its request for capabilities. The text of a step is never run here, only in the sandbox that makes the
// component. On failure it prints one line and ends with status 1.

import { readFileSync, readdirSync, mkdtempSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { parseArgs } from "node:util";

import { sourceLines } from "./lines.mjs";

const CONTRACT = "0.1.0";
const PACKAGES = ["platform", "data", "tensor", "step"];
// The module of the SDK that stands for an interface of the host -> the package of the interface.
const INTERFACES = {
    config: "platform",
    report: "platform",
    checkpoint: "platform",
    files: "platform",
    http: "platform",
    secrets: "platform",
    environment: "platform",
    clock: "platform",
    entropy: "platform",
    tables: "data",
    query: "data",
    tensors: "tensor",
    training: "tensor",
};
// The module of a role -> the interfaces that it exports.
const ROLES = {
    row_wise: ["fitted"],
    transformer: ["transformer"],
    collector: ["collector"],
    validator: ["validator"],
    learner: ["trainer", "predictor"],
    evaluator: ["evaluator"],
    sink: ["sink"],
};

// The step's file runs while its component is made, and may not end.
const RUN_MS_MAX = 60_000;

/** A build that failed; the text is for whoever wrote the step. */
class BuildError extends Error {}

async function main() {
    const { values, positionals } = parseArgs({
        allowPositionals: true,
        options: { sdk: { type: "string" }, wit: { type: "string" }, tools: { type: "string" } },
    });
    const [step, output] = positionals;
    if (!output || !values.sdk || !values.wit || !values.tools) {
        throw new BuildError("expected STEP OUT.wasm --sdk DIR --wit DIR --tools DIR");
    }
    const require = createRequire(join(resolve(values.tools), "package.json"));
    const at = { step: realpathSync(step), sdk: realpathSync(values.sdk), esbuild: require("esbuild") };
    const role = await roleOf(at);
    const bundle = await bundled(at, entry(at, role));
    const stage = mkdtempSync(join(tmpdir(), "stepwell-build-"));
    process.on("exit", () => rmSync(stage, { recursive: true, force: true }));
    stageContract(stage, resolve(values.wit), bundle, ROLES[role]);
    const component = await componentized(require("componentize-qjs"), stage, bundle, basename(at.step));
    writeFileSync(output, component);
    const [size, seconds] = [component.length / 1e6, process.uptime()];
    process.stdout.write(`built ${basename(at.step)}: ${size.toFixed(2)} MB in ${seconds.toFixed(1)} s\n`);
}

/** The role whose module the step's bundle needs. */
async function roleOf(at) {
    const { used } = await bundled(at, `export { default } from ${JSON.stringify(at.step)};`);
    const found = Object.keys(ROLES).filter((role) => used.has(join(at.sdk, "src", "roles", `${role}.js`)));
    if (found.length === 1) return found[0];
    const got = found.length === 0 ? "none" : found.join(" and ");
    throw new BuildError(`${basename(at.step)}: expected \`export default\` of one role of \`stepwell\`, got ${got}`);
}

function entry(at, role) {
    const file = basename(at.step);
    const exports = ["description", ...ROLES[role]].join(", ");
    return [
        `import step from ${JSON.stringify(at.step)};`,
        `import { bind } from ${JSON.stringify(join(at.sdk, "src", "entry", `${role}.js`))};`,
        `export const { ${exports} } = bind(step, ${JSON.stringify({ file, name: pluginName(file) })});`,
    ].join("\n");
}

/** The plugin's name unless the step says another: the file's, in kebab-case. */
function pluginName(file) {
    const stem = basename(file, extname(file)).replace(/([a-z0-9])([A-Z])/g, "$1-$2");
    const name = stem.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
    if (name.length >= 1 && name.length <= 64) return name;
    throw new BuildError(`${file}: expected a file name of 1 to 64 letters, digits and \`_\`, got \`${name}\``);
}

/** `{text, lines, used, imports, config}`: the module, whence its lines are, its files, and what it asks of the host. */
async function bundled(at, contents) {
    const root = dirname(at.step);
    const globals = ["console", "chance", "clock"].map((name) => join(at.sdk, "src", "globals", `${name}.js`));
    const result = await at.esbuild.build({
        stdin: { contents, resolveDir: root, sourcefile: "entry.js" },
        absWorkingDir: root,
        bundle: true,
        define: { "Math.random": "stepwellRandom" },
        format: "esm",
        inject: globals,
        loader: { ".json": "json", ".txt": "text" },
        logLevel: "silent",
        metafile: true,
        outdir: root,
        platform: "neutral",
        plugins: [modules(at, root)],
        sourcemap: "external",
        target: "es2023",
        treeShaking: true,
        tsconfigRaw: {},
        write: false,
    }).catch((error) => {
        throw new BuildError(error.errors?.map(shown).join("; ") ?? error.message);
    });
    const text = result.outputFiles.find(({ path }) => path.endsWith(".js")).text;
    const map = JSON.parse(result.outputFiles.find(({ path }) => path.endsWith(".map")).text);
    const output = Object.values(result.metafile.outputs).find(({ entryPoint }) => entryPoint);
    const used = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
    const lines = sourceLines(map, root, at.sdk);
    return {
        text: `${text}globalThis.stepwellLines = ${JSON.stringify(lines)};\n`,
        lines,
        used: new Set(used.map(([path]) => resolve(root, path))),
        ...asked(text),
    };
}

function shown({ text, location }) {
    const [, file] = /^No matching export in "(.*)" for import "default"$/.exec(text) ?? [];
    if (file) return `${file}: expected \`export default\` of one role of \`stepwell\`, got none`;
    return location ? `${location.file}, line ${location.line}: ${text}` : text;
}

/** Where modules are found: `stepwell` in the SDK, the host's behind it, all others beneath the step's own folder. */
function modules(at, root) {
    const within = (folder, path) => realpathSync(path).startsWith(folder + sep);
    const setup = (build) => {
        build.onResolve({ filter: /^stepwell(\/tensor)?$/ }, ({ path }) => {
            const name = path === "stepwell" ? "index" : "tensor";
            return { path: join(at.sdk, "src", `${name}.js`), sideEffects: false };
        });
        build.onResolve({ filter: /\/host\/\w+\.js$/ }, ({ path, importer }) => {
            const name = basename(path, ".js");
            if (!within(at.sdk, importer)) return undefined;
            return { path: `stepwell:${INTERFACES[name]}/${name}@${CONTRACT}`, external: true, sideEffects: false };
        });
        build.onLoad({ filter: /.*/, namespace: "file" }, ({ path }) => {
            if (within(at.sdk, path) || within(root, path)) return withoutMap(path);
            const text = `expected modules beneath the step's folder, got ${relative(root, path)}`;
            return { errors: [{ text }] };
        });
    };
    return { name: "stepwell", setup };
}

/**
 * The module with no comment that names a map of its own, or nothing if it has none. esbuild would read whatever file is
 * named there; and lines are told of the file that lies here.
 */
function withoutMap(path) {
    const text = readFileSync(path, "utf8");
    const comment = /(?<=\/[/*][#@] )sourceMappingURL=/g;
    return comment.test(text) ? { contents: text.replace(comment, "sourceMappingURL "), loader: "default" } : undefined;
}

/** What a bundle imports: interfaces, and functions of `config`. */
function asked(text) {
    const imports = new Set();
    const config = new Set();
    for (const [, names, name] of text.matchAll(/^import (.*) from "stepwell:\w+\/(\w+)@[\d.]+";$/gm)) {
        imports.add(name);
        if (name === "config") names.replace(/[{}]/g, "").split(",").forEach((each) => config.add(each.trim().split(" as ")[0]));
    }
    return { imports, config };
}

/** The contract, and the world of exactly what the bundle imports and exports. */
function stageContract(stage, wit, { imports, config }, exports) {
    for (const name of PACKAGES) {
        const folder = join(stage, "wit", "deps", name);
        mkdirSync(folder, { recursive: true });
        const from = join(wit, `${name}@${CONTRACT}`);
        for (const file of readdirSync(from)) {
            const text = readFileSync(join(from, file), "utf8");
            writeFileSync(join(folder, file), name === "platform" ? trimmed(text, config) : text);
        }
    }
    const lines = [...imports].sort().map((name) => `import stepwell:${INTERFACES[name]}/${name}@${CONTRACT};`);
    lines.push(...["description", ...exports].map((name) => `export stepwell:step/${name}@${CONTRACT};`));
    const world = `package stepwell:generated;\n\nworld plugin {\n    ${lines.join("\n    ")}\n}\n`;
    writeFileSync(join(stage, "wit", "plugin.wit"), world);
}

/**
 * The package `platform` with only these functions in its interface `config`. A result depends on the seed or on the
 * logical time only if the component can ask for them, and the cache takes the import for that.
 */
function trimmed(platform, kept) {
    const opening = platform.indexOf("interface config {");
    const closing = platform.indexOf("\n}", opening);
    const one = /(?:\n    \/\/\/[^\n]*)*\n    @since[^\n]*\n    ([a-z-]+): func\([^\n]*\n?/g;
    const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
    const body = platform.slice(opening, closing).replace(one, (text, name) => (kept.has(camel(name)) ? text : ""));
    return platform.slice(0, opening) + body + platform.slice(closing);
}

async function componentized({ componentize }, stage, { text, lines }, file) {
    const witPath = join(stage, "wit");
    try {
        // Without a path of its own the module finds no file that it could import while it is made.
        const options = { witPath, jsSource: text, world: "plugin", stubWasi: true, sync: true, optSize: true };
        return (await componentize(options)).component;
    } catch (error) {
        throw new BuildError(failure(error.message, lines, file));
    }
}

/** One line of what the tool said: the step's own error with its place if it is that, else all of it. */
function failure(said, lines, file) {
    const [, host] = /unknown import: `stepwell:([^`]*)` has not been defined/.exec(said) ?? [];
    if (host) return `${file}: expected no call of the host while the file is built, got ${host}; call it in the step`;
    const [, own] = /module evaluation: (?:Error: )?([^\n]*)/.exec(said) ?? [];
    if (!own) return `${file}: ${said.trim().replace(/\s*\n\s*/g, " | ")}`;
    if (own.startsWith(`${file}: `)) return own;
    const place = [...said.matchAll(/user\.js:(\d+)/g)].map(([, line]) => lines[line]).find(Boolean) ?? file;
    return `${place}: expected the file to run while it is built, got ${own}`;
}

function fail(error) {
    process.stderr.write(`error: ${error instanceof BuildError ? error.message : error.stack}\n`);
    process.exit(1);
}

const late = new BuildError(`expected the file to run within ${RUN_MS_MAX / 1000} s while it is built, got no end`);
setTimeout(fail, RUN_MS_MAX, late).unref();
main().catch(fail);
