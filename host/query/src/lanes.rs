//! Batches from several makers to several takers, in an order that nobody's speed decides.
//!
//! A lane is one maker's batches for one taker. A taker takes one batch of each maker in turn, so it waits for a slow maker
//! rather than go on with a quick one. A maker goes on while some taker may be waiting for it, that is while one of its lanes
//! is empty; then it puts something in each lane, be it nothing. So nobody waits for somebody who waits, and the lanes hold
//! little unless the takers themselves are uneven.

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What a maker puts in a lane at each of its batches; a batch may hold nothing for a taker.
type Slot = Option<RecordBatch>;

pub(crate) struct Lanes(Mutex<State>);

struct State {
    /// By maker, then taker.
    lanes: Vec<Vec<VecDeque<Slot>>>,
    ended: Vec<bool>,
    /// Takers that take no more.
    gone: Vec<bool>,
    failed: Option<Arc<DataFusionError>>,
    makers: Vec<Option<Waker>>,
    takers: Vec<Option<Waker>>,
}

/// Where a taker is in its round of the makers.
#[derive(Default)]
pub(crate) struct Turn(usize);

impl Lanes {
    pub(crate) fn new(makers: usize, takers: usize) -> Self {
        let lanes = (0..makers).map(|_| (0..takers).map(|_| VecDeque::new()).collect()).collect();
        let (ended, gone) = (vec![false; makers], vec![false; takers]);
        let (makers, takers) = (vec![None; makers], vec![None; takers]);
        Self(Mutex::new(State { lanes, ended, gone, failed: None, makers, takers }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the maker may make a batch now; false once nobody takes any.
    pub(crate) fn room(&self, maker: usize, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        if state.failed.is_some() || state.gone.iter().all(|gone| *gone) {
            return Poll::Ready(false);
        }
        let awaited = |(lane, gone): (&VecDeque<Slot>, &bool)| !gone && lane.is_empty();
        if state.lanes[maker].iter().zip(&state.gone).any(awaited) {
            return Poll::Ready(true);
        }
        state.makers[maker] = Some(context.waker().clone());
        Poll::Pending
    }

    /// A slot for each taker.
    pub(crate) fn put(&self, maker: usize, slots: Vec<Slot>) {
        let mut state = self.state();
        for (taker, slot) in slots.into_iter().enumerate() {
            if !state.gone[taker] {
                state.lanes[maker][taker].push_back(slot);
                wake(&mut state.takers[taker]);
            }
        }
    }

    /// The maker makes no more: it is done, or it failed, which ends everybody.
    pub(crate) fn end(&self, maker: usize, result: Result<()>) {
        let mut state = self.state();
        state.ended[maker] = true;
        if let Err(error) = result {
            state.failed.get_or_insert(Arc::new(error));
            state.makers.iter_mut().for_each(wake);
        }
        state.takers.iter_mut().for_each(wake);
    }

    /// The taker's next batch, none at the end.
    pub(crate) fn take(
        &self,
        taker: usize,
        turn: &mut Turn,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<RecordBatch>>> {
        let mut state = self.state();
        if let Some(error) = &state.failed {
            return Poll::Ready(Some(Err(DataFusionError::Shared(Arc::clone(error)))));
        }
        let makers = state.ended.len();
        let mut exhausted = 0;
        while exhausted < makers {
            let maker = turn.0;
            match state.lanes[maker][taker].pop_front() {
                Some(slot) => {
                    exhausted = 0;
                    turn.0 = (maker + 1) % makers;
                    if state.lanes[maker][taker].is_empty() {
                        wake(&mut state.makers[maker]);
                    }
                    if let Some(batch) = slot {
                        return Poll::Ready(Some(Ok(batch)));
                    }
                }
                None if state.ended[maker] => {
                    exhausted += 1;
                    turn.0 = (maker + 1) % makers;
                }
                None => {
                    state.takers[taker] = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(None)
    }

    /// The taker takes no more.
    pub(crate) fn leave(&self, taker: usize) {
        let mut state = self.state();
        state.gone[taker] = true;
        state.lanes.iter_mut().for_each(|lanes| lanes[taker].clear());
        state.makers.iter_mut().for_each(wake);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::Int64Array;

    fn batch(number: i64) -> Slot {
        Some(RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![number])) as _)]).unwrap())
    }

    fn taken(lanes: &Lanes, taker: usize, turn: &mut Turn) -> Poll<Option<i64>> {
        let mut context = Context::from_waker(Waker::noop());
        let number = |batch: RecordBatch| batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0);
        lanes.take(taker, turn, &mut context).map(|taken| taken.map(|batch| number(batch.unwrap())))
    }

    #[test]
    fn the_makers_come_in_turn_however_quick_they_are() {
        let lanes = Lanes::new(2, 1);
        let mut turn = Turn::default();
        (0..3).for_each(|number| lanes.put(1, vec![batch(10 + number)]));
        assert_eq!(taken(&lanes, 0, &mut turn), Poll::Pending, "it is the other's turn");
        lanes.put(0, vec![batch(0)]);
        assert_eq!(taken(&lanes, 0, &mut turn), Poll::Ready(Some(0)));
        assert_eq!(taken(&lanes, 0, &mut turn), Poll::Ready(Some(10)));
        assert_eq!(taken(&lanes, 0, &mut turn), Poll::Pending);
        lanes.end(0, Ok(()));
        assert_eq!([(); 2].map(|()| taken(&lanes, 0, &mut turn)), [Poll::Ready(Some(11)), Poll::Ready(Some(12))]);
        lanes.end(1, Ok(()));
        assert_eq!(taken(&lanes, 0, &mut turn), Poll::Ready(None));
    }

    #[test]
    fn a_maker_waits_only_while_nobody_waits_for_it() {
        let lanes = Lanes::new(1, 2);
        let (mut context, mut turn) = (Context::from_waker(Waker::noop()), Turn::default());
        lanes.put(0, vec![batch(1), batch(2)]);
        assert_eq!(lanes.room(0, &mut context), Poll::Pending);
        assert_eq!(taken(&lanes, 1, &mut turn), Poll::Ready(Some(2)));
        assert_eq!(lanes.room(0, &mut context), Poll::Ready(true), "the second taker may wait for it");
        lanes.leave(1);
        assert_eq!(lanes.room(0, &mut context), Poll::Pending, "one that has left waits for nobody");
        lanes.leave(0);
        assert_eq!(lanes.room(0, &mut context), Poll::Ready(false));
    }

    #[test]
    fn a_failure_reaches_every_taker() {
        let lanes = Lanes::new(2, 2);
        lanes.end(0, Err(DataFusionError::Execution("broken".to_owned())));
        for taker in 0..2 {
            let mut context = Context::from_waker(Waker::noop());
            let Poll::Ready(Some(Err(error))) = lanes.take(taker, &mut Turn::default(), &mut context) else { panic!() };
            assert!(error.to_string().contains("broken"));
        }
    }
}
