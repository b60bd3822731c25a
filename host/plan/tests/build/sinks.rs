//! Steps that bring something out: what they may take, and that nothing hangs on them.

use crate::fake;
use crate::refused::with_data;

use expect_test::expect;
use plan::Work;

/// `measured.measures` and `model.model`, to be delivered.
const JUDGED: &str = "[steps.model]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\n\
    [steps.measured]\nplugin = \"classification\"\ninputs.candidate = \"data.table\"\n";

/// Sinks after the judged model; lines count from 11.
fn sinks<const N: usize>(sinks: [(&str, &str); N]) -> String {
    let step =
        |(i, (plugin, wired)): (usize, &(&str, &str))| format!("[steps.out-{i}]\nplugin = \"{plugin}\"\n{wired}\n");
    [JUDGED.to_owned()].into_iter().chain(sinks.iter().enumerate().map(step)).collect()
}

#[test]
fn a_sink_takes_one_table_report_or_model() {
    let steps = sinks([
        ("warehouse", "inputs.table = \"data.table\"\nparams.reads = \"a:float64\""),
        ("warehouse", "inputs.model = \"model.model\""),
        ("postman", "inputs.report = \"measured.measures\""),
        (
            "postman",
            "inputs.report = \"checked.findings\"\n[steps.checked]\nplugin = \"schema\"\ninputs.table = \"data.table\"",
        ),
    ]);
    let data = "[steps.data]\nplugin = \"csv\"\nparams.columns = \"a:float64 y:boolean\"\n";
    let plan = fake::build(&format!("{data}{steps}")).unwrap();
    let delivered = |name: &str| {
        let step = plan.steps.iter().find(|step| step.name.to_string() == name).unwrap();
        let Work::Deliver { plugin, what, trainer } = &step.work else { panic!("{step:?}") };
        let given: Vec<_> = step.outputs.keys().map(ToString::to_string).collect();
        let trainer = trainer.as_ref().map_or("none".to_owned(), |trainer| trainer.name.to_string());
        format!("{} {what}, trainer {trainer}, gives {}", plugin.name, given.join(" "))
    };
    let shown = ["out-0", "out-1", "out-2", "out-3"].map(delivered).join("\n");
    expect![[r#"
        warehouse data.table, trainer none, gives delivered
        warehouse model.model, trainer logistic, gives delivered
        postman measured.measures, trainer none, gives delivered
        postman checked.findings, trainer none, gives delivered"#]]
    .assert_eq(&shown);
}

#[test]
fn a_sink_is_wired_to_what_it_takes() {
    let steps = sinks([
        ("warehouse", ""),
        ("warehouse", "inputs = { table = \"data.table\", model = \"model.model\" }"),
        ("warehouse", "inputs.rows = \"data.table\""),
        ("warehouse", "inputs.report = \"measured.measures\""),
        ("warehouse", "inputs.table = \"data.table\"\nparams.reads = \"a:text c:int64\""),
        ("warehouse", "inputs.table = \"measured.measures\""),
        ("postman", "inputs.report = \"data.table\""),
        ("warehouse", "inputs.model = \"data.table\""),
        ("postman", "inputs.report = \"measured.measures\"\nslices = [\"city\"]"),
    ]);
    with_data(
        &steps,
        expect![[r#"
        11:1: step `out-0` delivers nothing: plugin `warehouse` is a sink, which takes one of `table`, `report`, `model`
            hint: add an input, such as `inputs = { table = "step.port" }`
        16:1: step `out-1` delivers `model`, `table`: plugin `warehouse` is a sink, which takes one of `table`, `report`, `model`
            hint: make a step for each
        19:8: step `out-2` has no port `rows`: plugin `warehouse` is a sink, which takes one of `table`, `report`, `model`
            hint: its ports are `table`, `report`, `model`
        22:8: step `out-3` has no port `report`: plugin `warehouse` takes `table`, `model`
            hint: its ports are `table`, `model`
        25:16: step `out-4` wants column `a` as text; `data.table` gives float64
        25:16: step `out-4` wants column `c` as int64; `data.table` has no such column
            hint: it has `id`, `a`, `b`, `city`, `y`
        29:16: step `out-5` wants a table at `inputs.table`; `measured.measures` is measures
            hint: there is `data.table`
        32:17: step `out-6` wants measures or findings at `inputs.report`; `data.table` is a table
            hint: there is `measured.measures`
        35:16: step `out-7` wants a model at `inputs.model`; `data.table` is a table
            hint: there is `model.model`
        39:1: step `out-8`: `slices` is for evaluators
            hint: plugin `postman` is a sink; remove the key
    "#]],
    );
}

/// What a sink gives is for people: no step takes it, and no path that is served goes through it.
#[test]
fn nothing_hangs_on_a_sink() {
    let out = "[steps.out]\nplugin = \"warehouse\"\ninputs.table = \"data.table\"\n";
    let next = "[steps.next]\nplugin = \"clip\"\ninputs.table = \"out.delivered\"\n\
                [steps.other]\nplugin = \"clip\"\ninputs.table = \"out.table\"\n\
                [steps.model]\nplugin = \"logistic\"\ninputs.train = \"out.delivered\"\nlabel = \"y\"\n\
                [steps.again]\nplugin = \"postman\"\ninputs.report = \"out.delivered\"\n";
    with_data(
        &format!("{out}{next}"),
        expect![[r#"
        9:16: step `next` wants a table at `inputs.table`; `out.delivered` is a receipt of a delivery
            hint: there is `data.table`
        12:16: step `other` takes `out.table`, but `out` gives no such port
            hint: it gives `delivered`
        15:16: step `model` wants a table at `inputs.train`; `out.delivered` is a receipt of a delivery
            hint: there is `data.table`
        19:17: step `again` wants measures or findings at `inputs.report`; `out.delivered` is a receipt of a delivery
    "#]],
    );
}
