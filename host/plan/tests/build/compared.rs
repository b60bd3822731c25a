//! Gates that compare with a registered version, and slices that cross.

use crate::fake;
use crate::refused::with_data;

use expect_test::expect;
use plan::{Baseline, Work};
use types::Id;

const MODEL: &str = "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\n\
    [steps.p]\nbuiltin = \"predict\"\ninputs = { rows = \"data.table\", model = \"m.model\" }\n\
    [steps.c]\nbuiltin = \"predict\"\ninputs.rows = \"data.table\"\nmodel = \"spam\"\nalias = \"champion\"\n";

#[test]
fn a_gate_knows_the_version_that_its_measures_compare_with() {
    let plan = fake::build(&format!(
        "{}{MODEL}[steps.e]\nplugin = \"classification\"\ninputs = {{ candidate = \"p.table\", baseline = \"c.table\" }}\n\
         slices = [\"city\", \"city x y\"]\n\
         [steps.g]\nbuiltin = \"gate\"\ninputs.measures = \"e.measures\"\n\
         require = [{{ measure = \"auc\", not_worse_by = 0.1, slices = [\"city x y\"] }}]\non_no_baseline = \"fail\"\n",
        crate::refused::DATA
    ))
    .unwrap();
    let work = |name: &str| &plan.step(&Id::parse(name).unwrap()).unwrap().work;
    let Work::Gate { baseline, leniency, .. } = work("g") else { panic!("no gate") };
    let (step, model) = (Id::parse("c").unwrap(), Id::parse("spam").unwrap());
    assert_eq!(*baseline, Some(Baseline { step, model, alias: "champion".to_owned() }));
    assert_eq!((leniency.inconclusive, leniency.no_baseline), (false, false));
    assert!(matches!(work("c"), Work::PredictWith { chosen: None, .. }));
}

/// It answers about all of them at once.
#[test]
fn a_registered_version_takes_the_rows_of_all_items() {
    let plan = fake::build(&format!(
        "{}[steps.k]\nplugin = \"clip\"\ninputs.table = \"data.table\"\neach = {{ rows = \"table\", by = \"city\" }}\n\
         [steps.c]\nbuiltin = \"predict\"\ninputs.rows = \"k.table\"\nmodel = \"spam\"\nalias = \"champion\"\n",
        crate::refused::DATA
    ))
    .unwrap();
    let step = plan.step(&Id::parse("c").unwrap()).unwrap();
    assert!(matches!(step.work, Work::PredictWith { .. }) && step.each.is_none());
}

#[test]
fn what_no_run_could_judge_is_refused() {
    with_data(
        &format!(
            "{MODEL}[steps.e]\nplugin = \"classification\"\ninputs.candidate = \"p.table\"\nslices = [\"city x town\", \"b\"]\n"
        ),
        expect![[r#"
            19:11: step `e` wants column `town`; `p.table` has no such column
                hint: it has `id`, `a`, `b`, `city`, `y`, `prediction`, `probability`
        "#]],
    );
    with_data(
        &format!(
            "{MODEL}[steps.e]\nplugin = \"classification\"\ninputs.candidate = \"p.table\"\nslices = [\"city x y\", \"city x y x city\"]\n"
        ),
        expect![[r#"
            19:23: step `e` crosses column `city` with itself in the slice `city x y x city`
                hint: write `city` for its own slices, or cross it with another column
        "#]],
    );
    with_data(
        &format!(
            "{MODEL}[steps.e]\nplugin = \"classification\"\ninputs.candidate = \"p.table\"\nslices = [\"city\"]\n\
             [steps.g]\nbuiltin = \"gate\"\ninputs.measures = \"e.measures\"\n\
             require = [{{ measure = \"auc\", better_by = 0, slices = [\"citty\"] }}]\n"
        ),
        expect![[r#"
            23:11: step `g` compares with a baseline, and step `e` has none
                hint: give `e` an input `baseline`, such as the table of a step with `builtin = "predict"`, `model` and `alias`
            23:11: step `g` asks for slices of `citty`, which step `e` does not measure
                hint: did you mean `city`?
        "#]],
    );
}
