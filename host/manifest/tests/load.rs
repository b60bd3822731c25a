//! Folders -> projects: the example as it stands, and folders in which something is missing.

use expect_test::expect;
use manifest::{PluginSource, Source, load};
use std::fs;
use std::path::Path;
use types::{Id, PipelineName, Problem, StepName};

fn example() -> manifest::Project {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tumour")).unwrap()
}

fn step<'p>(project: &'p manifest::Project, name: &str) -> &'p manifest::Step {
    let pipeline = &project.pipelines[&PipelineName::parse("train").unwrap()];
    pipeline.step(&StepName::parse(name).unwrap()).unwrap()
}

#[test]
fn the_example_is_read_as_it_is_written() {
    let project = example();
    let pipeline = project.pipelines.values().next().unwrap();
    let written: Vec<&str> = pipeline.steps.iter().map(|step| step.name.as_str()).collect();
    let order = [
        "patients",
        "checked",
        "parts",
        "scaled",
        "derived",
        "model",
        "predicted",
        "champion",
        "measured",
        "gate",
        "registered",
    ];
    assert_eq!(written, order);
    assert_eq!(pipeline.in_order().iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), order);
    expect![[r#"
        (
            `tumour`,
            {
                `tumour`: Endpoint {
                    model: `tumour`,
                    alias: "champion",
                    traffic: Traffic {
                        split: {},
                        sticky: None,
                        shadow: None,
                        canary: None,
                    },
                    request_bytes: None,
                    log: LogSettings {
                        sample: 1.0,
                        keep_ms: 7776000000,
                        bytes: 1073741824,
                    },
                    budget: None,
                    place: Place {
                        file: "stepwell.toml",
                        span: 17..35,
                        line: 3,
                        column: 1,
                    },
                },
            },
            LimitsPatch {
                wall_ms: None,
                cpu_ms: None,
                memory_bytes: None,
                guest_memory_bytes: None,
                device_memory_bytes: None,
                handles: None,
                host_calls: None,
                rows: None,
                output_bytes: None,
                disk_bytes: None,
                log_lines: None,
                log_bytes: None,
                requests: None,
                request_bytes: None,
            },
        )
    "#]]
    .assert_debug_eq(&(&project.name, &project.endpoints, project.limits));
    let scaled = step(&project, "scaled");
    expect![[r#"
        (
            Plugin(
                Named(
                    `standardize`,
                ),
            ),
            {
                `test`: OutputRef {
                    step: `parts`,
                    port: `test`,
                },
                `train`: OutputRef {
                    step: `parts`,
                    port: `train`,
                },
            },
            Some(
                OutputRef {
                    step: `parts`,
                    port: `train`,
                },
            ),
            Object {
                "except": Array [
                    String("sample"),
                ],
            },
            5209343793820724874,
            LimitsPatch {
                wall_ms: None,
                cpu_ms: None,
                memory_bytes: None,
                guest_memory_bytes: None,
                device_memory_bytes: None,
                handles: None,
                host_calls: None,
                rows: None,
                output_bytes: None,
                disk_bytes: None,
                log_lines: None,
                log_bytes: None,
                requests: None,
                request_bytes: None,
            },
        )
    "#]]
    .assert_debug_eq(&(&scaled.source, &scaled.inputs, &scaled.fit, &scaled.params, scaled.seed, scaled.limits));
    expect![[r#"
        Builtin(
            Gate {
                require: [
                    Requirement {
                        measure: "roc_auc",
                        slice: None,
                        bound: AtLeast(
                            0.99,
                        ),
                        slices: [],
                        lowest: false,
                        confident: false,
                    },
                    Requirement {
                        measure: "brier",
                        slice: None,
                        bound: AtMost(
                            0.05,
                        ),
                        slices: [],
                        lowest: false,
                        confident: false,
                    },
                    Requirement {
                        measure: "roc_auc",
                        slice: None,
                        bound: NotWorseBy(
                            0.01,
                        ),
                        slices: [],
                        lowest: false,
                        confident: false,
                    },
                ],
                leniency: Leniency {
                    inconclusive: false,
                    no_baseline: true,
                },
            },
        )
    "#]]
    .assert_debug_eq(&step(&project, "gate").source);
    expect![[r#"
        Builtin(
            Register {
                name: `tumour`,
                alias: Some(
                    "champion",
                ),
                purpose: Purpose {
                    intended_use: None,
                    limitations: None,
                },
            },
        )
    "#]]
    .assert_debug_eq(&step(&project, "registered").source);
    let derived = PluginSource::Built("steps/concavity_by_size.py".into());
    assert_eq!(step(&project, "derived").source, Source::Plugin(derived.clone()));
    assert_eq!(derived.to_string(), "./steps/concavity_by_size.py");
    assert_eq!(step(&project, "patients").grants.files, [types::FileGrant { path: "data".to_owned(), write: false }]);
    assert_eq!((step(&project, "parts").seed, step(&project, "model").label.as_deref()), (7, Some("diagnosis")));
}

#[test]
fn a_step_knows_where_it_stands() {
    let project = example();
    let checked = step(&project, "checked");
    let line = |path: &[&str]| checked.place_of(path).map(|place| (place.file, place.line, place.column));
    let file = || "pipelines/train.toml".to_owned();
    assert_eq!(line(&["plugin"]), Some((file(), 9, 10)));
    assert_eq!(line(&["inputs", "table"]), Some((file(), 10, 20)));
    assert_eq!(line(&["params", "columns", "diagnosis", "type"]), Some((file(), 44, 30)));
    assert_eq!(line(&["params", "columns", "nobody"]), line(&["params", "columns"]));
    assert_eq!(checked.place_of_key(&["inputs"]).map(|place| (place.line, place.column)), Some((10, 1)));
    assert_eq!(checked.place_of_key(&["nobody"]).map(|place| (place.line, place.column)), Some((8, 1)));
}

fn problems(files: &[(&str, &[u8])]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let shown = |problem: &Problem| {
        let place = problem.place.as_ref().map(|place| format!("{}:{}: ", place.file, place.line));
        format!("{}{}\n", place.unwrap_or_default(), problem.message)
    };
    let all: String = load(folder.path()).err().unwrap_or_default().iter().map(shown).collect();
    all.replace(folder.path().to_str().unwrap(), "FOLDER")
}

#[test]
fn what_a_folder_lacks() {
    expect![[r#"
        there is no `stepwell.toml` in `FOLDER`
    "#]]
    .assert_eq(&problems(&[]));
    expect![[r#"
        `pipelines/x.toml` cannot be read: it is not a file
    "#]]
    .assert_eq(&problems(&[("stepwell.toml", b"name = \"a\""), ("pipelines/x.toml/y", b"")]));
    expect![[r#"
        `stepwell.toml` cannot be read: it is not UTF-8: byte 0 begins no character
        `pipelines/x.toml` cannot be read: it is longer than 256 KiB
    "#]]
    .assert_eq(&problems(&[("stepwell.toml", b"\xff"), ("pipelines/x.toml", &vec![b'#'; 300 << 10])]));
    let steps = b"[steps.a]\nplugin = \"./gone.py\"\n[steps.b]\nplugin = \"./is/a.wasm\"\n";
    expect![[r#"
        pipelines/x.toml:2: `./gone.py` cannot be read: No such file or directory (os error 2)
        pipelines/x.toml:4: `./is/a.wasm` is not a file
    "#]]
    .assert_eq(&problems(&[("stepwell.toml", b"name = \"a\""), ("pipelines/x.toml", steps), ("is/a.wasm/file", b"")]));
    let others: [(&str, &[u8]); 4] = [
        ("stepwell.toml", b"name = \"a\""),
        ("pipelines/README.md", b"["),
        ("pipelines/.x.toml", b"["),
        ("notes", b""),
    ];
    assert_eq!(problems(&others), "");
}

#[test]
fn nothing_waits_at_a_pipe_or_reads_without_end() {
    use rustix::fs::{CWD, FileType, mknodat};
    use std::os::unix::{fs::symlink, net::UnixListener};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    mknodat(CWD, at("pipe"), FileType::Fifo, 0o600.into(), 0).unwrap();
    symlink("/dev/zero", at("zeroes")).unwrap();
    symlink("loop", at("loop")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::File::create(at("giant")).unwrap().set_len(1 << 40).unwrap();
    fs::write(at("sound"), "# ten byte").unwrap();
    let read = |name: &str, most| manifest::read_file(&at(name), most).map_err(|error| error.to_string());
    for name in ["pipe", "zeroes", "."] {
        assert_eq!(read(name, 10), Err("it is not a file".to_owned()), "{name}");
    }
    assert!(read("loop", 10).is_err() && read("socket", 10).is_err() && read("gone", 10).is_err());
    assert_eq!(read("giant", 1 << 20), Err("it is longer than 1 MiB".to_owned()));
    assert_eq!(read("giant", 256 << 10), Err("it is longer than 256 KiB".to_owned()));
    assert_eq!(read("sound", 9), Err("it is longer than 0 KiB".to_owned()));
    assert_eq!(read("sound", 10), Ok(b"# ten byte".to_vec()));
    mknodat(CWD, at("stepwell.toml"), FileType::Fifo, 0o600.into(), 0).unwrap();
    mknodat(CWD, at("stepwell.lock"), FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(load(folder.path()).unwrap_err()[0].message, "`stepwell.toml` cannot be read: it is not a file");
    let lock = manifest::Lock::load(folder.path()).unwrap_err();
    assert_eq!(lock[0].message, "`stepwell.lock` cannot be read: it is not a file");
}

#[cfg(unix)]
#[test]
fn a_step_file_may_not_lead_out() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::create_dir(folder.path().join("pipelines")).unwrap();
    fs::write(folder.path().join("stepwell.toml"), "name = \"a\"").unwrap();
    fs::write(folder.path().join("pipelines/x.toml"), "[steps.a]\nplugin = \"./link.py\"\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link.py")).unwrap();
    let problems = load(folder.path()).unwrap_err();
    assert_eq!(problems[0].message, "`./link.py` leads out of the project");
}

/// What a manifest's problems quote is the project's, not a file of the machine that it links to.
#[test]
fn a_manifest_may_not_lead_out_and_may_be_a_link_within() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (at, secret) = (|name: &str| folder.path().join(name), outside.path().join("secret"));
    let link = |to: &std::path::Path, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
    fs::write(&secret, "root:$6$secret\n").unwrap();
    fs::create_dir(at("pipelines")).unwrap();
    fs::write(at("shared.toml"), "name = \"a\"\n").unwrap();
    link("shared.toml".as_ref(), "stepwell.toml");
    link(&secret, "pipelines/x.toml");
    link(&secret, "stepwell.lock");
    let problems = load(folder.path()).unwrap_err();
    let says = "cannot be read: it is a link that leads out of the project";
    assert_eq!(
        problems.iter().map(|problem| &problem.message).collect::<Vec<_>>(),
        [&format!("`pipelines/x.toml` {says}")]
    );
    assert_eq!(manifest::Lock::load(folder.path()).unwrap_err()[0].message, format!("`stepwell.lock` {says}"));
    fs::remove_file(at("pipelines/x.toml")).unwrap();
    fs::write(at("pipelines/x.toml"), "[steps.a]\nplugin = \"csv\"\n").unwrap();
    load(folder.path()).unwrap();
}

#[test]
fn a_broken_pipeline_does_not_stop_another() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pipelines")).unwrap();
    fs::write(folder.path().join("stepwell.toml"), "name = \"a\"").unwrap();
    fs::write(folder.path().join("pipelines/train.toml"), "[steps.a]\nplugin = \"csv\"\n").unwrap();
    fs::write(folder.path().join("pipelines/reach.toml"), "[steps.a]\nplugn = \"csv\"\n").unwrap();
    let names = |project: manifest::Project| project.pipelines.keys().map(ToString::to_string).collect::<Vec<_>>();
    let one = |name: &str| manifest::load_one(folder.path(), name).map(names).map_err(|problems| problems.len());
    assert_eq!(one("train"), Ok(vec!["train".to_owned()]));
    assert!(one("reach").is_err());
    assert!(one("trian").is_err(), "all of them are read, to say which there are");
    assert!(load(folder.path()).is_err());
}

#[test]
fn values_become_json() {
    let text = "[steps.a]\nplugin = \"x\"\n[steps.a.params]\nday = 1979-05-27\ntime = 1979-05-27T07:32:00.5-07:00\n\
                big = 18446744073709551615\nhex = 0xff\nsmall = -1_000\nlist = [1, 2.5, true, \"x\", [], {}]\nd.e.f = 1e3\n";
    let sources =
        manifest::Sources { project: "name = \"a\"".into(), pipelines: [("p".to_owned(), text.to_owned())].into() };
    let project = manifest::check(&sources).unwrap();
    let step = &project.pipelines.values().next().unwrap().steps[0];
    expect![[r#"{"big":18446744073709551615,"d":{"e":{"f":1000.0}},"day":"1979-05-27","hex":255,"list":[1,2.5,true,"x",[],{}],"small":-1000,"time":"1979-05-27T07:32:00.5-07:00"}"#]].assert_eq(&step.params.to_string());
    // The default seed is part of what makes a run repeatable: it may never change.
    expect!["16639058048389623638"].assert_eq(&step.seed.to_string());
}

/// A stranger's project may hold links under the names that a draft could have.
#[test]
fn a_lock_is_never_written_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "as it was").unwrap();
    let link = |name: &str| std::os::unix::fs::symlink(&victim, folder.path().join(name)).unwrap();
    link("stepwell.lock");
    (0..3).for_each(|number| link(&format!(".stepwell.lock.{}-{number}", std::process::id())));
    manifest::Lock::default().save(folder.path()).unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "as it was");
    assert!(folder.path().join("stepwell.lock").symlink_metadata().unwrap().is_file());
}
