//! Conditions, retries, pools and items: that they reach the plan, and what is wrong with them.

use crate::fake;
use crate::refused::{DATA, with_data};

use expect_test::expect;
use plan::{Each, Plan, PlannedStep, Work};
use serde_json::json;
use types::{Condition, Id, Item, Pool, Retry, StepName};

const FANNED: &str = r#"
timeout = "1 h"
priority = 5
[steps.data]
plugin = "csv"
params.columns = "id:int64 a:float64 city:text y:boolean"
retry = { attempts = 7 }
[steps.parts]
plugin = "split"
inputs = { table = "data.table" }
[steps.scaled]
plugin = "standardize"
fit = "parts.train"
inputs = { train = "parts.train", test = "parts.test" }
[steps.train]
plugin = "logistic"
inputs = { train = "scaled.train" }
label = "y"
pool = "gpu"
cache = false
each = { param = "depth", values = [3, 5] }
[steps.predict]
builtin = "predict"
inputs = { rows = "scaled.test", model = "train.model" }
each = { like = "train" }
[steps.measured]
plugin = "classification"
inputs = { candidate = "predict.table" }
each = { like = "predict" }
when = [{ rows = "predict.table", at_least = 1 }]
[steps.best]
builtin = "best"
inputs = { model = "train.model", measures = "measured.measures" }
measure = "auc"
prefer = "highest"
[steps.gate]
builtin = "gate"
inputs = { measures = "best.measures" }
require = [{ measure = "auc", at_least = 0.5 }]
[steps.registered]
builtin = "register"
inputs = { model = "best.model", verdict = "gate.verdict" }
name = "m"
when = [{ text = "a", is = "a" }, { measures = "measured.measures", measure = "auc", at_least = 0.1, at_most = 1.0 }]
[steps.cities]
plugin = "split"
inputs = { table = "predict.table" }
each = { rows = "table", by = "city" }
[steps.report]
plugin = "postman"
inputs = { report = "measured.measures" }
[steps.again]
builtin = "predict"
inputs = { rows = "scaled.test", model = "best.model" }
"#;

fn planned() -> Plan {
    fake::build(FANNED).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn name(text: &str) -> StepName {
    Id::parse(text).unwrap()
}

fn step<'p>(plan: &'p Plan, text: &str) -> &'p PlannedStep {
    plan.step(&name(text)).unwrap_or_else(|| panic!("no step {text}"))
}

#[test]
fn every_key_reaches_the_plan() {
    let plan = planned();
    assert_eq!((plan.timeout_ms, plan.priority), (Some(3_600_000), 5));
    assert_eq!(step(&plan, "data").retry, Retry { attempts: 7, ..Retry::default() });
    let train = step(&plan, "train");
    assert_eq!((train.pool.clone(), train.cache), (Some(Pool { name: "gpu".into(), most: 1 }), false));
    assert!(step(&plan, "parts").cache && step(&plan, "parts").pool.is_none());
    assert_eq!(train.each, Some(Each::Values { param: "depth".into(), values: vec![json!(3), json!(5)] }));
    assert_eq!(train.work.plugin().unwrap().parameters, json!({"depth": 3}));
    let of = fake::output("predict.table");
    assert_eq!(step(&plan, "cities").each, Some(Each::Rows { port: fake::port("table"), of, by: "city".into() }));
    assert_eq!(step(&plan, "measured").each, Some(Each::Like { step: name("predict") }));
    let of = fake::output("predict.table");
    assert_eq!(step(&plan, "measured").when, [Condition::Rows { of, at_least: Some(1), at_most: None }]);
    assert_eq!(step(&plan, "registered").when.len(), 3);
    let Work::Best { measure, slice, highest, parts, .. } = &step(&plan, "best").work else { panic!("no best") };
    assert_eq!((measure.as_str(), slice, highest, parts.len()), ("auc", &None, &true, 0));
    let Work::Register { served, .. } = &step(&plan, "registered").work else { panic!("no register") };
    assert_eq!((&served.trainer, &served.steps[..]), (&Some(name("train")), &[name("scaled")][..]));
    let Work::Predict { plugin, .. } = &step(&plan, "again").work else { panic!("no predict") };
    assert_eq!(plugin.name.as_str(), "logistic");
    assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
}

/// A line a step that has to do with items.
fn shown(plan: &Plan) -> String {
    let line = |step: &PlannedStep| {
        let inputs: Vec<String> = step.needs().iter().map(ToString::to_string).collect();
        let parameters = step.work.plugin().map_or(String::new(), |plugin| format!(" {}", plugin.parameters));
        format!("{}: {} {}{parameters}\n", step.name, step.work.name(), inputs.join(" "))
    };
    plan.steps.iter().filter(|step| !["data", "parts", "scaled"].contains(&step.name.as_str())).map(line).collect()
}

#[test]
fn known_items_become_steps() {
    let plan = planned();
    let items = |name: &StepName| plan::static_items(plan.step(name)?.each.as_ref()?);
    let expanded = plan::expand(&plan, &items);
    expect![[r#"
        train@0: train scaled.train {"depth":3}
        train@1: train scaled.train {"depth":5}
        train: gather train@0.model train@1.model
        predict@0: predict scaled.test train@0.model {"depth":3}
        predict@1: predict scaled.test train@1.model {"depth":5}
        predict: gather predict@0.table predict@1.table
        measured@0: evaluate predict@0.table predict@0.table {}
        measured@1: evaluate predict@1.table predict@1.table {}
        measured: gather measured@0.measures measured@1.measures
        best: best train@0.model measured@0.measures train@1.model measured@1.measures
        gate: gate best.measures
        registered: register best.model gate.verdict best.measures measured.measures measured.measures
        cities: transform predict.table predict.table {}
        report: deliver measured.measures {}
        again: predict scaled.test best.model {"depth":3}
    "#]]
    .assert_eq(&shown(&expanded));
    let seeds: std::collections::BTreeSet<u64> = expanded.steps.iter().map(|step| step.seed).collect();
    assert!(seeds.contains(&step(&plan, "train").seed));
    assert_ne!(step(&expanded, "train@0").seed, step(&expanded, "train@1").seed);
    assert_eq!((step(&expanded, "train@1").pool.clone(), step(&expanded, "train").outputs.len()), (train_pool(), 0));
    assert_eq!(step(&expanded, "cities"), step(&plan, "cities"), "its items are not known yet");
    assert_eq!(plan::expand(&expanded, &items), expanded, "nothing is left that is known");
}

fn train_pool() -> Option<Pool> {
    Some(Pool { name: "gpu".into(), most: 1 })
}

#[test]
fn items_with_rows_are_given_theirs() {
    let plan = planned();
    let table = |digest: &str| types::TableRef {
        digest: types::Digest::of(digest.as_bytes()),
        schema: types::Schema { fields: Vec::new() },
        rows: 1,
        parts: Vec::new(),
        bytes: 0,
    };
    let item = |city: &str| Item { label: format!("city = {city}"), value: None, table: Some(table(city)) };
    let items = |step: &StepName| (step.as_str() == "cities").then(|| vec![item("Bonn"), item("Köln")]);
    let expanded = plan::expand(&plan, &items);
    assert_eq!(step(&expanded, "cities@1").given, [(fake::port("table"), table("Köln"))].into());
    let Work::Gather { parts, takes } = &step(&expanded, "cities").work else { panic!("no gather") };
    assert_eq!((&parts[..], takes.len()), (&[name("cities@0"), name("cities@1")][..], 4));
    assert_eq!(step(&expanded, "cities").outputs, step(&plan, "cities").outputs);
    assert_eq!(step(&expanded, "train"), step(&plan, "train"), "its items were not told");
}

#[test]
fn conditions_that_look_at_nothing() {
    with_data(
        "[steps.s]\nplugin = \"split\"\ninputs.table = \"data.table\"\n\
         when = [{ rows = \"data.rows\", at_least = 1, at_most = 2 }, { measures = \"data.table\", measure = \"m\", at_least = 1, at_most = 2 },\n\
         { verdict = \"data.table\" }]\n",
        expect![[r#"
            7:18: step `s` takes `data.rows`, but `data` gives no such port
                hint: it gives `table`
            7:73: step `s` wants measures or a model at `when.1.measures`; `data.table` is a table
            8:13: step `s` wants a verdict at `when.2.verdict`; `data.table` is a table
        "#]],
    );
}

#[test]
fn items_are_no_more_than_a_run_keeps_in_mind() {
    let values: Vec<String> = (0..1_000).map(|value| value.to_string()).collect();
    let first = format!(
        "[steps.s0]\nplugin = \"split\"\ninputs.table = \"data.table\"\neach = {{ param = \"x\", values = [{}] }}\n",
        values.join(", ")
    );
    let like = |at: usize| {
        let before = at - 1;
        format!(
            "[steps.s{at}]\nplugin = \"split\"\ninputs.table = \"s{before}.train\"\neach = {{ like = \"s{before}\" }}\n"
        )
    };
    let steps = |likes: usize| first.clone() + &(1..=likes).map(like).collect::<String>();
    let problems = fake::build(&format!("{DATA}{}", steps(20))).unwrap_err();
    let said = problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>();
    assert_eq!(said, ["step `s0` and those that run like it would be 21000 steps, expected at most 20000"]);
    assert!(fake::build(&format!("{DATA}{}", steps(19))).is_ok());
}

#[test]
fn items_that_cannot_be() {
    for (steps, expected) in [
        (
            "[steps.s]\nplugin = \"csv\"\nparams.columns = \"a:text\"\neach = { param = \"rows\", values = [1, 2] }\n",
            expect![[r#"
                7:1: step `s` has `each`, and plugin `csv` is a collector
                    hint: collectors and sinks run once; give `each` to a step between them
            "#]],
        ),
        (
            "[steps.s]\nplugin = \"csv\"\nparams.columns = \"a:text\"\neach = { param = \"rows\", values = [1, 0, \"x\"] }\n",
            expect![[r#"
                7:1: step `s` has `each`, and plugin `csv` is a collector
                    hint: collectors and sinks run once; give `each` to a step between them
                7:39: step `s`: parameter `rows`: 0 is less than the minimum of 1
                7:42: step `s`: parameter `rows` is a string, expected integer or null
            "#]],
        ),
        (
            "[steps.s]\nplugin = \"split\"\ninputs.table = \"data.table\"\neach = { param = \"x\", values = [3, \"3\", 4] }\n",
            expect![[r#"
                7:36: step `s` runs twice for `x=3`
                    hint: remove one of the two
            "#]],
        ),
        (
            "[steps.s]\nplugin = \"split\"\ninputs.table = \"data.table\"\neach = { rows = \"table\", by = \"cty\" }\n",
            expect![[r#"
                7:31: step `s` wants column `cty`; `data.table` has no such column
                    hint: did you mean `city`?
            "#]],
        ),
        (
            "[steps.s]\nplugin = \"split\"\ninputs.table = \"data.table\"\neach = { rows = \"table\", by = \"a\" }\n",
            expect![[r#"
                7:31: step `s` cannot run for each `a` of `data.table`: it is float64
                    hint: expected a column of boolean, int64, text or date
            "#]],
        ),
        (
            "[steps.s]\nplugin = \"./derive.py\"\ninputs.rows = \"data.table\"\n\
             each = { param = \"adds\", values = [\"c:text\", \"d:text\"] }\n",
            expect![[r#"
                7:46: step `s` gives column `d:text` at `rows` for this value, and not for the first
                    hint: all values give the same columns in the same order
            "#]],
        ),
        (
            "[steps.s]\nplugin = \"./derive.py\"\ninputs.rows = \"data.table\"\n\
             each = { param = \"reads\", values = [\"a:float64\", \"b:float64\"] }\n",
            expect![[r#"
                7:50: step `s` reads `b:float64` for this value, and `a:float64` for the first
                    hint: a fitted step reads the same columns for all values
            "#]],
        ),
        (
            "[steps.s]\nplugin = \"split\"\ninputs.table = \"data.table\"\n\
             each = { param = \"reads\", values = [\"a:float64\", \"q:float64\", \"q:float64 \"] }\n",
            expect![[r#"
                6:16: step `s` wants column `q` as float64; `data.table` has no such column
                    hint: it has `id`, `a`, `b`, `city`, `y`
            "#]],
        ),
        (
            "[steps.t]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\n\
             each = { param = \"depth\", values = [1, 2] }\n\
             [steps.p]\nbuiltin = \"predict\"\ninputs = { rows = \"data.table\", model = \"t.model\" }\n\
             [steps.r]\nbuiltin = \"register\"\ninputs.model = \"t.model\"\nname = \"m\"\n\
             [steps.b]\nbuiltin = \"best\"\ninputs = { model = \"t.model\", measures = \"e.measures\" }\nmeasure = \"m\"\nprefer = \"lowest\"\n\
             [steps.q]\nbuiltin = \"predict\"\neach.like = \"t\"\ninputs = { rows = \"data.table\", model = \"t.model\" }\n\
             [steps.e]\nplugin = \"classification\"\ninputs.candidate = \"q.table\"\n\
             [steps.f]\nplugin = \"classification\"\ninputs.candidate = \"q.table\"\neach = { rows = \"candidate\", by = \"city\" }\n\
             [steps.c]\nbuiltin = \"best\"\ninputs = { model = \"t.model\", measures = \"f.measures\" }\nmeasure = \"m\"\nprefer = \"lowest\"\n",
            expect![[r#"
                11:41: step `p` takes `t.model` of each item of `t`: a model cannot be gathered
                    hint: add `each = { like = "t" }`, or choose a model with `builtin = "best"`
                14:16: step `r` takes `t.model` of each item of `t`: a model cannot be gathered
                    hint: add `each = { like = "t" }`, or choose a model with `builtin = "best"`
                18:42: step `b` chooses among several; `e.measures` is one, of a step without `each`
                    hint: take it from a step with `each`
                34:42: step `c`: `f.measures` is not measured for the items of `t.model`
                    hint: measure in a step with `each = { like = "t" }`
            "#]],
        ),
        (
            "[steps.s]\nplugin = \"standardize\"\nfit = \"data.table\"\ninputs.rows = \"data.table\"\n\
             each = { rows = \"rows\", by = \"city\" }\n\
             [steps.t]\nplugin = \"logistic\"\ninputs.train = \"s.rows\"\nlabel = \"y\"\n\
             [steps.r]\nbuiltin = \"register\"\ninputs.model = \"t.model\"\nname = \"m\"\n",
            expect![[r#"
                5:10: step `s` learns for each of several items, so a request would not know which
                    hint: remove its `each`: what stands between a request and its model runs once
            "#]],
        ),
    ] {
        with_data(steps, expected);
    }
}

#[test]
fn what_is_watched_collects() {
    let text = "[triggers]\nsource = { step = \"s\", every = \"1 min\" }\n[steps.data]\nplugin = \"csv\"\nparams.columns = \"a:text\"\n\
                [steps.s]\nplugin = \"split\"\ninputs.table = \"data.table\"\n";
    expect![[r#"
        2:19: step `s` is to be asked for new rows, and does not collect: its work is transform
            hint: there is `data`
    "#]]
    .assert_eq(&fake::problems(text));
    assert_eq!(fake::problems(&text.replace("step = \"s\"", "step = \"data\"")), "no problem");
}
