//! Evaluators asked through the sandbox, `describe` and all, about rows that were predicted elsewhere.

mod support;

use serde_json::Value;
use std::fmt::Write;
use support::Project;

/// A project that measures the rows of `data/rows.csv` with a plugin and these keys of its step.
fn measured(plugin: &str, keys: &str, rows: &str) -> Project {
    let steps = format!(
        "[steps.rows]\nplugin = \"csv\"\nparams = {{ path = \"data/rows.csv\" }}\ngrants = {{ files = [\"data\"] }}\n\n\
         [steps.measured]\nplugin = \"{plugin}\"\ninputs.candidate = \"rows.table\"\n{keys}"
    );
    let project = Project::new(&steps);
    project.write("data/rows.csv", rows);
    project
}

/// A measure over all rows.
#[track_caller]
fn value(project: &Project, name: &str) -> f64 {
    let shown = project.answer(&["runs", "show", "1"]);
    let mut steps = shown["steps"].as_array().unwrap().iter();
    let step = steps.find(|step| step["step"] == "measured").unwrap();
    let measures = step["outputs"]["measures"]["measures"].as_array().unwrap();
    let found = measures.iter().find(|measure| measure["name"] == name && measure["slice"] == Value::Null);
    found.unwrap_or_else(|| panic!("no measure `{name}` in {measures:#?}"))["value"].as_f64().unwrap()
}

/// Numbers with what was predicted for them, as a middle and the ends of an interval.
fn forecasts() -> String {
    (0..40).fold("y,prediction,p10,p90\n".to_owned(), |mut rows, i| {
        writeln!(rows, "{i},{}.5,{}.5,{}.5", i, i - 4, i + 4).unwrap();
        rows
    })
}

/// A quantile is an end of an interval as a rule, and the prediction may be a quantile.
#[test]
fn one_column_may_be_read_for_two_ends() {
    for (params, name, expected) in [
        ("quantiles = { p10 = 0.1, p90 = 0.9 }, interval = { low = \"p10\", high = \"p90\" }", "coverage", 1.0),
        ("quantiles = { prediction = 0.9 }", "pinball@0.9", 0.05),
    ] {
        let project = measured("regression", &format!("params = {{ label = \"y\", {params} }}\n"), &forecasts());
        project.stepwell(&["check"]).succeeded();
        project.stepwell(&["run"]).succeeded();
        let got = value(&project, name);
        assert!((got - expected).abs() < 1e-12, "{params}: {got}");
    }
}

/// Rows with a number of their own, two classes and what is predicted of them.
fn classes(order: impl Iterator<Item = u64>) -> String {
    order.fold("sample,y,prediction,probability\n".to_owned(), |mut rows, sample| {
        let (class, said) = (["no", "yes"][usize::from(sample % 3 == 0)], ["no", "yes"][usize::from(sample % 4 == 0)]);
        writeln!(rows, "{sample},{class},{said},0.{}", 10 + sample).unwrap();
        rows
    })
}

/// The labels are equal row by row, and yet no difference of these rows would be paired.
#[test]
fn a_baseline_that_was_shuffled_within_its_classes_is_refused() {
    let steps = "inputs.baseline = \"others.table\"\nparams = { label = \"y\" }\n\n[steps.others]\nplugin = \"csv\"\n\
                 params = { path = \"data/others.csv\" }\ngrants = { files = [\"data\"] }\n";
    let project = measured("classification", steps, &classes(0..60));
    project.write("data/others.csv", classes(0..60));
    project.stepwell(&["run"]).succeeded();
    // Three further on is one of the same class.
    project.write("data/others.csv", classes((0..60).map(|sample| (sample + 3) % 60)));
    let said = project.stepwell(&["run"]);
    let expected = "in the candidate's order, got them in another: `sample` differs first, in row 0";
    assert!(!said.status.success() && said.stdout.contains(expected), "{said:#?}");
}

/// A gate knows which way is better without being told.
#[test]
fn a_gate_asks_for_f_beta() {
    let gate = "[steps.gate]\nbuiltin = \"gate\"\ninputs.measures = \"measured.measures\"\n\
                require = [{ measure = \"fbeta@2\", at_least = 0.25 }]\n";
    let keys = format!("params = {{ label = \"y\", beta = 2, resamples = 0 }}\n\n{gate}");
    let project = measured("classification", &keys, &classes(0..60));
    project.stepwell(&["check"]).succeeded();
    project.stepwell(&["run"]).succeeded();
    // Of 60 rows 20 are positive, 15 are predicted to be and 5 are both.
    assert!((value(&project, "fbeta@2") - 25.0 / 95.0).abs() < 1e-12);
}
