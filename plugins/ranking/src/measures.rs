//! Ranked items -> the measures of each query once, then means over queries. Pure.

use evaluation::{Sample, ratio, renumbered};

/// An item of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) relevance: f64,
    pub(crate) score: f64,
}

/// How many items from the top are looked at, each of them.
#[derive(Clone, Debug)]
pub(crate) struct Cutoffs(pub(crate) Vec<usize>);

/// What is measured at each cutoff.
const AT: [&str; 5] = ["ndcg", "hit_rate", "precision", "recall", "map"];

impl Cutoffs {
    fn names(&self) -> Vec<String> {
        let at = self.0.iter().flat_map(|k| AT.map(|name| format!("{name}@{k}")));
        ["mrr", "map"].map(String::from).into_iter().chain(at).collect()
    }

    /// In the order of the names; none of a query without a relevant item.
    fn measure(&self, items: &[Item]) -> Option<Vec<f64>> {
        let mut ranked = items.to_vec();
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.relevance.total_cmp(&b.relevance)));
        let relevant = ranked.iter().filter(|item| item.relevance > 0.0).count();
        let first = ranked.iter().position(|item| item.relevance > 0.0)?;
        let mut values = vec![1.0 / (first + 1) as f64, average_precision(&ranked, ranked.len(), relevant)];
        for k in &self.0 {
            let found = ranked.iter().take(*k).filter(|item| item.relevance > 0.0).count() as f64;
            values.extend([
                ndcg(&ranked, *k),
                f64::from(u8::from(first < *k)),
                found / *k as f64,
                found / relevant as f64,
                average_precision(&ranked, *k, relevant),
            ]);
        }
        Some(values)
    }
}

/// The mean, over the relevant items that the top could hold, of the precision down to each.
fn average_precision(ranked: &[Item], k: usize, relevant: usize) -> f64 {
    let (mut found, mut sum) = (0.0, 0.0);
    for (place, _) in ranked.iter().take(k).enumerate().filter(|(_, item)| item.relevance > 0.0) {
        found += 1.0;
        sum += found / (place + 1) as f64;
    }
    sum / relevant.min(k) as f64
}

/// Relevance discounted by its place, beside the best order there is.
fn ndcg(ranked: &[Item], k: usize) -> f64 {
    let discount = |place: usize| if place < k { 1.0 / ((place + 2) as f64).log2() } else { 0.0 };
    let (mut gained, mut place) = (0.0, 0);
    for tied in ranked.chunk_by(|a, b| a.score == b.score) {
        let discounts: f64 = (place..place + tied.len()).map(discount).sum();
        gained += discounts * tied.iter().map(|item| item.relevance).sum::<f64>() / tied.len() as f64;
        place += tied.len();
    }
    let mut best: Vec<f64> = ranked.iter().map(|item| item.relevance).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    gained / best.iter().enumerate().map(|(place, relevance)| relevance * discount(place)).sum::<f64>()
}

/// Items with their queries, and what was measured of each of these.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    items: Vec<Item>,
    groups: (Vec<usize>, usize),
    cutoffs: Cutoffs,
    of_group: Vec<Option<Vec<f64>>>,
}

impl Judged {
    pub(crate) fn new(items: Vec<Item>, groups: (Vec<usize>, usize), cutoffs: Cutoffs) -> Self {
        let mut queries = vec![Vec::new(); groups.1];
        groups.0.iter().zip(&items).for_each(|(group, item)| queries[*group].push(*item));
        let of_group = queries.iter().map(|items| cutoffs.measure(items)).collect();
        Self { items, groups, cutoffs, of_group }
    }

    pub(crate) fn relevances(&self) -> Vec<f64> {
        self.items.iter().map(|item| item.relevance).collect()
    }

    /// Of each item.
    pub(crate) fn groups(&self) -> &[usize] {
        &self.groups.0
    }
}

impl Sample for Judged {
    fn names(&self) -> Vec<String> {
        self.cutoffs.names()
    }

    fn units(&self) -> usize {
        self.groups.1
    }

    fn pick(&self, rows: &[usize]) -> Self {
        let items = rows.iter().map(|row| self.items[*row]).collect();
        Self::new(items, renumbered(&self.groups.0, rows), self.cutoffs.clone())
    }

    fn measure(&self, counts: &[u32]) -> Vec<Option<f64>> {
        let mut sums = vec![0.0; self.cutoffs.names().len()];
        let mut all = 0.0;
        for (values, count) in self.of_group.iter().zip(counts) {
            let Some(values) = values else { continue };
            all += f64::from(*count);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*count) * value);
        }
        sums.into_iter().map(|sum| ratio(sum, all)).collect()
    }
}

#[cfg(test)]
mod tests;
