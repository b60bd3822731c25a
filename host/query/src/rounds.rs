//! An operator that counts how often it is begun: the part of a recursive query that is done again and again.

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Rounds of one recursive query. A tree is not as deep, and a series of days not as long.
pub(crate) const ROUNDS_MAX: u32 = 10_000;

#[derive(Debug)]
pub(crate) struct Rounds {
    input: Arc<dyn ExecutionPlan>,
    /// One number however often the plan is made anew for its next round.
    begun: Arc<AtomicU32>,
}

impl Rounds {
    /// The recursion, which fails after [`ROUNDS_MAX`] rounds.
    pub(crate) fn bound(
        plan: &Arc<dyn ExecutionPlan>,
        recursion: &RecursiveQueryExec,
    ) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
        let again = Self { input: Arc::clone(recursion.recursive_term()), begun: Arc::default() };
        let terms: Vec<Arc<dyn ExecutionPlan>> = vec![Arc::clone(recursion.static_term()), Arc::new(again)];
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Ok(Transformed::yes(Arc::clone(plan).replace_children(terms, options)?))
    }
}

impl DisplayAs for Rounds {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rounds: at most {ROUNDS_MAX}")
    }
}

impl ExecutionPlan for Rounds {
    fn name(&self) -> &'static str {
        "Rounds"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input, begun: Arc::clone(&self.begun) })),
            _ => internal_err!("rounds have one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, piece: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if self.begun.fetch_add(1, Ordering::Relaxed) >= ROUNDS_MAX {
            return exec_err!("a recursive query goes on after {ROUNDS_MAX} rounds, which are all it has");
        }
        self.input.execute(piece, context)
    }
}
