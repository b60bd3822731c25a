//! Steps that examine a candidate: what they hold it to, and what they cannot be asked with.

use crate::fake;
use crate::refused::{DATA, with_data};

use expect_test::expect;
use manifest::Sources;
use plan::Work;
use types::{Budget, Id, PipelineName};

const MODEL: &str = "[steps.s]\nplugin = \"standardize\"\nfit = \"data.table\"\ninputs.rows = \"data.table\"\n\
    [steps.m]\nplugin = \"logistic\"\ninputs.train = \"s.rows\"\nlabel = \"y\"\n\
    [steps.p]\nbuiltin = \"predict\"\ninputs = { rows = \"s.rows\", model = \"m.model\" }\n";

#[test]
fn a_candidate_goes_the_way_of_a_request_and_is_held_to_its_endpoints_budget() {
    let steps = "[steps.e]\nbuiltin = \"examine\"\ninputs = { model = \"m.model\", rows = \"data.table\", answers = \"p.table\" }\n\
                 loss = \"loss\"\nendpoint = \"churn\"\n\
                 [steps.r]\nbuiltin = \"register\"\ninputs = { model = \"m.model\", examined = \"e.verdict\" }\nname = \"churn\"\n";
    let budget = "budget = { latency = \"20 ms\", memory = \"200 MiB\" }";
    let sources = Sources {
        project: format!("name = \"case\"\n[endpoints.churn]\nmodel = \"churn\"\n{budget}"),
        pipelines: [("train".to_owned(), format!("{DATA}{MODEL}{steps}"))].into(),
    };
    let project = manifest::check(&sources).unwrap();
    let plan = plan::build(&project, &PipelineName::parse("train").unwrap(), &mut fake::describe).unwrap();
    let work = |name: &str| &plan.step(&Id::parse(name).unwrap()).unwrap().work;
    let Work::Examine { answers, loss, budget, served, candidate, .. } = work("e") else { panic!("no examination") };
    assert_eq!((answers, loss.as_deref()), (&Some(fake::output("p.table")), Some("loss")));
    assert_eq!(*budget, Budget { latency_ms: Some(20), memory_bytes: Some(200 << 20) });
    assert_eq!((served.steps.len(), served.trainer.as_ref().map(Id::as_str)), (1, Some("m")));
    assert!(candidate.is_none(), "the model is not there yet");
    let Work::Register { verdict: None, examined, .. } = work("r") else { panic!("no registration") };
    assert_eq!(*examined, Some(fake::output("e.verdict")));
}

#[test]
fn what_no_candidate_could_be_asked_with_is_refused() {
    let examine = |inputs: &str| format!("{MODEL}[steps.e]\nbuiltin = \"examine\"\ninputs = {{ {inputs} }}\n");
    with_data(
        &examine("model = \"p.table\", rows = \"m.model\""),
        expect![[r#"
            17:20: step `e` wants a model at `inputs.model`; `p.table` is a table
                hint: there is `m.model`
            17:38: step `e` wants a table at `inputs.rows`; `m.model` is a model
                hint: there is `data.table`, `p.table`, `s.rows`
        "#]],
    );
    with_data(
        &format!(
            "[steps.other]\nplugin = \"csv\"\nparams.columns = \"id:int64 a:int64\"\n{}",
            examine("model = \"m.model\", rows = \"other.table\", answers = \"data.table\"")
        ),
        expect![[r#"
            20:38: step `e` wants column `a` as float64; `other.table` gives int64
            20:38: step `e` wants column `b` as float64; `other.table` has no such column
                hint: it has `id`, `a`
            20:63: step `e` wants column `prediction` as boolean; `data.table` has no such column
                hint: it has `id`, `a`, `b`, `city`, `y`
            20:63: step `e` wants column `probability` as float64; `data.table` has no such column
                hint: it has `id`, `a`, `b`, `city`, `y`
        "#]],
    );
    with_data(
        &format!(
            "{}[steps.v]\nplugin = \"classification\"\ninputs.candidate = \"p.table\"\n\
             [steps.g]\nbuiltin = \"gate\"\ninputs.measures = \"v.measures\"\nrequire = [{{ measure = \"auc\", at_least = 0 }}]\n\
             [steps.n]\nplugin = \"logistic\"\ninputs.train = \"s.rows\"\nlabel = \"y\"\n\
             [steps.r]\nbuiltin = \"register\"\ninputs = {{ model = \"m.model\", verdict = \"e.verdict\", examined = \"g.verdict\" }}\nname = \"a\"\n\
             [steps.q]\nbuiltin = \"register\"\ninputs = {{ model = \"n.model\", examined = \"e.verdict\" }}\nname = \"b\"\n",
            examine("model = \"m.model\", rows = \"data.table\"")
        ),
        expect![[r#"
            31:41: step `r` wants a gate's verdict at `verdict`; `e.verdict` is an examination's
                hint: write `examined = "e.verdict"`
            31:65: step `r` wants an examination at `examined`; `g.verdict` is a gate's verdict
            35:42: step `q` registers another model than `m.model`, which `e` examines
        "#]],
    );
    with_data(
        "[steps.k]\nplugin = \"clip\"\ninputs.table = \"data.table\"\n\
         [steps.m]\nplugin = \"logistic\"\ninputs.train = \"k.table\"\nlabel = \"y\"\n\
         [steps.e]\nbuiltin = \"examine\"\ninputs = { model = \"m.model\", rows = \"data.table\" }\n",
        expect![[r#"
            5:10: step `k` changes rows without being a fitted transformer, so the model could not be served
                hint: between the collector and a registered model, rows are only chosen, checked, or changed by fitted transformers
        "#]],
    );
}
