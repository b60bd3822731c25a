//! The keys that shape a run: what they become, and settings wherever a string stands.

use manifest::{Course, Each, Occasion, Project, Sources, Texts, check_with};
use serde_json::{Value, json};
use std::fs;
use types::{Bound, Condition, OutputRef, PipelineName, Pool, Problem, Requirement, Retry, Settings, StepName};

const HEAD: &str = r#"
name = "case"
[settings]
mode = "full"
depth = 3
rate = 0.5
deep = true
host = "example.com"
[pools]
gpu = 2
[retention]
runs = 100
age = "90 d"
[notify]
url = "https://${host}/hook?a=1"
secret = "NOTIFY"
[endpoints.e]
model = "m_${mode}"
"#;

fn project(pipelines: &[(&str, &str)], set: &Settings) -> Result<Project, Vec<Problem>> {
    let pipelines = pipelines.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    check_with(&Sources { project: HEAD.to_owned(), pipelines }, set)
}

fn set(values: &[(&str, Value)]) -> Settings {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn step(project: &Project, name: &str) -> manifest::Step {
    let pipeline = &project.pipelines[&PipelineName::try_from("p".to_owned()).unwrap()];
    pipeline.step(&name.parse::<StepName>().unwrap()).unwrap().clone()
}

fn course(keys: &str) -> Course {
    let text = format!(
        "[steps.data]\nplugin = \"csv\"\neach = {{ param = \"a\", values = [1] }}\n\
         [steps.s]\nplugin = \"x\"\ninputs.table = \"data.table\"\n{keys}\n"
    );
    let project = project(&[("p", &text)], &Settings::new());
    step(&project.unwrap_or_else(|problems| panic!("{keys}: {problems:#?}")), "s").course
}

fn output(text: &str) -> OutputRef {
    let (step, port) = text.split_once('.').unwrap();
    OutputRef { step: step.parse().unwrap(), port: port.parse().unwrap() }
}

#[test]
fn conditions() {
    let of = || output("data.table");
    let requirement = |bound| Requirement { slice: Some("x".into()), ..Requirement::new("auc", bound) };
    for (written, expected) in [
        (
            "{ measures = \"data.table\", measure = \"auc\", slice = \"x\", at_least = 0.9, at_most = 1 }",
            vec![
                Condition::Measure { of: of(), requirement: requirement(Bound::AtLeast(0.9)) },
                Condition::Measure { of: of(), requirement: requirement(Bound::AtMost(1.0)) },
            ],
        ),
        (
            "{ rows = \"data.table\", at_least = 1 }",
            vec![Condition::Rows { of: of(), at_least: Some(1), at_most: None }],
        ),
        ("{ verdict = \"data.table\" }", vec![Condition::Passed { of: of(), passed: true }]),
        ("{ verdict = \"data.table\", passed = false }", vec![Condition::Passed { of: of(), passed: false }]),
        ("{ text = \"${mode}\", is = \"full\" }", vec![Condition::Text { text: "full".into(), is: "full".into() }]),
        ("{ text = \"${deep}\", is = true }", vec![Condition::Text { text: "true".into(), is: "true".into() }]),
        ("{ text = \"${depth}\", is = 3 }", vec![Condition::Text { text: "3".into(), is: "3".into() }]),
    ] {
        let got = course(&format!("when = [{written}]")).when;
        assert_eq!(got.into_iter().map(|(_, condition)| condition).collect::<Vec<_>>(), expected, "{written}");
    }
}

#[test]
fn retries_fit_what_is_written() {
    let usual = Retry::default();
    for (written, expected) in [
        ("{}", usual),
        (
            "{ attempts = 5, backoff = \"10 s\", factor = 2, longest = \"10 min\" }",
            Retry { attempts: 5, backoff_ms: 10_000, factor: 2.0, longest_ms: 600_000 },
        ),
        ("{ attempts = 1 }", Retry { attempts: 1, ..usual }),
        ("{ backoff = \"1 h\" }", Retry { backoff_ms: 3_600_000, longest_ms: 3_600_000, ..usual }),
        ("{ longest = \"500 ms\" }", Retry { backoff_ms: 500, longest_ms: 500, ..usual }),
        ("{ longest = \"24 h\", factor = 10.0 }", Retry { factor: 10.0, longest_ms: 86_400_000, ..usual }),
    ] {
        assert_eq!(course(&format!("retry = {written}")).retry, expected, "{written}");
    }
}

#[test]
fn pools_caches_and_items() {
    assert_eq!(course(""), Course::default());
    assert!(!course("cache = false").cache);
    assert_eq!(course("pool = \"gpu\"").pool, Some(Pool { name: "gpu".into(), most: 2 }));
    let values = vec![json!(3), json!("x"), json!(3)];
    assert_eq!(
        course("each = { param = \"depth\", values = [\"${depth}\", \"x\", 3] }").each,
        Some(Each::Values { param: "depth".into(), values })
    );
    assert_eq!(
        course("each = { rows = \"table\", by = \"city\" }").each,
        Some(Each::Rows { port: "table".parse().unwrap(), by: "city".into() })
    );
    assert_eq!(course("each = { like = \"data\" }").each, Some(Each::Like { step: "data".parse().unwrap() }));
}

#[test]
fn a_condition_orders_its_step() {
    let text =
        "[steps.b]\nplugin = \"x\"\nwhen = [{ rows = \"a.table\", at_least = 1 }]\n[steps.a]\nplugin = \"csv\"\n";
    let project = project(&[("p", text)], &Settings::new()).unwrap();
    let pipeline = project.pipelines.values().next().unwrap();
    assert_eq!(pipeline.in_order().iter().map(|step| step.name.to_string()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_value_stands_where_it_was_written() {
    let text = "[steps.a]\nplugin = \"x\"\neach = { param = \"depth\", values = [7, 8] }\n";
    let project = project(&[("p", text)], &Settings::new()).unwrap();
    let variants = step(&project, "a").variants();
    let seen = |step: &manifest::Step| (step.params.clone(), step.place_of(&["params", "depth"]).unwrap().column);
    assert_eq!(variants.iter().map(seen).collect::<Vec<_>>(), [(json!({"depth": 7}), 37), (json!({"depth": 8}), 40)]);
}

#[test]
fn what_starts_a_pipeline() {
    let text = "timeout = \"2 h\"\npriority = -7\n[triggers]\nafter = [\"q\"]\nfiles = [\"data/incoming/*.csv\", \"x.csv\"]\n\
                source = { step = \"collect\", every = \"5 min\" }\nwebhook = { secret = \"HOOK\" }\n\
                [steps.collect]\nplugin = \"csv\"\n";
    let project = project(&[("p", text), ("q", "[steps.a]\nplugin = \"csv\"\n")], &Settings::new()).unwrap();
    let pipeline = &project.pipelines[&"p".parse().unwrap()];
    assert_eq!((pipeline.timeout_ms, pipeline.priority), (Some(7_200_000), -7));
    let triggers = &pipeline.triggers;
    assert_eq!(triggers.after, ["q".parse().unwrap()]);
    assert_eq!(triggers.files, ["data/incoming/*.csv", "x.csv"]);
    assert_eq!(triggers.source, Some(("collect".parse().unwrap(), 300_000)));
    assert_eq!(triggers.webhook.as_deref(), Some("HOOK"));
}

#[test]
fn pipelines_that_start_each_other() {
    let text = |after: &str| format!("[triggers]\nafter = [{after}]\n[steps.a]\nplugin = \"csv\"\n");
    let (p, q, r) = (text("\"r\""), text("\"p\""), text("\"p\", \"q\""));
    let problems = project(&[("p", &p), ("q", &q), ("r", &r)], &Settings::new()).unwrap_err();
    let said: Vec<_> =
        problems.iter().map(|problem| (problem.message.as_str(), problem.place.clone().unwrap())).collect();
    assert_eq!(said[0].0, "pipelines start each other in a circle: `p` -> `r` -> `p`");
    assert_eq!((said.len(), said[0].1.file.as_str(), said[0].1.line), (1, "pipelines/p.toml", 2));
}

#[test]
fn what_a_project_keeps_and_tells() {
    let project = project(&[], &Settings::new()).unwrap();
    assert_eq!(project.pools, [("gpu".to_owned(), 2)].into());
    let retention = project.retention.unwrap();
    assert_eq!((retention.runs, retention.age_ms), (Some(100), Some(90 * 86_400_000)));
    let notify = project.notify.unwrap();
    assert_eq!((notify.url.as_str(), notify.secret.as_deref()), ("https://example.com/hook?a=1", Some("NOTIFY")));
    assert_eq!(notify.on, [Occasion::Failed, Occasion::Resumed]);
    let defaults = [("mode", json!("full")), ("depth", json!(3)), ("rate", json!(0.5)), ("deep", json!(true))];
    assert_eq!(project.settings, set(&[&defaults[..], &[("host", json!("example.com"))]].concat()));
}

#[test]
fn settings_keep_their_types_and_stand_anywhere() {
    let text = "[schedule]\ncron = \"${hour} 6 * * *\"\n[steps.a]\nplugin = \"csv\"\n";
    let problems = project(&[("p", text)], &Settings::new()).unwrap_err();
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages, ["there is no setting `hour`"], "and nothing of what the string says instead");
    let text = "timeout = \"${depth} h\"\n[schedule]\ncron = \"${depth} 6 * * *\"\n\
                [steps.a]\nplugin = \"./q_${mode}.sql\"\nseed = \"${depth}\"\nlabel = \"x_${deep}_${rate}\"\n\
                params = { d = \"${depth}\", r = \"${rate}\", t = \"${deep}\", m = [\"${mode}\"], l = \"$${mode}\" }\n\
                grants = { files = [\"data/${mode}\"], http = [{ allow = \"GET https://${host}/\" }] }\n\
                limits = { rows = \"${depth}\" }\n";
    let values = set(&[("depth", json!("7")), ("mode", json!("small")), ("deep", json!("false"))]);
    let project = project(&[("p", text)], &values).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let step = step(&project, "a");
    assert_eq!(step.params, json!({"d": 7, "r": 0.5, "t": false, "m": ["small"], "l": "${mode}"}));
    assert_eq!((step.seed, step.label.as_deref(), step.limits.rows), (7, Some("x_false_0.5"), Some(7)));
    assert_eq!(step.grants.files[0].path, "data/small");
    assert_eq!(step.grants.http[0].allow.to_string(), "GET https://example.com/");
    assert_eq!(step.plugin().unwrap().to_string(), "./q_small.sql");
    let pipeline = project.pipelines.values().next().unwrap();
    assert_eq!((pipeline.timeout_ms, pipeline.schedule.is_some()), (Some(25_200_000), true));
    assert_eq!(project.endpoints.values().next().unwrap().model.to_string(), "m_small");
    assert_eq!(project.settings["depth"], json!(7));
}

#[test]
fn what_was_set_wrongly() {
    for (name, value, expected) in [
        ("dept", json!(1), "the project has no setting `dept`"),
        ("depth", json!("x"), "setting `depth` is `x`, expected an integer"),
        ("depth", json!(1.5), "setting `depth` is `1.5`, expected an integer"),
        ("rate", json!([1]), "setting `rate` is `[1]`, expected a number"),
        ("deep", json!("no"), "setting `deep` is `no`, expected true or false"),
        ("mode", json!(null), "setting `mode` is `null`, expected a string"),
    ] {
        let problems = project(&[], &set(&[(name, value)])).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_setting_cannot_swell_a_file_without_end() {
    let values = set(&[("mode", json!("x".repeat(200 << 10)))]);
    let text = format!("[steps.a]\nplugin = \"x\"\nslices = [{}]\n", "\"${mode}\", ".repeat(1000));
    let problems = project(&[("p", &text)], &values).unwrap_err();
    assert!(problems.iter().any(|problem| problem.message.contains("together longer than 256 KiB")), "{problems:#?}");
    assert!(problems.iter().all(|problem| problem.message.len() < 1_000));
}

#[test]
fn texts_are_the_project() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
    };
    write("stepwell.toml", HEAD);
    write("pipelines/p.toml", "[steps.a]\nplugin = \"./q/${mode}.sql\"\n");
    write("q/full.sql", "select 1");
    write("q/small.sql", "select 2");
    write("other.sql", "select 3");
    let texts = manifest::texts(folder.path()).unwrap();
    assert_eq!(texts.files.keys().collect::<Vec<_>>(), ["pipelines/p.toml", "q/full.sql", "stepwell.toml"]);
    let read: Texts = serde_json::from_str(&serde_json::to_string(&texts).unwrap()).unwrap();
    let project = manifest::of_texts(&read, &Settings::new()).unwrap();
    assert_eq!(project, manifest::load(folder.path()).unwrap());
    assert_eq!(step(&project, "a").params["query"], "select 1");
    let small = set(&[("mode", json!("small"))]);
    let problems = manifest::of_texts(&texts, &small).unwrap_err();
    assert_eq!(problems[0].message, "`./q/small.sql` is not among the texts");
    let texts = manifest::texts_with(folder.path(), &small).unwrap();
    let project = manifest::of_texts(&texts, &small).unwrap();
    assert_eq!(project, manifest::load_with(folder.path(), &small).unwrap());
    assert_eq!(step(&project, "a").params["query"], "select 2");
    let one = manifest::load_one_with(folder.path(), "p", &small).unwrap();
    assert_eq!(one, project);
    assert!(manifest::of_texts(&Texts::default(), &Settings::new()).is_err());
}

#[test]
fn the_memory_of_a_gpu_is_bounded_where_a_step_may_compute_on_one() {
    let wrong = |project: &str, pipeline: &str, device: &str| {
        let steps = |keys: &str| format!("[steps.s]\nplugin = \"x\"\n{keys}\n");
        let pipelines = [("p".to_owned(), format!("{pipeline}\n{}", steps(device))), ("q".to_owned(), steps(""))];
        let project = format!("name = \"case\"\n{project}\n");
        let problems = check_with(&Sources { project, pipelines: pipelines.into() }, &Settings::new()).err();
        let line = |problem: &Problem| {
            let place = problem.place.as_ref().unwrap();
            format!("{}:{}:{}: {}", place.file, place.line, place.column, problem.message)
        };
        problems.unwrap_or_default().iter().map(line).collect::<Vec<_>>()
    };
    let (limit, other) = ("limits = { wall = \"1 min\", device_memory = \"1 GiB\" }", "limits = { wall = \"1 min\" }");
    let idle = |at: &str, whose: &str| {
        format!("{at}: `limits.device_memory` is the memory of a GPU, and no step of the {whose} may compute on one")
    };
    for device in ["", "device = \"cpu\""] {
        assert_eq!(wrong("", limit, device), [idle("pipelines/p.toml:1:28", "pipeline")]);
        assert_eq!(wrong(limit, "", device), [idle("stepwell.toml:2:28", "project")]);
        assert_eq!(wrong(other, other, device), [""; 0]);
    }
    for device in ["device = \"auto\"", "device = \"cuda:0\""] {
        assert_eq!(wrong(limit, limit, device), [""; 0]);
    }
    // A device that cannot be read is the only problem.
    assert_eq!(wrong(limit, limit, "device = \"gpu\"").len(), 1);
}
