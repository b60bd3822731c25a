//! Sums and averages over a few rows up to each row, in place of the engine's.
//!
//! The engine calls its aggregate twice a row, once with what comes into the frame and once with what leaves it: a third of the
//! time of such a query, and numbers that drift, because what was added is taken away again. Here each short frame is added up
//! anew, so a number depends on the rows of its frame alone.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, FieldRef, Float64Type, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{LimitEffect, PartitionEvaluator, WindowFrame, WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::window::{
    SlidingAggregateWindowExpr, StandardWindowExpr, StandardWindowFunctionExpr, WindowExpr,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

/// Rows before each that a frame may have: beyond it, to add them up anew is no quicker.
const BEFORE_MAX: u64 = 63;

/// The windows with moving sums and averages computed here, if there are any.
pub(crate) fn in_place_of(windows: &BoundedWindowAggExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let schema = windows.input().schema();
    let moving: Vec<_> = windows.window_expr().iter().map(|found| Moving::of(found, &schema)).collect();
    if moving.iter().all(Option::is_none) {
        return Ok(None);
    }
    let chosen = windows.window_expr().iter().zip(moving).map(|(found, moving)| match moving {
        Some(moving) => {
            let (by, order, frame) = (found.partition_by(), found.order_by(), found.get_window_frame());
            Arc::new(StandardWindowExpr::new(Arc::new(moving), by, order, Arc::clone(frame))) as Arc<dyn WindowExpr>
        }
        None => Arc::clone(found),
    });
    let (input, order, divided) =
        (Arc::clone(windows.input()), windows.input_order_mode.clone(), !windows.partition_keys().is_empty());
    Ok(Some(Arc::new(BoundedWindowAggExec::try_new(chosen.collect(), input, order, divided)?)))
}

/// A sum or an average of float64.
#[derive(Debug)]
struct Moving {
    field: FieldRef,
    name: String,
    value: Arc<dyn PhysicalExpr>,
    frames: Frames,
}

impl Moving {
    fn of(found: &Arc<dyn WindowExpr>, schema: &Schema) -> Option<Self> {
        let sliding = found.as_any().downcast_ref::<SlidingAggregateWindowExpr>()?;
        let aggregate = sliding.get_aggregate_expr();
        let average = match aggregate.fun().name() {
            "avg" => true,
            "sum" => false,
            _ => return None,
        };
        // What it filters by, the engine shows in no other way.
        let filtered = !format!("{sliding:?}").ends_with("filter: None }");
        let value = found.expressions().into_iter().next()?;
        if filtered || aggregate.is_distinct() || value.data_type(schema).ok()? != DataType::Float64 {
            return None;
        }
        let frames = Frames { before: before(found.get_window_frame())?, average };
        Some(Self { field: found.field().ok()?, name: found.name().to_owned(), value, frames })
    }
}

/// How many rows a frame has before its last, which is the row that it is for.
fn before(frame: &WindowFrame) -> Option<usize> {
    match (frame.units, &frame.start_bound, &frame.end_bound) {
        (
            WindowFrameUnits::Rows,
            WindowFrameBound::Preceding(ScalarValue::UInt64(Some(before))),
            WindowFrameBound::CurrentRow,
        ) if *before <= BEFORE_MAX => usize::try_from(*before).ok(),
        _ => None,
    }
}

impl StandardWindowFunctionExpr for Moving {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn expressions(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        vec![Arc::clone(&self.value)]
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn create_evaluator(&self) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(self.frames))
    }

    fn limit_effect(&self) -> LimitEffect {
        LimitEffect::Unknown
    }
}

#[derive(Debug, Clone, Copy)]
struct Frames {
    before: usize,
    average: bool,
}

impl Frames {
    fn of(self, row: usize) -> Range<usize> {
        row.saturating_sub(self.before)..row + 1
    }

    /// None of a frame without values.
    fn value(self, values: &Float64Array, frame: Range<usize>) -> Option<f64> {
        let all = values.values();
        let (sum, count) = match values.nulls() {
            None => (all[frame.clone()].iter().fold(0.0, |sum, value| sum + value), frame.len()),
            Some(nulls) => {
                let there = frame.filter(|row| nulls.is_valid(*row));
                there.fold((0.0, 0), |(sum, count), row| (sum + all[row], count + 1))
            }
        };
        let value = if self.average { sum / count as f64 } else { sum };
        (count > 0).then_some(value)
    }
}

impl PartitionEvaluator for Frames {
    fn supports_bounded_execution(&self) -> bool {
        true
    }

    fn is_causal(&self) -> bool {
        true
    }

    fn get_range(&self, row: usize, _: usize) -> Result<Range<usize>> {
        Ok(self.of(row))
    }

    fn evaluate(&mut self, values: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.value(values[0].as_primitive::<Float64Type>(), frame.clone())))
    }
}
