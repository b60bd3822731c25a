//! Whose attempt is next among tenants, as the server shares its slots: those that wait take turns, and who has nothing running
//! is passed by no neighbour twice.

use crate::bugs::Bug;
use crate::disk::{Result, broken};
use std::collections::{BTreeMap, VecDeque};

/// A tenant by its place in the script.
pub(crate) type Number = usize;

#[derive(Debug, Default)]
pub(crate) struct Turns {
    slots: usize,
    running: BTreeMap<Number, usize>,
    /// No line is empty.
    waiting: BTreeMap<Number, VecDeque<u64>>,
    served: BTreeMap<Number, u64>,
    given: u64,
    /// How often one that waits with nothing running was passed by a neighbour since its last turn.
    passed: BTreeMap<(Number, Number), u32>,
}

impl Turns {
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots, ..Self::default() }
    }

    pub(crate) fn wait(&mut self, tenant: Number, ticket: u64) {
        self.waiting.entry(tenant).or_default().push_back(ticket);
    }

    pub(crate) fn leave(&mut self, tenant: Number, ticket: u64) {
        if let Some(line) = self.waiting.get_mut(&tenant) {
            line.retain(|waiting| *waiting != ticket);
            if line.is_empty() {
                self.waiting.remove(&tenant);
                self.passed.retain(|(waits, _), _| *waits != tenant);
            }
        }
    }

    pub(crate) fn end(&mut self, tenant: Number) {
        match self.running.get_mut(&tenant) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.running.remove(&tenant)),
        }
    }

    /// Gives a slot to the next in turn, if there is one for anybody.
    pub(crate) fn start(&mut self, bug: Option<Bug>) -> Result<Option<u64>> {
        let fits = |tenant: &&Number| self.fits(**tenant);
        let turn = |tenant: &&Number| match bug {
            Some(Bug::IsUnfair) => 0,
            _ => self.served.get(*tenant).copied().unwrap_or(0),
        };
        let Some(&tenant) = self.waiting.keys().filter(fits).min_by_key(turn) else { return Ok(None) };
        let ticket = self.waiting.get(&tenant).and_then(|line| line.front().copied());
        let Some(ticket) = ticket else { return Ok(None) };
        self.leave(tenant, ticket);
        self.given += 1;
        self.served.insert(tenant, self.given);
        *self.running.entry(tenant).or_default() += 1;
        self.count_passed(tenant)?;
        Ok(Some(ticket))
    }

    fn count_passed(&mut self, started: Number) -> Result<()> {
        self.passed.retain(|(waits, _), _| *waits != started);
        for &other in self.waiting.keys().filter(|other| **other != started && !self.running.contains_key(*other)) {
            let times = self.passed.entry((other, started)).or_default();
            *times += 1;
            if *times > 1 {
                return broken(format!("tenant {other} waits and was passed by tenant {started} twice"));
            }
        }
        Ok(())
    }

    fn fits(&self, tenant: Number) -> bool {
        let own = self.running.get(&tenant).copied().unwrap_or(0);
        let all: usize = self.running.values().sum();
        let alone = self.waiting.keys().all(|other| *other == tenant);
        let cap = if alone { self.slots } else { (self.slots - 1).max(1) };
        own < cap && (all < self.slots || (own == 0 && all < 2 * self.slots))
    }
}
