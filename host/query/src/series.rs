//! `generate_series` and `range`, of a bounded length: numbers, days and instants without a table.

use datafusion::catalog::{TableFunction, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions_table::generate_series::{GenerateSeriesFunc, RangeFunc};
use datafusion::logical_expr::Expr;
use std::sync::Arc;

/// Rows of a series.
const ROWS_MAX: i128 = 10_000_000;
const DAY_NS: i128 = 86_400_000_000_000;

/// The table functions that there are.
pub(crate) fn functions() -> Vec<Arc<TableFunction>> {
    let series: Arc<dyn TableFunctionImpl> = Arc::new(GenerateSeriesFunc {});
    let range: Arc<dyn TableFunctionImpl> = Arc::new(RangeFunc {});
    let bounded =
        |name: &'static str, inner| Arc::new(TableFunction::new(name.to_owned(), Arc::new(Bounded { name, inner })));
    vec![bounded("generate_series", series), bounded("range", range)]
}

#[derive(Debug)]
struct Bounded {
    name: &'static str,
    inner: Arc<dyn TableFunctionImpl>,
}

impl TableFunctionImpl for Bounded {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        if args.exprs().iter().any(is_beyond) {
            return plan_err!("`{}` takes dates from 1678 to 2261, got one beyond them", self.name);
        }
        let rows = rows(args.exprs());
        if rows > ROWS_MAX {
            return plan_err!("`{}` would make {rows} rows, at most {ROWS_MAX} are made", self.name);
        }
        self.inner.call_with_args(args)
    }
}

/// Whether it is a day whose nanoseconds the engine does not count.
fn is_beyond(argument: &Expr) -> bool {
    matches!(argument, Expr::Literal(ScalarValue::Date32(Some(_)), _))
        && value(argument).is_none_or(|ns| i64::try_from(ns).is_err())
}

/// How many rows arguments ask for, or more. What is no series is the engine's to refuse, and counts for none.
fn rows(arguments: &[Expr]) -> i128 {
    let values: Option<Vec<i128>> = arguments.iter().map(value).collect();
    let (start, end, step) = match values.as_deref() {
        Some([end]) => (0, *end, 1),
        Some([start, end]) => (*start, *end, 1),
        Some([start, end, step]) => (*start, *end, *step),
        _ => return 0,
    };
    match (end - start).checked_div(step) {
        Some(steps) if steps >= 0 => steps + 1,
        _ => 0,
    }
}

/// Numbers as they are; days, instants and intervals in nanoseconds, a month as the shortest.
fn value(argument: &Expr) -> Option<i128> {
    let Expr::Literal(value, _) = argument else { return None };
    match value {
        ScalarValue::Int64(number) => number.map(i128::from),
        ScalarValue::Date32(days) => days.map(|days| i128::from(days) * DAY_NS),
        ScalarValue::TimestampNanosecond(ns, _) => ns.map(i128::from),
        ScalarValue::IntervalMonthDayNano(Some(step)) => {
            let days = i128::from(step.months) * 28 + i128::from(step.days);
            Some(days * DAY_NS + i128::from(step.nanoseconds))
        }
        _ => None,
    }
}
