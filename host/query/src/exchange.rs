//! An operator that moves rows between the pieces of a query's work: from several to several by the hash of their keys, or
//! to one. In place of the engine's own, which pass on whatever comes first.

use crate::lanes::{Lanes, Turn};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{EvaluationType, SchedulingType};
use datafusion::physical_plan::repartition::BatchPartitioner;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, ReplaceChildrenOptions, metrics,
};
use futures_util::{Stream, StreamExt};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

#[derive(Debug)]
pub(crate) struct Exchange {
    input: Arc<dyn ExecutionPlan>,
    /// Rows of the one taker after which it takes no more.
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
    running: Mutex<Option<Running>>,
}

/// From the first taker on.
struct Running {
    lanes: Arc<Lanes>,
    /// Ended when the last taker is gone.
    makers: Arc<Vec<SpawnedTask<()>>>,
    held: Arc<MemoryReservation>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} makers", self.makers.len())
    }
}

impl Exchange {
    /// To takers by the hash of their keys.
    pub(crate) fn by_hash(input: Arc<dyn ExecutionPlan>, keys: Vec<Arc<dyn PhysicalExpr>>, takers: usize) -> Self {
        Self::new(input, Partitioning::Hash(keys, takers), None)
    }

    /// To one taker.
    pub(crate) fn to_one(input: Arc<dyn ExecutionPlan>, fetch: Option<usize>) -> Self {
        Self::new(input, Partitioning::UnknownPartitioning(1), fetch)
    }

    fn new(input: Arc<dyn ExecutionPlan>, partitioning: Partitioning, fetch: Option<usize>) -> Self {
        let mut equivalences = input.equivalence_properties().clone();
        equivalences.clear_orderings();
        equivalences.clear_per_partition_constants();
        let properties =
            PlanProperties::new(equivalences, partitioning, input.pipeline_behavior(), input.boundedness());
        let properties = properties.with_evaluation_type(EvaluationType::Eager);
        let properties = Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative));
        Self { input, fetch, properties, running: Mutex::new(None) }
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<Running> {
        let partitioning = &self.properties.partitioning;
        let (makers, takers) = (self.input.output_partitioning().partition_count(), partitioning.partition_count());
        let lanes = Arc::new(Lanes::new(makers, takers));
        let held = Arc::new(MemoryConsumer::new("rows on their way").register(context.memory_pool()));
        let mut tasks = Vec::with_capacity(makers);
        for maker in 0..makers {
            let input = self.input.execute(maker, Arc::clone(context))?;
            let keys = match partitioning {
                Partitioning::Hash(keys, _) => Some(keys.clone()),
                _ => None,
            };
            let (lanes, held) = (Arc::clone(&lanes), Arc::clone(&held));
            tasks.push(SpawnedTask::spawn(async move {
                let ended = Ended { lanes: Arc::clone(&lanes), maker };
                let result = make(maker, input, keys, takers, &lanes, &held).await;
                ended.with(result);
            }));
        }
        Ok(Running { lanes, makers: Arc::new(tasks), held })
    }
}

/// Tells the takers also of a maker that panics.
struct Ended {
    lanes: Arc<Lanes>,
    maker: usize,
}

impl Ended {
    fn with(self, result: Result<()>) {
        self.lanes.end(self.maker, result);
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.lanes.end(self.maker, internal_err!("an operator panicked"));
        }
    }
}

async fn make(
    maker: usize,
    mut input: SendableRecordBatchStream,
    keys: Option<Vec<Arc<dyn PhysicalExpr>>>,
    takers: usize,
    lanes: &Lanes,
    held: &MemoryReservation,
) -> Result<()> {
    let mut divide =
        keys.map(|keys| BatchPartitioner::new_hash_partitioner(keys, takers, metrics::Time::new())).transpose()?;
    while poll_fn(|context| lanes.room(maker, context)).await {
        let Some(batch) = input.next().await else { break };
        let batch = batch?;
        let mut slots = vec![None; takers];
        match &mut divide {
            Some(divide) => divide.partition(batch, |taker, part| {
                held.try_grow(size(&part))?;
                slots[taker] = Some(part);
                Ok(())
            })?,
            // It shares its memory with what it was made of, and a lane to one taker holds one batch.
            None => slots[0] = Some(batch),
        }
        lanes.put(maker, slots);
    }
    Ok(())
}

/// Of a batch that is not a slice of a larger one.
fn size(batch: &RecordBatch) -> usize {
    batch.get_array_memory_size()
}

impl DisplayAs for Exchange {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange: {}", self.properties.partitioning)
    }
}

impl ExecutionPlan for Exchange {
    fn name(&self) -> &'static str {
        "Exchange"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut recursion = TreeNodeRecursion::Continue;
        if let Partitioning::Hash(keys, _) = &self.properties.partitioning {
            for key in keys {
                recursion = recursion.visit_sibling(|| visit(key))?;
            }
        }
        Ok(recursion)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.properties.partitioning.clone(), self.fetch))),
            _ => internal_err!("an exchange has one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, taker: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Running { lanes, makers, held } = match running.as_ref() {
            Some(running) => running,
            None => running.insert(self.start(&context)?),
        };
        let by_hash = matches!(self.properties.partitioning, Partitioning::Hash(..));
        Ok(Box::pin(Taker {
            schema: self.schema(),
            lanes: Arc::clone(lanes),
            _makers: Arc::clone(makers),
            held: by_hash.then(|| Arc::clone(held)),
            taker,
            turn: Turn::default(),
            left: self.fetch,
        }))
    }
}

/// The stream of one taker.
struct Taker {
    schema: SchemaRef,
    lanes: Arc<Lanes>,
    _makers: Arc<Vec<SpawnedTask<()>>>,
    /// Given back batch by batch.
    held: Option<Arc<MemoryReservation>>,
    taker: usize,
    turn: Turn,
    left: Option<usize>,
}

impl Stream for Taker {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.left == Some(0) {
            return Poll::Ready(None);
        }
        let taken = this.lanes.take(this.taker, &mut this.turn, context);
        taken.map(|taken| {
            taken.map(|batch| {
                let batch = batch?;
                if let Some(held) = &this.held {
                    held.shrink(size(&batch).min(held.size()));
                }
                let Some(left) = this.left else { return Ok(batch) };
                let rows = batch.num_rows().min(left);
                this.left = Some(left - rows);
                Ok(batch.slice(0, rows))
            })
        })
    }
}

impl RecordBatchStream for Taker {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.lanes.leave(self.taker);
    }
}
