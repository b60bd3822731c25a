//! Verdicts that nothing takes.

use crate::fake;
use crate::refused::DATA;

const STEPS: &str = "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\n\
    [steps.p]\nbuiltin = \"predict\"\ninputs = { rows = \"data.table\", model = \"m.model\" }\n\
    [steps.v]\nplugin = \"classification\"\ninputs.candidate = \"p.table\"\n\
    [steps.g]\nbuiltin = \"gate\"\ninputs.measures = \"v.measures\"\nrequire = [{ measure = \"auc\", at_least = 0 }]\n\
    [steps.e]\nbuiltin = \"examine\"\ninputs = { model = \"m.model\", rows = \"data.table\" }\n";

#[track_caller]
fn told(steps: &str, expected: &[&str]) {
    let project = fake::project(&format!("{DATA}{STEPS}{steps}"));
    let pipeline = project.pipelines.values().next().unwrap();
    let told: Vec<_> = plan::unheeded(pipeline).iter().map(fake::line).collect();
    assert_eq!(told, expected);
}

fn register(rest: &str) -> String {
    format!("[steps.r]\nbuiltin = \"register\"\nname = \"churn\"\n{rest}")
}

#[test]
fn a_verdict_that_nothing_takes_is_told_of_where_a_model_is_registered() {
    let gate = "15:11: nothing takes `g.verdict`: step `r` registers whatever it says; \
                add `verdict = \"g.verdict\"` to the inputs of `r`";
    let examined = "19:11: nothing takes `e.verdict`: step `r` registers whatever it says; \
                    add `examined = \"e.verdict\"` to the inputs of `r`";
    told(&register("inputs.model = \"m.model\"\n"), &[gate, examined]);
    told(&register("inputs = { model = \"m.model\", verdict = \"g.verdict\" }\n"), &[examined]);
    let waits = "inputs = { model = \"m.model\", verdict = \"g.verdict\" }\nwhen = [{ verdict = \"e.verdict\" }]\n";
    told(&register(waits), &[]);
    // It ends the run as rejected.
    told("", &[]);
    let second = "[steps.h]\nbuiltin = \"gate\"\ninputs.measures = \"v.measures\"\nrequire = [{ measure = \"auc\", at_least = 0 }]\n";
    let both = "inputs = { model = \"m.model\", verdict = \"g.verdict\", examined = \"e.verdict\" }\n";
    let of_second = "26:11: nothing takes `h.verdict`: step `r` registers whatever it says; \
                     add `when = [{ verdict = \"h.verdict\" }]` to `r`";
    told(&format!("{}{second}", register(both)), &[of_second]);
}
