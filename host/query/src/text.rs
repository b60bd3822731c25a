//! A text -> the one query that it is, if it is of a size that can be planned.
//!
//! The engine's planner recurses, so depth is bounded here: of parentheses by its parser, of everything else by what is
//! counted before anybody descends.

use crate::place::{Text, begins};
use crate::{Error, nesting};
use datafusion::sql::parser::{DFParserBuilder, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, ObjectName, Query, Select, Statement, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use std::collections::HashMap;
use std::ops::ControlFlow;
use types::Spot;

/// Bytes of a text.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Words, numbers and signs of a text.
pub const TOKENS_MAX: usize = 16_384;
/// Expressions within expressions; a chain such as `a + b + c` nests too.
pub const EXPRESSION_DEPTH_MAX: usize = 256;
/// Tables that a text names, and selects that it has.
pub const RELATIONS_MAX: usize = 64;
/// Tables that are read, where each common table stands for its own: the engine plans it anew wherever it is named.
pub const READ_MAX: usize = 256;
/// Queries within an expression within each other, such as `exists (select ..)`: the engine plans each anew for every one around it,
/// so that its time grows by a factor a level.
pub const SUBQUERY_DEPTH_MAX: usize = 8;
/// Groupings that one `group by` stands for: the engine keeps an expression for each column of each, and `cube` doubles them with
/// every column.
pub const GROUPING_SETS_MAX: usize = 1024;
/// The engine compares a column with itself where both sides call it the same, and answers with other rows than the query asks for.
const ANY_OR_ALL: &str = "the query compares with `any`, `some` or `all` of another, expected `in (select ..)`, `not in (select ..)`, or a \
                          comparison with its `(select min(..) ..)` or `(select max(..) ..)`";
/// Calls of the parser within each other; more than [`nesting`] lets through.
const RECURSION_MAX: usize = 100;

/// The query that a text is.
pub(crate) fn parse(text: &Text<'_>) -> Result<Parsed, Error> {
    if text.sql.len() > TEXT_BYTES_MAX {
        let (got, most) = (text.sql.len(), TEXT_BYTES_MAX);
        return Err(Error::text(text, Spot::START, format!("the text has {got} bytes, at most {most} are taken")));
    }
    let tokens = text.tokens()?;
    if tokens.len() > TOKENS_MAX {
        let (got, most) = (tokens.len(), TOKENS_MAX);
        return Err(Error::text(
            text,
            Spot::START,
            format!("the text has {got} words and signs, at most {most} are taken"),
        ));
    }
    if let Some((deep, message)) = nesting::too_deep(&tokens) {
        return Err(Error::text(text, begins(deep), message));
    }
    let parser = DFParserBuilder::new(text.sql).with_dialect(&GenericDialect {}).with_recursion_limit(RECURSION_MAX);
    let parsed = parser.build().and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| Error::of_engine(text, &error))?;
    let second = statements.len() > 1;
    match statements.pop_front() {
        None => {
            Err(Error::text(text, Spot::START, "the text holds no query".to_owned())
                .hinted("write `select .. from ..`"))
        }
        Some(_) if second => Err(Error::text(
            text,
            text.after_semicolon(),
            "the text holds more than one statement, expected one query".to_owned(),
        )),
        Some(statement) => query(text, statement),
    }
}

fn query(text: &Text<'_>, statement: Parsed) -> Result<Parsed, Error> {
    let shape = match &statement {
        Parsed::Statement(inner) if matches!(**inner, Statement::Query(_)) => shape(inner),
        _ => {
            let message = format!("the text is {}, expected a query", a_kind(text));
            let hint = "a step's SQL reads its tables and gives one: it makes, changes and sets nothing";
            return Err(Error::text(text, text.first(), message).hinted(hint));
        }
    };
    match shape {
        ControlFlow::Continue(()) => Ok(statement),
        ControlFlow::Break(message) => Err(Error::text(text, text.first(), message)),
    }
}

/// By its first word, for a message.
fn a_kind(text: &Text<'_>) -> String {
    match text.first_word() {
        Some(word) => format!("a statement of `{}`", word.to_lowercase()),
        None => "no query".to_owned(),
    }
}

#[derive(Default)]
struct Shape {
    depth: usize,
    /// Queries within an expression around the place that is looked at.
    subqueries: usize,
    relations: usize,
    selects: usize,
    /// The queries around the place that is looked at, the outermost first: tables that each reads, those of the common tables that it names
    /// included.
    reading: Vec<usize>,
    /// What common tables read so far, by their names.
    common: HashMap<String, usize>,
    /// Queries of common tables that are still to come, by where they lie in the text's tree.
    awaited: HashMap<*const Query, String>,
}

fn shape(statement: &Statement) -> ControlFlow<String> {
    statement.visit(&mut Shape::default())
}

fn at_most(got: usize, most: usize, what: &str) -> ControlFlow<String> {
    match got > most {
        true => ControlFlow::Break(format!("the query has more than {most} {what}")),
        false => ControlFlow::Continue(()),
    }
}

fn is_subquery(expression: &Expr) -> bool {
    matches!(expression, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. })
}

/// How many groupings a `group by` stands for: those of each of its parts times those of the others.
fn grouping_sets(select: &Select) -> usize {
    let GroupByExpr::Expressions(parts, _) = &select.group_by else { return 1 };
    let sets = |part: &Expr| match part {
        Expr::Cube(columns) => 1_usize.checked_shl(columns.len() as u32).unwrap_or(usize::MAX),
        Expr::Rollup(columns) => columns.len() + 1,
        Expr::GroupingSets(sets) => sets.len(),
        _ => 1,
    };
    parts.iter().map(sets).fold(1, usize::saturating_mul)
}

impl Visitor for Shape {
    type Break = String;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<String> {
        if let Expr::AnyOp { .. } | Expr::AllOp { .. } = expression {
            return ControlFlow::Break(ANY_OR_ALL.to_owned());
        }
        self.depth += 1;
        self.subqueries += usize::from(is_subquery(expression));
        at_most(
            self.subqueries,
            SUBQUERY_DEPTH_MAX,
            "queries in expressions within each other; join the tables instead",
        )?;
        at_most(self.depth, EXPRESSION_DEPTH_MAX, "expressions within each other; a chain such as `a + b + c` counts")
    }

    fn post_visit_expr(&mut self, expression: &Expr) -> ControlFlow<String> {
        self.depth -= 1;
        self.subqueries -= usize::from(is_subquery(expression));
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.awaited.extend(tables.map(|table| (&raw const *table.query, table.alias.name.value.to_lowercase())));
        self.reading.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let read = self.reading.pop().unwrap_or_default();
        match (self.awaited.remove(&(&raw const *query)), self.reading.last_mut()) {
            (Some(name), _) => drop(self.common.insert(name, read)),
            (None, Some(outer)) => *outer = outer.saturating_add(read),
            (None, None) => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<String> {
        self.relations += 1;
        at_most(self.relations, RELATIONS_MAX, "tables in it; a table counts each time it is named")?;
        let read = self.common.get(&name.to_string().to_lowercase()).copied().unwrap_or(1);
        let Some(reading) = self.reading.last_mut() else { return ControlFlow::Continue(()) };
        *reading = reading.saturating_add(read);
        at_most(*reading, READ_MAX, "tables to read; a common table counts with its own wherever it is named")
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        match table {
            TableFactor::Table { sample: Some(_), .. } => {
                ControlFlow::Break("a query draws no sample: it gives the same answer each time".to_owned())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        at_most(
            grouping_sets(select),
            GROUPING_SETS_MAX,
            "grouping sets in a `group by`; `cube` of n columns makes 2^n",
        )?;
        self.selects += 1;
        at_most(self.selects, RELATIONS_MAX, "selects in it")
    }
}
