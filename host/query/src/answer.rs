//! A query over tables -> the table that answers it: each type of the engine as one of ours, or refused by its column's name.
//!
//! | the engine's | ours |
//! |---|---|
//! | boolean, int64, float32, float64, text, bytes, date | the same |
//! | int8 .. int32, uint8 .. uint32 | int64 |
//! | uint64 | int64; a value beyond it is an error |
//! | float16 | float32 |
//! | decimal | float64, rounded |
//! | timestamps of any unit; without a zone they are UTC | timestamp, finer parts of it cut off |
//! | dictionaries and views | what they stand for |
//! | lists of a fixed number of float32 | vector |
//! | times, intervals, durations, other lists, structures, maps | refused |

use crate::error::{ANOTHER_NAME, Error};
use crate::literals::{Alike, Misfit};
use crate::memory::Shares;
use crate::place::Text;
use crate::session::{self, BATCH_ROWS};
use crate::spill::Disk;
use crate::{Bounds, calls, literals, missing, operands, steady, text};
use data::Table;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType as Engine, FieldRef};
use datafusion::catalog::MemTable;
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::sql::parser::Statement as Parsed;
use futures_util::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;
use types::{DataType, Field, LimitKind, Schema, Spot};

/// Tables of one query.
const TABLES_MAX: usize = 1000;

/// A query, planned.
struct Planned {
    state: SessionState,
    schema: Schema,
    physical: Arc<dyn ExecutionPlan>,
}

pub(crate) async fn answer(
    sql: &str,
    tables: &[(&str, &Table)],
    bounds: &Bounds,
    disk: &Arc<Disk>,
) -> Result<Table, Error> {
    let text = Text { sql };
    let shares = Arc::new(Shares::new(bounds.memory_bytes));
    let mut planned = plan(&text, tables, bounds, Arc::clone(&shares), Arc::clone(disk)).await?;
    let share = shares.divide(steady::spilling(&planned.physical));
    steady::fit(planned.state.config_mut().options_mut(), share);
    let batches =
        collect(&planned, bounds).await.map_err(|error| memory_of(Error::of_engine(&text, &error), bounds))?;
    let cast = batches.iter().map(|batch| as_ours(batch, &planned.schema));
    let batches = cast.collect::<Result<Vec<_>, _>>()?;
    Table::from_record_batches(planned.schema, batches).map_err(|error| Error::Value(error.to_string()))
}

pub(crate) async fn columns(sql: &str, tables: &[(&str, &Table)], bounds: &Bounds) -> Result<Schema, Error> {
    let shares = Arc::new(Shares::new(bounds.memory_bytes));
    Ok(plan(&Text { sql }, tables, bounds, shares, Arc::new(Disk::new(None, 0))).await?.schema)
}

/// A share of the memory has no number that a person set: the limit that is told of is the query's whole.
fn memory_of(error: Error, bounds: &Bounds) -> Error {
    match error {
        Error::Limit { limited } if limited.limit == LimitKind::Memory => {
            Error::limit(LimitKind::Memory, bounds.memory_bytes, bounds.memory_bytes)
        }
        other => other,
    }
}

async fn plan(
    text: &Text<'_>,
    tables: &[(&str, &Table)],
    bounds: &Bounds,
    shares: Arc<Shares>,
    disk: Arc<Disk>,
) -> Result<Planned, Error> {
    let statement = text::parse(text)?;
    let state = session::open(bounds, shares, disk).map_err(|error| Error::Host(error.to_string()))?;
    register(&state, tables, bounds.cores)?;
    let unplanned = |error: DataFusionError| unplanned(text, tables, &error);
    let logical = state.statement_to_plan(statement.clone()).await.map_err(unplanned)?;
    session::refuse_all_but_reading(&logical).map_err(unplanned)?;
    let logical = analyzed(&state, logical).map_err(unplanned)?;
    if let Some(misfit) = literals::misfits(&logical).first() {
        let spot = place_of(misfit, &state, statement).await;
        return Err(misfit.error(text, spot));
    }
    let schema = schema_of(text, &logical)?;
    let physical = state.create_physical_plan(&logical).await.map_err(unplanned)?;
    Ok(Planned { state, schema, physical })
}

/// Where a literal stands that is none of its type, of all those that are written like it.
async fn place_of(misfit: &Misfit, state: &SessionState, mut statement: Parsed) -> Option<Spot> {
    let alike = Alike::told_apart(misfit, &mut statement);
    if !alike.are_several() {
        return alike.spot(misfit, None);
    }
    let plan = state.statement_to_plan(statement).await.and_then(|plan| analyzed(state, plan));
    alike.spot(misfit, plan.ok().as_ref())
}

/// With the types that its expressions really have.
fn analyzed(state: &SessionState, plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})
}

/// Why a text is no plan.
fn unplanned(text: &Text<'_>, tables: &[(&str, &Table)], error: &DataFusionError) -> Error {
    missing::table(text, tables, error)
        .or_else(|| missing::function(text, error))
        .or_else(|| calls::unfit(text, tables, error))
        .or_else(|| operands::unfit(text, tables, error))
        .unwrap_or_else(|| Error::of_engine(text, error))
}

fn register(state: &SessionState, tables: &[(&str, &Table)], cores: usize) -> Result<(), Error> {
    let wrong = |table: &str, reason: String| Error::Table { table: table.chars().take(80).collect(), reason };
    if tables.len() > TABLES_MAX {
        return Err(wrong(tables[TABLES_MAX].0, format!("is one of {}, at most {TABLES_MAX} are taken", tables.len())));
    }
    for (at, (name, table)) in tables.iter().enumerate() {
        if name.is_empty() || name.len() > types::NAME_BYTES_MAX {
            return Err(wrong(
                name,
                format!("has a name of {} bytes, expected 1 to {}", name.len(), types::NAME_BYTES_MAX),
            ));
        }
        if tables[..at].iter().any(|(before, _)| before == name) {
            return Err(wrong(name, "is given twice".to_owned()));
        }
        let made = MemTable::try_new(table.arrow_schema(), pieces(table, cores));
        let added = made.and_then(|made| session::register(state, name, made));
        added.map_err(|error| wrong(name, format!("cannot be queried: {}", error.strip_backtrace())))?;
    }
    Ok(())
}

/// A table's rows in their order, a run of them for each core; all in one where dividing would cost more.
fn pieces(table: &Table, cores: usize) -> Vec<Vec<RecordBatch>> {
    let batches = table.rows().div_ceil(BATCH_ROWS as u64);
    let runs = if batches < 4 { 1 } else { (cores as u64).min(batches) };
    let rows = batches.div_ceil(runs.max(1)) * BATCH_ROWS as u64;
    let run = |at: u64| {
        let run = table.slice(at * rows, rows);
        let parts = (0..run.rows())
            .step_by(BATCH_ROWS)
            .flat_map(|start| run.slice(start, BATCH_ROWS as u64).batches().to_vec());
        parts.collect()
    };
    (0..runs).map(run).collect()
}

/// All rows, those of each piece of the work after those of the piece before.
async fn collect(planned: &Planned, bounds: &Bounds) -> EngineResult<Vec<RecordBatch>> {
    let context = planned.state.task_ctx();
    let taken = Arc::new(Taken::default());
    let mut pieces = JoinSet::new();
    for piece in 0..planned.physical.output_partitioning().partition_count() {
        let mut stream = planned.physical.execute(piece, Arc::clone(&context))?;
        let (taken, rows_max, bytes_max) = (Arc::clone(&taken), bounds.rows, bounds.output_bytes);
        pieces.spawn(async move {
            let mut batches = Vec::new();
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                taken.take(&batch, rows_max, bytes_max)?;
                batches.push(batch);
            }
            Ok::<_, DataFusionError>((piece, batches))
        });
    }
    let mut collected = Vec::new();
    while let Some(joined) = pieces.join_next().await {
        collected.push(joined.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
    }
    collected.sort_by_key(|(piece, _)| *piece);
    Ok(collected.into_iter().flat_map(|(_, batches)| batches).filter(|batch| batch.num_rows() > 0).collect())
}

/// What the answer has so far.
#[derive(Default)]
struct Taken {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Taken {
    fn take(&self, batch: &RecordBatch, rows_max: u64, bytes_max: u64) -> EngineResult<()> {
        let size = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(usize::MAX) as u64;
        let bytes: u64 = batch.columns().iter().map(size).fold(0, u64::saturating_add);
        let rows = self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed) + batch.num_rows() as u64;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let over = |limit, used, most| Err(DataFusionError::External(Box::new(Error::limit(limit, used, most))));
        match (rows > rows_max, bytes > bytes_max) {
            (true, _) => over(LimitKind::Rows, rows, rows_max),
            (_, true) => over(LimitKind::Output, bytes, bytes_max),
            _ => Ok(()),
        }
    }
}

/// The answer's columns, as we have them.
fn schema_of(text: &Text<'_>, plan: &LogicalPlan) -> Result<Schema, Error> {
    let mut fields: Vec<Field> = Vec::new();
    for field in plan.schema().fields() {
        let name = field.name().clone();
        let refused = |why: String| {
            let spot = text.find([name.as_str()]).unwrap_or_else(|| text.first());
            Error::text(text, spot, why)
        };
        if fields.iter().any(|before| before.name == name) {
            return Err(refused(format!("the answer has two columns named `{name}`")).hinted(ANOTHER_NAME));
        }
        let Some(data_type) = ours(field.data_type()) else {
            let message =
                format!("column `{name}` of the answer is of the type {}, which no table has", field.data_type());
            return Err(refused(message).hinted(instead(field.data_type())));
        };
        fields.push(Field { name, data_type, nullable: field.is_nullable() });
    }
    if fields.is_empty() {
        let refused = Error::text(text, text.first(), "the answer has no columns".to_owned());
        return Err(refused.hinted("name them after `select`, or take all with `*`"));
    }
    let schema = Schema { fields };
    data::check_schema(&schema).map_err(|error| Error::text(text, text.first(), error.to_string()))?;
    Ok(schema)
}

fn ours(found: &Engine) -> Option<DataType> {
    Some(match found {
        Engine::Boolean => DataType::Boolean,
        Engine::Int8 | Engine::Int16 | Engine::Int32 | Engine::Int64 => DataType::Int64,
        Engine::UInt8 | Engine::UInt16 | Engine::UInt32 | Engine::UInt64 => DataType::Int64,
        Engine::Float16 | Engine::Float32 => DataType::Float32,
        Engine::Float64 => DataType::Float64,
        Engine::Decimal32(..) | Engine::Decimal64(..) | Engine::Decimal128(..) | Engine::Decimal256(..) => {
            DataType::Float64
        }
        Engine::Utf8 | Engine::LargeUtf8 | Engine::Utf8View => DataType::Text,
        Engine::Binary | Engine::LargeBinary | Engine::BinaryView | Engine::FixedSizeBinary(_) => DataType::Bytes,
        Engine::Timestamp(..) => DataType::Timestamp,
        Engine::Date32 | Engine::Date64 => DataType::Date,
        Engine::FixedSizeList(item, length) if *item.data_type() == Engine::Float32 => {
            DataType::Vector(u32::try_from(*length).ok()?)
        }
        Engine::Dictionary(_, value) => return ours(value),
        _ => return None,
    })
}

/// What to write in place of a type that no table has.
fn instead(found: &Engine) -> &'static str {
    match found {
        Engine::Null => "say what it is a null of, such as `cast(null as double)`",
        Engine::Interval(_) | Engine::Duration(_) => {
            "give a number, such as `extract(epoch from ..)`, or cast it to text"
        }
        Engine::Time32(_) | Engine::Time64(_) => "cast it to text, or give its seconds with `extract(epoch from ..)`",
        _ => "give single values, or cast it to text",
    }
}

fn as_ours(batch: &RecordBatch, schema: &Schema) -> Result<RecordBatch, Error> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let wanted = data::arrow_schema(schema);
    let column = |(array, field): (&ArrayRef, &FieldRef)| {
        let cast = cast_with_options(array, field.data_type(), &strict);
        cast.map_err(|error| Error::Value(format!("column `{}` of the answer: {error}", field.name())))
    };
    let columns = batch.columns().iter().zip(wanted.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(wanted, columns, &options).map_err(|error| Error::Value(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::GuestColumn;

    fn table() -> Table {
        let field = |name: &str| Field { name: name.to_owned(), data_type: DataType::Int64, nullable: false };
        let rows = 100_000;
        let data: Vec<u8> = (0..i64::from(rows)).flat_map(i64::to_le_bytes).collect();
        let column = || GuestColumn {
            data_type: DataType::Int64,
            length: rows,
            validity: None,
            offsets: None,
            data: data.clone(),
        };
        Table::from_columns(Schema { fields: vec![field("a"), field("b")] }, vec![column(), column()]).unwrap()
    }

    #[test]
    fn no_plan_leaves_anything_to_chance() {
        let table = table();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for sql in [
            "select a, count(*) from t group by a",
            "select count(distinct a), sum(b) from t",
            "select a from t order by b limit 3",
            "select a from t limit 3",
            "select a, row_number() over (partition by b order by a) from t",
            "select a, sum(a) over (order by b) from t",
            "select t.a from t join u on t.a = u.b",
            "select t.a from t left join u on t.a = u.b and t.b < u.a",
            "select t.a from t full join u on t.a = u.b",
            "select t.a from t left join u on t.a < u.b",
            "select t.a from t full join u on t.a < u.b",
            "select a from t where a not in (select b from u)",
            "select a from t where exists (select 1 from u where u.a = t.b)",
            "select a from t union select a from u",
            "select a, sum(n) from (select a, count(*) as n from t group by a union all select a, count(*) from u group by a) group by a",
            "with recursive n(x) as (select 1 union all select x + 1 from n join t on n.x = t.a where x < 9) select * from n",
            "select a, grouping(b) from t group by rollup (a, b) order by a desc limit 2",
        ] {
            let bounds = Bounds { cores: 4, ..crate::tests::bounds() };
            let shares = Arc::new(Shares::new(bounds.memory_bytes));
            let planned = runtime.block_on(plan(
                &Text { sql },
                &[("t", &table), ("u", &table)],
                &bounds,
                shares,
                Arc::new(Disk::new(None, 0)),
            ));
            let planned = planned.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(steady::tests::unsteady(&planned.physical), None, "{sql}");
        }
    }
}
