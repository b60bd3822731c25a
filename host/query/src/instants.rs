//! Every instant of a query counts microseconds, as columns do. The engine counts nanoseconds wherever a text names no unit (`timestamp '..'`,
//! `now()`) and where a date or a text meets an instant; there are such from 1678 to 2261 only, and one beyond them fails. What it counts in
//! seconds or milliseconds it compares without having cut anything off.
//!
//! Once the engine has settled all types, all become microseconds at once: what a conversion makes, what a function and a table give, what a
//! query sees of the one around it. Operators take any unit, so long as it is the same on both sides; intervals are compared by their length
//! ([`crate::intervals`]).

use crate::intervals;
use crate::mended::mended;
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, Schema, TimeUnit};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, plan_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions::{datetime, math};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::TableScanBuilder;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Projection, TableScan,
    TryCast, Union, lit,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// Runs after the engine's own rules.
#[derive(Debug)]
pub(crate) struct Microseconds;

impl AnalyzerRule for Microseconds {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| Ok(Transformed::yes(of_node(node)?)))?.data)
    }

    fn name(&self) -> &str {
        "microseconds"
    }
}

/// The type with microseconds in place of what else it counts.
fn micros(found: &DataType) -> Option<DataType> {
    match found {
        DataType::Timestamp(TimeUnit::Microsecond, _) => None,
        DataType::Timestamp(_, zone) => Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        _ => None,
    }
}

fn counts_otherwise(schema: &DFSchema) -> bool {
    schema.fields().iter().any(|field| micros(field.data_type()).is_some())
}

fn field_in_micros(field: &Field) -> FieldRef {
    let found = micros(field.data_type()).unwrap_or_else(|| field.data_type().clone());
    Arc::new(field.clone().with_data_type(found))
}

/// Of a node whose inputs are in microseconds.
fn of_node(node: LogicalPlan) -> Result<LogicalPlan> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expression| {
        let name = names.save(&expression);
        let changed = expression.transform_up(|inner| of_expression(inner, &schema))?;
        Ok(changed.update_data(|expression| name.restore(expression)))
    })?;
    match node.data {
        LogicalPlan::TableScan(scan) => of_table(scan),
        // The engine leaves the types of these two as they were.
        LogicalPlan::Values(values) if counts_otherwise(&values.schema) => {
            LogicalPlanBuilder::values(values.values)?.build()
        }
        LogicalPlan::Union(union) if counts_otherwise(&union.schema) => {
            Ok(LogicalPlan::Union(Union::try_new(union.inputs)?))
        }
        other => other.recompute_schema(),
    }
}

fn of_expression(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expression {
        Expr::Cast(Cast { expr, field }) => {
            Transformed::yes(made_an_instant(expr, field, schema, &|expr, field| Expr::Cast(Cast { expr, field }))?)
        }
        Expr::TryCast(TryCast { expr, field }) => {
            Transformed::yes(made_an_instant(expr, field, schema, &|expr, field| {
                Expr::TryCast(TryCast { expr, field })
            })?)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if compares(op) && [&left, &right].iter().all(|side| is_interval(side, schema)) =>
        {
            let [left, right] = [left, right].map(|side| Box::new(intervals::length(*side)));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(Between { expr, negated, low, high }) if is_interval(&expr, schema) => {
            let [expr, low, high] = [expr, low, high].map(|side| Box::new(intervals::length(*side)));
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        Expr::OuterReferenceColumn(field, column) => {
            Transformed::yes(Expr::OuterReferenceColumn(field_in_micros(&field), column))
        }
        Expr::ScalarFunction(function) if let Some(made) = conversion(&function, schema)? => Transformed::yes(made),
        Expr::ScalarFunction(_) | Expr::Literal(..) => match micros(&expression.get_type(schema)?) {
            Some(found) => Transformed::yes(Expr::Cast(Cast::new(Box::new(expression), found))),
            None => Transformed::no(expression),
        },
        other => Transformed::no(other),
    })
}

/// A conversion, if it makes an instant. What is finer than its unit is cut off, before 1970 too; the engine cuts towards 1970. A number is as many
/// of its unit where one is named, and as many seconds where none is: the engine takes some for nanoseconds.
fn made_an_instant(
    given: Box<Expr>,
    field: FieldRef,
    schema: &DFSchema,
    cast: &dyn Fn(Box<Expr>, FieldRef) -> Expr,
) -> Result<Expr> {
    let DataType::Timestamp(unit, zone) = field.data_type().clone() else { return Ok(cast(given, field)) };
    if let Some(name) = zone.as_ref().filter(|name| name.parse::<Tz>().is_err()) {
        return plan_err!("there is no time zone `{name}`");
    }
    let to = |given: Expr, unit| {
        cast(Box::new(given), Arc::new(field.as_ref().clone().with_data_type(DataType::Timestamp(unit, zone.clone()))))
    };
    let found = given.get_type(schema)?;
    Ok(match unit {
        TimeUnit::Nanosecond if found.is_integer() => to(to(*given, TimeUnit::Second), TimeUnit::Microsecond),
        TimeUnit::Nanosecond if found.is_numeric() => {
            let whole = Arc::new(field.as_ref().clone().with_data_type(DataType::Int64));
            to(cast(Box::new(rounded_micros(*given)), whole), TimeUnit::Microsecond)
        }
        TimeUnit::Second | TimeUnit::Millisecond if found.is_numeric() => to(to(*given, unit), TimeUnit::Microsecond),
        TimeUnit::Second | TimeUnit::Millisecond => cut(to(*given, TimeUnit::Microsecond), unit),
        _ => to(*given, TimeUnit::Microsecond),
    })
}

/// An instant in microseconds without what is finer.
fn cut(instant: Expr, unit: TimeUnit) -> Expr {
    let unit = if unit == TimeUnit::Second { "second" } else { "millisecond" };
    mended(datetime::date_trunc()).call(vec![lit(unit), instant])
}

/// A number of seconds with a fraction, as microseconds without one.
fn rounded_micros(seconds: Expr) -> Expr {
    let seconds = Expr::Cast(Cast::new(Box::new(seconds), DataType::Float64));
    mended(math::round()).call(vec![seconds * lit(1e6)])
}

fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn is_interval(expression: &Expr, schema: &DFSchema) -> bool {
    matches!(expression.get_type(schema), Ok(DataType::Interval(IntervalUnit::MonthDayNano)))
}

/// `to_timestamp` and the like of a text, a count of seconds or an instant, as the conversion that they are: the engine's own count nanoseconds
/// on the way, tell nothing of a text that is none, and cut towards 1970.
fn conversion(function: &ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    let [given] = &function.args[..] else { return Ok(None) };
    let found = given.get_type(schema)?;
    let (is_text, is_instant) = (found.is_string(), matches!(found, DataType::Timestamp(..)));
    let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    let cast = |given: Expr, found| Expr::Cast(Cast::new(Box::new(given), found));
    let micros = |given| cast(given, utc(TimeUnit::Microsecond));
    let given = given.clone();
    Ok(match function.name() {
        "to_date" if is_text => Some(cast(given, DataType::Date32)),
        "to_timestamp" | "to_timestamp_micros" if is_text => Some(micros(given)),
        "to_timestamp_seconds" if is_text || is_instant => Some(cut(micros(given), TimeUnit::Second)),
        "to_timestamp_millis" if is_text || is_instant => Some(cut(micros(given), TimeUnit::Millisecond)),
        "to_timestamp" if found.is_integer() => Some(micros(cast(given, utc(TimeUnit::Second)))),
        "to_timestamp" if found.is_numeric() => Some(micros(cast(rounded_micros(given), DataType::Int64))),
        "to_unixtime" if is_instant => Some(function.func.call(vec![cut(micros(given), TimeUnit::Second)])),
        _ => None,
    })
}

/// A table's columns: those of a series, and those that a recursive query reads of its own.
fn of_table(scan: TableScan) -> Result<LogicalPlan> {
    if !counts_otherwise(&scan.projected_schema) {
        return Ok(LogicalPlan::TableScan(scan));
    }
    let provider = source_as_provider(&scan.source)?;
    if let Some(own) = provider.downcast_ref::<CteWorkTable>() {
        let fields = own.schema().fields().iter().map(|field| field_in_micros(field)).collect::<Vec<_>>();
        let own = Arc::new(CteWorkTable::new(own.name(), Arc::new(Schema::new(fields))));
        let own = TableScanBuilder::new(scan.table_name, provider_as_source(own))
            .with_projection(scan.projection)
            .with_filters(scan.filters)
            .with_fetch(scan.fetch);
        return Ok(LogicalPlan::TableScan(own.build()?));
    }
    let columns = scan.projected_schema.iter().map(|(table, field)| {
        let column = Expr::Column(Column::new(table.cloned(), field.name()));
        match micros(field.data_type()) {
            Some(found) => Expr::Cast(Cast::new(Box::new(column), found)).alias_qualified(table.cloned(), field.name()),
            None => column,
        }
    });
    Ok(LogicalPlan::Projection(Projection::try_new(columns.collect(), Arc::new(LogicalPlan::TableScan(scan)))?))
}
