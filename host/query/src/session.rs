//! A session that knows its tables and nothing else. Each door of the engine that leads elsewhere is closed here.
//!
//! | door | closed by |
//! |---|---|
//! | files, network | [`NoStores`]: no object store is served, `file://` included; the engine is built without any format |
//! | tables by address (`from '/etc/passwd'`) | never enabled; the only schema holds the tables given |
//! | `create`, `insert`, `copy`, `set`, `show`, `explain` .. | [`crate::text::parse`] lets queries through alone, and [`refuse_all_but_reading`] looks at the plan |
//! | `information_schema`, settings | off; nothing reads or writes a setting |
//! | the clock | `now()` and the like are the run's logical time |
//! | chance, the host's version | [`crate::functions`] has no such function |
//! | endless series | [`crate::series`]; recursion counts its rounds ([`crate::steady`]) |

use crate::memory::Shares;
use crate::spill::{Disk, Spills};
use crate::steady;
use crate::{Bounds, functions, instants, series};
use datafusion::catalog::MemTable;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, TableReference, not_impl_err};
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::object_store::ObjectStore;
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

/// Files of spilled rows that are merged at a time.
const MERGED_AT_ONCE: usize = 16;
/// Rows that operators pass on at a time.
pub(crate) const BATCH_ROWS: usize = 8192;

/// A session for one query.
pub(crate) fn open(bounds: &Bounds, shares: Arc<Shares>, disk: Arc<Disk>) -> Result<SessionState> {
    let mut config = SessionConfig::new();
    *config.options_mut() = settings(bounds.cores);
    let runtime = RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::new(NoStores))
        .with_memory_pool(shares)
        .with_disk_manager_builder(manager(disk))
        .build_arc()?;
    let instant = chrono::DateTime::from_timestamp_micros(bounds.logical_time_us).unwrap_or_default();
    let props = ExecutionProps::new().with_query_execution_start_time(instant);
    let state = SessionStateBuilder::new()
        .with_session_id("query".to_owned())
        .with_config(config)
        .with_runtime_env(runtime)
        .with_execution_props(props)
        .with_expr_planners(functions::planners())
        .with_scalar_functions(functions::scalar())
        .with_aggregate_functions(functions::aggregate())
        .with_window_functions(functions::window())
        .with_table_function_list(series::functions())
        .with_analyzer_rule(Arc::new(instants::Microseconds))
        .with_physical_optimizer_rules(steady::rules());
    Ok(state.build())
}

/// Of files in the worker's scratch folder; of none where there is no folder.
fn manager(disk: Arc<Disk>) -> DiskManagerBuilder {
    let mode = match disk.has_folder() {
        true => DiskManagerMode::Custom(Arc::new(Spills(disk))),
        false => DiskManagerMode::Disabled,
    };
    // As many as memory allows would be as many as the neighbours leave.
    DiskManagerBuilder::default().with_mode(mode).with_max_spill_merge_fan_in(MERGED_AT_ONCE)
}

fn settings(cores: usize) -> ConfigOptions {
    let mut options = ConfigOptions::new();
    options.catalog.information_schema = false;
    options.sql_parser.collect_spans = true;
    options.execution.target_partitions = cores;
    options.execution.planning_concurrency = 1;
    options.execution.time_zone = Some("UTC".to_owned());
    steady::settings(&mut options);
    options
}

/// Adds a table under its name.
pub(crate) fn register(state: &SessionState, name: &str, table: MemTable) -> Result<()> {
    let schema = state.schema_for_ref(TableReference::bare(name))?;
    schema.register_table(name.to_owned(), Arc::new(table))?;
    Ok(())
}

/// What the text's grammar lets through already; a second look at what was made of it.
pub(crate) fn refuse_all_but_reading(plan: &LogicalPlan) -> Result<()> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan)
}

/// A registry that serves nothing.
#[derive(Debug)]
struct NoStores;

impl ObjectStoreRegistry for NoStores {
    fn register_store(&self, _: &url::Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, _: &url::Url) -> Result<Arc<dyn ObjectStore>> {
        not_impl_err!("a query reads the tables it was given, no files and no addresses")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::object_store::ObjectStoreUrl;

    fn state() -> SessionState {
        let bounds = crate::tests::bounds();
        open(&bounds, Arc::new(Shares::new(1 << 20)), Arc::new(Disk::new(None, 0))).unwrap()
    }

    #[test]
    fn no_store_is_served_and_none_can_be_added() {
        let state = state();
        for address in ["file://", "http://localhost", "s3://bucket"] {
            let address = ObjectStoreUrl::parse(address).unwrap();
            assert!(state.runtime_env().object_store(&address).is_err(), "{address}");
        }
    }

    #[test]
    fn there_is_one_empty_schema_and_no_format() {
        let state = state();
        assert_eq!(state.catalog_list().catalog_names(), ["datafusion"]);
        let catalog = state.catalog_list().catalog("datafusion").unwrap();
        assert_eq!(catalog.schema_names(), ["public"]);
        assert!(catalog.schema("public").unwrap().table_names().is_empty());
        assert!(state.table_factories().is_empty() && state.get_file_format_factory("csv").is_none());
    }
}
