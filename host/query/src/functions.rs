//! The functions that a query may call: those of the engine whose answer depends on their arguments alone. `now()` and the
//! like stay, because the session has them give the run's logical time.

use crate::mended::mended;
use datafusion::common::Result;
use datafusion::execution::SessionStateDefaults;
use datafusion::functions::{all_default_functions, datetime};
use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::functions_window::all_default_window_functions;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::{AggregateUDF, Documentation, Expr, ScalarUDF, TypeSignature, Volatility, WindowUDF};
use std::sync::Arc;

/// What says something of the host, or does nothing but show the engine's own insides.
const REFUSED: [&str; 3] = ["version", "arrow_metadata", "with_metadata"];

pub(crate) fn scalar() -> Vec<Arc<ScalarUDF>> {
    all_default_functions().into_iter().filter(|found| allowed(found)).map(mended).collect()
}

/// How a text becomes calls, ours first.
pub(crate) fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    let ours: Arc<dyn ExprPlanner> = Arc::new(Extract);
    std::iter::once(ours).chain(SessionStateDefaults::default_expr_planners()).collect()
}

/// `extract(.. from ..)` as the `date_part` that a query has; the engine's planner takes the engine's.
#[derive(Debug)]
struct Extract;

impl ExprPlanner for Extract {
    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(mended(datetime::date_part()).call(args)))
    }
}

pub(crate) fn aggregate() -> Vec<Arc<AggregateUDF>> {
    all_default_aggregate_functions()
}

pub(crate) fn window() -> Vec<Arc<WindowUDF>> {
    all_default_window_functions()
}

fn allowed(function: &ScalarUDF) -> bool {
    function.signature().volatility != Volatility::Volatile && !REFUSED.contains(&function.name())
}

/// What a message tells of a function.
pub(crate) struct Known {
    pub(crate) names: Vec<String>,
    pub(crate) signature: TypeSignature,
    /// Such as `round(numeric_expression[, decimal_places])`.
    pub(crate) syntax: Option<String>,
}

/// The function of this name.
pub(crate) fn known(name: &str) -> Option<Known> {
    let known = |aliases: &[String], signature: &TypeSignature, documentation: Option<&Documentation>| Known {
        names: std::iter::once(name.to_owned()).chain(aliases.iter().cloned()).collect(),
        signature: signature.clone(),
        syntax: documentation.map(|found| found.syntax_example.clone()),
    };
    if let Some(found) = aggregate().iter().find(|found| found.name() == name) {
        return Some(known(found.aliases(), &found.signature().type_signature, found.documentation()));
    }
    if let Some(found) = scalar().iter().find(|found| found.name() == name) {
        return Some(known(found.aliases(), &found.signature().type_signature, found.documentation()));
    }
    let found = window().into_iter().find(|found| found.name() == name)?;
    Some(known(found.aliases(), &found.signature().type_signature, found.documentation()))
}

/// Whether it is called with `over` alone.
pub(crate) fn is_of_windows(name: &str) -> bool {
    let named = |found: &WindowUDF| found.name() == name || found.aliases().iter().any(|alias| alias == name);
    window().iter().any(|found| named(found))
}

/// The function that a word nearly names.
pub(crate) fn near(name: &str) -> Option<String> {
    let scalar = scalar().into_iter().map(|found| found.name().to_owned());
    let aggregate = aggregate().into_iter().map(|found| found.name().to_owned());
    let window = window().into_iter().map(|found| found.name().to_owned());
    let names: Vec<String> = aggregate.chain(scalar).chain(window).collect();
    types::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
}

/// Why a function that people know from elsewhere is not there.
pub(crate) fn why_not(name: &str) -> Option<&'static str> {
    match name.to_lowercase().as_str() {
        "random" | "rand" | "uuid" | "gen_random_uuid" | "setseed" => {
            Some("a query gives the same answer each time; draw numbers in a step, from its seed")
        }
        "version" | "current_setting" | "set_config" | "current_user" | "pg_read_file" | "read_csv"
        | "read_parquet" => Some("a query knows its tables and the run's logical time, nothing of the machine"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_looks_like_the_time_is_none() {
        let reads = [
            "select now()",
            "select a from t where d < Current_Date",
            "select today ()",
            "select \"now\"",
            "select 'open",
        ];
        assert!(reads.into_iter().all(crate::may_read_time));
        let others = [
            "select 'nowhere', coalesce(a, 'unknown') as known_year from t -- now it is known",
            "select /* today */ 1",
        ];
        assert!(!others.into_iter().any(crate::may_read_time));
    }

    #[test]
    fn no_function_is_left_to_chance() {
        let names: Vec<String> = scalar().iter().map(|found| found.name().to_owned()).collect();
        for (name, there) in
            [("random", false), ("uuid", false), ("version", false), ("now", true), ("date_trunc", true)]
        {
            assert_eq!(names.iter().any(|found| found == name), there, "{name}");
        }
        let times = scalar().into_iter().filter(|found| found.signature().volatility == Volatility::Stable);
        for found in times.flat_map(|found| [&[found.name().to_owned()], found.aliases()].concat()) {
            assert!(crate::may_read_time(&format!("select {found}()")), "{found} gives the logical time");
        }
        let volatile = |volatility| volatility == Volatility::Volatile;
        assert!(!aggregate().iter().any(|found| volatile(found.signature().volatility)));
        assert!(!window().iter().any(|found| volatile(found.signature().volatility)));
    }
}
