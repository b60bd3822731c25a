//! Rows in the host -> learnt numbers, epoch by epoch. What an interrupted attempt saved is where the next goes on, to the same
//! bits: shuffles and dropout follow from the seed and the count of epochs and steps, not from what came before.

use crate::columns;
use crate::network::{self, Architecture, Dropout};
use crate::params::Params;
use crate::rows::{Meaning, Rows};
use stepwell::tensor::{self, ElementType, Optimiser, Variable};
use stepwell::{Error, Result, Rng, Tensor, Weights, checkpoint, report};

/// The most numbers of a checkpoint: 60 MiB, a little less than the host takes.
const SAVED_MAX: u64 = 60 << 18;
/// What the optimiser calls its number of steps, which follows from the epochs.
const STEPS: &str = "steps";
/// Rows of a batch that is only judged.
const JUDGED_ROWS: usize = 4096;

/// What training is done with.
pub(crate) struct Training<'a> {
    pub(crate) architecture: &'a Architecture,
    pub(crate) meaning: &'a Meaning,
    pub(crate) params: &'a Params,
    pub(crate) rows: Rows,
    /// Rows that say how good it is, and when to stop.
    pub(crate) judged: Option<Rows>,
    pub(crate) seed: u64,
}

/// What came of it.
pub(crate) struct Fitted {
    /// In the order of the architecture's arrays.
    pub(crate) values: Vec<Vec<f32>>,
    pub(crate) measures: Vec<(String, f64)>,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Progress {
    /// Epochs that are done.
    epoch: u64,
    loss: f64,
    /// On the judged rows, after the last epoch and at its best.
    judged_loss: f64,
    best_loss: f64,
    best_epoch: u64,
}

/// All that changes.
struct State {
    progress: Progress,
    variables: Vec<Variable>,
    optimiser: Optimiser,
    /// The values after the best epoch, where that matters.
    best: Option<Vec<Tensor>>,
}

impl Progress {
    const START: Self =
        Self { epoch: 0, loss: f64::NAN, judged_loss: f64::NAN, best_loss: f64::INFINITY, best_epoch: 0 };

    fn stops(&self, params: &Params) -> bool {
        let patience = params.early_stopping.unwrap_or(u64::MAX);
        self.epoch >= params.epochs || self.epoch - self.best_epoch >= patience
    }

    fn numbers(&self) -> Vec<f64> {
        vec![self.epoch as f64, self.loss, self.judged_loss, self.best_loss, self.best_epoch as f64]
    }

    fn of(numbers: &[f64]) -> Option<Self> {
        let [epoch, loss, judged_loss, best_loss, best_epoch] = *numbers else { return None };
        Some(Self { epoch: epoch as u64, loss, judged_loss, best_loss, best_epoch: best_epoch as u64 })
    }
}

impl Training<'_> {
    /// From these values, or from where an interrupted attempt was.
    pub(crate) fn run(&self, start: Vec<Tensor>) -> Result<Fitted> {
        let mut state = self.state(start)?;
        self.restore(&mut state)?;
        let saves = self.saves();
        while !state.progress.stops(self.params) {
            state.progress.loss = self.epoch(&mut state)?;
            state.progress.epoch += 1;
            self.judge(&mut state)?;
            let (epoch, loss) = (state.progress.epoch, state.progress.loss);
            report::metric("loss", loss, epoch);
            report::progress(epoch, Some(self.params.epochs));
            if !loss.is_finite() {
                let reason = format!("expected training to converge, got a loss of {loss} in epoch {epoch}");
                return Err(Error::permanent(format!(
                    "{reason}; scale the features, such as with `standardize`, or lower `learning_rate`"
                )));
            }
            if saves && epoch.is_multiple_of(self.params.checkpoint_every) && !state.progress.stops(self.params) {
                checkpoint::save(&self.written(&state)?)?;
            }
        }
        self.ended(state)
    }

    fn state(&self, start: Vec<Tensor>) -> Result<State> {
        let arrays = self.architecture.arrays();
        let named = arrays.iter().zip(&start);
        let variables = named.map(|(array, value)| Variable::create(&array.name, value)).collect::<Result<Vec<_>>>()?;
        let optimiser = Optimiser::create(self.params.method(), &variables.iter().collect::<Vec<_>>())?;
        Ok(State { progress: Progress::START, variables, optimiser, best: None })
    }

    /// One pass over the rows in an order of its own; the mean loss.
    fn epoch(&self, state: &mut State) -> Result<f64> {
        let random = Rng::from_seed(self.seed).fork(&format!("epoch {}", state.progress.epoch));
        let mut order: Vec<u32> = (0..self.rows.count as u32).collect();
        random.fork("order").shuffle(&mut order);
        let mut dropout = random.fork("dropout");
        let schedule = self.params.schedule(self.steps_of_epoch());
        let (mut step, mut sum) = (state.progress.epoch * self.steps_of_epoch(), 0.0);
        for positions in order.chunks(self.params.batch_size) {
            let chosen = self.rows.choose(positions)?;
            let dropout = Dropout { share: self.params.dropout, seed: dropout.next_u64() };
            let scores = network::scores(self.architecture, &state.variables, &chosen.batch, Some(dropout))?;
            let loss = chosen.loss(&scores, self.meaning)?;
            sum += loss.item()? * positions.len() as f64;
            state.optimiser.step(&loss, tensor::learning_rate(schedule, step)?, self.params.clip_norm)?;
            step += 1;
        }
        Ok(sum / self.rows.count as f64)
    }

    fn steps_of_epoch(&self) -> u64 {
        self.rows.count.div_ceil(self.params.batch_size) as u64
    }

    /// How good it is now, on rows that it was not trained on.
    fn judge(&self, state: &mut State) -> Result<()> {
        let Some(rows) = &self.judged else { return Ok(()) };
        let mut sum = 0.0;
        for start in (0..rows.count).step_by(JUDGED_ROWS) {
            let positions: Vec<u32> = (start..rows.count.min(start + JUDGED_ROWS)).map(|row| row as u32).collect();
            let chosen = rows.choose(&positions)?;
            let scores = network::scores(self.architecture, &state.variables, &chosen.batch, None)?;
            sum += chosen.loss(&scores, self.meaning)?.item()? * positions.len() as f64;
        }
        let progress = &mut state.progress;
        progress.judged_loss = sum / rows.count as f64;
        report::metric("validation_loss", progress.judged_loss, progress.epoch);
        if progress.judged_loss < progress.best_loss {
            (progress.best_loss, progress.best_epoch) = (progress.judged_loss, progress.epoch);
            if self.params.early_stopping.is_some() {
                state.best = Some(state.variables.iter().map(Variable::value).collect::<Result<_>>()?);
            }
        }
        Ok(())
    }

    fn ended(&self, state: State) -> Result<Fitted> {
        let State { progress, variables, best, .. } = state;
        let mut measures = vec![
            ("epochs".to_string(), progress.epoch as f64),
            ("final_loss".to_string(), progress.loss),
            ("parameters".to_string(), self.architecture.numbers() as f64),
        ];
        if self.judged.is_some() {
            let loss = if best.is_some() { progress.best_loss } else { progress.judged_loss };
            measures.push(("validation_loss".into(), loss));
            measures.push(("best_epoch".into(), progress.best_epoch as f64));
        }
        let values = match best {
            Some(best) => best,
            None => variables.iter().map(Variable::value).collect::<Result<_>>()?,
        };
        let mut values = values.iter().map(Tensor::to_f32).collect::<Result<Vec<_>>>()?;
        for ((_, vocabulary), values) in columns::categories(&self.architecture.inputs).zip(&mut values) {
            average_unknown(values, vocabulary.width);
        }
        Ok(Fitted { values, measures })
    }

    /// Whether what is reached fits into a checkpoint.
    fn saves(&self) -> bool {
        let copies = 1 + self.params.remembered() + u64::from(self.params.early_stopping.is_some());
        let fits = self.architecture.numbers().saturating_mul(copies) <= SAVED_MAX;
        if !fits {
            report::warn("the network is too large for checkpoints: after an interruption training begins anew");
        }
        fits
    }

    fn written(&self, state: &State) -> Result<Vec<u8>> {
        let mut weights = Weights::new().f64("progress", &[5], state.progress.numbers());
        for (place, array) in self.architecture.arrays().iter().enumerate() {
            let of = |kind: &str| format!("{kind}.{place}");
            weights = weights.f32(&of("value"), &array.shape, state.variables[place].value()?.to_f32()?);
            if let Some(best) = &state.best {
                weights = weights.f32(&of("best"), &array.shape, best[place].to_f32()?);
            }
        }
        for (name, memory) in state.optimiser.save()?.iter().filter(|(name, _)| name != STEPS) {
            weights = weights.f32(&remembered(name), &lengths(memory), memory.to_f32()?);
        }
        weights.write()
    }

    fn restore(&self, state: &mut State) -> Result<()> {
        let Some(bytes) = checkpoint::load() else { return Ok(()) };
        let mut weights = Weights::read("checkpoint", &bytes)?;
        let progress = weights.take_f64("progress", &[5])?;
        state.progress = Progress::of(&progress).unwrap_or(Progress::START);
        let has_best = weights.shape("best.0").is_ok();
        let mut best = Vec::new();
        for (place, array) in self.architecture.arrays().iter().enumerate() {
            let lengths: Vec<u32> = array.shape.iter().map(|length| *length as u32).collect();
            let mut take = |kind: &str| {
                let values = weights.take_f32(&format!("{kind}.{place}"), &array.shape)?;
                Tensor::from_f32(&values)?.reshape(&lengths)
            };
            state.variables[place].set(&take("value")?)?;
            if has_best {
                best.push(take("best")?);
            }
        }
        state.best = has_best.then_some(best);
        let mut memories = state.optimiser.save()?;
        for (name, memory) in &mut memories {
            *memory = match name.as_str() {
                STEPS => {
                    let steps = state.progress.epoch * self.steps_of_epoch();
                    Tensor::full(&[], ElementType::Int64, steps as f64)?
                }
                _ => {
                    let values = weights.take_f32(&remembered(name), &lengths(memory))?;
                    Tensor::from_f32(&values)?.reshape(&memory.shape())?
                }
            };
        }
        state.optimiser.restore(&memories.iter().map(|(name, memory)| (name.clone(), memory)).collect::<Vec<_>>())?;
        report::info(format!("goes on after epoch {}, which an interrupted attempt reached", state.progress.epoch));
        Ok(())
    }
}

/// What a checkpoint calls a part of the optimiser's memory.
fn remembered(name: &str) -> String {
    format!("optimiser.{name}")
}

fn lengths(tensor: &Tensor) -> Vec<usize> {
    tensor.shape().into_iter().map(|length| length as usize).collect()
}

/// No row of training had an unknown category, so nothing was learnt of it: it becomes the mean of those that are known.
fn average_unknown(embedding: &mut [f32], width: usize) {
    let (unknown, known) = embedding.split_at_mut(width);
    let count = (known.len() / width) as f32;
    for (place, value) in unknown.iter_mut().enumerate() {
        *value = known.iter().skip(place).step_by(width).sum::<f32>() / count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_category_is_an_average_one() {
        let mut embedding = [9.0, 9.0, 1.0, 2.0, 3.0, 6.0];
        average_unknown(&mut embedding, 2);
        assert_eq!(embedding, [2.0, 4.0, 1.0, 2.0, 3.0, 6.0]);
    }

    #[test]
    fn progress_is_saved_whole() {
        let progress = Progress { epoch: 7, loss: 0.25, judged_loss: 0.5, best_loss: 0.125, best_epoch: 3 };
        assert_eq!(Progress::of(&progress.numbers()), Some(progress));
        assert_eq!(Progress::of(&[1.0]), None);
    }

    #[test]
    fn it_stops_at_the_last_epoch_or_when_nothing_improves() {
        let params = |json: &str| stepwell::parse::<Params>(json).unwrap();
        let stops =
            |epoch, best_epoch, json: &str| Progress { epoch, best_epoch, ..Progress::START }.stops(&params(json));
        assert!(!stops(9, 0, r#"{"epochs": 10}"#));
        assert!(stops(10, 0, r#"{"epochs": 10}"#));
        assert!(!stops(5, 3, r#"{"epochs": 10, "early_stopping": 3}"#));
        assert!(stops(6, 3, r#"{"epochs": 10, "early_stopping": 3}"#));
    }
}
