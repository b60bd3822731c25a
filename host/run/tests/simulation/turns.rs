//! Whose attempt is next: the server's own share of slots among tenants, and what each tenant, pool and priority was promised.

use crate::bugs::Bug;
use crate::disk::{Result, broken};
use crate::script::Script;
use ports::Turn;
use run::{Share, Ticket};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use types::TenantId;

/// A tenant by its place in the script.
pub(crate) type Number = usize;

pub(crate) struct Turns {
    share: Share,
    slots: usize,
    /// Each with the attempts that it may have at a time.
    tenants: Vec<(TenantId, usize)>,
    waiting: BTreeMap<Ticket, (Number, Turn)>,
    running: BTreeMap<Ticket, (Number, Turn)>,
    tickets: Ticket,
    /// How often one that waits with nothing running was passed by a neighbour since its last turn.
    passed: BTreeMap<(Number, Number), u32>,
    bug: Option<Bug>,
}

impl Turns {
    pub(crate) fn new(script: &Script, bug: Option<Bug>) -> Self {
        let tenants = script.tenants.iter().map(|tenant| (tenant.id.clone(), tenant.quota)).collect();
        let (waiting, running, tickets, passed) = Default::default();
        Self { share: Share::new(script.slots), slots: script.slots, tenants, waiting, running, tickets, passed, bug }
    }

    pub(crate) fn wait(&mut self, tenant: Number, turn: &Turn) -> Ticket {
        self.tickets += 1;
        self.share.wait(&self.tenants[tenant].0, self.tickets, &self.told(turn));
        self.waiting.insert(self.tickets, (tenant, turn.clone()));
        self.tickets
    }

    pub(crate) fn leave(&mut self, ticket: Ticket) {
        let Some((tenant, turn)) = self.waiting.remove(&ticket) else { return };
        self.share.leave(&self.tenants[tenant].0, ticket, &self.told(&turn));
        if !self.waits(tenant) {
            self.passed.retain(|(waits, _), _| *waits != tenant);
        }
    }

    pub(crate) fn end(&mut self, ticket: Ticket) {
        let Some((tenant, turn)) = self.running.remove(&ticket) else { return };
        let mut told = self.told(&turn);
        if self.bug == Some(Bug::KeepsAPlace) {
            told.pool = None;
        }
        self.share.end(&self.tenants[tenant].0, &told);
    }

    /// What the share hears of a turn.
    fn told(&self, turn: &Turn) -> Turn {
        match self.bug {
            Some(Bug::ForgetsPools) => Turn { pool: None, ..turn.clone() },
            Some(Bug::ForgetsPriorities) => Turn { priority: 0, ..turn.clone() },
            _ => turn.clone(),
        }
    }

    /// Gives a slot to the next in turn, if there is one for anybody.
    pub(crate) fn start(&mut self) -> Result<Option<Ticket>> {
        let quota = |id: &TenantId| self.tenants.iter().find(|tenant| tenant.0 == *id).map_or(0, |tenant| tenant.1);
        if self.bug == Some(Bug::IsUnfair) {
            self.tenants.iter().for_each(|tenant| self.share.forget(&tenant.0));
        }
        let Some((_, ticket)) = self.share.start(quota) else {
            self.check_idle()?;
            return Ok(None);
        };
        let Some((tenant, turn)) = self.waiting.remove(&ticket) else { return broken("nobody waits for a slot") };
        self.check_turn(tenant, ticket, &turn)?;
        self.running.insert(ticket, (tenant, turn));
        self.count_passed(tenant)?;
        Ok(Some(ticket))
    }

    fn waits(&self, tenant: Number) -> bool {
        self.waiting.values().any(|(whose, _)| *whose == tenant)
    }

    fn running(&self, tenant: Number) -> usize {
        self.running.values().filter(|(whose, _)| *whose == tenant).count()
    }

    fn has_room(&self, tenant: Number, turn: &Turn) -> bool {
        let Some(pool) = &turn.pool else { return true };
        let in_it = |running: &Turn| running.pool.as_ref().is_some_and(|other| other.name == pool.name);
        let there = self.running.values().filter(|(whose, running)| *whose == tenant && in_it(running));
        there.count() < pool.most as usize
    }

    /// The pool has room, the quota too, and no other of the tenant's that could begin is before it.
    fn check_turn(&self, tenant: Number, ticket: Ticket, turn: &Turn) -> Result<()> {
        if !self.has_room(tenant, turn) {
            return broken(format!("tenant {tenant}: more attempts than its places are in pool {:?}", turn.pool));
        }
        if self.running(tenant) >= self.tenants[tenant].1 {
            return broken(format!("tenant {tenant} has more attempts than its quota"));
        }
        let place = |ticket: Ticket, turn: &Turn| (Reverse(turn.priority), ticket);
        let before = |(other, (whose, waits)): (&Ticket, &(Number, Turn))| {
            *whose == tenant && place(*other, waits) < place(ticket, turn) && self.has_room(tenant, waits)
        };
        match self.waiting.iter().any(before) {
            true => broken(format!("tenant {tenant}: an attempt of priority {} goes before its turn", turn.priority)),
            false => Ok(()),
        }
    }

    /// Who has nothing running waits for nobody, as long as there are not twice as many attempts as slots.
    fn check_idle(&self) -> Result<()> {
        let starves = |tenant: &Number| self.waits(*tenant) && self.running(*tenant) == 0;
        match (0..self.tenants.len()).find(starves).filter(|_| self.running.len() < 2 * self.slots) {
            Some(tenant) => broken(format!("tenant {tenant} has nothing running and waits beside a free slot")),
            None => Ok(()),
        }
    }

    fn count_passed(&mut self, started: Number) -> Result<()> {
        self.passed.retain(|(waits, _), _| *waits != started);
        let others = (0..self.tenants.len()).filter(|other| *other != started);
        for other in others.filter(|other| self.waits(*other) && self.running(*other) == 0).collect::<Vec<_>>() {
            let times = self.passed.entry((other, started)).or_default();
            *times += 1;
            if *times > 1 {
                return broken(format!("tenant {other} waits and was passed by tenant {started} twice"));
            }
        }
        Ok(())
    }
}
