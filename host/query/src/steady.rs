//! A plan of the engine -> one whose every answer has the same bytes.
//!
//! The engine's operators depend on nothing but the order of their input; chance comes in where pieces of the work meet. So
//! every place where they do is one of ours ([`crate::exchange`]), and what is decided by who is first is not done:
//!
//! - rows that are handed to whoever is idle (round robin), and unions that take whatever comes;
//! - filters that one piece makes for the others while they run, a top list's too: a row that ties with the threshold would stay
//!   or go by chance;
//! - joins whose unmatched rows come from the piece that ends last.
//!
//! What spills is decided by shares that are fixed before the query runs ([`crate::memory`]). Recursion is bounded here too, for
//! it takes the same walk over the plan.

use crate::exchange::Exchange;
use crate::moving;
use crate::rounds::Rounds;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::logical_expr::JoinType;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning, replace_children_if_necessary};
use std::sync::Arc;

type Plan = Arc<dyn ExecutionPlan>;

/// What a sort keeps for merging what it spilled, unless its share is small.
const MERGE_BYTES_MAX: usize = 10 << 20;

/// What of the engine's own choices would be chance.
pub(crate) fn settings(options: &mut ConfigOptions) {
    let optimizer = &mut options.optimizer;
    optimizer.enable_round_robin_repartition = false;
    optimizer.prefer_existing_union = true;
    optimizer.enable_dynamic_filter_pushdown = false;
    optimizer.enable_topk_dynamic_filter_pushdown = false;
    optimizer.enable_join_dynamic_filter_pushdown = false;
    optimizer.enable_aggregate_dynamic_filter_pushdown = false;
}

/// The engine's rules, with ours where its joins are chosen and where all is decided.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let chosen = rules.iter().position(|rule| rule.name() == "join_selection").map_or(rules.len(), |at| at + 1);
    rules.insert(chosen, Arc::new(SteadyJoins));
    let last = rules.iter().position(|rule| rule.name() == "SanityCheckPlan").unwrap_or(rules.len());
    rules.insert(last, Arc::new(SteadyMeetings));
    rules
}

/// How many, over all pieces of the work, can spill.
pub(crate) fn spilling(plan: &Plan) -> usize {
    let own = plan.is::<SortExec>() || plan.is::<AggregateExec>() || plan.is::<NestedLoopJoinExec>();
    let pieces = if own { plan.output_partitioning().partition_count() } else { 0 };
    pieces + plan.children().into_iter().map(spilling).sum::<usize>()
}

/// Lets sorts live within a share.
pub(crate) fn fit(options: &mut ConfigOptions, share: usize) {
    options.execution.sort_spill_reservation_bytes = (share / 4).min(MERGE_BYTES_MAX);
    options.execution.sort_in_place_threshold_bytes = options.execution.sort_in_place_threshold_bytes.min(share / 4);
}

/// Before the work is divided: no join whose unmatched rows come from the piece that ends last.
#[derive(Debug)]
struct SteadyJoins;

impl PhysicalOptimizerRule for SteadyJoins {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        plan.transform_up(steady_join).data()
    }

    fn name(&self) -> &str {
        "steady_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn steady_join(plan: Plan) -> Result<Transformed<Plan>> {
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        if *join.partition_mode() != PartitionMode::CollectLeft || !ends_with_unmatched(*join.join_type()) {
            return Ok(Transformed::no(plan));
        }
        if !join.null_aware {
            let divided = join.builder().with_partition_mode(PartitionMode::Partitioned).build()?;
            return Ok(Transformed::yes(Arc::new(divided)));
        }
        return one_on_the_right(&plan);
    }
    match plan.downcast_ref::<NestedLoopJoinExec>() {
        Some(join) if ends_with_unmatched(*join.join_type()) => one_on_the_right(&plan),
        _ => Ok(Transformed::no(plan)),
    }
}

fn ends_with_unmatched(join: JoinType) -> bool {
    use JoinType::{Full, Left, LeftAnti, LeftMark, LeftSemi};
    matches!(join, Left | LeftAnti | LeftMark | LeftSemi | Full)
}

/// The join with one piece that goes through the other table, and so ends last.
fn one_on_the_right(join: &Plan) -> Result<Transformed<Plan>> {
    let children = join.children();
    let right: Plan = Arc::new(Exchange::to_one(Arc::clone(children[1]), None));
    let children = vec![Arc::clone(children[0]), right];
    Ok(Transformed::yes(replace_children_if_necessary(Arc::clone(join), children)?))
}

/// When all is divided: ours in place of every operator where pieces meet.
#[derive(Debug)]
struct SteadyMeetings;

impl PhysicalOptimizerRule for SteadyMeetings {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        plan.transform_up(steady_meeting).data()
    }

    fn name(&self) -> &str {
        "steady_meetings"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn steady_meeting(plan: Plan) -> Result<Transformed<Plan>> {
    if let Some(meeting) = plan.downcast_ref::<CoalescePartitionsExec>() {
        return Ok(Transformed::yes(Arc::new(Exchange::to_one(Arc::clone(meeting.input()), meeting.fetch()))));
    }
    if let Some(meeting) = plan.downcast_ref::<RepartitionExec>() {
        return Ok(match meeting.partitioning() {
            // One that keeps an order merges by it, and is steady.
            Partitioning::Hash(keys, pieces) if !meeting.preserve_order() => {
                let exchange = Exchange::by_hash(Arc::clone(meeting.input()), keys.clone(), *pieces);
                Transformed::yes(Arc::new(exchange))
            }
            _ => Transformed::no(plan),
        });
    }
    if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
        return Ok(steady_merge(merge));
    }
    if let Some(windows) = plan.downcast_ref::<BoundedWindowAggExec>() {
        return Ok(moving::in_place_of(windows)?.map_or_else(|| Transformed::no(Arc::clone(&plan)), Transformed::yes));
    }
    if let Some(recursion) = plan.downcast_ref::<RecursiveQueryExec>() {
        return Rounds::bound(&plan, recursion);
    }
    Ok(Transformed::no(plan))
}

/// Of equal rows those of the first piece first; and a top list is made of all rows in one piece, because the pieces of one
/// would share its threshold.
fn steady_merge(merge: &SortPreservingMergeExec) -> Transformed<Plan> {
    let steady = |input: Plan| {
        let steady = SortPreservingMergeExec::new(merge.expr().clone(), input).with_fetch(merge.fetch());
        Transformed::yes(Arc::new(steady.with_round_robin_repartition(false)) as Plan)
    };
    let input = merge.input();
    match input.downcast_ref::<SortExec>() {
        Some(sort) if sort.fetch().is_some() && input.output_partitioning().partition_count() > 1 => {
            let rows = Arc::new(Exchange::to_one(Arc::clone(sort.input()), None));
            steady(Arc::new(SortExec::new(sort.expr().clone(), rows).with_fetch(sort.fetch())))
        }
        _ => steady(Arc::clone(input)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use datafusion::common::tree_node::TreeNodeRecursion;

    /// The first operator of a plan that would leave something to chance.
    pub(crate) fn unsteady(plan: &Plan) -> Option<String> {
        let mut found = None;
        plan.apply(|node| {
            if left_to_chance(node) {
                found = Some(node.name().to_owned());
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        found
    }

    fn left_to_chance(node: &Plan) -> bool {
        let several = node.output_partitioning().partition_count() > 1;
        let ends_by_chance = |join: JoinType, right: &Plan| {
            ends_with_unmatched(join) && right.output_partitioning().partition_count() > 1
        };
        if let Some(sort) = node.downcast_ref::<SortExec>() {
            return several && sort.fetch().is_some();
        }
        if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            let collected = *join.partition_mode() == PartitionMode::CollectLeft;
            return collected && ends_by_chance(*join.join_type(), join.right());
        }
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            return ends_by_chance(*join.join_type(), join.right());
        }
        match node.downcast_ref::<RepartitionExec>() {
            Some(meeting) => !meeting.preserve_order(),
            None => ["CoalescePartitionsExec", "InterleaveExec", "SymmetricHashJoinExec"].contains(&node.name()),
        }
    }
}
