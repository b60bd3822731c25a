//! Baselines of rows from elsewhere than the candidate's.

use crate::fake;
use crate::refused::DATA;

/// A model, rows that it did not see, and what it says of them.
const STEPS: &str = "[steps.parts]\nplugin = \"split\"\ninputs.table = \"data.table\"\n\
    [steps.scaled]\nplugin = \"standardize\"\nfit = \"parts.train\"\ninputs = { train = \"parts.train\", test = \"parts.test\" }\n\
    [steps.m]\nplugin = \"logistic\"\ninputs.train = \"scaled.train\"\nlabel = \"y\"\n\
    [steps.p]\nbuiltin = \"predict\"\ninputs = { rows = \"scaled.test\", model = \"m.model\" }\n\
    [steps.e]\nplugin = \"classification\"\ninputs = { candidate = \"p.table\", baseline = \"c.table\" }\n";

/// What is told of a champion that predicts for these rows.
#[track_caller]
fn told(more: &str, rows: &str, expected: &[&str]) {
    let champion =
        format!("[steps.c]\nbuiltin = \"predict\"\ninputs.rows = \"{rows}\"\nmodel = \"spam\"\nalias = \"champion\"\n");
    let steps = format!("{DATA}{STEPS}{champion}{more}");
    let (project, plan) = (fake::project(&steps), fake::build(&steps).unwrap());
    let told: Vec<_> = plan::unpaired(&plan, &project.pipelines[&plan.pipeline]).iter().map(fake::line).collect();
    assert_eq!(told, expected);
}

#[test]
fn rows_from_elsewhere_are_told_of() {
    let said = |rows: &str| {
        format!(
            "20:46: step `e` compares row by row, and nothing says that the rows are the same: those of `p.table` come from \
             `parts.test`, those of `c.table` from {rows}; let both predict for the same table"
        )
    };
    told("", "parts.train", &[&said("`parts.train`")]);
    told("", "scaled.train", &[&said("`parts.train`")]);
    let other = "[steps.other]\nplugin = \"csv\"\nparams.columns = \"c:float64 d:boolean\"\n";
    told(other, "other.table", &[&said("`other.table`")]);
    let joined = "[steps.joined]\nplugin = \"join\"\ninputs = { left = \"other.table\", right = \"parts.train\" }\n";
    told(&[other, joined].concat(), "joined.table", &[&said("`other.table`, `parts.train`")]);
}

/// As they came, fitted, checked or changed by a step that gives no other rows.
#[test]
fn rows_of_the_same_table_are_paired() {
    let clip = |of: &str| format!("[steps.clipped]\nplugin = \"clip\"\ninputs.table = \"{of}\"\n");
    let checked = "[steps.checked]\nplugin = \"schema\"\ninputs.table = \"parts.test\"\n";
    told("", "parts.test", &[]);
    told("", "scaled.test", &[]);
    told(checked, "checked.table", &[]);
    told(&clip("scaled.test"), "clipped.table", &[]);
    // Some of them may be the same.
    let both = "[steps.other]\nplugin = \"csv\"\nparams.columns = \"c:float64\"\n\
        [steps.joined]\nplugin = \"join\"\ninputs = { left = \"parts.test\", right = \"other.table\" }\n";
    told(&[both, &clip("joined.table")].concat(), "clipped.table", &[]);
}
