//! What comes together, and whose doing a failure is.

use super::*;
use data::GuestColumn;
use std::sync::{Arc, mpsc};
use types::{DataType, Field, LimitKind, Schema};

fn table(values: &[f64]) -> Table {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let (data_type, length, validity, offsets) = (DataType::Float64, values.len() as u32, None, None);
    let fields = vec![Field { name: "x".to_owned(), data_type, nullable: false }];
    Table::from_columns(Schema { fields }, vec![GuestColumn { data_type, length, validity, offsets, data }]).unwrap()
}

fn values(table: &Table) -> Vec<f64> {
    data::numbers(table, "x").unwrap()
}

/// What a request is told: its predictions, and how many were computed together.
type Told = Result<(Vec<f64>, usize), FaultKind>;

/// Requests with these rows, and where their answers come out.
struct Scene {
    queue: Queue,
    told: mpsc::Receiver<(usize, Told)>,
}

impl Scene {
    fn asks(requests: &[&[f64]]) -> Self {
        let (queue, (tell, told)) = (Queue::default(), mpsc::channel());
        for (number, rows) in requests.iter().enumerate() {
            let tell = tell.clone();
            let told = Box::new(move |answered: Result<Answered, Fault>| {
                let said = answered.map(|answered| (values(&answered.predictions), answered.requests));
                tell.send((number, said.map_err(|fault| fault.kind))).unwrap();
            });
            let asked = Asked { rows: table(rows), since: Instant::now(), told };
            queue.put(asked);
        }
        Self { queue, told }
    }

    /// Answers all that waits, in batches of this many: what each request was told, in their order, and what was asked.
    fn answered(
        self,
        requests: usize,
        mut by: impl FnMut(&[f64]) -> Result<Vec<f64>, FaultKind>,
    ) -> (Vec<Told>, Vec<Vec<f64>>) {
        let mut asked = Vec::new();
        self.queue.close();
        while let Some(batch) = self.queue.next(&Pace { requests }) {
            answer(batch, &mut |rows| {
                asked.push(values(rows));
                let predictions = by(&values(rows)).map_err(|kind| Fault::new(kind, "no"))?;
                Ok((table(&predictions), Spent::default()))
            });
        }
        let mut told: Vec<_> = self.told.try_iter().collect();
        told.sort_by_key(|(number, _)| *number);
        (told.into_iter().map(|(_, said)| said).collect(), asked)
    }
}

fn doubled(rows: &[f64]) -> Vec<f64> {
    rows.iter().map(|x| 2.0 * x).collect()
}

#[test]
fn what_waits_is_asked_together_and_each_is_told_its_own() {
    let (told, asked) = Scene::asks(&[&[1.0], &[2.0, 3.0], &[4.0], &[5.0]]).answered(3, |rows| Ok(doubled(rows)));
    assert_eq!(asked, [vec![1.0, 2.0, 3.0, 4.0], vec![5.0]]);
    let expected = [(vec![2.0], 3), (vec![4.0, 6.0], 3), (vec![8.0], 3), (vec![10.0], 1)];
    assert_eq!(told, expected.map(Ok));
}

#[test]
fn a_request_that_is_refused_spoils_no_other() {
    let (told, asked) = Scene::asks(&[&[1.0], &[-2.0], &[3.0]])
        .answered(64, |rows| if rows.iter().any(|x| *x < 0.0) { Err(FaultKind::Invalid) } else { Ok(doubled(rows)) });
    assert_eq!(told, [Ok((vec![2.0], 1)), Err(FaultKind::Invalid), Ok((vec![6.0], 1))]);
    assert_eq!(asked, [vec![1.0, -2.0, 3.0], vec![1.0], vec![-2.0], vec![3.0]]);
}

/// By a deadline, a limit, or for no reason: the others get one more chance, alone, and no request gets three.
#[test]
fn what_was_beside_a_request_that_killed_the_worker_is_asked_once_more() {
    for kind in [FaultKind::Limit { limit: LimitKind::Wall }, FaultKind::Crash, FaultKind::Guest, FaultKind::Host] {
        let (told, asked) = Scene::asks(&[&[1.0], &[-2.0], &[3.0]])
            .answered(64, |rows| if rows.iter().any(|x| *x < 0.0) { Err(kind.clone()) } else { Ok(doubled(rows)) });
        assert_eq!(told, [Ok((vec![2.0], 1)), Err(kind.clone()), Ok((vec![6.0], 1))], "{kind:?}");
        assert_eq!(asked, [vec![1.0, -2.0, 3.0], vec![1.0], vec![-2.0], vec![3.0]], "{kind:?}");
    }
}

#[test]
fn alone_only_a_death_that_is_nobodys_doing_is_forgiven_once() {
    let limit = FaultKind::Limit { limit: LimitKind::Memory };
    for (kind, times) in [(FaultKind::Crash, 2), (limit, 1), (FaultKind::Guest, 1), (FaultKind::Invalid, 1)] {
        let (told, asked) = Scene::asks(&[&[1.0]]).answered(1, |_| Err(kind.clone()));
        assert_eq!((told, asked.len()), (vec![Err(kind.clone())], times), "{kind:?}");
    }
    let mut deaths = 1;
    let (told, _) = Scene::asks(&[&[1.0]]).answered(1, |rows| match std::mem::take(&mut deaths) {
        0 => Ok(doubled(rows)),
        _ => Err(FaultKind::Crash),
    });
    assert_eq!(told, [Ok((vec![2.0], 1))]);
}

#[test]
fn a_batch_has_bounds_and_a_request_beyond_them_goes_alone() {
    let (many, most) = (vec![1.0; ROWS_MAX as usize - 1], vec![1.0; ROWS_MAX as usize + 1]);
    let (_, asked) = Scene::asks(&[&[1.0], &many, &[1.0], &most, &[1.0]]).answered(64, |rows| Ok(doubled(rows)));
    let rows: Vec<usize> = asked.iter().map(Vec::len).collect();
    assert_eq!(rows, [ROWS_MAX as usize, 1, ROWS_MAX as usize + 1, 1]);
}

#[test]
fn the_pace_follows_the_time_that_a_batch_takes() {
    let mut pace = Pace::new();
    let mut after = |time| {
        pace.took(time);
        pace.requests
    };
    let quick = std::array::from_fn(|_| after(Duration::from_millis(1)));
    assert_eq!(quick, [2, 4, 8, 16, 32, 64, 64]);
    assert_eq!(after(LONG / 2), 64);
    let slow = std::array::from_fn(|_| after(LONG * 2));
    assert_eq!(slow, [32, 16, 8, 4, 2, 1, 1]);
}

#[test]
fn a_full_queue_refuses_at_once_and_a_closed_one_is_emptied() {
    let one: &[f64] = &[1.0];
    let scene = Scene::asks(&[one; WAITING_MAX]);
    let (tell, told) = mpsc::channel();
    let told_to = Box::new(move |answered: Result<Answered, Fault>| tell.send(answered.err().unwrap().kind).unwrap());
    scene.queue.put(Asked { rows: table(one), since: Instant::now(), told: told_to });
    assert_eq!(told.try_recv(), Ok(FaultKind::Busy { retry_after_ms: 1000 }));
    let (told, _) = scene.answered(64, |rows| Ok(doubled(rows)));
    assert_eq!(told.len(), WAITING_MAX);
}

#[test]
fn who_waits_for_work_is_woken() {
    let queue = Arc::<Queue>::default();
    let waiting = Arc::clone(&queue);
    let waits = std::thread::spawn(move || waiting.next(&Pace::new()).map(|batch| batch.len()));
    queue.put(of(&[1.0]));
    queue.call();
    assert_eq!(waits.join().unwrap(), Some(1));
    queue.close();
    assert!(queue.next(&Pace::new()).is_none());
}

/// A request that nobody waits for.
fn of(rows: &[f64]) -> Asked {
    Asked { rows: table(rows), since: Instant::now(), told: Box::new(|_| {}) }
}

#[test]
fn who_is_alone_may_answer_and_nobody_else_does_meanwhile() {
    let queue = Queue::default();
    assert!(queue.take_alone().is_none(), "nothing waits");
    queue.put(of(&[1.0]));
    assert!(queue.take_alone().is_some());
    queue.put(of(&[2.0]));
    queue.call();
    assert_eq!(queue.waiting().by, By::Asker);
    assert!(queue.take_alone().is_none(), "one at a time");
    queue.leave(false);
    assert_eq!(queue.waiting().by, By::Called, "for what came meanwhile");
    assert!(queue.take_alone().is_none(), "the thread comes");
    assert_eq!(queue.next(&Pace::new()).map(|batch| batch.len()), Some(1));
    queue.put(of(&[3.0]));
    assert!(queue.take_alone().is_none(), "the thread is at it");
    queue.close();
    assert_eq!(queue.next(&Pace::new()).map(|batch| batch.len()), Some(1));
    assert!(queue.next(&Pace::new()).is_none());
}

#[test]
fn who_is_not_alone_or_asks_much_leaves_it_to_the_thread() {
    let queue = Queue::default();
    queue.put(of(&vec![1.0; ALONE_BYTES_MAX as usize]));
    assert!(queue.take_alone().is_none());
    queue.call();
    assert_eq!(queue.next(&Pace::new()).map(|batch| batch.len()), Some(1));
    let queue = Queue::default();
    (0..2).for_each(|_| queue.put(of(&[1.0])));
    assert!(queue.take_alone().is_none());
    queue.call();
    assert_eq!(queue.next(&Pace { requests: 64 }).map(|batch| batch.len()), Some(2));
}

#[test]
fn what_is_begun_the_thread_is_called_for() {
    let queue = Queue::default();
    queue.put(of(&[1.0]));
    assert!(queue.take_alone().is_some());
    queue.close();
    queue.leave(true);
    assert_eq!(queue.next(&Pace::new()).map(|batch| batch.len()), Some(0), "it takes over, and is not left before");
    assert!(queue.next(&Pace::new()).is_none());
}
