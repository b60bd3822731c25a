//! Pipelines that cannot run, and what is said of them.

mod fake;

use expect_test::{Expect, expect};

fn check(steps: &str, expected: Expect) {
    expected.assert_eq(&fake::problems(steps));
}

const DATA: &str =
    "[steps.data]\nplugin = \"csv\"\nparams.columns = \"id:int64 a:float64 b:float64 city:text y:boolean\"\n";

/// The case after a collector of `id a b city y`; lines count from 4.
fn with_data(steps: &str, expected: Expect) {
    check(&format!("{DATA}{steps}"), expected);
}

#[test]
fn parameters() {
    check(
        "[steps.data]\nplugin = \"csv\"\nparams = { delimeter = \",\", quote = \"duoble\", rows = 0 }\n",
        expect![[r#""#]],
    );
    check(
        "[steps.data]\nplugin = \"csv\"\nparams = { columns = 1, delimiter = \"ab\", quote = 3, rows = 1.5, nested.x = {} }\n",
        expect![[r#""#]],
    );
    check("[steps.data]\nplugin = \"csv\"\n", expect![[r#""#]]);
    check("[steps.data]\nplugin = \"broken-schema\"\n", expect![[r#""#]]);
}

#[test]
fn roles() {
    let steps: String = ["two-roles", "no-role", "only-predicts", "only-trains", "no-table"]
        .map(|plugin| format!("[steps.{plugin}]\nplugin = \"{plugin}\"\n"))
        .concat();
    check(&steps, expect![[r#""#]]);
}

#[test]
fn keys_of_another_role() {
    check(
        "[steps.data]\nplugin = \"csv\"\nparams.columns = \"a:float64\"\nlabel = \"a\"\nweight = \"a\"\nslices = []\nignore = []\n",
        expect![[r#""#]],
    );
    with_data("[steps.s]\nplugin = \"split\"\nfit = \"data.table\"\ninputs.table = \"data.table\"\n", expect![[r#""#]]);
}

#[test]
fn ports() {
    check(
        "[steps.data]\nplugin = \"csv\"\nparams.columns = \"a:text\"\ninputs.x = \"data2.table\"\n[steps.data2]\nplugin = \"csv\"\nparams.columns = \"a:text\"\n",
        expect![[r#""#]],
    );
    with_data("[steps.s]\nplugin = \"split\"\ninputs.tabel = \"data.table\"\n", expect![[r#""#]]);
    with_data("[steps.s]\nplugin = \"split\"\ninputs.table = \"data.rows\"\n", expect![[r#""#]]);
    with_data(
        "[steps.s]\nplugin = \"schema\"\ninputs = { table = \"data.table\", reference = \"data.table\" }\n",
        expect![[r#""#]],
    );
    with_data("[steps.j]\nplugin = \"join\"\ninputs.left = \"data.table\"\n", expect![[r#""#]]);
    with_data("[steps.e]\nplugin = \"classification\"\ninputs.baseline = \"data.table\"\n", expect![[r#""#]]);
}

#[test]
fn columns() {
    with_data("[steps.n]\nplugin = \"needs\"\ninputs.table = \"data.table\"\n", expect![[r#""#]]);
    with_data("[steps.l]\nplugin = \"liar\"\ninputs.table = \"data.table\"\n", expect![[r#""#]]);
    with_data("[steps.l]\nplugin = \"no-output\"\ninputs.table = \"data.table\"\n", expect![[r#""#]]);
    with_data(
        "[steps.e]\nplugin = \"classification\"\ninputs.candidate = \"data.table\"\nslices = [\"city\", \"ctiy\"]\n",
        expect![[r#""#]],
    );
}

#[test]
fn fitted() {
    with_data("[steps.s]\nplugin = \"standardize\"\ninputs.rows = \"data.table\"\n", expect![[r#""#]]);
    with_data("[steps.s]\nplugin = \"standardize\"\nfit = \"data.table\"\n", expect![[r#""#]]);
    with_data(
        "[steps.d]\nplugin = \"./derive.py\"\nfit = \"data.table\"\ninputs.state = \"data.table\"\n",
        expect![[r#""#]],
    );
    with_data(
        "[steps.other]\nplugin = \"csv\"\nparams.columns = \"a:int64 b:float64 c:text\"\n\
         [steps.s]\nplugin = \"standardize\"\nfit = \"data.table\"\ninputs.rows = \"other.table\"\n",
        expect![[r#""#]],
    );
}

#[test]
fn trainers() {
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"yy\"\nweight = \"w\"\nignore = [\"di\", \"id\"]\n",
        expect![[r#""#]],
    );
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\nfeatures = [\"a\", \"y\", \"c\"]\n",
        expect![[r#""#]],
    );
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\nweight = \"y\"\nignore = [\"y\"]\n",
        expect![[r#""#]],
    );
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\nignore = [\"a\", \"b\", \"id\"]\n",
        expect![[r#""#]],
    );
    with_data(
        "[steps.m]\nplugin = \"logistic\"\ninputs = { train = \"data.table\", test = \"data.table\" }\nlabel = \"y\"\n",
        expect![[r#""#]],
    );
    check(
        "[steps.data]\nplugin = \"csv\"\nparams.columns = \"\"\n[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\n",
        expect![[r#""#]],
    );
    with_data(
        "[steps.other]\nplugin = \"csv\"\nparams.columns = \"id:int64 a:text y:boolean\"\n\
         [steps.m]\nplugin = \"logistic\"\ninputs = { train = \"data.table\", validation = \"other.table\" }\nlabel = \"y\"\n",
        expect![[r#""#]],
    );
}

const MODEL: &str = "[steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\n";

#[test]
fn predictions() {
    with_data(
        &format!(
            "{MODEL}[steps.p]\nbuiltin = \"predict\"\ninputs = {{ rows = \"m.model\", model = \"data.table\" }}\n"
        ),
        expect![[r#""#]],
    );
    check(
        "[steps.data]\nplugin = \"csv\"\nparams.columns = \"a:float64 y:boolean prediction:text\"\n\
         [steps.other]\nplugin = \"csv\"\nparams.columns = \"a:text probability:text\"\n\
         [steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nlabel = \"y\"\n\
         [steps.p]\nbuiltin = \"predict\"\ninputs = { rows = \"data.table\", model = \"m.model\" }\n\
         [steps.q]\nbuiltin = \"predict\"\ninputs = { rows = \"other.table\", model = \"m.model\" }\n",
        expect![[r#""#]],
    );
    with_data(
        &format!(
            "{MODEL}[steps.g]\nbuiltin = \"gate\"\ninputs.measures = \"m.model\"\nrequire = [{{ measure = \"x\", at_least = 1 }}]\n"
        ),
        expect![[r#""#]],
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
    check(&registered(join, "j.table"), expect![[r#""#]]);
    check(&registered("[steps.c]\nplugin = \"clip\"\ninputs.table = \"data.table\"\n", "c.table"), expect![[r#""#]]);
    let reads_label =
        "[steps.d]\nplugin = \"./derive.py\"\ninputs.rows = \"data.table\"\nparams.reads = \"a:float64 y:boolean\"\n";
    check(&registered(reads_label, "d.rows"), expect![[r#""#]]);
    let makes_label = "[steps.d]\nplugin = \"./derive.py\"\ninputs.rows = \"source.table\"\nparams = { reads = \"city:text\", adds = \"y:boolean\" }\n\
                       [steps.source]\nplugin = \"csv\"\nparams.columns = \"a:float64 city:text\"\n";
    check(&registered(makes_label, "d.rows"), expect![[r#""#]]);
    let unknown = "[steps.data]\nplugin = \"csv\"\nparams.columns = \"\"\n\
                   [steps.m]\nplugin = \"logistic\"\ninputs.train = \"data.table\"\nfeatures = [\"a\"]\n\
                   [steps.r]\nbuiltin = \"register\"\ninputs = { model = \"m.model\", verdict = \"data.table\" }\nname = \"m\"\n";
    check(unknown, expect![[r#""#]]);
}

#[test]
fn one_mistake_is_told_once() {
    // What hangs on the broken step is silent; what does not is checked.
    check(
        "[steps.data]\nplugin = \"csv\"\n\
         [steps.s]\nplugin = \"split\"\ninputs.table = \"data.table\"\n\
         [steps.m]\nplugin = \"logistic\"\ninputs.train = \"s.train\"\n\
         [steps.free]\nplugin = \"no-role\"\n",
        expect![[r#""#]],
    );
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
    expect![[r#""#]].assert_debug_eq(&problems);
}
