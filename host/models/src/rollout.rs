//! How a canary goes on: a rollout, what happened and what was seen -> the rollout after it, and why. No clock: whoever asks
//! says what time it is.
//!
//! ```text
//!  begin --> Progressing --step by step--> Promoted
//!              |   ^  \------------------> Aborted
//!              v   |
//!             Paused
//! ```
//! One call is one move, and one record: who drives asks again until nothing moves.

use crate::analysis::{Judgement, Window, judge};
use crate::guard::alarm;
use types::{CanaryStep, Phase, Rollout};

/// What may move a rollout.
#[derive(Debug, Clone, Copy)]
pub enum RolloutEvent<'a> {
    /// Time passed; this is what the versions answered since the weight was set.
    Looked {
        stable: &'a Window,
        candidate: &'a Window,
    },
    Pause,
    Resume,
    /// To the end, whatever steps are left.
    Promote,
    Abort,
}

/// A rollout that went on.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    pub rollout: Rollout,
    /// For people.
    pub why: String,
}

/// The rollout of a version over another one. Until its first step sets a weight, the candidate gets nothing.
pub fn begin(stable: u32, candidate: u32, steps: Vec<CanaryStep>, now_us: i64) -> Rollout {
    let (phase, since_us, weighed_us) = (Phase::Progressing, now_us, now_us);
    Rollout { stable, candidate, steps, step: 0, weight: 0, weighed_us, phase, since_us }
}

/// What becomes of a rollout; none if nothing does. One that is over stays as it is.
pub fn advance(rollout: &Rollout, event: RolloutEvent<'_>, now_us: i64) -> Option<Moved> {
    let to = |phase: Phase, weight: u8, why: &str| {
        let rollout = Rollout { phase, weight, since_us: now_us, ..rollout.clone() };
        Some(Moved { rollout, why: why.to_owned() })
    };
    match (event, rollout.phase) {
        (_, Phase::Promoted | Phase::Aborted) => None,
        (RolloutEvent::Promote, _) => to(Phase::Promoted, 100, "asked for"),
        (RolloutEvent::Abort, _) => to(Phase::Aborted, 0, "asked for"),
        (RolloutEvent::Pause, Phase::Progressing) => to(Phase::Paused, rollout.weight, "asked for"),
        (RolloutEvent::Resume, Phase::Paused) => Some(resumed(rollout, now_us)),
        (RolloutEvent::Pause, Phase::Paused) => None,
        (RolloutEvent::Resume, Phase::Progressing) => None,
        (RolloutEvent::Looked { stable, candidate }, phase) => match alarm(&rollout.steps, candidate) {
            Some(why) => to(Phase::Aborted, 0, &why),
            None if phase == Phase::Paused => None,
            None => looked(rollout, stable, candidate, now_us),
        },
    }
}

/// A pause without an end is over; any other step that was interrupted begins again.
fn resumed(rollout: &Rollout, now_us: i64) -> Moved {
    let ended = matches!(current(rollout), Some(CanaryStep::Pause { ms: None }));
    let step = rollout.step + u32::from(ended);
    let rollout = Rollout { phase: Phase::Progressing, step, since_us: now_us, ..rollout.clone() };
    Moved { rollout, why: "asked for".to_owned() }
}

fn looked(rollout: &Rollout, stable: &Window, candidate: &Window, now_us: i64) -> Option<Moved> {
    let next = |weight: u8, why: String| {
        let rollout = Rollout { step: rollout.step + 1, weight, since_us: now_us, ..rollout.clone() };
        Some(Moved { rollout, why })
    };
    let over = |phase: Phase, weight: u8, why: String| {
        let rollout = Rollout { phase, weight, since_us: now_us, ..rollout.clone() };
        Some(Moved { rollout, why })
    };
    match current(rollout) {
        None => over(Phase::Promoted, 100, "all steps are done".to_owned()),
        Some(CanaryStep::SetWeight { percent }) => {
            let percent = (*percent).min(100);
            let moved = next(percent, format!("{percent} of 100 requests go to the candidate"));
            moved.map(|moved| Moved { rollout: Rollout { weighed_us: now_us, ..moved.rollout }, ..moved })
        }
        Some(CanaryStep::Pause { ms: None }) => {
            over(Phase::Paused, rollout.weight, "the step waits for somebody".to_owned())
        }
        Some(CanaryStep::Pause { ms: Some(ms) }) => {
            let passed_ms = now_us.saturating_sub(rollout.since_us).max(0) as u64 / 1000;
            (passed_ms >= *ms).then(|| next(rollout.weight, "the pause is over".to_owned())).flatten()
        }
        Some(CanaryStep::Analyse(analysis)) => match judge(analysis, stable, candidate) {
            Judgement::Open => None,
            Judgement::Good(why) => next(rollout.weight, why),
            Judgement::Bad(why) => over(Phase::Aborted, 0, why),
        },
    }
}

fn current(rollout: &Rollout) -> Option<&CanaryStep> {
    rollout.steps.get(rollout.step as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use types::Analysis;

    /// So many requests of a version, whose labels have all come and say that it was right.
    fn window(requests: u64, errors: u64) -> Window {
        let mut window = Window::default();
        (0..requests - errors).for_each(|_| window.answered(0.001));
        (0..errors).for_each(|_| window.failed());
        window.labelled = (0..requests).map(|_| 0.0).collect();
        window
    }

    fn analyse(requests: u64) -> CanaryStep {
        CanaryStep::Analyse(Analysis {
            requests,
            error_rate: Some(0.01),
            latency_ratio: None,
            shift: None,
            labels: 0,
            accuracy_loss: None,
            mae_increase: None,
        })
    }

    fn analyse_labels(labels: u64) -> CanaryStep {
        let CanaryStep::Analyse(analysis) = analyse(0) else { unreachable!("it is an analysis") };
        CanaryStep::Analyse(Analysis { error_rate: None, labels, accuracy_loss: Some(0.1), ..analysis })
    }

    /// Looks until nothing moves; the moves' whys.
    fn look(rollout: &mut Rollout, seen: [&Window; 2], now_us: i64) -> Vec<String> {
        let mut whys = Vec::new();
        let event = RolloutEvent::Looked { stable: seen[0], candidate: seen[1] };
        while let Some(moved) = advance(rollout, event, now_us) {
            *rollout = moved.rollout;
            whys.push(moved.why);
        }
        whys
    }

    #[test]
    fn a_good_candidate_goes_all_the_way() {
        let steps = vec![
            CanaryStep::SetWeight { percent: 10 },
            CanaryStep::Pause { ms: Some(60_000) },
            analyse(100),
            CanaryStep::SetWeight { percent: 50 },
            CanaryStep::Pause { ms: None },
        ];
        let mut rollout = begin(1, 2, steps, 0);
        assert_eq!(rollout.weight, 0);
        let (none, good) = (Window::default(), window(100, 0));
        assert_eq!(look(&mut rollout, [&none, &none], 1), ["10 of 100 requests go to the candidate"]);
        assert_eq!(look(&mut rollout, [&good, &good], 60_000_000), [""; 0], "a microsecond too early");
        assert_eq!(look(&mut rollout, [&good, &none], 60_000_001), ["the pause is over"]);
        assert_eq!(look(&mut rollout, [&good, &window(99, 0)], 61_000_000), [""; 0], "one request is lacking");
        let whys = look(&mut rollout, [&good, &good], 62_000_000);
        assert_eq!((whys.len(), rollout.weight, rollout.phase), (3, 50, Phase::Paused), "{whys:?}");
        assert!(whys[0].starts_with("0.00 % of requests failed, 0.00 % with the stable version"), "{whys:?}");
        let resumed = advance(&rollout, RolloutEvent::Resume, 63_000_000).unwrap().rollout;
        rollout = resumed;
        assert_eq!(look(&mut rollout, [&none, &none], 63_000_001), ["all steps are done"]);
        assert_eq!((rollout.weight, rollout.phase), (100, Phase::Promoted));
    }

    #[test]
    fn a_bad_candidate_gets_nothing_any_more() {
        let mut rollout = begin(1, 2, vec![CanaryStep::SetWeight { percent: 10 }, analyse(100)], 0);
        let whys = look(&mut rollout, [&window(100, 0), &window(100, 30)], 1);
        assert!(whys[1].starts_with("30.00 % of requests failed"), "{whys:?}");
        assert_eq!((rollout.weight, rollout.phase), (0, Phase::Aborted));
        for event in [RolloutEvent::Resume, RolloutEvent::Promote, RolloutEvent::Pause] {
            assert_eq!(advance(&rollout, event, 2), None);
        }
    }

    /// A candidate that fails always, beside one that never does.
    fn broken() -> Window {
        let mut candidate = window(16, 16);
        candidate.look((0, 100));
        candidate
    }

    /// Whatever it waits for: a duration, somebody, or an analysis.
    #[test]
    fn a_broken_candidate_is_stopped_wherever_it_stands() {
        for waiting in [CanaryStep::Pause { ms: Some(60_000) }, CanaryStep::Pause { ms: None }, analyse(1000)] {
            let steps = vec![CanaryStep::SetWeight { percent: 10 }, waiting, analyse(1000)];
            let mut rollout = begin(1, 2, steps, 0);
            look(&mut rollout, [&Window::default(), &Window::default()], 1);
            let whys = look(&mut rollout, [&window(100, 0), &broken()], 2);
            assert!(whys.len() == 1 && whys[0].starts_with("16 of its first 16 requests failed"), "{whys:?}");
            assert_eq!((rollout.weight, rollout.phase), (0, Phase::Aborted));
        }
        let mut rollout = begin(1, 2, vec![CanaryStep::SetWeight { percent: 10 }, CanaryStep::Pause { ms: None }], 0);
        look(&mut rollout, [&window(100, 0), &broken()], 2);
        assert_eq!(rollout.phase, Phase::Paused, "its steps bound nothing");
    }

    fn any_step() -> impl Strategy<Value = CanaryStep> {
        prop_oneof![
            (0..=100u8).prop_map(|percent| CanaryStep::SetWeight { percent }),
            prop::option::of(0..100u64).prop_map(|ms| CanaryStep::Pause { ms }),
            (1..50u64).prop_map(analyse),
            (1..50u64).prop_map(analyse_labels),
        ]
    }

    /// What happens: a verb, or a look at so many requests and errors of each.
    #[derive(Debug, Clone)]
    enum Happens {
        Verb(u8),
        Look([(u64, u64); 2]),
        Break,
    }

    fn any_event() -> impl Strategy<Value = Happens> {
        let seen = || (0..80u64).prop_flat_map(|requests| (Just(requests), 0..=requests));
        prop_oneof![
            1 => (0..4u8).prop_map(Happens::Verb),
            6 => [seen(), seen()].prop_map(Happens::Look),
            1 => Just(Happens::Break),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_happens_it_goes_one_way_and_stays_within_its_steps(
            steps in prop::collection::vec(any_step(), 1..6),
            events in prop::collection::vec((any_event(), 0..60_000i64), 0..60),
        ) {
            let (mut rollout, mut now_us) = (begin(1, 2, steps.clone(), 0), 0);
            for (happens, later_us) in events {
                now_us += later_us;
                let windows = match &happens {
                    Happens::Look([stable, candidate]) => [window(stable.0, stable.1), window(candidate.0, candidate.1)],
                    Happens::Break => [window(100, 0), broken()],
                    Happens::Verb(_) => Default::default(),
                };
                let is_broken = matches!(happens, Happens::Break)
                    && steps.iter().any(|step| matches!(step, CanaryStep::Analyse(analysis) if analysis.error_rate.is_some()));
                let event = match happens {
                    Happens::Look(_) | Happens::Break => RolloutEvent::Looked { stable: &windows[0], candidate: &windows[1] },
                    Happens::Verb(0) => RolloutEvent::Pause,
                    Happens::Verb(1) => RolloutEvent::Resume,
                    Happens::Verb(2) => RolloutEvent::Promote,
                    Happens::Verb(_) => RolloutEvent::Abort,
                };
                let text = serde_json::to_string(&rollout).unwrap();
                let restarted: Rollout = serde_json::from_str(&text).unwrap();
                let moved = advance(&rollout, event, now_us);
                prop_assert_eq!(&moved, &advance(&restarted, event, now_us), "a restart changes nothing");
                let Some(Moved { rollout: after, why }) = moved else {
                    prop_assert!(!is_broken || rollout.phase.is_over(), "a broken candidate goes on");
                    continue;
                };
                prop_assert!(!rollout.phase.is_over(), "what is over stays: {}", why);
                prop_assert!(!why.is_empty() && after.since_us == now_us);
                let is_weighed = matches!(steps.get(rollout.step as usize), Some(CanaryStep::SetWeight { .. }))
                    && after.step > rollout.step;
                prop_assert_eq!(after.weighed_us, if is_weighed { now_us } else { rollout.weighed_us });
                prop_assert_eq!((after.stable, after.candidate, &after.steps), (1, 2, &steps));
                prop_assert!(after.step == rollout.step || after.step == rollout.step + 1);
                prop_assert!(after.step as usize <= steps.len());
                let step = steps.get(rollout.step as usize);
                match after.phase {
                    Phase::Promoted => prop_assert_eq!(after.weight, 100),
                    Phase::Aborted => prop_assert_eq!(after.weight, 0),
                    _ if after.weight != rollout.weight => {
                        prop_assert_eq!(step, Some(&CanaryStep::SetWeight { percent: after.weight }));
                    }
                    _ => {}
                }
                if is_broken {
                    prop_assert_eq!((after.phase, after.step), (Phase::Aborted, rollout.step));
                } else if let RolloutEvent::Looked { stable, candidate } = event {
                    prop_assert_eq!(rollout.phase, Phase::Progressing, "a pause ends by somebody's word");
                    let went_on = after.step > rollout.step;
                    match step {
                        None => prop_assert_eq!(after.phase, Phase::Promoted, "only behind the last step"),
                        Some(CanaryStep::Pause { ms: Some(ms) }) => {
                            prop_assert!(went_on && now_us - rollout.since_us >= 1000 * *ms as i64);
                        }
                        Some(CanaryStep::Pause { ms: None }) => prop_assert_eq!(after.phase, Phase::Paused),
                        Some(CanaryStep::SetWeight { .. }) => prop_assert!(went_on),
                        Some(CanaryStep::Analyse(analysis)) => {
                            prop_assert!(stable.requests.min(candidate.requests) >= analysis.requests);
                            prop_assert!(stable.labelled.count.min(candidate.labelled.count) >= analysis.labels);
                            prop_assert_eq!(went_on, after.phase == Phase::Progressing);
                        }
                    }
                }
                rollout = after;
            }
        }

        #[test]
        fn a_candidate_that_is_left_alone_always_ends(
            steps in prop::collection::vec(any_step(), 1..8),
            seen in (50..80u64).prop_flat_map(|requests| (Just(requests), 0..=requests)),
        ) {
            let mut rollout = begin(1, 2, steps, 0);
            let (stable, candidate) = (window(100, 0), window(seen.0, seen.1));
            let mut now_us = 0;
            for _ in 0..1_000 {
                now_us += 1_000_000;
                let event = match rollout.phase {
                    Phase::Paused => RolloutEvent::Resume,
                    _ => RolloutEvent::Looked { stable: &stable, candidate: &candidate },
                };
                rollout = advance(&rollout, event, now_us).map_or(rollout, |moved| moved.rollout);
            }
            prop_assert!(rollout.phase.is_over(), "{:?}", rollout);
        }
    }
}
