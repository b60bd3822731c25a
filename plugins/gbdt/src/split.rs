//! The sums of a node, a column and bin -> its best split.
//!
//! Pure. A side's score is `-(2 G v + (H + l2) v^2)` at the value v that makes it greatest; without bounds on v that is
//! `G^2 / (H + l2)`. A split gains what its sides score above the node. Of equal gains the first wins.

use crate::sums::Sums;

/// A column, as far as splitting goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// In order. With 1 the prediction never falls as the value rises, with -1 it never rises.
    Ordered { monotone: i8 },
    /// Without order: any set of categories may go to one side.
    Categories,
}

/// What a split has to satisfy.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) l2: f64,
    pub(crate) min_child_samples: u64,
    pub(crate) min_child_hessian: f64,
    pub(crate) min_gain: f64,
    pub(crate) categorical_l2: f64,
    pub(crate) categorical_smoothing: f64,
}

/// With so few categories one of them is held against the others; LightGBM's `max_cat_to_onehot`.
const ONE_AGAINST_OTHERS_MAX: usize = 4;
/// The most categories that are told apart from the others at once; LightGBM's `max_cat_threshold`.
const CATEGORIES_MAX: usize = 32;
/// What rounding may make of a gain of nothing, as a share of the node's score.
const ROUNDING: f64 = 1e-12;

/// What a value may be, by the monotone splits above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Bounds {
    pub(crate) const NONE: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };
}

/// Which bins go left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Left {
    /// Those up to this one, and what is missing if so said.
    UpTo { bin: usize, missing: bool },
    /// These; the last of a column's bins is what is missing.
    Among(Vec<usize>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Split {
    pub(crate) feature: usize,
    pub(crate) left: Left,
    pub(crate) gain: f64,
    pub(crate) sides: [Sums; 2],
    pub(crate) values: [f64; 2],
}

/// The value of a node that scores best within bounds.
pub(crate) fn value(sums: Sums, l2: f64, bounds: Bounds) -> f64 {
    let slope = sums.hessian + l2;
    let free = if slope > 0.0 { -sums.gradient / slope } else { 0.0 };
    free.clamp(bounds.low, bounds.high)
}

fn score(sums: Sums, l2: f64, value: f64) -> f64 {
    -(2.0 * sums.gradient + (sums.hessian + l2) * value) * value
}

/// As `score` at the best value without bounds.
fn free_score(sums: Sums, l2: f64) -> f64 {
    let slope = sums.hessian + l2;
    if slope > 0.0 { sums.gradient * sums.gradient / slope } else { 0.0 }
}

/// A node whose split is sought.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) total: Sums,
    pub(crate) bounds: Bounds,
    pub(crate) rules: &'a Rules,
}

/// The best place so far in the order in which bins go left.
struct Best {
    /// To be exceeded.
    gain: f64,
    place: Option<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    /// The bin at which the left side ends, or how many categories it has less one.
    at: usize,
    /// Which of two scans found it.
    second: bool,
    left: Sums,
}

impl Node<'_> {
    /// The best split of a column whose gain is above `least`. `bins` ends with what is missing.
    pub(crate) fn best(&self, feature: usize, kind: Kind, bins: &[Sums], least: f64) -> Option<Split> {
        let l2 = self.rules.l2;
        let own = score(self.total, l2, value(self.total, l2, self.bounds));
        let mut best = Best { gain: least.max(self.rules.min_gain).max(own.abs() * ROUNDING), place: None };
        match kind {
            Kind::Ordered { monotone: 0 } if self.bounds == Bounds::NONE => {
                let gain = |left, right| free_score(left, l2) + free_score(right, l2) - own;
                self.ordered(feature, bins, &mut best, gain)
            }
            Kind::Ordered { monotone } => {
                let gain = |left, right| self.bounded_score(left, right, l2, monotone) - own;
                self.ordered(feature, bins, &mut best, gain)
            }
            Kind::Categories => self.categories(feature, bins, &mut best, own),
        }
    }

    /// What both sides score together within bounds; nothing is worse than the wrong order of their values.
    fn bounded_score(&self, left: Sums, right: Sums, l2: f64, monotone: i8) -> f64 {
        let values = [value(left, l2, self.bounds), value(right, l2, self.bounds)];
        if f64::from(monotone) * (values[1] - values[0]) < 0.0 {
            return f64::NEG_INFINITY;
        }
        score(left, l2, values[0]) + score(right, l2, values[1])
    }

    fn ordered(
        &self,
        feature: usize,
        bins: &[Sums],
        best: &mut Best,
        gain: impl Fn(Sums, Sums) -> f64 + Copy,
    ) -> Option<Split> {
        let (missing, values) = bins.split_last()?;
        self.scan(Sums::default(), values.iter().enumerate(), false, best, gain);
        if missing.rows > 0 {
            self.scan(*missing, values.iter().enumerate(), true, best, gain);
        }
        let Place { at, second, left } = best.place?;
        let right = self.total - left;
        // Where nothing was missing, what is missing later goes with the many.
        let missing = if missing.rows > 0 { second } else { left.rows >= right.rows };
        Some(self.split(feature, Left::UpTo { bin: at, missing }, best.gain, [left, right], self.rules.l2))
    }

    /// After LightGBM: one category against the others where there are few, else those with the least or the greatest values
    /// against the others, found in the order of their values.
    fn categories(&self, feature: usize, bins: &[Sums], best: &mut Best, own: f64) -> Option<Split> {
        let Rules { l2, categorical_l2, categorical_smoothing, .. } = *self.rules;
        let there = bins.iter().filter(|bin| bin.rows > 0).count();
        if there <= ONE_AGAINST_OTHERS_MAX {
            for single in bins.iter().enumerate() {
                let gain = |left, right| self.bounded_score(left, right, l2, 0) - own;
                self.scan(Sums::default(), [single].into_iter(), false, best, gain);
            }
            let Place { at, left, .. } = best.place?;
            return Some(self.split(feature, Left::Among(vec![at]), best.gain, [left, self.total - left], l2));
        }
        let l2 = l2 + categorical_l2;
        let mean = |bin: &Sums| bin.gradient / (bin.hessian + categorical_smoothing);
        let known = |(_, bin): &(usize, &Sums)| bin.rows > 0 && bin.rows as f64 >= categorical_smoothing;
        let mut order: Vec<(usize, &Sums)> = bins.iter().enumerate().filter(known).collect();
        order.sort_by(|(_, a), (_, b)| mean(a).total_cmp(&mean(b)));
        let most = CATEGORIES_MAX.min(order.len().div_ceil(2));
        let gain = |left, right| self.bounded_score(left, right, l2, 0) - own;
        let numbered = |(place, (_, bin)): (usize, &(usize, &Sums))| (place, **bin);
        let forward: Vec<(usize, Sums)> = order.iter().enumerate().take(most).map(numbered).collect();
        let backward: Vec<(usize, Sums)> = order.iter().rev().enumerate().take(most).map(numbered).collect();
        for (second, side) in [(false, forward), (true, backward)] {
            self.scan(Sums::default(), side.iter().map(|(place, bin)| (*place, bin)), second, best, gain);
        }
        let Place { at, second, left } = best.place?;
        let chosen = |(bin, _): &(usize, &Sums)| *bin;
        let among = match second {
            false => order.iter().take(at + 1).map(chosen).collect(),
            true => order.iter().rev().take(at + 1).map(chosen).collect(),
        };
        Some(self.split(feature, Left::Among(among), best.gain, [left, self.total - left], l2))
    }

    /// Moves bins to the left one by one, and keeps the best place to stop.
    fn scan<'b>(
        &self,
        start: Sums,
        bins: impl Iterator<Item = (usize, &'b Sums)>,
        second: bool,
        best: &mut Best,
        gain: impl Fn(Sums, Sums) -> f64,
    ) {
        let Rules { min_child_samples, min_child_hessian, .. } = *self.rules;
        let enough = |side: Sums| side.rows >= min_child_samples.max(1) && side.hessian >= min_child_hessian;
        let mut left = start;
        for (at, bin) in bins.filter(|(_, bin)| bin.rows > 0) {
            left += *bin;
            if !enough(left) {
                continue;
            }
            let right = self.total - left;
            if !enough(right) {
                break;
            }
            let gain = gain(left, right);
            if gain > best.gain {
                *best = Best { gain, place: Some(Place { at, second, left }) };
            }
        }
    }

    fn split(&self, feature: usize, left: Left, gain: f64, sides: [Sums; 2], l2: f64) -> Split {
        let values = sides.map(|side| value(side, l2, self.bounds));
        Split { feature, left, gain, sides, values }
    }
}

#[cfg(test)]
mod tests;
