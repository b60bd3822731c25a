//! Steps in JavaScript and TypeScript: built by `toolchain`, run by `stepwell`, and what a builder says of a step that does
//! not build. Needs the npm registry once, for the tools.

mod harness;

use harness::cache::users;
use harness::{Project, stepwell};
use std::path::{Path, PathBuf};
use toolchain::Tools;
use types::Fault;

fn build(source: &Path, to: &Path) -> Result<PathBuf, Fault> {
    toolchain::build(source, to, &Tools { cache: &users(), notes: &|_| () })
}

fn sdk(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/js").join(file)
}

const PIPELINE: &str = r#"
[steps.bodies]
plugin = "csv"
params = { path = "data/bodies.csv" }
grants = { files = ["data"] }
"#;

#[test]
fn a_step_logs_draws_and_fails_with_its_own_line() {
    let project = Project::new();
    project.write("data/bodies.csv", "name,a\nx,1.5\ny,\n");
    project.write(
        "step.ts",
        r#"import { rowWise } from "stepwell";
import { twice } from "./more.js";

export default rowWise({ reads: { a: "float64?" }, adds: { b: "float64?" } }, ({ a }, { rows }) => {
    console.log("chance", Math.random(), rows.length, { odd: [1n] });
    const b: (number | null)[] = a.map((value: number) => twice(value));
    return { b: (b as any).missing.length };
});
"#,
    );
    project.write("more.js", "export const twice = (value) => 2 * value;\n");
    build(&project.path("step.ts"), &project.path("step.wasm")).unwrap();
    let step = "[steps.tried]\nplugin = \"./step.wasm\"\ninputs = { rows = \"bodies.table\" }\nseed = 7\n";
    project.write("pipelines/train.toml", PIPELINE.to_owned() + step);
    let said = project.stepwell(&["run"]);
    said.expect("run", 3, &["TypeError: cannot read property 'length' of undefined (step.ts, line 7)"]);
    let logs = project.stepwell(&["runs", "logs", "1"]);
    // The first number that SplitMix64 gives of the seed.
    logs.expect("logs", 0, &["chance 0.3898297483912715 2 {\"odd\":[1]}"]);
}

const OUT: &str = r#"
import { createFile, Denied, fetch, listFiles, secret, sink } from "stepwell";

export default sink({
    takes: { table: { a: "float64?" }, report: {} },
    deliver(key, { table, report }) {
        if (report) return { location: `${key}: ${report[0].check}` };
        try {
            fetch("https://example.com/rows", { method: "POST", headers: { authorization: "x" }, body: key });
        } catch (error) {
            if (!(error instanceof Denied)) throw error;
        }
        const rows = createFile("out/rows.txt", (out) => {
            for (const value of table.column("a")) out.write(`${value}\n`);
            return table.length;
        });
        return { location: `out/rows.txt: ${rows} rows beside ${listFiles("out").filter((name) => name !== "rows.txt")}`, repeated: secret === undefined };
    },
});
"#;

#[test]
fn a_sink_writes_where_it_may_and_is_denied_elsewhere() {
    let project = Project::new();
    project.write("data/bodies.csv", "name,a\nx,1.5\ny,\n");
    project.write("out/.keep", "");
    project.write("out/older.txt", "");
    project.write("out.js", OUT);
    build(&project.path("out.js"), &project.path("out.wasm")).unwrap();
    let grants = "grants = { files = [{ path = \"out\", write = true }] }";
    let step = format!("[steps.out]\nplugin = \"./out.wasm\"\ninputs = {{ table = \"bodies.table\" }}\n{grants}\n");
    project.write("pipelines/train.toml", PIPELINE.to_owned() + &step);
    project.stepwell(&["run"]).expect("run", 0, &["succeeded", "out/rows.txt: 2 rows beside older.txt"]);
    assert_eq!(project.read("out/rows.txt"), "1.5\nnull\n");
    project.edit("pipelines/train.toml", grants, "");
    project.stepwell(&["run"]).expect("no grant", 3, &["out/rows.txt", "write = true"]);
}

const LINEAR: &str = r#"
import { decodeText, encodeText, learner, tidy } from "stepwell";
import { full, sgd, tensor, Variable } from "stepwell/tensor";

export default learner({
    gives: { answer: "float64" },
    train({ train, features, label }) {
        const [x, y] = [tensor(train, features, "float64"), tensor(train, [label], "float64")];
        const weights = new Variable("weights", full([features.length, 1], 0, "float64"));
        const optimiser = sgd([weights]);
        const epoch = () => {
            const loss = x.matmul(weights.value()).sub(y).square().mean();
            optimiser.step(loss, 0.1);
            return loss.item();
        };
        let loss = 0;
        for (let epochs = 0; epochs < 3000; epochs++) loss = tidy(epoch);
        const model = { features, weights: [...weights.value().values()] };
        const files = { "model.json": encodeText(JSON.stringify(model)) };
        return { files, inputs: train.select(features).types, outputs: { answer: "float64" }, measures: { loss } };
    },
    load(files) {
        const { features, weights } = JSON.parse(decodeText(files["model.json"]));
        return { features, weights: tensor(weights, [features.length, 1], "float64") };
    },
    predict({ features, weights }, rows) {
        return tensor(rows, features, "float64").matmul(weights).toTable(["answer"]);
    },
});
"#;

#[test]
fn a_learner_computes_in_the_host_and_holds_few_handles() {
    let project = Project::new();
    project.write("data/bodies.csv", "a,b,y\n1.5,0.5,2.5\n0.5,1.5,-0.5\n1.25,1.5,1.0\n-1.5,0.75,-3.75\n");
    project.write("linear.js", LINEAR);
    build(&project.path("linear.js"), &project.path("linear.wasm")).unwrap();
    let steps = "[steps.model]\nplugin = \"./linear.wasm\"\ninputs = { train = \"bodies.table\" }\nlabel = \"y\"\n\
                 [steps.predicted]\nbuiltin = \"predict\"\n\
                 inputs = { rows = \"bodies.table\", model = \"model.model\" }\n";
    project.write("pipelines/train.toml", PIPELINE.to_owned() + steps);
    project.stepwell(&["run"]).expect("run", 0, &["succeeded"]);
    for row in project.rows(1, "predicted.table") {
        let value = |name: &str| row[name].as_f64().unwrap();
        // y = 2 a - b, which the rows hold exactly.
        assert!((value("answer") - value("y")).abs() < 1e-6, "{row}");
    }
}

#[test]
fn a_component_asks_for_what_its_step_uses_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let asked = |body: &str| {
        let file = folder.path().join("step.js");
        let text = format!(
            "import * as all from \"stepwell\";\nimport {{ rowWise, seed, log, openFile }} from \"stepwell\";\n\
             export default rowWise({{}}, () => {{ {body} return {{}}; }});\n"
        );
        std::fs::write(&file, text).unwrap();
        let component = std::fs::read(build(&file, folder.path()).unwrap()).unwrap();
        let has = |name: &str| component.windows(name.len()).any(|bytes| bytes == name.as_bytes());
        ["stepwell:platform/report@", "stepwell:platform/files@", "stepwell:tensor/"].map(has)
    };
    assert_eq!(asked(""), [false, false, false]);
    assert_eq!(asked("log(seed());"), [true, false, false]);
    assert_eq!(asked("console.warn(openFile('x').text());"), [true, true, false]);
}

const WORLD: &str = r#"
import { collector, encodeText, now, randomBytes, variable } from "stepwell";

export default collector({
    gives: { late: "boolean", bytes: "int64" },
    read(_, { params }) {
        const bytes = BigInt(randomBytes(5000).length);
        if (params.region) variable("REGION");
        return { table: { late: [now() > new Date(1.5e12)], bytes: [bytes] }, nextCursor: encodeText("1"), more: false };
    },
    parameters: { region: { type: "boolean", default: false } },
});
"#;

#[test]
fn what_a_grant_opens_comes_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    std::fs::write(folder.path().join("world.js"), WORLD).unwrap();
    build(&folder.path().join("world.js"), &folder.path().join("world.wasm")).unwrap();
    for (fixture, recorded) in [
        ("grants = { clock = true, randomness = true }", "[true,5000]"),
        ("grants = { clock = true }", "drawing real randomness is not granted"),
        ("grants = { randomness = true }", "reading the real clock is not granted"),
        ("grants = { randomness = true }\nparams = { region = true }", "reading the variable `REGION` is not granted"),
    ] {
        std::fs::write(folder.path().join("tests/world.toml"), format!("role = \"collector\"\n{fixture}\n")).unwrap();
        stepwell(folder.path(), &["plugin", "test", "world.wasm", "--bless"]).expect(fixture, 0, &["1 passed"]);
        let text = std::fs::read_to_string(folder.path().join("tests/world.expected.json")).unwrap();
        assert!(text.contains(recorded), "{fixture}: {text}");
    }
}

#[test]
fn a_step_that_does_not_build_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("outside.js"), "export const x = 1;").unwrap();
    let plugin = folder.path().join("plugin");
    std::fs::create_dir(&plugin).unwrap();
    let import = "import { rowWise, seed, validator } from \"stepwell\";\n";
    for (text, expected) in [
        ("export default rowWise({}, () => ({ );\n", "step.js, line 2: Expected identifier but found \")\""),
        ("export default 3;\n", "step.js: expected `export default` of one role of `stepwell`, got none"),
        ("export const a = rowWise({}, () => 1);\n", "step.js: expected `export default` of one role"),
        ("export default rowWise({}, validator);\n", "of one role of `stepwell`, got row_wise and validator"),
        ("rowWise({});\nexport default 3;\n", "step.js, line 2: expected the file to run while it is built, got"),
        ("rowWise({}, seed);\nexport default {};\n", "step.js: expected `export default rowWise(..)`, got object"),
        ("export default rowWise({ version: seed() }, seed);\n", "step.js: expected no call of the host while"),
        // Not found behind Landlock, and refused where the kernel has none.
        ("import \"../outside.js\";\nexport default 3;\n", "step.js, line 2: "),
        ("import \"node:fs\";\nexport default 3;\n", "step.js, line 2: Could not resolve \"node:fs\""),
        ("await import([\"fs\"].pop());\nexport default rowWise({}, seed);\n", "step.js: expected the file to run"),
    ] {
        std::fs::write(plugin.join("step.js"), import.to_owned() + text).unwrap();
        let fault = build(&plugin, &plugin.join("step.wasm")).unwrap_err();
        assert!(fault.message.contains(expected), "{text}: {fault}");
        assert!(!fault.message.contains("build.mjs") && !plugin.join("step.wasm").exists(), "{text}: {fault}");
    }
}

#[test]
fn the_example_of_the_readme_runs() {
    let readme = std::fs::read_to_string(sdk("README.md")).unwrap();
    let code = readme.split("```js\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(code.lines().count() <= 12, "{code}");
    let project = Project::new();
    project.write("roundness.js", code);
    build(&project.path("roundness.js"), &project.path("roundness.wasm")).unwrap();
    let step = "\n[steps.round]\nplugin = \"./roundness.wasm\"\ninputs = { rows = \"parts.test\" }\n";
    project.write("pipelines/train.toml", project.read("pipelines/train.toml") + step);
    project.run();
    let rows = project.rows(1, "round.rows");
    assert!(!rows.is_empty());
    for row in rows {
        let value = |name: &str| row[name].as_f64().unwrap();
        let roundness = 4.0 * std::f64::consts::PI * value("mean_area") / value("mean_perimeter").powi(2);
        assert!((value("roundness") - roundness).abs() < 1e-12, "{row}");
    }
}

#[test]
fn every_template_builds_and_is_accepted_and_passes_its_test() {
    let (node, _) = toolchain::javascript::for_tests(&Tools { cache: &users(), notes: &|_| () }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for role in ["collector", "transformer", "fitted", "validator", "trainer", "evaluator", "sink"] {
        // The others are the same text in both languages.
        let twice = matches!(role, "fitted" | "evaluator" | "sink");
        for language in if twice { &["javascript", "typescript"][..] } else { &["javascript"] } {
            let name = format!("my-{role}-in-{language}");
            let new = stepwell(folder.path(), &["plugin", "new", "--lang", language, "--role", role, &name]);
            new.expect(&name, 0, &["next:"]);
            let descriptor = stepwell(folder.path(), &["plugin", "build", &name, "--json"]).json()["descriptor"].take();
            assert_eq!(descriptor["name"], *name);
            assert_eq!(descriptor["roles"][0], role);
            let imports = descriptor["imports"].as_array().unwrap();
            assert!(imports.iter().all(|import| import.as_str().unwrap().starts_with("stepwell:")), "{imports:?}");
            let tested = stepwell(folder.path(), &["plugin", "test", &name]);
            tested.expect(&name, 0, &["1 passed, 0 failed"]);
            assert!(!tested.err.contains("into a component"), "{name} was built a moment ago: {}", tested.err);
            // Not every Node.js that builds runs TypeScript by itself; both languages have the same test.
            if *language == "javascript" {
                let mut test = node.command(&folder.path().join(&name));
                test.args(["--import", "./.stepwell-sdk/sdk/js/register.js", "--test", "tests/test.js"]);
                let ended = test.output().unwrap();
                assert!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stdout));
            }
        }
    }
}
