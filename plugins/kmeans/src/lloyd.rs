//! Rows -> the centres with the least inertia of several starts (Lloyd, 1982). What an interrupted attempt reached is where
//! the next goes on.

use crate::Params;
use crate::rows::{Centres, Rows, enough};
use serde::{Deserialize, Serialize};
use stepwell::{Error, Result, Rng, checkpoint, finite, report};

/// Centres, and how good they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) centres: Vec<f64>,
    pub(crate) inertia: f64,
    pub(crate) iterations: u64,
}

/// How far it came: the start under way, and the best of those before.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    start: u64,
    iteration: u64,
    /// None before the start has any.
    centres: Option<Vec<f64>>,
    best: Option<Found>,
}

/// One search for centres.
pub(crate) struct Search<'a> {
    pub(crate) rows: &'a Rows,
    pub(crate) params: &'a Params,
    pub(crate) features: usize,
    /// Ends a start when the centres moved less, squared and together.
    pub(crate) tolerance: f64,
    /// A model's centres; then they are the only start.
    pub(crate) initial: Option<Vec<f64>>,
    pub(crate) seed: u64,
}

impl Search<'_> {
    pub(crate) fn run(&self) -> Result<Found> {
        let mut state = self.saved()?;
        let starts = if self.initial.is_some() { 1 } else { self.params.starts };
        while state.start < starts {
            let found = self.descend(&mut state)?;
            report::progress(state.start + 1, Some(starts));
            report::metric("inertia", found.inertia, state.start);
            if state.best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
                state.best = Some(found);
            }
            state = State { start: state.start + 1, best: state.best, ..State::default() };
            save(&state)?;
        }
        state.best.ok_or_else(|| Error::permanent("expected at least one start, got none"))
    }

    /// From a start to where the centres stay.
    fn descend(&self, state: &mut State) -> Result<Found> {
        let mut centres = match state.centres.take() {
            Some(values) => self.centres(values),
            None => self.begin(state.start)?,
        };
        let begun = state.iteration;
        loop {
            let iteration = state.iteration;
            if iteration > begun && iteration.is_multiple_of(self.params.checkpoint_every) {
                state.centres = Some(centres.values.clone());
                save(state)?;
            }
            let next = self.step(&centres)?;
            let moved = centres.moved(&next);
            centres = next;
            state.iteration += 1;
            if moved <= self.tolerance || state.iteration >= self.params.max_iterations {
                if moved > self.tolerance {
                    let (start, iterations) = (state.start + 1, state.iteration);
                    report::warn(format!(
                        "start {start} ended after {iterations} iterations, before its centres stayed"
                    ));
                }
                let inertia = self.rows.assign(&centres)?.inertia;
                finite::check(&format!("the inertia of start {}", state.start + 1), inertia)?;
                return Ok(Found { centres: centres.values, inertia, iterations: state.iteration });
            }
        }
    }

    /// Each centre to the mean of its rows. One without rows goes to the row that is farthest from its own.
    fn step(&self, centres: &Centres) -> Result<Centres> {
        let assigned = self.rows.assign(centres)?;
        let empty: Vec<usize> = (0..centres.count()).filter(|place| assigned.weights[*place] <= 0.0).collect();
        let mut far = match empty.is_empty() {
            true => Vec::new(),
            false => self.rows.farthest(centres, empty.len())?,
        }
        .into_iter();
        let mut values = Vec::with_capacity(centres.values.len());
        for ((sums, weight), centre) in assigned.sums.all().zip(&assigned.weights).zip(centres.all()) {
            match *weight > 0.0 {
                true => values.extend(sums.iter().map(|sum| sum / weight)),
                false => values.extend(far.next().unwrap_or_else(|| centre.to_vec())),
            }
        }
        Ok(self.centres(values))
    }

    fn begin(&self, start: u64) -> Result<Centres> {
        if let Some(initial) = &self.initial {
            return Ok(self.centres(initial.clone()));
        }
        let mut random = Rng::from_seed(self.seed).fork(&format!("start {start}"));
        let wanted = self.params.clusters;
        let mut potential = self.rows.potential()?;
        let mut values = potential.draw(&mut random)?;
        potential.choose(&self.centres(values.clone()))?;
        // Of some candidates the one that leaves the least, as scikit-learn does.
        let trials = 2 + (wanted as f64).ln() as usize;
        for chosen in 1..wanted {
            enough(potential.total(), chosen, wanted)?;
            let candidates = (0..trials).map(|_| potential.draw(&mut random)).collect::<Result<Vec<_>>>()?;
            let totals = potential.totals_with(&self.centres(candidates.concat()))?;
            let best = (1..trials).fold(0, |best, place| if totals[place] < totals[best] { place } else { best });
            potential.choose(&self.centres(candidates[best].clone()))?;
            values.extend(&candidates[best]);
        }
        Ok(self.centres(values))
    }

    fn centres(&self, values: Vec<f64>) -> Centres {
        Centres { values, features: self.features }
    }

    fn saved(&self) -> Result<State> {
        let Some(bytes) = checkpoint::load() else { return Ok(State::default()) };
        let wrong = |got: String| Error::invalid("checkpoint", format!("expected centres of these columns, got {got}"));
        let state: State = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let expected = self.features * self.params.clusters;
        let best = state.best.as_ref().map(|best| best.centres.len());
        match state.centres.as_ref().map(Vec::len).into_iter().chain(best).find(|got| *got != expected) {
            Some(got) => Err(wrong(format!("{got} numbers"))),
            None => {
                let (start, iteration) = (state.start + 1, state.iteration);
                report::info(format!(
                    "goes on with start {start} after iteration {iteration}, which an interrupted attempt reached"
                ));
                Ok(state)
            }
        }
    }
}

fn save(state: &State) -> Result<()> {
    let bytes = serde_json::to_vec(state).map_err(|error| Error::permanent(error.to_string()))?;
    checkpoint::save(&bytes)
}
