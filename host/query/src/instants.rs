//! Every instant of a query counts microseconds, as columns do. The engine counts nanoseconds wherever a text names no unit (`timestamp '..'`,
//! `now()`) and where a date or a text meets an instant; there are such from 1678 to 2261 only, and one beyond them fails.
//!
//! Once the engine has settled all types, nanoseconds become microseconds everywhere at once: what a conversion makes, what a function and a
//! table give, what a query sees of the one around it. Operators take any unit, so long as it is the same on both sides.

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::TableScanBuilder;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Projection, TableScan, TryCast, Union,
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

/// The type with microseconds in place of nanoseconds, if it has those.
fn micros(found: &DataType) -> Option<DataType> {
    match found {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        _ => None,
    }
}

fn counts_nanoseconds(schema: &DFSchema) -> bool {
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
        LogicalPlan::Values(values) if counts_nanoseconds(&values.schema) => {
            LogicalPlanBuilder::values(values.values)?.build()
        }
        LogicalPlan::Union(union) if counts_nanoseconds(&union.schema) => {
            Ok(LogicalPlan::Union(Union::try_new(union.inputs)?))
        }
        other => other.recompute_schema(),
    }
}

fn of_expression(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expression {
        Expr::Cast(Cast { expr, field }) => match micros(field.data_type()) {
            // A number is as many nanoseconds, or seconds where the engine says so before.
            Some(found) if expr.get_type(schema)?.is_numeric() => {
                let counted = Expr::Cast(Cast { expr, field });
                Transformed::yes(Expr::Cast(Cast::new(Box::new(counted), found)))
            }
            Some(_) => Transformed::yes(Expr::Cast(Cast { expr, field: field_in_micros(&field) })),
            None => Transformed::no(Expr::Cast(Cast { expr, field })),
        },
        Expr::TryCast(TryCast { expr, field }) => {
            Transformed::yes(Expr::TryCast(TryCast { expr, field: field_in_micros(&field) }))
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

/// `to_timestamp` and `to_date` of a text or a count of seconds, as the conversion that they are: the engine's own count nanoseconds on the way,
/// and tell nothing of a text that is none.
fn conversion(function: &ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    let converts = ["to_date", "to_timestamp", "to_timestamp_micros"].contains(&function.name());
    let [given] = &function.args[..] else { return Ok(None) };
    if !converts {
        return Ok(None);
    }
    let found = given.get_type(schema)?;
    let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    let cast = |given: Expr, found| Expr::Cast(Cast::new(Box::new(given), found));
    Ok(match function.name() {
        "to_date" if found.is_string() => Some(cast(given.clone(), DataType::Date32)),
        _ if found.is_string() => Some(cast(given.clone(), utc(TimeUnit::Microsecond))),
        "to_timestamp" if found.is_integer() => {
            Some(cast(cast(given.clone(), utc(TimeUnit::Second)), utc(TimeUnit::Microsecond)))
        }
        _ => None,
    })
}

/// A table's columns: those of a series, and those that a recursive query reads of its own.
fn of_table(scan: TableScan) -> Result<LogicalPlan> {
    if !counts_nanoseconds(&scan.projected_schema) {
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
