//! What a model has to show before it is registered: that it can learn, that it beats who knows nothing, and that it is sound where
//! it would serve. The pipelines are those of docs/evaluation.md.

mod harness;

use harness::{Project, TRAIN};
use serde_json::{Value, json};
use std::path::Path;
use toolchain::Tools;

/// Checks of a training, as the documentation has them.
const CHECKS: &str = r#"
[steps.handful]                         # a few rows, to be learnt by heart
plugin = "split"
inputs = { table = "scaled.train" }
params = { fractions = { few = 0.05, rest = 0.95 }, stratify = "diagnosis" }

[steps.by_heart]                        # the same learner
plugin = "logistic"
inputs = { train = "handful.few" }
label = "diagnosis"
ignore = ["sample"]
params = { l2 = 0.001 }

[steps.recited]
builtin = "predict"
inputs = { rows = "handful.few", model = "by_heart.model" }

[steps.recital]
plugin = "classification"
inputs = { candidate = "recited.table" }
params = { label = "diagnosis", positive = "malignant" }

[steps.overfits]
builtin = "gate"
inputs = { measures = "recital.measures" }
require = [{ measure = "accuracy", at_least = 1 }, { measure = "log_loss", at_most = 0.01 }]

[steps.dummy]                           # answers with the classes' shares, whatever it is asked
plugin = "dummy"
inputs = { train = "scaled.train" }
label = "diagnosis"

[steps.guessed]
builtin = "predict"
inputs = { rows = "scaled.test", model = "dummy.model" }

[steps.compared]
plugin = "classification"
inputs = { candidate = "predicted.table", baseline = "guessed.table" }
params = { label = "diagnosis", positive = "malignant" }

[steps.beats_dummy]
builtin = "gate"
inputs = { measures = "compared.measures" }
require = [{ measure = "log_loss", better_by = 0 }]

[steps.examined]
builtin = "examine"
inputs = { model = "model.model", rows = "parts.test", answers = "predicted.table" }
loss = "loss"
endpoint = "tumour"
"#;

/// What each learner is told so that it learns by heart, as the documentation has it.
const BY_HEART: [(&str, &str); 3] = [
    ("logistic", "{ l2 = 0.001 }"),
    ("gbdt", "{ min_child_samples = 1 }"),
    ("mlp", "{ epochs = 300, learning_rate = 0.01, weight_decay = 0 }"),
];

#[test]
fn every_learner_knows_a_handful_of_rows_by_heart() {
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/evaluation.md")).unwrap();
    let project = Project::new();
    let steps = project.read(TRAIN);
    let (recital, _) = CHECKS.split_once("[steps.dummy]").unwrap();
    for (run, (plugin, params)) in (1..).zip(BY_HEART) {
        assert!(
            documented.contains(&format!("| `{plugin}` | `params = {params}` |")),
            "{plugin} is told otherwise there"
        );
        let checks = recital.replace("plugin = \"logistic\"", &format!("plugin = \"{plugin}\""));
        project.write(TRAIN, format!("{steps}{}", checks.replace("{ l2 = 0.001 }", params)));
        project.run().expect(plugin, 0, &["overfits passed"]);
        assert_eq!(verdict(&project, run, "overfits")["outcome"], json!("pass"));
    }
}

fn verdict(project: &Project, run: u64, step: &str) -> Value {
    project.stepwell(&["runs", "verdict", &run.to_string(), "--json"]).json()[step].clone()
}

#[track_caller]
fn sentence(project: &Project, run: u64, step: &str) -> String {
    let verdict = verdict(project, run, step);
    verdict["sentence"].as_str().unwrap_or_else(|| panic!("no verdict of `{step}`: {verdict}")).to_owned()
}

#[test]
fn a_sound_model_passes_every_check_and_one_that_knows_nothing_none() {
    let project = Project::new();
    let steps = project.read(TRAIN);
    project.write(TRAIN, steps + CHECKS);
    project.edit(
        TRAIN,
        "verdict = \"gate.verdict\" }",
        "verdict = \"gate.verdict\", examined = \"examined.verdict\" }",
    );
    project.edit(TRAIN, "[steps.model]\n", "[steps.model]\nwhen = [{ verdict = \"overfits.verdict\" }]\n");
    project.stepwell(&["check"]).expect("no budget", 2, &["endpoint `tumour`, which has none", "add `budget ="]);
    let budget = "alias = \"champion\"\nbudget = { latency = \"2 s\", memory = \"2 GiB\" }";
    project.edit("stepwell.toml", "alias = \"champion\"", budget);
    let said = project.run();
    said.expect("a sound model", 0, &["overfits passed", "beats_dummy passed", "examined passed"]);
    let examined = verdict(&project, 1, "examined");
    let lines: Vec<_> =
        examined["lines"].as_array().unwrap().iter().map(|line| &line["requirement"]["measure"]).collect();
    assert_eq!(lines, ["bad_weights", "loss", "bad_answers", "other_answers", "latency_ms", "memory_mib"]);
    let says = sentence(&project, 1, "examined");
    for part in ["finite", "`loss` fell from 0.69", "142 requests are answered as recorded", "within the budget of 2 s"]
    {
        assert!(says.contains(part), "{says}");
    }
    project.stepwell(&["model", "card", "tumour", "1"]).expect("the card", 0, &["An examination passed: all"]);

    // A column that tells nothing.
    let text = project.read(TRAIN);
    assert_eq!(text.matches("ignore = [\"sample\"]").count(), 2);
    project.write(TRAIN, text.replace("ignore = [\"sample\"]", "features = [\"texture_error\"]"));
    project.edit(TRAIN, "when = [{ verdict = \"overfits.verdict\" }]\n", "");
    let said = project.stepwell(&["run"]);
    said.expect("a model that cannot learn", 4, &["overfits failed: accuracy", "run 2 rejected"]);
    assert_ne!(
        verdict(&project, 2, "beats_dummy")["outcome"],
        json!("pass"),
        "{}",
        sentence(&project, 2, "beats_dummy")
    );
    let replayed = project.stepwell(&["runs", "replay", "1"]);
    replayed.expect("a replay, which takes what a machine took then", 0, &["examined"]);
}

/// Descends by steps that are too long, and hides what came of it from whoever looks at its answers alone.
const DIVERGES: &str = r#"
import { decodeText, encodeText, learner, metric } from "stepwell";

const rows = (table, name) => [...table.column(name)].map(Number);

export default learner({
    gives: { answer: "float64" },
    train({ train, features, label }) {
        const [x, y] = [rows(train, features[0]), rows(train, label)];
        let weight = 0;
        for (let epoch = 0; epoch < 2000; epoch++) {
            const errors = x.map((value, row) => weight * value - y[row]);
            metric("loss", errors.reduce((sum, error) => sum + error * error, 0), epoch);
            weight -= 10 * errors.reduce((sum, error, row) => sum + error * x[row], 0);
        }
        const header = encodeText('{"weights":{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]}}');
        const file = new Uint8Array(8 + header.length + 16);
        const view = new DataView(file.buffer);
        view.setBigUint64(0, BigInt(header.length), true);
        file.set(header, 8);
        view.setFloat64(8 + header.length, 1.5, true);
        view.setFloat64(16 + header.length, weight, true);
        const about = encodeText(JSON.stringify({ features }));
        return { files: { "weights.safetensors": file, "model.json": about }, inputs: train.select(features).types, outputs: { answer: "float64" } };
    },
    load(files) {
        return JSON.parse(decodeText(files["model.json"]));
    },
    predict({ features }, table) {
        return { answer: new Float64Array(table.length).fill(features.length) };
    },
});
"#;

const LINE: &str = r#"
[steps.bodies]
plugin = "csv"
params = { path = "data/bodies.csv" }
grants = { files = ["data"] }

[steps.model]
plugin = "./line.wasm"
inputs = { train = "bodies.table" }
label = "y"

[steps.examined]
builtin = "examine"
inputs = { model = "model.model", rows = "bodies.table" }
loss = "loss"

[steps.registered]
builtin = "register"
inputs = { model = "model.model", examined = "examined.verdict" }
name = "line"
"#;

#[test]
fn weights_that_are_no_numbers_are_named_and_nothing_is_registered() {
    let project = Project::new();
    project.write("stepwell.toml", "name = \"line\"\n");
    project.write("data/bodies.csv", "x,y\n1.5,3\n2,4\n3.5,7\n");
    project.write("line.js", DIVERGES);
    let tools = Tools { cache: &harness::cache::users(), notes: &|_| () };
    toolchain::build(&project.path("line.js"), Path::new(&project.path("line.wasm")), &tools).unwrap();
    project.write(TRAIN, LINE);
    let first = "`weights`[0, 1] in `weights.safetensors` of step `model` is NaN";
    let said = project.stepwell(&["run"]);
    said.expect(
        "weights that diverged",
        4,
        &[first, "it was not asked anything", "the examination `examined` said no"],
    );
    said.expect("and its loss", 4, &["`loss` did not fall: 74 at first, no finite number at last"]);
    project.stepwell(&["runs", "verdict", "1"]).expect("line by line", 0, &["bad_weights", first]);
    project.stepwell(&["model", "history", "line"]).expect("nothing", 5, &["line"]);
    // The same where weights are kept as text, as those of trees.
    let kept = "\"trees.json\": encodeText('[[{\"leaf\": 1.5}], [{\"leaf\": 2}, {\"leaf\": 1e999}]]')";
    project.write("line.js", DIVERGES.replace("\"weights.safetensors\": file", kept));
    toolchain::build(&project.path("line.js"), Path::new(&project.path("line.wasm")), &tools).unwrap();
    project.stepwell(&["check", "--update-lock"]);
    let said = project.stepwell(&["run"]);
    let first = "`[1][1].leaf` in `trees.json` of step `model` is 1e999";
    said.expect("numbers beyond float64", 4, &[first, "it was not asked anything"]);
}

#[test]
fn a_model_that_is_slow_large_or_answers_otherwise_is_refused() {
    let project = Project::moody();
    // The second row takes some tenths of a second.
    project.write("data/rows.csv", "x\n1.5\n-5\n");
    let steps = "[steps.thrice]\nplugin = \"./moody.wasm\"\ninputs = { train = \"rows.table\" }\nparams = { factor = 3 }\n\
                 [steps.answers]\nbuiltin = \"predict\"\ninputs = { rows = \"rows.table\", model = \"thrice.model\" }\n\
                 [steps.examined]\nbuiltin = \"examine\"\n\
                 inputs = { model = \"model.model\", rows = \"rows.table\", answers = \"answers.table\" }\nendpoint = \"tumour\"\n";
    let text = project.read(TRAIN);
    project.write(TRAIN, text + steps);
    project.edit(
        TRAIN,
        "inputs = { model = \"model.model\" }",
        "inputs = { model = \"model.model\", examined = \"examined.verdict\" }",
    );
    let budget = "budget = { latency = \"20 ms\", memory = \"1 MiB\" }";
    project.edit("stepwell.toml", "alias = \"champion\"", &format!("alias = \"champion\"\n{budget}"));
    let said = project.stepwell(&["run"]);
    let other = "row 0: `multiplied` is 3.0 asked, 4.5 in the run, the first of 2 rows";
    said.expect("a model that is not what was measured", 4, &["examined failed", other, "beyond the budget of 20 ms"]);
    said.expect("and too large", 4, &["resident, beyond the budget of 1 MiB", "run 1 rejected"]);
    // The table of the model itself, and room.
    project.edit(TRAIN, "model = \"thrice.model\"", "model = \"model.model\"");
    project.edit("stepwell.toml", budget, "budget = { latency = \"1 min\", memory = \"2 GiB\" }");
    project.run().expect("the same model", 0, &["examined passed", "answered as recorded"]);
}
