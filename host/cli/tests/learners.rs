//! First-party learners in the sandbox, on the real rows of examples/tumour: the figures are scikit-learn's, a repeat gives the
//! same bits, and what cannot be learnt from is refused by name.
//!
//! The figures are of all 569 rows, standardized (S; `area` is its column mean_area, F the others), by scikit-learn 1.9.1; the
//! line of Python stands with each.

mod harness;

use harness::stepwell;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

const ROWS: &str = r#"
[steps.patients]
plugin = "csv"
params = { path = "data/tumour.csv" }
grants = { files = ["data"] }

[steps.scaled]
plugin = "standardize"
fit = "patients.table"
inputs = { rows = "patients.table" }
params = { except = ["sample"] }
"#;

/// A project with this pipeline and these rows.
fn project(pipeline: &str, rows: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write("stepwell.toml", b"name = \"learners\"\n");
    write("pipelines/main.toml", pipeline.as_bytes());
    write("data/tumour.csv", rows);
    folder
}

/// A project of these steps on the rows of the example, run once.
fn ran(steps: &str) -> TempDir {
    let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tumour/data/tumour.csv");
    let project = project(&format!("{ROWS}{steps}"), &std::fs::read(rows).unwrap());
    stepwell(project.path(), &["run"]).expect("run", 0, &[]);
    project
}

fn shown(project: &TempDir) -> Value {
    stepwell(project.path(), &["runs", "show", "1", "--json"]).json()
}

/// A step that trains on all rows.
fn step(name: &str, plugin: &str, label: &str, params: &str) -> String {
    let label = if label.is_empty() { String::new() } else { format!("label = \"{label}\"\n") };
    let rows = "inputs = { train = \"scaled.rows\" }\nignore = [\"sample\"]";
    format!("[steps.{name}]\nplugin = \"{plugin}\"\n{label}{rows}\nparams = {params}\n")
}

/// What a step of run 1 gave on a port.
fn gave<'a>(run: &'a Value, step: &str, port: &str) -> &'a Value {
    let found = run["steps"].as_array().unwrap().iter().find(|shown| shown["step"] == step);
    &found.unwrap_or_else(|| panic!("no step `{step}`"))["outputs"][port]
}

#[track_caller]
fn assert_measures(run: &Value, step: &str, expected: &[(&str, f64)], tolerance: f64) {
    let measures = gave(run, step, "model")["measures"].as_array().unwrap();
    for (name, expected) in expected {
        let found = measures.iter().find(|measure| measure["name"] == *name);
        let got = found.unwrap_or_else(|| panic!("{step}: no `{name}` in {measures:?}"))["value"].as_f64().unwrap();
        assert!((got - expected).abs() <= tolerance * expected.abs(), "{step} {name}: {got}, not {expected}");
    }
}

#[test]
fn linear_and_logistic_regressions_are_scikit_learns() {
    let judged = |name: &str, params: &str| {
        let trained = step(name, "logistic", "diagnosis", params);
        trained.replace("{ train = \"scaled.rows\" }", "{ train = \"scaled.rows\", validation = \"scaled.rows\" }")
    };
    let steps = [
        step("ols", "linear", "mean_area", "{}"),
        step("ridge", "linear", "mean_area", "{ l2 = 10 }"),
        step("elastic", "linear", "mean_area", "{ l1 = 30, l2 = 30 }"),
        judged("l2", "{}"),
        judged("mixed", "{ l1 = 1, l2 = 1 }"),
    ];
    let run = shown(&ran(&steps.concat()));
    // LinearRegression().fit(F, area), Ridge(alpha=10), ElasticNet(alpha=60/569, l1_ratio=.5, tol=1e-14, max_iter=10**6);
    // sqrt(((m.predict(F) - area) ** 2).mean()), (m.coef_ != 0).sum()
    assert_measures(&run, "ols", &[("rmse", 0.05361497493825709), ("nonzero_coefficients", 29.0)], 1e-9);
    assert_measures(&run, "ridge", &[("rmse", 0.08635963572393278), ("nonzero_coefficients", 29.0)], 1e-9);
    assert_measures(&run, "elastic", &[("rmse", 0.13706733403828644), ("nonzero_coefficients", 6.0)], 1e-6);
    // m = LogisticRegression(C=1, tol=1e-10, max_iter=10000).fit(S, y); log_loss(y, m.predict_proba(S))
    assert_measures(&run, "l2", &[("validation_loss", 0.05339185780973564)], 1e-6);
    // LogisticRegression(C=.5, l1_ratio=.5, solver="saga", tol=1e-9, max_iter=100000)
    assert_measures(&run, "mixed", &[("validation_loss", 0.06226652907531283)], 1e-6);
}

#[test]
fn clusters_and_components_are_scikit_learns() {
    let components = "[steps.parts]\nplugin = \"pca\"\nfit = \"scaled.rows\"\ninputs = { rows = \"scaled.rows\" }\n\
                      params = { components = 3, replace = true }\n";
    let project = ran(&(step("clusters", "kmeans", "", "{ clusters = 3 }") + components));
    let run = shown(&project);
    // KMeans(3, n_init=10, random_state=0).fit(S).inertia_
    assert_measures(&run, "clusters", &[("inertia", 10061.797818243695)], 0.01);
    let rows = stepwell(project.path(), &["runs", "rows", "1", "parts.rows", "--json"]).json();
    let first = &rows["rows"][0];
    // PCA(3).fit(S).transform(S)[0]
    for (name, expected) in [("pc1", 9.19283682621325), ("pc2", 1.9485830707786123), ("pc3", -1.1231661649251463)] {
        let got = first[name].as_f64().unwrap_or_else(|| panic!("no number `{name}` in {first}"));
        assert!((got - expected).abs() < 1e-9, "{name}: {got}, not {expected}");
    }
}

#[test]
fn a_repeat_gives_the_same_bits() {
    let network = "{ hidden = [16, 16], dropout = 0.2, epochs = 20, objective = \"binary\", learning_rate = 0.01 }";
    let twice = |plugin: &str, label: &str, params: &str| {
        ["1", "2"].map(|end| step(&format!("{plugin}-{end}"), plugin, label, params) + "seed = 5\n").concat()
    };
    let steps = [
        twice("mlp", "diagnosis", network),
        twice("kmeans", "", "{ clusters = 4, starts = 2 }"),
        twice("logistic", "diagnosis", "{}"),
        twice("linear", "mean_area", "{ l1 = 1 }"),
        step("another", "mlp", "diagnosis", network) + "seed = 6\n",
    ];
    let run = shown(&ran(&steps.concat()));
    for plugin in ["mlp", "kmeans", "logistic", "linear"] {
        let [one, two] = ["1", "2"].map(|end| gave(&run, &format!("{plugin}-{end}"), "model"));
        assert_eq!(one["files"], two["files"], "{plugin}");
    }
    assert_ne!(gave(&run, "mlp-1", "model")["files"], gave(&run, "another", "model")["files"]);
    let measures = gave(&run, "mlp-1", "model")["measures"].as_array().unwrap();
    let loss = measures.iter().find(|measure| measure["name"] == "final_loss").unwrap()["value"].as_f64().unwrap();
    assert!(loss < 0.15, "{loss}");
}

/// Names a model to start from.
fn from(initial: &str, step: String) -> String {
    step.replace(
        "{ train = \"scaled.rows\" }",
        &format!("{{ train = \"scaled.rows\", initial = \"{initial}.model\" }}"),
    )
}

#[test]
fn a_learner_goes_on_from_an_older_model() {
    let network = "{ hidden = [8], epochs = 10, learning_rate = 0.01 }";
    let steps = [
        step("logistic", "logistic", "diagnosis", "{}"),
        from("logistic", step("logistic-on", "logistic", "diagnosis", "{}")),
        step("clusters", "kmeans", "", "{ clusters = 3 }"),
        from("clusters", step("clusters-on", "kmeans", "", "{ clusters = 3 }")),
        step("network", "mlp", "diagnosis", network),
        from("network", step("network-on", "mlp", "diagnosis", network)),
        step("trees", "gbdt", "diagnosis", "{ trees = 5 }"),
        from("trees", step("trees-on", "gbdt", "diagnosis", "{ trees = 5 }")),
        step("trees-at-once", "gbdt", "diagnosis", "{ trees = 10 }"),
    ];
    let run = shown(&ran(&steps.concat()));
    let measure = |step: &str, name: &str| {
        let measures = gave(&run, step, "model")["measures"].as_array().unwrap();
        measures.iter().find(|measure| measure["name"] == name).unwrap()["value"].as_f64().unwrap()
    };
    assert!(measure("logistic", "iterations") > 5.0);
    assert!(measure("logistic-on", "iterations") <= 1.0, "it began at the minimum");
    assert!(measure("clusters-on", "iterations") <= 2.0, "it began at the centres");
    assert!(measure("network-on", "final_loss") < 0.8 * measure("network", "final_loss"));
    let (on, at_once) = (measure("trees-on", "final_loss"), measure("trees-at-once", "final_loss"));
    assert!((on - at_once).abs() < 1e-6 * at_once, "five trees and five more, {on}, are ten, {at_once}");
}

#[test]
fn what_a_learner_cannot_go_on_from_is_told_by_check() {
    let model = step("model", "kmeans", "", "{ clusters = 3 }");
    for (plugin, fragments) in [
        ("logistic", ["`model.model`, a model of another plugin, `kmeans`", "a model of its own"]),
        ("linear", ["step `next` has no port `initial`", "plugin `linear` takes `train`"]),
    ] {
        let label = if plugin == "linear" { "mean_area" } else { "diagnosis" };
        let steps = model.clone() + &from("model", step("next", plugin, label, "{}"));
        let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tumour/data/tumour.csv");
        let project = project(&format!("{ROWS}{steps}"), &std::fs::read(rows).unwrap());
        stepwell(project.path(), &["check"]).expect(plugin, 2, &fragments);
    }
}

#[test]
fn a_learner_without_its_label_is_told_by_check() {
    let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tumour/data/tumour.csv");
    let rows = std::fs::read(rows).unwrap();
    for plugin in ["linear", "logistic", "gbdt", "mlp", "dummy"] {
        let project = project(&format!("{ROWS}{}", step("model", plugin, "", "{}")), &rows);
        let fragments = [&format!("step `model` lacks `label`: plugin `{plugin}`"), "label = "];
        stepwell(project.path(), &["check"]).expect(plugin, 2, &fragments);
    }
}

#[test]
fn what_cannot_be_learnt_from_is_refused_by_name() {
    let lacking = b"size,kind,grade,price\n1.5,a,x,2.0\n,b,y,3.5\n2.5,a,z,1.0\n";
    let refused = |params: &str, fragments: &[&str]| {
        let rows = "[steps.patients]\nplugin = \"csv\"\nparams = { path = \"data/tumour.csv\" }\n\
                    grants = { files = [\"data\"] }\n[steps.model]\ninputs = { train = \"patients.table\" }\n";
        let project = project(&format!("{rows}{params}\n"), lacking);
        let said = stepwell(project.path(), &["run"]);
        assert!(matches!(said.code, Some(2 | 3)), "{said:?}");
        said.expect(params, said.code.unwrap(), fragments);
    };
    let null = ["size", "fill or drop"];
    refused("plugin = \"linear\"\nlabel = \"price\"", &null);
    refused("plugin = \"mlp\"\nlabel = \"price\"", &null);
    refused("plugin = \"kmeans\"\nparams = { clusters = 2 }", &null);
    refused("plugin = \"linear\"\nlabel = \"price\"\nfeatures = [\"kind\"]", &["kind", "numeric feature"]);
    refused("plugin = \"logistic\"\nlabel = \"grade\"\nfeatures = [\"price\"]", &["grade", "multiclass"]);
    refused("plugin = \"kmeans\"\nlabel = \"price\"\nparams = { clusters = 2 }", &["label", "ignore"]);
    let clusters = "plugin = \"kmeans\"\nfeatures = [\"price\"]\nparams = { clusters = 4 }";
    refused(clusters, &["clusters", "distinct rows, 3"]);
    refused("plugin = \"mlp\"\nlabel = \"kind\"\nparams = { early_stopping = 3 }", &["early_stopping", "validation"]);
}

/// Eight rows: `x`, `y` and `label` of a size to learn from, `huge` far beyond what can be squared.
const UNEVEN: &[u8] = b"x,y,huge,label\n1,5,1e200,1.5\n2,3,-1e200,2.5\n3,8,2e200,3\n4,1,-3e200,4.5\n5,2,1e200,5\n\
                        6,7,4e200,6.5\n7,4,-2e200,7\n8,6,5e200,8\n";

/// Says why a run of these steps behind the table `rows.table` fails.
#[track_caller]
fn fails(rows: &[u8], steps: &str, fragments: &[&str]) {
    let collect =
        "[steps.rows]\nplugin = \"csv\"\nparams = { path = \"data/tumour.csv\" }\ngrants = { files = [\"data\"] }\n";
    let project = project(&format!("{collect}{steps}"), rows);
    stepwell(project.path(), &["run"]).expect(steps, 3, fragments);
}

#[test]
fn what_outgrows_its_type_in_training_is_told() {
    let learner = |plugin: &str, keys: &str| {
        format!("[steps.model]\nplugin = \"{plugin}\"\ninputs = {{ train = \"rows.table\" }}\n{keys}\n")
    };
    let huge = &["huge", "standardize"];
    let label = "features = [\"x\", \"huge\"]\nlabel = \"label\"";
    fails(UNEVEN, &learner("linear", label), huge);
    fails(UNEVEN, &learner("mlp", label), huge);
    fails(UNEVEN, &learner("kmeans", "features = [\"x\", \"huge\"]\nparams = { clusters = 2 }"), huge);
    let pca = "[steps.parts]\nplugin = \"pca\"\nfit = \"rows.table\"\ninputs = { rows = \"rows.table\" }\n";
    fails(UNEVEN, pca, huge);
    let trees = "features = [\"x\"]\nlabel = \"huge\"\nparams = { trees = 3, min_child_samples = 1 }";
    fails(UNEVEN, &learner("gbdt", trees), &["the loss of the label `huge` before the first tree", "standardize"]);
    let large = String::from_utf8_lossy(UNEVEN).replace("e200", "e120");
    fails(large.as_bytes(), &learner("gbdt", trees), &["huge", "within 1e100 of its predictions"]);
    let steep =
        "features = [\"x\", \"y\"]\nlabel = \"kind\"\nparams = { method = \"nesterov\", learning_rate = 1e300 }";
    let kinds = b"x,y,kind\n1,5,a\n2,3,b\n3,8,a\n4,1,b\n";
    fails(kinds, &learner("logistic", steep), &["learning_rate", "1e300", "lower it"]);
    // One step so long that no loss is looked at behind it.
    let network = "features = [\"x\", \"y\"]\nlabel = \"label\"\n\
                   params = { epochs = 1, optimiser = \"sgd\", learning_rate = 1e38, hidden = [4] }";
    fails(UNEVEN, &learner("mlp", network), &["model's `layer1", "standardize"]);
}

#[test]
fn what_cannot_be_scaled_is_told_with_its_column() {
    let scaled = |fit: &str| {
        let sql = |name: &str, query: &str| {
            format!(
                "[steps.{name}]\nplugin = \"sql\"\ninputs = {{ t = \"rows.table\" }}\nparams = {{ query = \"{query}\" }}\n"
            )
        };
        let narrow = sql("narrow", "select x * 1e-10 as size from t");
        let none = sql("none", "select x * 1e-10 as size from t where x > 100");
        let far = sql("far", "select case when x = 3 then 1e308 else x end as size from t");
        format!(
            "{narrow}{none}{far}[steps.scaled]\nplugin = \"standardize\"\nfit = \"{fit}.table\"\ninputs = {{ rows = \"far.table\" }}\n"
        )
    };
    fails(UNEVEN, &scaled("narrow"), &["size", "got 1e308", "divide the column"]);
    fails(UNEVEN, &scaled("none"), &["size", "expected rows to learn from, got none"]);
}

#[test]
fn a_prediction_that_outgrows_its_type_is_told_with_its_row() {
    let judged = "[steps.few]\nplugin = \"sql\"\ninputs = { t = \"rows.table\" }\n\
                  params = { query = \"select cast(x as double) as x, cast(y as double) as y, 10 * label as label from t\" }\n\
                  [steps.far]\nplugin = \"sql\"\ninputs = { t = \"rows.table\" }\n\
                  params = { query = \"select cast(case when x = 3 then 1.7e308 else x end as double) as x, cast(y as double) as y from t order by label\" }\n\
                  [steps.answers]\nbuiltin = \"predict\"\ninputs = { model = \"model.model\", rows = \"far.table\" }\n";
    let model = |plugin: &str, keys: &str| {
        format!("{judged}[steps.model]\nplugin = \"{plugin}\"\ninputs = {{ train = \"few.table\" }}\n{keys}\n")
    };
    let told = |what: &str| [what.to_owned() + " of row 2", "standardize".to_owned()];
    for (plugin, keys, what) in [
        ("linear", "features = [\"x\", \"y\"]\nlabel = \"label\"\nparams = { l2 = 5 }", "the prediction"),
        ("kmeans", "features = [\"x\", \"y\"]\nparams = { clusters = 2 }", "the distance to the nearest centre"),
    ] {
        let told = told(what);
        fails(UNEVEN, &model(plugin, keys), &told.each_ref().map(String::as_str));
    }
}
