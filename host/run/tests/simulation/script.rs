//! A seed -> who is there, what they run, and what happens to them, written out: a failing script can be printed and cut down.

use crate::dice::Dice;
use crate::pipelines::{self, Pipeline};
use std::fmt;
use types::TenantId;

/// Everything that chance decides, decided.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub begins_us: i64,
    /// Attempts of all tenants at a time.
    pub slots: usize,
    pub tenants: Vec<Tenant>,
    pub moves: Vec<Move>,
}

#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub id: TenantId,
    /// The most attempts at a time.
    pub quota: usize,
    /// What its versions are of, all with the same pipelines by name.
    pub contents: Vec<Vec<Pipeline>>,
}

impl Tenant {
    /// What a version has: the first content, then the next, and then the first again.
    pub(crate) fn version(&self, version: u32) -> &[Pipeline] {
        &self.contents[(version as usize - 1) % self.contents.len()]
    }
}

/// Something that happens. `pick` chooses among those it can happen to when its time comes; if there is none, nothing happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    pub kind: Kind,
    pub pick: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Attempts do a few things, loops hear of them.
    Work,
    /// The time comes for which somebody waits.
    Wait,
    /// Some time goes by.
    Pass,
    /// The clock on the wall is set, forth or back.
    Leap,
    /// The scheduler looks.
    Look,
    /// Somebody starts a run by hand.
    Start,
    Cancel,
    /// Somebody holds a schedule or lets it go on.
    Hold,
    /// Somebody asks for a span again.
    Backfill,
    /// Another version is deployed.
    Deploy,
    /// Files that a pipeline watches are changed.
    Touch,
    /// What is watched is looked at, once or twice.
    Poll,
    /// A worker dies.
    Kill,
    Crash(When),
    /// The server is told to go, and another one starts.
    Leave,
    /// The disk is full, or has room again.
    Fill,
    Free,
    /// Runs that were interrupted are driven again.
    Resume,
    /// Blobs that nothing names are removed.
    Sweep,
    /// An ended run is forgotten.
    Forget,
}

/// When the server dies: at once, or at its next write to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Before,
    /// Some of the batch is on disk, and a reopened journal cuts it off.
    Torn,
    /// It is on disk, and nobody heard of it.
    After,
}

impl Kind {
    /// Whether what becomes of a run may depend on it. All other trouble must change nothing that counts.
    fn is_trouble(self) -> bool {
        use Kind::*;
        matches!(self, Cancel | Kill | Crash(_) | Leave | Fill | Free | Resume | Sweep | Forget)
    }
}

/// How often each happens, of all.
const KINDS: [(usize, Kind); 23] = [
    (40, Kind::Work),
    (10, Kind::Wait),
    (6, Kind::Pass),
    (2, Kind::Leap),
    (8, Kind::Look),
    (6, Kind::Start),
    (1, Kind::Cancel),
    (1, Kind::Hold),
    (1, Kind::Backfill),
    (2, Kind::Deploy),
    (4, Kind::Touch),
    (4, Kind::Poll),
    (2, Kind::Kill),
    (1, Kind::Crash(When::Now)),
    (2, Kind::Crash(When::Before)),
    (2, Kind::Crash(When::Torn)),
    (3, Kind::Crash(When::After)),
    (1, Kind::Leave),
    (1, Kind::Fill),
    (2, Kind::Free),
    (2, Kind::Resume),
    (2, Kind::Sweep),
    (1, Kind::Forget),
];

/// A little before clocks change in a zone of ours, in seconds; and a usual day.
const BEGINNINGS: [i64; 6] = [1_774_735_200, 1_792_879_200, 1_772_942_400, 1_793_502_000, 1_791_030_600, 1_700_000_000];

impl Script {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let begins_us = (BEGINNINGS[dice.below(BEGINNINGS.len())] + dice.below(7_200) as i64) * 1_000_000;
        let tenants = (0..[1, 1, 2, 3][dice.below(4)]).map(|number| tenant(number, &mut dice)).collect();
        let moves = (0..12 + dice.below(50)).map(|_| random_move(&mut dice)).collect();
        Self { begins_us, slots: [1, 1, 2, 3][dice.below(4)], tenants, moves }
    }

    /// The same without what must change nothing.
    pub(crate) fn undisturbed(&self) -> Self {
        let mut script = self.clone();
        script.moves.retain(|made| !made.kind.is_trouble());
        script
    }
}

fn tenant(number: usize, dice: &mut Dice) -> Tenant {
    let most = [1, 1, 1, 2, 2, 3, 4][dice.below(7)];
    let first: Vec<Pipeline> = (0..most).map(|number| pipelines::random(number, dice)).collect();
    let mut contents = vec![first];
    if dice.once_in(2) {
        contents
            .push(contents[0].iter().enumerate().map(|(number, of)| pipelines::changed(of, number, dice)).collect());
    }
    Tenant { id: format!("t{number}").parse().unwrap(), quota: [1, 2, 4, 99][dice.below(4)], contents }
}

fn random_move(dice: &mut Dice) -> Move {
    let all = KINDS.iter().map(|(weight, _)| weight).sum();
    let mut at = dice.below(all);
    let kind = KINDS.into_iter().find(|(weight, _)| {
        let here = at < *weight;
        at = at.wrapping_sub(*weight);
        here
    });
    Move { kind: kind.unwrap().1, pick: dice.number() >> 40 }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "from {} s, {} slots", self.begins_us / 1_000_000, self.slots)?;
        for tenant in &self.tenants {
            writeln!(f, "tenant {}, {} attempts", tenant.id, tenant.quota)?;
            for (number, content) in tenant.contents.iter().enumerate() {
                writeln!(f, " content {number}")?;
                content.iter().try_for_each(|pipeline| write!(f, "{pipeline}"))?;
            }
        }
        let moves = self.moves.iter().map(|made| format!("{:?} {}", made.kind, made.pick));
        writeln!(f, "moves: {}", moves.collect::<Vec<_>>().join(", "))
    }
}
