//! Values -> places along an axis whose ends are round numbers that are written beside it.

use models::axis;

/// A linear axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    /// Where its ends are drawn.
    pub from: f64,
    pub to: f64,
}

impl Scale {
    /// An axis that holds these values; none if none of them is finite.
    pub(super) fn over(values: impl IntoIterator<Item = f64>, (from, to): (f64, f64)) -> Option<Self> {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })?;
        let (low, high) = axis::rounded(low, high);
        // Beyond what a difference of two numbers can hold nothing can be drawn.
        (low < high && (high - low).is_finite()).then_some(Self { low, high, from, to })
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        self.from + (self.to - self.from) * ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    pub(super) fn ticks(&self) -> Vec<f64> {
        axis::ticks(self.low, self.high)
    }

    /// A number on it as it is written: no nearer to another than the axis tells them apart.
    pub(super) fn shown(&self, value: f64) -> String {
        let span = self.high - self.low;
        match value.abs() < span * 1e-6 {
            true => "0".to_owned(),
            false if span < 1e-6 => format!("{value:.2e}"),
            false => axis::short(value),
        }
    }
}
