//! Steps that are SQL: what `check` knows and says of them, what they give, which limits end them.

mod support;

use serde_json::{Value, json};
use support::{Output, Project};

const SALES: &str = "shop,item,amount\nnorth,apple,2.5\nsouth,pear,4\nnorth,pear,1.5\neast,plum,8\n";
const SHOPS: &str = "name,city\nnorth,Oslo\nsouth,Rome\n";
const SOURCES: &str = r#"
[steps.sales]
plugin = "csv"
params = { path = "data/sales.csv" }
grants = { files = ["data"] }

[steps.shops]
plugin = "csv"
params = { path = "data/shops.csv" }
grants = { files = ["data"] }
"#;
const TOTALS: &str = "-- What each city sold.\nselect city, count(*) as n, sum(amount) as total\nfrom sales join shops on sales.shop = shops.name\ngroup by city\norder by city\n";
const INPUTS: &str = r#"inputs = { sales = "sales.table", shops = "shops.table" }"#;

fn project(steps: &str) -> Project {
    let project = Project::new(&format!("{SOURCES}{steps}"));
    project.write("data/sales.csv", SALES);
    project.write("data/shops.csv", SHOPS);
    project
}

fn by_file(text: &str) -> Project {
    let project = project(&format!("\n[steps.totals]\nplugin = \"./steps/totals.sql\"\n{INPUTS}\n"));
    project.write("steps/totals.sql", text);
    project
}

#[track_caller]
fn says(output: &Output, code: i32, fragments: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{output:#?}");
    for fragment in fragments {
        let said = output.stdout.contains(fragment) || output.stderr.contains(fragment);
        assert!(said, "nothing says `{fragment}`\n{}\n{}", output.stdout, output.stderr);
    }
}

fn rows(project: &Project, output: &str) -> Value {
    project.answer(&["runs", "rows", "1", output])["rows"].clone()
}

#[test]
fn a_file_is_a_step_and_so_is_a_parameter() {
    let project = by_file(TOTALS);
    let parameter = format!("\n[steps.again]\nplugin = \"sql\"\n{INPUTS}\nparams = {{ query = '''\n{TOTALS}''' }}\n");
    let pipeline = std::fs::read_to_string(project.path().join("pipelines/main.toml")).unwrap();
    project.write("pipelines/main.toml", pipeline + &parameter);
    says(&project.stepwell(&["check"]), 0, &["plugin `./steps/totals.sql` pinned at", "plugin `sql` pinned at"]);
    let checked = project.answer(&["check"]);
    let steps = checked[0]["steps"].as_array().unwrap();
    let columns = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap()["outputs"]["table"].clone();
    assert_eq!((columns("totals"), columns("again")), (json!(3), json!(3)), "known before any run");
    let shown = project.stepwell(&["check", "--columns"]).stdout;
    for line in [["totals.table", "city", "text"], ["totals.table", "n", "int64"], ["again.table", "total", "float64"]]
    {
        let mut words = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert!(words.any(|words| words.starts_with(&line)), "{line:?}\n{shown}");
    }
    project.stepwell(&["run"]).succeeded();
    let expected = json!([{"city": "Oslo", "n": 2, "total": 4.0}, {"city": "Rome", "n": 1, "total": 4.0}]);
    assert_eq!((rows(&project, "totals.table"), rows(&project, "again.table")), (expected.clone(), expected));
    // The text is what is pinned.
    project.write("steps/totals.sql", TOTALS.replace("sum", "max"));
    says(&project.stepwell(&["check"]), 0, &["plugin `./steps/totals.sql` is now"]);
    let lock = std::fs::read_to_string(project.path().join("stepwell.lock")).unwrap();
    assert_eq!(lock.matches("source = ").count(), 1, "{lock}");
}

#[test]
fn an_error_is_shown_in_the_file_that_holds_the_query() {
    for (old, new, place, says_what) in [
        ("sum(amount)", "sum(amuont)", "steps/totals.sql:2:33", "there is no column `amuont`"),
        ("sum(amount)", "smu(amount)", "steps/totals.sql:2:29", "there is no function `smu`"),
        ("shops on", "shop on", "steps/totals.sql:3:17", "there is no table `shop`; it was given `sales`, `shops`"),
        ("group by", "group buy", "steps/totals.sql:4:1", "expected"),
        ("-- What", "drop table sales; -- What", "steps/totals.sql:2:1", "more than one statement"),
    ] {
        let project = by_file(&TOTALS.replacen(old, new, 1));
        says(&project.stepwell(&["check"]), 2, &[place, says_what, "step `totals`", "^"]);
        assert_eq!(project.answer(&["runs", "list"]), json!([]));
    }
}

#[test]
fn an_error_is_shown_in_the_manifest_that_holds_the_query() {
    let lines = SOURCES.lines().count();
    for (written, line, column) in [
        ("params = { query = \"select nope from sales\" }", 4, 28),
        ("params = { query = '''\nselect amount,\n  nope\nfrom sales''' }", 6, 3),
        (r#"params = { query = "select \"amount\",\n nope from sales" }"#, 4, 42),
    ] {
        let step = format!("\n[steps.totals]\nplugin = \"sql\"\n{written}\n{INPUTS}\n");
        let place = format!("pipelines/main.toml:{}:{column}", lines + line);
        says(&project(&step).stepwell(&["check"]), 2, &[&place, "there is no column `nope`", "^^^^"]);
    }
}

#[test]
fn what_a_query_gives_is_known_to_the_steps_after_it() {
    let step = |name: &str, query: &str, from: &str| {
        format!(
            "\n[steps.{name}]\nplugin = \"sql\"\nparams = {{ query = \"{query}\" }}\ninputs = {{ t = \"{from}\" }}\n"
        )
    };
    let first = step("first", "select amount, amount > 2 as large from t", "sales.table");
    let wrong = project(&(first.clone() + &step("second", "select sum(item) as s from t", "first.table")));
    says(&wrong.stepwell(&["check"]), 2, &["there is no column `item`; there are `amount`, `large`"]);
    let right = project(&(first + &step("second", "select count(*) filter (where large) as n from t", "first.table")));
    right.stepwell(&["run"]).succeeded();
    assert_eq!(rows(&right, "second.table"), json!([{"n": 3}]));
}

#[test]
fn a_step_has_one_query_and_no_other_parameters() {
    let step = |rest: &str| project(&format!("\n[steps.q]\n{rest}\ninputs = {{ sales = \"sales.table\" }}\n"));
    says(&step("plugin = \"sql\"").stepwell(&["check"]), 2, &["parameter `query` is missing"]);
    says(&step("plugin = \"./steps/none.sql\"").stepwell(&["check"]), 2, &["`./steps/none.sql` cannot be read"]);
    let twice = step("plugin = \"./steps/q.sql\"\nparams = { query = \"select 1 as x\" }");
    twice.write("steps/q.sql", "select 2 as x");
    says(&twice.stepwell(&["check"]), 2, &["step `q` has two queries"]);
    let more = step("plugin = \"sql\"\nparams = { query = \"select 1 as x\", quick = true }");
    says(&more.stepwell(&["check"]), 2, &["has no parameter `quick`"]);
}

#[test]
fn a_query_reaches_nothing_of_the_machine() {
    for query in
        ["select * from '/etc/passwd'", "copy sales to 'x.csv'", "set a = 1", "select random() as x from sales"]
    {
        let project = by_file(query);
        says(&project.stepwell(&["check"]), 2, &["steps/totals.sql:1:"]);
        says(&project.stepwell(&["run"]), 2, &["steps/totals.sql:1:"]);
    }
}

#[test]
fn what_the_query_meets_in_the_rows_fails_the_step_alone() {
    let project = by_file("select cast(item as bigint) as x from sales, shops");
    let output = project.stepwell(&["run"]);
    says(&output, 3, &["step `totals`", "'apple'"]);
    project.write("steps/totals.sql", TOTALS);
    project.stepwell(&["run"]).succeeded();
}

/// A step over rows that a step before it made, within limits.
fn made(rows: u64, query: &str, limits: &str) -> Project {
    let series = format!("select value as a, value % 1000 as b from generate_series(1, {rows})");
    Project::new(&format!(
        "[steps.made]\nplugin = \"sql\"\nparams = {{ query = \"{series}\" }}\n\n\
         [steps.heavy]\nplugin = \"sql\"\nparams = {{ query = \"{query}\" }}\ninputs = {{ t = \"made.table\" }}\nlimits = {{ {limits} }}\n"
    ))
}

#[test]
fn a_query_that_is_too_much_is_stopped_and_names_the_limit() {
    let cross = "select count(*) as n from t x cross join t y cross join t z where x.b + y.b + z.b = 7";
    for (query, limits, says_what) in [
        ("select x.a as a, y.a as b from t x cross join t y", "rows = 1_000_000", "`rows` is 1000000"),
        ("select x.a as a, y.a as b from t x cross join t y", "output = \"4 MiB\"", "`output` is 4 MiB"),
        (
            "select x.a, y.b, count(*) as n from t x join t y on x.b = y.b group by 1, 2",
            "memory = \"96 MiB\", disk = \"1 MiB\"",
            "`disk` is 1 MiB",
        ),
        (
            "select array_agg(x.a) is null as n from t x join t y on x.b = y.b",
            "memory = \"96 MiB\"",
            "`memory` of 96 MiB",
        ),
        (cross, "wall = \"3 s\"", "`wall`"),
        (cross, "cpu = \"2 s\"", "`cpu`"),
    ] {
        let project = made(200_000, query, limits);
        let output = project.stepwell(&["run"]);
        says(&output, 3, &["step `heavy`", says_what]);
        project.assert_no_worker_left();
    }
}

#[test]
fn rows_beyond_the_memory_go_to_the_disk_and_are_counted() {
    let project = made(1_500_000, "select a, sum(b) as s from t group by a order by s, a", "memory = \"160 MiB\"");
    project.stepwell(&["run"]).succeeded();
    let shown = project.answer(&["runs", "show", "1"]);
    let heavy = shown["steps"].as_array().unwrap().iter().find(|step| step["step"] == "heavy").unwrap().clone();
    let used = |limit: &str| heavy["receipt"]["limits"][limit]["used"].as_u64().unwrap();
    // How much lies there at once depends on who spills when.
    assert!(used("disk") > used("output") + (2 << 20), "{heavy:#}");
    assert_eq!(used("rows"), 1_500_000, "{heavy:#}");
}

const PYTHON: &str = r#"from stepwell import Transformer, query, query_columns

TEXT = "select shop, sum(amount) as total from sales group by shop order by shop"


class Totals(Transformer):
    """What each shop sold, by the host's SQL."""

    def gives(self, inputs):
        return {"table": query_columns(TEXT, inputs) if inputs else {}}

    def run(self, inputs):
        return {"table": query(TEXT, sales=inputs["sales"])}
"#;

#[test]
fn a_python_step_asks_sql() {
    let project = project("\n[steps.totals]\nplugin = \"./steps/totals.py\"\ninputs = { sales = \"sales.table\" }\n");
    project.write("steps/totals.py", PYTHON);
    project.stepwell(&["run"]).succeeded();
    let expected =
        json!([{"shop": "east", "total": 8.0}, {"shop": "north", "total": 4.0}, {"shop": "south", "total": 4.0}]);
    assert_eq!(rows(&project, "totals.table"), expected);
    project.write("steps/totals.py", PYTHON.replace("sum(amount)", "sum(amuont)"));
    says(&project.stepwell(&["check"]), 2, &["line 1, column 18: there is no column `amuont`", "^^^^^^"]);
}
