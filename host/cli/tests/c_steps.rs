//! Steps in C, from source to a served answer. `languages.rs` holds one against the same step in the other languages.

mod harness;

use harness::{Project, TRAIN};
use std::path::Path;

const ZSCORE: &str = include_str!("../../../sdk/c/examples/zscore.c");

/// A project that finds the compiler in the user's cache.
fn project() -> Project {
    harness::examples::zscore("c");
    Project::new()
}

#[test]
fn the_step_of_the_readme_is_the_example_and_runs_though_it_learns_nothing() {
    let (readme, step) = (include_str!("../../../sdk/c/README.md"), include_str!("../../../sdk/c/examples/density.c"));
    let shown = step.split_once('\n').unwrap().1;
    assert!(readme.contains(shown), "sdk/c/README.md shows sdk/c/examples/density.c");
    let project = project();
    project.write("density.c", step);
    project.stepwell(&["plugin", "build", "density.c"]).expect("build", 0, &["density.wasm"]);
    project.write("data/bodies.csv", "name,mass,volume\na,1.5,2\nb,,4\nc,9.25,0.5\n");
    project.write(
        TRAIN,
        "[steps.bodies]\nplugin = \"csv\"\nparams = { path = \"data/bodies.csv\", columns = { volume = \"float64\" } }\n\
         grants = { files = [\"data\"] }\n[steps.dense]\nplugin = \"./density.wasm\"\ninputs = { rows = \"bodies.table\" }\n",
    );
    project.stepwell(&["run"]).expect("run", 0, &["dense", "3 rows"]);
    let density: Vec<_> = project.rows(1, "dense.rows").iter().map(|row| row["density"].as_f64()).collect();
    assert_eq!(density, [Some(0.75), None, Some(18.5)]);
}

#[test]
fn a_model_behind_a_step_in_c_answers_as_it_was_measured() {
    let project = project();
    project.write("steps/zscore.c", ZSCORE);
    let data = project.read("data/tumour.csv");
    let header = data.lines().next().unwrap();
    let columns: Vec<&str> = header.split(',').filter(|name| !["sample", "diagnosis"].contains(name)).collect();
    let step = format!("plugin = \"./steps/zscore.c\"\nparams = {{ columns = {columns:?} }}");
    project.edit(TRAIN, "plugin = \"standardize\"", &step);
    project.run();
    let (rows, predicted) = (project.rows(1, "parts.test"), project.rows(1, "predicted.table"));
    let serving = project.serve();
    let served: Vec<u64> = serving.infer(&rows).into_iter().map(f64::to_bits).collect();
    let measured: Vec<u64> = predicted.iter().map(|row| row["probability"].as_f64().unwrap().to_bits()).collect();
    assert_eq!(served, measured, "the saved state reads back to the same bits");
    assert_eq!(serving.terminate().0.code(), Some(0));
}

#[test]
fn a_new_plugin_in_c_of_every_role_builds_and_runs() {
    let project = project();
    for (role, name) in [
        ("collector", "lines"),
        ("transformer", "least"),
        ("fitted", "fill"),
        ("validator", "filled"),
        ("trainer", "mean"),
        ("evaluator", "error"),
        ("sink", "told"),
    ] {
        project.stepwell(&["plugin", "new", "--lang", "c", "--role", role, name]).expect(role, 0, &["made"]);
        project.stepwell(&["plugin", "build", name]).expect(role, 0, &[role, "built"]);
    }
    // More lines than a page of the collector holds.
    let rows: String = (0..9000).map(|at| format!("{at},{}\n", if at % 3 == 0 { "" } else { "10" })).collect();
    project.write("data/n.csv", format!("id,value\n{rows}"));
    project.write(TRAIN, include_str!("c_steps.toml"));
    project.stepwell(&["run"]).expect("run", 0, &["succeeded", "lines", "9001 rows", "mean_absolute_error"]);
    assert_eq!(project.rows(1, "lines.table")[7]["line"], "6,");
    project.stepwell(&["runs", "logs", "1"]).expect("a sink", 0, &["default/train/1/told: 6000 rows"]);
    assert!(project.rows(1, "fill.rows").iter().all(|row| row["value"] == 10.0));
    assert_eq!(project.rows(1, "least.table").len(), 6000);
    let predicted = project.rows(1, "predicted.table");
    assert!(predicted.iter().all(|row| row["prediction"] == 10.0));
    project.edit(TRAIN, "label = \"value\"\n\n[steps.predicted]", "\n[steps.predicted]");
    project.stepwell(&["check"]).expect("a learner that needs a label", 2, &["step `mean` lacks `label`"]);
}

#[test]
fn every_type_goes_through_the_sdk_and_back_in_pieces() {
    let project = project();
    let selftest = include_str!("../../../sdk/c/tests/selftest.c");
    project.write("gives.c", format!("#define GIVES\n{selftest}"));
    project.write("checks.c", selftest);
    for source in ["gives.c", "checks.c"] {
        project.stepwell(&["plugin", "build", source]).expect(source, 0, &["selftest 0.1.0"]);
    }
    let step = |name: &str, of: &str, params: &str| {
        format!(
            "[steps.{name}]\nplugin = \"./checks.wasm\"\ninputs = {{ table = \"{of}.table\" }}\nparams = {{{params}}}\n"
        )
    };
    let given = "[steps.given]\nplugin = \"./gives.wasm\"\n".to_owned();
    // What a step read is given on: read again, it is the same.
    project.write(TRAIN, given + &step("once", "given", "") + &step("twice", "once", ""));
    project.stepwell(&["run"]).expect("run", 0, &["succeeded", "150001 rows"]);
    project.stepwell(&["runs", "logs", "1"]).expect("what is printed is logged", 0, &["twice", "checked 150001 rows"]);
    project.write(TRAIN, project.read(TRAIN) + &step("fails", "twice", "absent = \"yes\""));
    let first = "`absent`: expected a column of this name, got 9 of other names";
    project.stepwell(&["run"]).expect("the first error of a call is the step's", 3, &[first]);
}

#[test]
fn what_does_not_build_says_why_and_leaves_nothing() {
    let project = project();
    let calling = |call: &str| ZSCORE.replace("sw_learns(about);", &format!("sw_learns(about); {call};"));
    for (source, said) in [
        (ZSCORE.replace("return all;", "return every;"), &["step.c:60:12: error", "every"][..]),
        (ZSCORE.replace("SW_DESCRIBE(describe);", ""), &["lacks a description or a role", "SW_DESCRIBE"]),
        (ZSCORE.replace("SW_FITTED(fit, save, restore, apply);", ""), &["lacks a description or a role"]),
        (calling("int fopen(const char *, const char *); fopen(\"x\", \"r\")"), &["asks a system for `", "sw_open"]),
        (calling("void nowhere(void); nowhere()"), &["undefined symbol: nowhere"]),
        ("#error on purpose".into(), &["step.c:1:2: error", "on purpose"]),
        // What ended in the component would go where its author likes.
        (
            format!("{ZSCORE}const unsigned char peeked[] = {{\n#embed \"/etc/passwd\"\n}};\n"),
            // Not found behind Landlock, and refused where the kernel has none.
            &["/etc/passwd"],
        ),
        (
            format!("__asm__(\".incbin \\\"/etc/passwd\\\"\");\n{ZSCORE}"),
            &["step.c:1:1: error", "assembly is disabled"],
        ),
        (String::new(), &["lacks a description or a role"]),
        ("\0\u{ff}".into(), &["step.c:1:1: "]),
    ] {
        project.write("broken/step.c", &source);
        let ended = project.stepwell(&["plugin", "build", "broken"]);
        ended.expect(&source[..source.len().min(60)], 2, said);
        let left: Vec<_> = project.path("broken").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["step.c"]);
    }
}

#[test]
fn a_step_of_several_files_is_one_plugin_and_prints_to_the_log() {
    let project = project();
    let described = ZSCORE.replace("sw_learns(about);", "sw_learns(about); note();");
    project.write("scale/main.c", format!("void note(void);\n{described}"));
    project.write("scale/note.c", "#include <stdio.h>\nvoid note(void) { printf(\"noted %d\\n\", 7); }\n");
    let built = project.stepwell(&["plugin", "build", "scale"]);
    built.expect("build", 0, &["scale.wasm", "report"]);
    assert!(!built.out.contains("wasi"), "{}", built.out);
    assert!(Path::new(&project.path("scale/scale.wasm")).is_file());
}
