//! Each error points to where it stands, in a sentence of ours, and is the author's.

use crate::made::ask;
use query::Error;

fn check(sql: &str, line: usize, column: usize, says: &str, advises: Option<&str>) {
    match ask(sql) {
        Err(Error::Text { spot, message, hint, excerpt }) => {
            assert_eq!((spot.line, spot.column), (line, column), "{sql}: {message}");
            assert!(message.contains(says), "{sql}: {message}");
            let hint = hint.unwrap_or_default();
            assert!(advises.is_none_or(|advice| hint.contains(advice)), "{sql}: {hint}");
            let (shown, caret) = excerpt.split_once('\n').unwrap();
            assert_eq!(shown, sql.lines().nth(line - 1).unwrap_or_default());
            assert_eq!(caret.find('^'), Some(column - 1), "{excerpt}");
        }
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn what_is_no_sql() {
    check("select a\nform t", 2, 6, "got t", None);
    check("select a from t where", 1, 22, "expected an expression", None);
    check("selct a from t", 1, 1, "expected", None);
    check("select 'a from t", 1, 8, "unterminated string literal", None);
    check("select a from t\nwhere (a > 1", 2, 13, "expected )", None);
    check("select (", 1, 9, "expected", None);
}

#[test]
fn what_is_not_there() {
    check("select agee\nfrom t", 1, 8, "there is no column `agee`; there are `a`, `b`, `c`", None);
    check("select a,\n       x.b\nfrom t as y", 2, 8, "there is no table `x` here; there is `y`", None);
    check("select a from t\nwhere t.d > 1", 2, 7, "there is no column `d` in `t`; it has `a`, `b`, `c`", None);
    check("select aa from t", 1, 8, "there is no column `aa`", Some("did you mean `a`?"));
    check("select a\nfrom tt", 2, 6, "there is no table `tt`", Some("it was given `t`"));
    check("select a,\n  smu(b) from t", 2, 3, "there is no function `smu`", Some("did you mean `sum`?"));
    check("select *\nfrom lines('x')", 2, 6, "there is no function `lines`", None);
}

#[test]
fn what_is_not_there_is_told_with_where_it_was_sought() {
    let sql = "select u.d from t join (select 1 as a, 2 as d) v on t.a = v.a";
    check(sql, 1, 8, "there is no table `u` here; there are `t`, `v`", None);
    let sql = "select t.d from t join (select 1 as a, 2 as d) v on t.a = v.a";
    check(sql, 1, 8, "there is no column `d` in `t`; it has `a`, `b`, `c`", Some("did you mean `v.d`?"));
    // A column of the same name stands before it.
    check("select a as u\nfrom t\njoin u on true", 3, 6, "there is no table `u`", Some("it was given `t`"));
    check("select Sum from (select 1 as \"Sum\")", 1, 8, "`sum`; there is `\"Sum\"`", Some("did you mean `\"Sum\"`?"));
    let many: Vec<String> = (0..15).map(|number| format!("{number} as column_{number}")).collect();
    let sql = format!("select other\nfrom (select {})", many.join(", "));
    check(&sql, 1, 8, "`column_11` and 3 more", None);
}

#[test]
fn a_call_that_fits_no_form() {
    check("select a,\n  sum(c) as s from t", 2, 3, "`sum` takes (interval or number), got (text)", None);
    check("select avg(c) as s from t", 1, 8, "`avg` takes (interval or number), got (text)", None);
    let hint = Some("it is written `sum(expression)`");
    check("select sum(b, 2) as s from t", 1, 8, "got (number, whole number)", hint);
    check("select sum() as s from t", 1, 8, "`sum` takes (interval or number), got ()", hint);
    check("select sum(a) as x, sum(t.c) as s from t", 1, 21, "got (text)", None);
    check("select sum(b) over () as x, sum(c) over (order by a) as s from t", 1, 29, "got (text)", None);
    check("select mean(c) as s from t", 1, 8, "`mean` takes", None);
    let takes = "`round` takes (number) or (number, whole number), got (number, number)";
    check("select round(b) as x, round(b, 1.5) as s from t", 1, 23, takes, None);
    check(
        "select min(a, b) as s from t",
        1,
        8,
        "`min` does not take (whole number, number)",
        Some("`min(expression)`"),
    );
}

#[test]
fn an_operator_whose_operands_do_not_fit() {
    let numbers = "`+` takes two numbers, or a date or timestamp and an interval, got (whole number, text)";
    check("select a,\n  b + 1 as x, a + c as y from t", 2, 17, numbers, Some("cast(.. as ..)"));
    check(
        "select a from t where b > 1 and a = true",
        1,
        35,
        "`=` takes two values of one kind, got (whole number, boolean)",
        None,
    );
    check("select a from t where a and b > 1", 1, 25, "`and` takes two booleans, got (whole number, boolean)", None);
    check("select a from t\nwhere b", 2, 1, "`where` takes a boolean, got (number)", Some("such as `a > 0`"));
    check(
        "select case when a > 1 then 1 else true end as x from t",
        1,
        8,
        "`case` takes values of one kind behind `then`",
        None,
    );
    check("select a & c as x from t", 1, 10, "`&` takes two whole numbers, got (whole number, text)", None);
    check("select -c as x from t", 1, 9, "`-` takes a number", None);
    check("select a from t where a like '1'", 1, 25, "`like` takes two texts, got (whole number, text)", None);
    check("select a from t where c similar to 5", 1, 25, "`similar to` takes two texts", None);
    check("select a is true as x from t", 1, 10, "`is` takes two values of one kind", None);
    check("select a from t limit 'x'", 1, 17, "`limit` takes a whole number, got (text)", Some("such as `10`"));
    check("select a from t union all select true", 1, 17, "`union` takes columns of one kind", None);
    check("select a from t where a between 1 and true", 1, 25, "`between` takes three values of one kind", None);
}

#[test]
fn a_value_that_is_none_of_its_type() {
    check("select a from t\nwhere b > 1 and a = 'x'", 2, 21, "`'x'` is no whole number", Some("cast(.. as text)"));
    check("select x from (select a as x from t) where x = 'x'", 1, 48, "`'x'` is no whole number", None);
    check("select a from t where b in (1, 'much')", 1, 32, "`'much'` is no number", None);
    check("select date '2020-13-01' as d", 1, 13, "`'2020-13-01'` is no date", Some("2026-03-01"));
    check("select a from t where a < cast('' as bigint)", 1, 32, "`''` is no whole number", None);
    check("select cast(1e30 as bigint) as x", 1, 13, "is no whole number, or too large for one", None);
    let long = "is too long for this type of whole number";
    check("select cast('99999999999' as int) as x", 1, 13, &format!("`'99999999999'` {long}"), None);
    check("select cast('9.999' as decimal(3, 2)) as x", 1, 13, "`'9.999'` is too long for this type of number", None);
    check("select to_date('nope') as d", 1, 16, "`'nope'` is no date", Some("2026-03-01"));
    check("select to_timestamp('nope') as t", 1, 21, "`'nope'` is no timestamp", Some("T12:30:00"));
    check("select coalesce(a, cast('' as int)) as x from t", 1, 25, "`''` is no whole number", None);
    check("select interval 'x' as d", 1, 17, "`'x'` is no interval", Some("'2 days'"));
    // Nothing is wrong with a column of texts, or with `try_cast`.
    assert!(ask("select a from t where try_cast('x' as bigint) is null and c = 'x'").is_ok());
}

#[test]
fn a_value_stands_where_it_is_none_of_its_type() {
    for (sql, column) in [
        ("select a from t where c = '' and a < cast('' as bigint)", 43),
        ("select '12' as x, cast('12' as int) as y, cast('12' as date) as z", 48),
        ("select 300 as x, cast(300 as bigint) as y, cast(300 as tinyint) as z", 49),
        ("select 300 as x, cast(-300 as tinyint) as y", 24),
        ("select cast(-300 as tinyint) as y", 14),
        ("select -1e30 as x, cast(1e30 as double) as y, cast(-1e30 as bigint) as z", 53),
        ("select cast(300 as smallint) as x, cast(-300 as smallint) as y, cast(-300 as tinyint) as z", 71),
    ] {
        check(sql, 1, column, "is no", None);
    }
}

#[test]
fn a_unit_of_time_that_there_is_not() {
    let all = Some("`quarter`, `month`");
    check("select date_trunc('fortnight', now()) as x", 1, 19, "`date_trunc` knows no unit `fortnight`", all);
    check("select extract(fortnight from now()) as x", 1, 16, "`extract` knows no unit `fortnight`", all);
    check("select date_part('fortnight', now()) as x", 1, 18, "`date_part` knows no unit `fortnight`", all);
    check("select date_trunc(c, now()) as x from t", 1, 8, "`date_trunc` takes a unit that is written", all);
    check("select date_part(c, now()) as x from t", 1, 8, "`date_part` takes a unit that is written", all);
    let cast = Some("cast(n || ' days' as interval)");
    check("select interval '1 day' as x, interval a day as y from t", 1, 31, "`interval` takes a value that is", cast);
}

#[test]
fn rows_of_values_that_differ() {
    check("values (1), (true)", 1, 1, "of one kind at each place, got (whole number, boolean)", None);
    check("select * from (values (1, 2), (3)) v", 1, 16, "of one length, got 2 in the first and 1 in row 2", None);
}

#[test]
fn groupings_within_grouping_sets() {
    for name in ["rollup", "cube"] {
        let sql = format!("select a, count(*) as n from t group by grouping sets ({name} (a, b))");
        check(&sql, 1, 56, &format!("not supported: `{name}` within `grouping sets`"), Some("`(a, b), (a), ()`"));
    }
}

#[test]
fn a_pattern_that_is_none() {
    for written in
        ["c ~ '['", "c ~* '['", "regexp_like(c, '[')", "regexp_replace(c, '[', '') = ''", "regexp_count(c, '[') > 0"]
    {
        let column = 23 + written.find('\'').unwrap();
        check(&format!("select a from t where {written}"), 1, column, "`[` is no regular expression", None);
    }
}

#[test]
fn a_function_of_windows_needs_one() {
    for name in ["lag", "row_number", "rank"] {
        let sql = format!("select {name}(a) from t");
        check(&sql, 1, 8, &format!("`{name}` needs `over (..)`"), Some("over (order by ..)"));
    }
    check(
        "select lga(a) over (order by a) as x from t",
        1,
        8,
        "there is no function `lga`",
        Some("did you mean `lag`?"),
    );
}

#[test]
fn what_does_not_fit() {
    check("select a from t join t u on t.a = u.a", 1, 8, "column `a` stands in more than one table", None);
    check("select c,\n  sum(c) as s from t group by c", 2, 3, "sum", None);
    check("select a, b from t group by a", 1, 11, "`b`", None);
    check("select t.a, u.a from t, t u", 1, 10, "two columns named `a`", Some("`as`"));
    check("select from t", 1, 1, "the answer has no columns", Some("`*`"));
    check(
        "select (select a from t) as x,\n interval '1 day' as d",
        2,
        22,
        "column `d` of the answer",
        Some("cast it to text"),
    );
    check("select null as nix", 1, 16, "column `nix`", Some("cast(null as"));
    check("select a from t union select a, b from t", 1, 1, "", None);
}

#[test]
fn what_the_engine_does_not_do() {
    for (written, says) in [
        ("a in (select a from t)", "not supported: `in (select ..)` as a value"),
        ("case when a in (select a from t) then 1 end", "not supported: `in (select ..)` as a value"),
        ("exists (select 1 from t u where u.a = t.a)", "not supported: `exists (select ..)` as a value"),
        ("(select max(u.a) from t u where u.a > t.a)", "not supported: this `(select ..)`"),
        ("[1, 2]", "not supported: a list"),
    ] {
        match ask(&format!("select {written} as x from t")) {
            Err(Error::Text { message, hint: Some(_), .. }) => {
                assert!(message.contains(says) && !message.contains(['{', '\n']), "{written}: {message}");
            }
            other => panic!("{written}: {other:?}"),
        }
    }
}

#[test]
fn two_columns_of_one_name() {
    for (sql, column, name) in [
        ("select a, a from t", 8, "a"),
        ("select a as x, b as x from t", 13, "x"),
        ("select t.a, u.a from t, t u", 10, "a"),
        ("select sum(a), sum(a) from t", 8, "sum(t.a)"),
    ] {
        check(sql, 1, column, &format!("the answer has two columns named `{name}`"), Some("`as`"));
    }
}

#[test]
fn what_cannot_be_computed_has_no_place() {
    for (sql, says) in [
        ("select a / 0 as x from t", "divided by zero"),
        ("select cast(c as bigint) as x from t", "x"),
        ("select (select a from t) as x", "more than one row"),
        ("select abs(-9223372036854775807 - a) as x from t", "`abs` of -9223372036854775808 is more"),
        ("select to_date(c) as x from t", "a text of the rows, 'x', is no date"),
        ("select cast(18446744073709551615 as bigint unsigned) as x from t", "column `x`"),
    ] {
        match ask(sql) {
            Err(Error::Value(message)) => assert!(message.contains(says), "{sql}: {message}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[test]
fn tables_are_named_once_and_in_bounds() {
    let small = crate::made::small();
    for names in [vec!["t", "t"], vec![""], vec!["t"; 2]] {
        let tables: Vec<_> = names.iter().map(|name| (*name, &small)).collect();
        assert!(matches!(crate::made::run("select 1 as x", &tables), Err(Error::Table { .. })), "{names:?}");
    }
    let tables = [("My Table", &small), ("t-1", &small)];
    let answer = crate::made::run("select m.a from \"My Table\" m join \"t-1\" u on m.a = u.a", &tables).unwrap();
    assert_eq!(answer.rows(), 3);
}
