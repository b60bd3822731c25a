//! Pipelines that can run, and their plans.

use crate::fake;

use expect_test::expect;
use plan::Work;
use proptest::prelude::*;
use std::fmt::Write;
use types::{Id, PipelineName};

/// A plan, a line a step.
fn shown(plan: &plan::Plan) -> String {
    let mut out = String::new();
    for step in &plan.steps {
        let inputs: Vec<String> = step.work.inputs().iter().map(ToString::to_string).collect();
        let work = serde_json::to_value(&step.work).unwrap()["work"].as_str().unwrap().to_owned();
        writeln!(out, "{}: {work} {}", step.name, inputs.join(" ")).unwrap();
        for (port, columns) in &step.outputs {
            let columns: Vec<String> =
                columns.iter().map(|field| format!("{}:{}", field.name, field.data_type)).collect();
            writeln!(out, "    {port} = {}", columns.join(" ")).unwrap();
        }
        match &step.work {
            Work::Train { features, label, weight, .. } => {
                writeln!(out, "    features {features:?}, label {label:?}, weight {weight:?}").unwrap();
            }
            Work::Register { served, measures, .. } => {
                let request: Vec<String> =
                    served.request.iter().map(|field| format!("{}:{}", field.name, field.data_type)).collect();
                let measures = measures.as_ref().map(ToString::to_string);
                writeln!(out, "    path {:?}, request {}, measures {measures:?}", served.steps, request.join(" "))
                    .unwrap();
            }
            _ => {}
        }
    }
    out
}

const WHOLE: &str = r#"
[limits]
memory = "1 GiB"
[steps.registered]
builtin = "register"
inputs = { model = "model.model", verdict = "gate.verdict" }
name = "m"
alias = "champion"
[steps.gate]
builtin = "gate"
inputs = { measures = "measured.measures" }
require = [{ measure = "auc", at_least = 0.9 }]
[steps.measured]
plugin = "classification"
inputs = { candidate = "predicted.table" }
slices = ["city"]
[steps.predicted]
builtin = "predict"
inputs = { rows = "derived.test", model = "model.model" }
[steps.model]
plugin = "logistic"
inputs = { train = "derived.train", validation = "derived.test" }
label = "y"
weight = "w"
ignore = ["id"]
[steps.derived]
plugin = "./derive.py"
inputs = { train = "scaled.train", test = "scaled.test" }
[steps.scaled]
plugin = "standardize"
fit = "parts.train"
inputs = { train = "parts.train", test = "parts.test" }
params = { except = ["w"] }
limits = { wall = "1 h" }
[steps.parts]
plugin = "split"
inputs = { table = "checked.table" }
seed = 7
[steps.checked]
plugin = "schema"
inputs = { table = "data.table" }
[steps.data]
plugin = "csv"
params = { columns = "y:boolean id:int64 w:float64 b:float64 a:float64 city:text" }
grants = { files = ["data"] }
"#;

#[test]
fn a_whole_pipeline() {
    expect![[r#"
        data: collect 
            table = y:boolean id:int64 w:float64 b:float64 a:float64 city:text
        checked: check data.table
            findings = 
            table = y:boolean id:int64 w:float64 b:float64 a:float64 city:text
        parts: transform checked.table
            test = y:boolean id:int64 w:float64 b:float64 a:float64 city:text
            train = y:boolean id:int64 w:float64 b:float64 a:float64 city:text
        scaled: fit parts.train parts.test parts.train
            state = 
            test = y:boolean id:int64 w:float64 b:float64 a:float64 city:text
            train = y:boolean id:int64 w:float64 b:float64 a:float64 city:text
        derived: fit scaled.test scaled.train
            state = 
            test = y:boolean id:int64 w:float64 b:float64 a:float64 city:text sum:float64
            train = y:boolean id:int64 w:float64 b:float64 a:float64 city:text sum:float64
        model: train derived.train derived.test
            model = 
            features ["b", "a", "sum"], label Some("y"), weight Some("w")
        predicted: predict derived.test model.model
            table = y:boolean id:int64 w:float64 b:float64 a:float64 city:text sum:float64 prediction:boolean probability:float64
        measured: evaluate predicted.table
            measures = 
        gate: gate measured.measures
            verdict = 
        registered: register model.model gate.verdict measured.measures
            version = 
            path [`scaled`, `derived`], request b:float64 a:float64, measures Some("measured.measures")
    "#]].assert_eq(&shown(&fake::build(WHOLE).unwrap()));
}

#[test]
fn limits_lie_over_each_other() {
    let plan = fake::build(WHOLE).unwrap();
    let limits = |name: &str| plan.step(&Id::parse(name).unwrap()).unwrap().limits;
    assert_eq!((limits("scaled").memory_bytes, limits("scaled").wall_ms), (1 << 30, 3_600_000));
    assert_eq!((limits("data").memory_bytes, limits("data").wall_ms), (1 << 30, 600_000));
}

#[test]
fn a_plan_is_stored_and_read_back() {
    let plan = fake::build(WHOLE).unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<plan::Plan>(&text).unwrap(), plan);
}

#[test]
fn unknown_columns_are_not_held_against_anybody() {
    let steps = "[steps.data]\nplugin = \"csv\"\nparams.columns = \"\"\n\
                 [steps.n]\nplugin = \"needs\"\ninputs.table = \"data.table\"\n\
                 [steps.d]\nplugin = \"./derive.py\"\ninputs.rows = \"n.table\"\n\
                 [steps.m]\nplugin = \"logistic\"\ninputs.train = \"d.rows\"\nfeatures = [\"a\"]\nlabel = \"y\"\n\
                 [steps.p]\nbuiltin = \"predict\"\ninputs = { rows = \"d.rows\", model = \"m.model\" }\n";
    expect![[r#"
        data: collect 
            table = 
        n: transform data.table
            table = 
        d: fit n.table
            rows = 
            state = 
        m: train d.rows
            model = 
            features ["a"], label Some("y"), weight None
        p: predict d.rows m.model
            table = 
    "#]]
    .assert_eq(&shown(&fake::build(steps).unwrap()));
}

#[test]
fn plugins_are_asked_twice_and_then_with_columns() {
    let sources = manifest::Sources { project: "name = \"x\"".into(), pipelines: [("p".into(), WHOLE.into())].into() };
    let project = manifest::check(&sources).unwrap();
    let mut asked = Vec::new();
    let plan = plan::build(&project, &PipelineName::parse("p").unwrap(), &mut |step, ports| {
        let shown = |port: &types::Port| format!("{}({})", port.name, port.columns.len());
        let shown = ports.map(|ports| ports.iter().map(shown).collect::<Vec<_>>().join(" "));
        asked.push(format!("{} {}\n", step.name, shown.unwrap_or("?".to_owned())));
        fake::describe(step, ports)
    });
    assert!(plan.is_ok());
    expect![[r#"
        data ?
        data 
        checked ?
        checked table(6)
        parts ?
        parts table(6)
        scaled ?
        scaled rows(6)
        derived ?
        derived rows(6)
        model ?
        model train(7) features(3) label(1) validation(7)
        measured ?
        measured candidate(9)
    "#]]
    .assert_eq(&asked.concat());
}

/// The example as it stands, with fakes for its plugins.
#[test]
fn the_tumour_example() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tumour");
    let project = manifest::load(&folder).unwrap();
    let csv = std::fs::read_to_string(folder.join("data/tumour.csv")).unwrap();
    let columns: Vec<types::Field> = csv.lines().next().unwrap().split(',').map(column).collect();
    let plan = plan::build(&project, &PipelineName::parse("train").unwrap(), &mut |step, ports| {
        fake::tumour(step, ports.unwrap_or_default(), &columns)
    });
    let plan = plan.unwrap_or_else(|problems| panic!("{problems:#?}"));
    expect![[r#"
        patients: collect 
            table = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text
        checked: check patients.table
            findings = 
            table = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text
        parts: transform checked.table
            test = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text
            train = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text
        scaled: fit parts.train parts.test parts.train
            state = 
            test = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text
            train = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text
        derived: fit scaled.test scaled.train
            state = 
            test = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text concavity_by_size:float64
            train = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text concavity_by_size:float64
        model: train derived.train
            model = 
            features ["mean_radius", "mean_texture", "mean_perimeter", "mean_area", "mean_smoothness", "mean_compactness", "mean_concavity", "mean_concave_points", "mean_symmetry", "mean_fractal_dimension", "radius_error", "texture_error", "perimeter_error", "area_error", "smoothness_error", "compactness_error", "concavity_error", "concave_points_error", "symmetry_error", "fractal_dimension_error", "worst_radius", "worst_texture", "worst_perimeter", "worst_area", "worst_smoothness", "worst_compactness", "worst_concavity", "worst_concave_points", "worst_symmetry", "worst_fractal_dimension", "concavity_by_size"], label Some("diagnosis"), weight None
        predicted: predict derived.test model.model
            table = sample:int64 mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64 diagnosis:text concavity_by_size:float64 prediction:text probability:float64
        champion: predict_with parts.test
            table = 
        measured: evaluate predicted.table champion.table
            measures = 
        gate: gate measured.measures
            verdict = 
        registered: register model.model gate.verdict measured.measures
            version = 
            path [`scaled`, `derived`], request mean_radius:float64 mean_texture:float64 mean_perimeter:float64 mean_area:float64 mean_smoothness:float64 mean_compactness:float64 mean_concavity:float64 mean_concave_points:float64 mean_symmetry:float64 mean_fractal_dimension:float64 radius_error:float64 texture_error:float64 perimeter_error:float64 area_error:float64 smoothness_error:float64 compactness_error:float64 concavity_error:float64 concave_points_error:float64 symmetry_error:float64 fractal_dimension_error:float64 worst_radius:float64 worst_texture:float64 worst_perimeter:float64 worst_area:float64 worst_smoothness:float64 worst_compactness:float64 worst_concavity:float64 worst_concave_points:float64 worst_symmetry:float64 worst_fractal_dimension:float64, measures Some("measured.measures")
    "#]].assert_eq(&shown(&plan));
}

fn column(name: &str) -> types::Field {
    let data_type = match name {
        "sample" => types::DataType::Int64,
        "diagnosis" => types::DataType::Text,
        _ => types::DataType::Float64,
    };
    fake::field(name, data_type)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Steps in any order of the file: each comes after those it takes from, and none is lost.
    #[test]
    fn steps_come_after_what_they_take(
        takes in proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..3), 1..20),
        order in any::<prop::sample::Index>(),
    ) {
        let step = |(index, takes): (usize, &Vec<prop::sample::Index>)| {
            if index == 0 || takes.is_empty() {
                return format!("[steps.s{index}]\nplugin = \"csv\"\nparams.columns = \"a:int64\"\n");
            }
            let from = |at: usize| takes[at % takes.len()].index(index);
            format!("[steps.s{index}]\nplugin = \"join\"\ninputs = {{ left = \"s{}.table\", right = \"s{}.table\" }}\n", from(0), from(1))
        };
        let mut texts: Vec<String> = takes.iter().enumerate().map(step).collect();
        let turn = order.index(texts.len());
        texts.rotate_left(turn);
        let sources = manifest::Sources { project: "name = \"x\"".into(), pipelines: [("p".into(), texts.concat())].into() };
        let project = manifest::check(&sources).unwrap();
        let pipeline = project.pipelines.values().next().unwrap();
        let steps = pipeline.in_order();
        prop_assert_eq!(steps.len(), takes.len());
        for (at, step) in steps.iter().enumerate() {
            for output in step.takes() {
                prop_assert!(steps[..at].iter().any(|earlier| earlier.name == output.step));
            }
        }
        if let Ok(plan) = plan::build(&project, &pipeline.name, &mut fake::describe) {
            prop_assert_eq!(plan.steps.iter().map(|step| &step.name).collect::<Vec<_>>(), steps.iter().map(|step| &step.name).collect::<Vec<_>>());
        }
    }
}
