//! Pipelines that cannot run, and what is said of them.

use crate::fake;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn check(steps: &str, expected: Expect) {
    expected.assert_eq(&fake::problems(steps));
}

pub(crate) const DATA: &str =
    "[steps.data]\nplugin = \"csv\"\nparams.columns = \"id:int64 a:float64 b:float64 city:text y:boolean\"\n";

/// The case after a collector of `id a b city y`; lines count from 4.
pub(crate) fn with_data(steps: &str, expected: Expect) {
    check(&format!("{DATA}{steps}"), expected);
}

#[test]
fn parameters() {
    check(
        "[steps.data]\nplugin = \"csv\"\nparams = { delimeter = \",\", quote = \"duoble\", rows = 0 }\n",
        expect![[r#"
            3:1: step `data`: parameter `columns` is missing
                hint: `columns`: names and types
            3:12: step `data`: plugin `csv` has no parameter `delimeter`
                hint: did you mean `delimiter`?
            3:37: step `data`: parameter `quote` is `duoble`
                hint: did you mean `double`?
            3:54: step `data`: parameter `rows`: 0 is less than the minimum of 1
        "#]],
    );
    check(
        "[steps.data]\nplugin = \"csv\"\nparams = { columns = 1, delimiter = \"ab\", quote = 3, rows = 1.5, nested.x = {} }\n",
        expect![[r#"
            3:22: step `data`: parameter `columns` is an integer, expected string
            3:37: step `data`: parameter `delimiter`: "ab" is longer than 1 character
            3:51: step `data`: parameter `quote` is `3`
                hint: expected one of `single`, `double`
            3:61: step `data`: parameter `rows` is a number with a point, expected integer or null
            3:73: step `data`: parameter `nested.x.type` is missing
                hint: add `type` to the step's `params`
        "#]],
    );
    check(
        "[steps.data]\nplugin = \"csv\"\nparams = { columns = \"a:int64\", head = \"nome\" }\n",
        expect![[r#"
            3:40: step `data`: parameter `head` is `nome`, which it may not be
                hint: `none`, or rows to leave out
        "#]],
    );
    check(
        "[steps.data]\nplugin = \"csv\"\n",
        expect![[r#"
        1:1: step `data`: parameter `columns` is missing
            hint: `columns`: names and types
    "#]],
    );
    check(
        "[steps.data]\nplugin = \"broken-schema\"\n",
        expect![[r#"
        2:10: plugin `broken-schema` has no usable schema of parameters: 7 is not valid under any of the schemas listed in the 'anyOf' keyword
            hint: mend the JSON Schema in its `describe`
    "#]],
    );
}

#[test]
fn roles() {
    let steps: String = ["two-roles", "no-role", "only-predicts", "only-trains", "no-table"]
        .map(|plugin| format!("[steps.{plugin}]\nplugin = \"{plugin}\"\n"))
        .concat();
    check(
        &steps,
        expect![[r#"
        2:10: plugin `two-roles` exports `collector`, `transformer`, so it is not clear what step `two-roles` does
            hint: make a component of each role; only a trainer and its predictor belong together
        4:10: plugin `no-role` exports no role, so it can do no step
            hint: export one role
        6:10: plugin `only-predicts` only predicts, and no step trains its model
            hint: export `trainer` beside `predictor`; predictions are made by `builtin = "predict"`
        8:10: plugin `only-trains` trains, but exports no predictor that could use what it learnt
            hint: export `predictor` beside `trainer`
        10:10: plugin `no-table`, asked by step `no-table`, names no output `table`
            hint: mend its `describe`
    "#]],
    );
}

#[test]
fn keys_of_another_role() {
    check(
        "[steps.data]\nplugin = \"csv\"\nparams.columns = \"a:float64\"\nlabel = \"a\"\nweight = \"a\"\nslices = []\nignore = []\n",
        expect![[r#"
            4:1: step `data`: `label` is for trainers
                hint: plugin `csv` is a collector; remove the key
            5:1: step `data`: `weight` is for trainers
                hint: plugin `csv` is a collector; remove the key
            6:1: step `data`: `slices` is for evaluators
                hint: plugin `csv` is a collector; remove the key
            7:1: step `data`: `ignore` is for trainers
                hint: plugin `csv` is a collector; remove the key
        "#]],
    );
    with_data(
        "[steps.s]\nplugin = \"split\"\nfit = \"data.table\"\ninputs.table = \"data.table\"\n",
        expect![[r#"
        6:1: step `s`: `fit` is for fitted transformers
            hint: plugin `split` is a transformer; remove the key
    "#]],
    );
}

#[test]
fn ports() {
    check(
        "[steps.data]\nplugin = \"csv\"\nparams.columns = \"a:text\"\ninputs.x = \"data2.table\"\n[steps.data2]\nplugin = \"csv\"\nparams.columns = \"a:text\"\n",
        expect![[r#"
            4:8: step `data` has no port `x`: plugin `csv` is a collector, which takes no inputs
                hint: remove the input
        "#]],
    );
    with_data(
        "[steps.s]\nplugin = \"split\"\ninputs.tabel = \"data.table\"\n",
        expect![[r#"
            6:1: step `s` lacks its input `table`: plugin `split` takes `table`
                hint: add `inputs = { table = "step.port" }`
            6:8: step `s` has no port `tabel`: plugin `split` takes `table`
                hint: did you mean `table`?
        "#]],
    );
    with_data(
        "[steps.s]\nplugin = \"split\"\ninputs.table = \"data.rows\"\n",
        expect![[r#"
        6:16: step `s` takes `data.rows`, but `data` gives no such port
            hint: it gives `table`
    "#]],
    );
    with_data(
        "[steps.s]\nplugin = \"schema\"\ninputs = { table = \"data.table\", reference = \"data.table\" }\n",
        expect![[r#"
            6:34: step `s` has no port `reference`: plugin `schema` takes `table`
                hint: its ports are `table`
        "#]],
    );
    with_data(
        "[steps.j]\nplugin = \"join\"\ninputs.left = \"data.table\"\n",
        expect![[r#"
        6:1: step `j` lacks its input `right`: plugin `join` takes `left`, `right`
            hint: add `inputs = { right = "step.port" }`
    "#]],
    );
    with_data(
        "[steps.e]\nplugin = \"classification\"\ninputs.baseline = \"data.table\"\n",
        expect![[r#"
        6:1: step `e` lacks its input `candidate`: plugin `classification` is an evaluator, which takes `candidate`, `baseline`
            hint: add `inputs = { candidate = "step.port" }`
    "#]],
    );
}

#[test]
fn columns() {
    with_data(
        "[steps.n]\nplugin = \"needs\"\ninputs.table = \"data.table\"\n",
        expect![[r#"
        6:16: step `n` wants column `a` as int64; `data.table` gives float64
        6:16: step `n` wants column `missing` as text; `data.table` has no such column
            hint: it has `id`, `a`, `b`, `city`, `y`
        6:16: step `n` wants column `ab` as float64; `data.table` has no such column
            hint: did you mean `a`?
    "#]],
    );
    with_data(
        "[steps.l]\nplugin = \"liar\"\ninputs.table = \"data.table\"\n",
        expect![[r#"
        5:10: plugin `liar` contradicts itself: it names column `x` twice at its input `table`
            hint: mend its `describe`
        5:10: plugin `liar` contradicts itself: it names its output `out` twice
            hint: mend its `describe`
        5:10: plugin `liar` contradicts itself: it gives `out` as some rows of `table`, but with other columns
            hint: mend its `describe`
        5:10: plugin `liar` contradicts itself: it makes `out` of the rows of `elsewhere`, which is none of its inputs
            hint: mend its `describe`
    "#]],
    );
    with_data(
        "[steps.l]\nplugin = \"no-output\"\ninputs.table = \"data.table\"\n",
        expect![[r#"
        5:10: plugin `no-output`, asked by step `l`, names no output
            hint: mend its `describe`
    "#]],
    );
    with_data(
        "[steps.e]\nplugin = \"classification\"\ninputs.candidate = \"data.table\"\nslices = [\"city\", \"ctiy\"]\n",
        expect![[r#"
            7:19: step `e` wants column `ctiy`; `data.table` has no such column
                hint: did you mean `city`?
        "#]],
    );
}

#[test]
fn fitted() {
    with_data(
        "[steps.s]\nplugin = \"standardize\"\ninputs.rows = \"data.table\"\n",
        expect![[r#"
        4:1: step `s` lacks `fit`: plugin `standardize` learns from rows
            hint: name the training rows, such as `fit = "parts.train"`, never the test rows
    "#]],
    );
    with_data(
        "[steps.s]\nplugin = \"standardize\"\nfit = \"data.table\"\n",
        expect![[r#"
        4:1: step `s` has no inputs, so it makes nothing
            hint: name the tables to apply it to, such as `inputs = { train = "parts.train" }`
    "#]],
    );
    with_data(
        "[steps.d]\nplugin = \"./derive.py\"\nfit = \"data.table\"\ninputs.state = \"data.table\"\n",
        expect![[r#"
            6:1: step `d` has `fit`, but plugin `derive` learns nothing
                hint: remove the key
            7:8: step `d` may not name an input `state`: its learnt state stands there
        "#]],
    );
    with_data(
        "[steps.other]\nplugin = \"csv\"\nparams.columns = \"a:int64 b:float64 c:text\"\n\
         [steps.s]\nplugin = \"standardize\"\nfit = \"data.table\"\ninputs.rows = \"other.table\"\n",
        expect![[r#"
            10:15: step `s` wants column `id` as int64; `other.table` has no such column
                hint: it has `a`, `b`, `c`
            10:15: step `s` wants column `a` as float64; `other.table` gives int64
            10:15: step `s` wants column `city` as text; `other.table` has no such column
                hint: it has `a`, `b`, `c`
            10:15: step `s` wants column `y` as boolean; `other.table` has no such column
                hint: it has `a`, `b`, `c`
            10:15: step `s` takes column `c` of `other.table`; `data.table`, which it is fitted on, has no such column
                hint: all inputs of a fitted step have the same columns
        "#]],
    );
}

#[test]
fn trainers_that_learn_a_column() {
    let expected = expect![[r#"
        4:1: step `m` lacks `label`: plugin `logistic` learns a column
            hint: name the column to learn, such as `label = "price"`
    "#]];
    with_data("[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\n", expected);
}

#[test]
fn trainers() {
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"yy\"\nweight = \"w\"\nignore = [\"di\", \"id\"]\n",
        expect![[r#"
            7:9: step `m` wants column `yy`; `data.table` has no such column
                hint: did you mean `y`?
            8:10: step `m` wants column `w`; `data.table` has no such column
                hint: it has `id`, `a`, `b`, `city`, `y`
            9:11: step `m` wants column `di`; `data.table` has no such column
                hint: did you mean `id`?
        "#]],
    );
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\nfeatures = [\"a\", \"y\", \"c\"]\n",
        expect![[r#"
            8:18: step `m`: `y` is the label and a feature
                hint: remove it here
            8:23: step `m` wants column `c`; `data.table` has no such column
                hint: it has `id`, `a`, `b`, `city`, `y`
        "#]],
    );
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\nweight = \"y\"\nignore = [\"y\"]\n",
        expect![[r#"
            8:10: step `m`: the label is the weight too
                hint: name another column
            9:11: step `m`: `y` is ignored, and label or weight
                hint: remove it here: neither is a feature
        "#]],
    );
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\nignore = [\"a\", \"b\", \"id\"]\n",
        expect![[r#"
            6:16: step `m` has nothing to learn from: no column of numbers is left in `data.table`
                hint: name columns in `features`
        "#]],
    );
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs = { train = \"data.table\", test = \"data.table\" }\nlabel = \"y\"\n",
        expect![[r#"
            6:34: step `m` has no port `test`: plugin `logistic` is a trainer, which takes `train`, `validation`, `initial`
                hint: its ports are `train`, `validation`, `initial`
        "#]],
    );
    check(
        "[steps.data]\nplugin = \"csv\"\nparams.columns = \"\"\n[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\n",
        expect![[r#"
            4:1: step `m` lacks `features`: the columns of `data.table` are not known
                hint: name the columns to learn from, such as `features = ["age"]`
        "#]],
    );
    with_data(
        "[steps.other]\nplugin = \"csv\"\nparams.columns = \"id:int64 a:text y:boolean\"\n\
         [steps.m]\nplugin = \"logistic\"\ninputs = { train = \"data.table\", validation = \"other.table\" }\nlabel = \"y\"\n",
        expect![[r#"
            9:47: step `m` wants column `a` as float64; `other.table` gives text
            9:47: step `m` wants column `b` as float64; `other.table` has no such column
                hint: it has `id`, `a`, `y`
        "#]],
    );
}

const MODEL: &str = "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\n";

#[test]
fn predictions() {
    with_data(
        &format!(
            "{MODEL}[steps.p]\nbuiltin = \"predict\"\ninputs = {{ rows = \"m.model\", model = \"data.table\" }}\n"
        ),
        expect![[r#"
            10:19: step `p` wants a table at `inputs.rows`; `m.model` is a model
                hint: there is `data.table`
            10:38: step `p` wants a model at `inputs.model`; `data.table` is a table
                hint: there is `m.model`
        "#]],
    );
    check(
        "[steps.data]\nplugin = \"csv\"\nparams.columns = \"a:float64 y:boolean prediction:text\"\n\
         [steps.other]\nplugin = \"csv\"\nparams.columns = \"a:text probability:text\"\n\
         [steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\n\
         [steps.p]\nbuiltin = \"predict\"\ninputs = { rows = \"data.table\", model = \"m.model\" }\n\
         [steps.q]\nbuiltin = \"predict\"\ninputs = { rows = \"other.table\", model = \"m.model\" }\n",
        expect![[r#"
            13:19: `m.model` predicts a column `prediction`; `data.table` has one already
                hint: rename the column in an earlier step
            16:19: step `q` wants column `a` as float64; `other.table` gives text
            16:19: `m.model` predicts a column `probability`; `other.table` has one already
                hint: rename the column in an earlier step
        "#]],
    );
    with_data(
        &format!(
            "{MODEL}[steps.g]\nbuiltin = \"gate\"\ninputs.measures = \"m.model\"\nrequire = [{{ measure = \"x\", at_least = 1 }}]\n"
        ),
        expect![[r#"
            10:19: step `g` wants measures at `inputs.measures`; `m.model` is a model
        "#]],
    );
}

fn registered(between: &str, train: &str) -> String {
    format!(
        "{DATA}{between}[steps.m]\nplugin = \"logistic\"\ninputs.train = \"{train}\"\nlabel = \"y\"\n\
         [steps.r]\nbuiltin = \"register\"\ninputs.model = \"m.model\"\nname = \"m\"\n"
    )
}

#[test]
fn served_paths() {
    let join = "[steps.j]\nplugin = \"join\"\ninputs = { left = \"data.table\", right = \"more.table\" }\n\
                [steps.more]\nplugin = \"csv\"\nparams.columns = \"extra:int64\"\n";
    check(
        &registered(join, "j.table"),
        expect![[r#"
        5:10: step `j` is not row-wise, so the model could not be served
            hint: between the collector and a registered model, rows are only chosen, checked, or changed by fitted transformers
    "#]],
    );
    check(
        &registered("[steps.c]\nplugin = \"clip\"\ninputs.table = \"data.table\"\n", "c.table"),
        expect![[r#"
        5:10: step `c` changes rows without being a fitted transformer, so the model could not be served
            hint: between the collector and a registered model, rows are only chosen, checked, or changed by fitted transformers
    "#]],
    );
    let reads_label =
        "[steps.d]\nplugin = \"./derive.py\"\ninputs.rows = \"data.table\"\nparams.reads = \"a:float64 y:boolean\"\n";
    check(
        &registered(reads_label, "d.rows"),
        expect![[r#"
            5:10: step `d` reads the label `y`, which no request brings
                hint: leave the column out in the step's parameters
        "#]],
    );
    let makes_label = "[steps.d]\nplugin = \"./derive.py\"\ninputs.rows = \"source.table\"\nparams = { reads = \"city:text\", adds = \"y:boolean\" }\n\
                       [steps.source]\nplugin = \"csv\"\nparams.columns = \"a:float64 city:text\"\n";
    check(
        &registered(makes_label, "d.rows"),
        expect![[r#"
        5:10: step `d` makes the label `y`, so every request would have to bring its parts
            hint: let the collector bring the label
    "#]],
    );
    let unknown = "[steps.data]\nplugin = \"csv\"\nparams.columns = \"\"\n\
                   [steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nfeatures = [\"a\"]\nlabel = \"y\"\n\
                   [steps.r]\nbuiltin = \"register\"\ninputs = { model = \"m.model\", verdict = \"data.table\" }\nname = \"m\"\n";
    check(
        unknown,
        expect![[r#"
            5:10: step `r` cannot say which columns a request must bring: those of `data.table` are not known before the run
                hint: register only models whose training columns are known
            11:41: step `r` wants a verdict at `inputs.verdict`; `data.table` is a table
        "#]],
    );
}

#[test]
fn one_mistake_is_told_once() {
    // What hangs on the broken step is silent; what does not is checked.
    check(
        "[steps.data]\nplugin = \"csv\"\n\
         [steps.s]\nplugin = \"split\"\ninputs.table = \"data.table\"\n\
         [steps.m]\nplugin = \"logistic\"\ninputs.train = \"s.train\"\n\
         [steps.free]\nplugin = \"no-role\"\n",
        expect![[r#"
            1:1: step `data`: parameter `columns` is missing
                hint: `columns`: names and types
            10:10: plugin `no-role` exports no role, so it can do no step
                hint: export one role
        "#]],
    );
}

/// A schema is a stranger's text: checking parameters against it must end, and take little.
#[test]
fn schemas_that_would_take_forever() {
    let turns =
        |i: usize| json!({"allOf": [{"$ref": format!("#/$defs/{}", i + 1)}, {"$ref": format!("#/$defs/{}", i + 1)}]});
    let doubling = json!({"$ref": "#/$defs/0", "$defs": Value::from_iter((0..60).map(|i| (i.to_string(), turns(i))))});
    let pattern = |pattern: &str| json!({"properties": {"columns": {"pattern": pattern}}});
    for (schema, expected) in [
        (json!({"properties": {"columns": {"type": "string"}}}), None),
        (pattern(r"^[\w .:-]{1,200}$"), None),
        (json!({"$ref": "#"}), Some("with `$ref`, which is not followed; write the schema out")),
        (json!({"$ref": "https://example.com/schema.json"}), Some("with `$ref`")),
        (json!({"$dynamicRef": "#x", "$dynamicAnchor": "x"}), Some("with `$dynamicRef`")),
        (doubling, Some("with `$ref`")),
        (pattern("(?=a)"), Some("no usable schema of parameters")),
        (pattern(r"^\p{L}{100}x$"), Some("no usable schema of parameters")),
        (pattern(&"a".repeat(257)), Some("a pattern of 257 characters, at most 256 are taken; check such texts")),
    ] {
        let project = fake::project(DATA);
        let name = types::Id::parse("train").unwrap();
        let built = plan::build(&project, &name, &mut |step, ports| {
            let mut described = fake::describe(step, ports)?;
            described.descriptor.parameters = schema.clone();
            Ok(described)
        });
        match (built, expected) {
            (Ok(_), None) => {}
            (Err(problems), Some(expected)) => {
                let line = fake::line(&problems[0]);
                assert!(line.contains(expected), "{schema}: {line}");
            }
            (Ok(_), Some(expected)) => panic!("{schema}: taken, expected `{expected}`"),
            (Err(problems), None) => panic!("{schema}: {}", fake::line(&problems[0])),
        }
    }
}

#[test]
fn no_such_pipeline() {
    let sources = manifest::Sources {
        project: "name = \"case\"".into(),
        pipelines: [("train".to_owned(), DATA.to_owned())].into(),
    };
    let project = manifest::check(&sources).unwrap();
    let name = types::Id::parse("trian").unwrap();
    let problems = plan::build(&project, &name, &mut fake::describe).unwrap_err();
    expect![[r#"
        [
            Problem {
                place: None,
                message: "project `case` has no pipeline `trian`",
                hint: Some(
                    "did you mean `train`?",
                ),
            },
        ]
    "#]]
    .assert_debug_eq(&problems);
}
