//! Texts of any shape: long, deep, wide, or no text at all. None takes the worker down.

use crate::made::{ask, bounds, small};
use proptest::prelude::*;
use query::{
    EXPRESSION_DEPTH_MAX, Error, GROUPING_SETS_MAX, READ_MAX, RELATIONS_MAX, SUBQUERY_DEPTH_MAX, TEXT_BYTES_MAX,
    TOKENS_MAX,
};

fn refusal(sql: &str) -> String {
    match ask(sql) {
        Err(Error::Text { message, .. }) => message,
        other => panic!("{}..: {other:?}", &sql[..sql.len().min(60)]),
    }
}

#[test]
fn each_bound_is_told_where_it_is_passed_and_not_before() {
    let padded = |bytes: usize| format!("select 1 as x{}", " ".repeat(bytes - 13));
    assert!(ask(&padded(TEXT_BYTES_MAX)).is_ok());
    assert!(refusal(&padded(TEXT_BYTES_MAX + 1)).contains("65537 bytes, at most 65536"));

    let listed = |count: usize| format!("select a in (0{}) as x from t", ",1".repeat(count));
    assert!(ask(&listed(5_000)).is_ok());
    assert!(refusal(&listed(TOKENS_MAX / 2)).contains("words and signs, at most 16384"));

    let chain = |depth: usize| format!("select 1{} as x", " + 1".repeat(depth));
    assert!(ask(&chain(EXPRESSION_DEPTH_MAX - 1)).is_ok());
    assert!(refusal(&chain(EXPRESSION_DEPTH_MAX)).contains("more than 256 expressions within each other"));

    let joined = |count: usize| {
        let more: String = (1..count).map(|n| format!(" join t t{n} on t0.a = t{n}.a")).collect();
        format!("select t0.a from t t0{more}")
    };
    assert!(ask(&joined(RELATIONS_MAX / 2)).is_ok());
    assert!(refusal(&joined(RELATIONS_MAX + 1)).contains("more than 64 tables"));

    let united = |count: usize| format!("select 1 as x{}", " union all select 1".repeat(count - 1));
    assert!(ask(&united(RELATIONS_MAX)).is_ok());
    assert!(refusal(&united(RELATIONS_MAX + 1)).contains("more than 64 selects"));
}

#[test]
fn what_grows_by_a_factor_with_each_word_is_bounded() {
    for (open, close) in [("exists (select 1 from t where ", ")"), ("a in (select a from t where ", ")")] {
        let nested = |depth: usize| format!("select a from t where {}true{}", open.repeat(depth), close.repeat(depth));
        assert!(ask(&nested(SUBQUERY_DEPTH_MAX)).is_ok());
        let told = format!("more than {SUBQUERY_DEPTH_MAX} queries in expressions within each other");
        assert!(refusal(&nested(SUBQUERY_DEPTH_MAX + 1)).contains(&told));
    }
    let listed = |count: usize| (0..count).map(|n| format!("a + {n}")).collect::<Vec<_>>().join(", ");
    let grouped = |by: String| format!("select count(*) as n from t group by {by}");
    let columns = GROUPING_SETS_MAX.ilog2() as usize;
    assert!(ask(&grouped(format!("cube ({})", listed(columns)))).is_ok());
    let told = format!("more than {GROUPING_SETS_MAX} grouping sets");
    for by in [
        format!("cube ({})", listed(columns + 1)),
        format!("cube ({}), rollup ({})", listed(columns), listed(1)),
        format!("cube ({})", listed(100)),
        format!("grouping sets ({}, (a))", listed(GROUPING_SETS_MAX)),
    ] {
        assert!(refusal(&grouped(by)).contains(&told));
    }
}

#[test]
fn depth_of_any_kind_is_refused() {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| open.repeat(depth) + inner + &close.repeat(depth);
    for depth in [60, 1000, 4000] {
        for expression in [
            nested("(", "1", ")", depth),
            nested("abs(", "1", ")", depth),
            nested("-", "1", "", depth),
            nested("not ", "true", "", depth),
            nested("case when true then ", "1", " end", depth),
            nested("array[", "1", "]", depth),
            nested("cast(", "1", " as int)", depth),
            nested("(select ", "1", ")", depth),
            nested("{'a': ", "1", "}", depth),
            nested("interval ", "'1 day'", "", depth),
            nested("exists (select * from t where ", "true", ")", depth),
            format!("cast(null as {})", nested("array<", "int", ">", depth)),
            format!("cast(null as {})", nested("struct<a ", "int", ">", depth)),
            format!("cast(null as int{})", "[]".repeat(depth)),
            format!("a{}", "[1]".repeat(depth)),
            format!("a{}", "::int".repeat(depth)),
            format!("a{}", ".b".repeat(depth)),
            format!("a{}", " between 1 and 2".repeat(depth)),
            format!("a{}", " is null".repeat(depth)),
            format!("c{}", " || c".repeat(depth)),
        ] {
            // Not too deep for a text of this length, perhaps; but told, never a crash.
            if ask(&format!("select {expression} as x from t")).is_ok() {
                assert!(depth < EXPRESSION_DEPTH_MAX, "{depth} of {}", &expression[..20]);
            }
        }
        for from in [
            nested("(select * from ", "t", ")", depth),
            nested("(", "t", ")", depth),
            format!("t{}", ", t".repeat(depth)),
            format!("t{}", " natural join t".repeat(depth)),
            format!("(select 1 as a{})", " union select 1".repeat(depth)),
        ] {
            let sql = format!("select 1 as x from {from}");
            let few = query::Bounds { rows: 1000, memory_bytes: 4 << 20, ..bounds() };
            let answer = query::run(&sql, &[("t", &small())], &few);
            assert!(answer.is_err() || depth < RELATIONS_MAX, "{depth} of {}", &from[..20]);
        }
    }
}

#[test]
fn common_tables_that_double_are_counted() {
    let doubled = |count: usize| {
        let next = |n: usize| format!(", c{n} as (select x.a from c{} x join C{} y on x.a = y.a)", n - 1, n - 1);
        let doubled: String = (1..=count).map(next).collect();
        format!("with c0 as (select a from t){doubled} select * from c{count}")
    };
    assert_eq!(ask(&doubled(6)).unwrap().rows(), 3);
    assert!(refusal(&doubled(9)).contains(&format!("more than {READ_MAX} tables to read")));
}

/// Texts that nearly are queries.
fn nearly() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "select",
        "from",
        "t",
        "a",
        "b",
        "c",
        "*",
        ",",
        "(",
        ")",
        "where",
        "group by",
        "order by",
        "1",
        "'x'",
        "\"",
        "'",
        "sum(",
        "over",
        "partition by",
        "with",
        "as",
        "join",
        "on",
        "=",
        "+",
        "-",
        "case",
        "when",
        "then",
        "end",
        "null",
        "union",
        "limit",
        "cast(",
        "interval",
        "'1 day'",
        "::",
        "int",
        "text",
        "[",
        "]",
        ".",
        ";",
        "--",
        "/*",
        "*/",
        "recursive",
        "values",
        "distinct",
        "like",
        "in",
        "exists",
        "not",
        "between",
        "and",
        "rollup",
        "generate_series(",
        "now()",
        "9223372036854775807",
        "1e400",
        "é",
    ]);
    prop_oneof![
        4 => proptest::collection::vec(word, 1..25).prop_map(|words| format!("select {}", words.join(" "))),
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the text says, there is an answer or a reason that points into it, and never our fault.
    #[test]
    fn any_text_is_answered_or_refused(sql in nearly()) {
        match ask(&sql) {
            Err(Error::Text { spot, excerpt, .. }) => {
                prop_assert!(spot.line >= 1 && spot.column >= 1);
                prop_assert!(excerpt.ends_with('^'), "{excerpt}");
            }
            Err(Error::Host(reason)) => prop_assert!(false, "{sql}: {reason}"),
            _ => {}
        }
    }
}
