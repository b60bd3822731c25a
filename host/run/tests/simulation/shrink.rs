//! A script that fails -> a small one that fails: whatever can be left out is.

use crate::script::Script;

/// Tries of one shrinking.
const TRIES_MAX: usize = 1_500;

/// The smallest that is found, whatever it is that fails.
pub(crate) fn shrink(script: &Script, fails: &dyn Fn(&Script) -> bool) -> Script {
    let mut search = Search { best: script.clone(), fails, left: TRIES_MAX };
    loop {
        let before = search.left;
        let smaller = search.moves() | search.tenants() | search.contents();
        let smaller = smaller | search.pipelines() | search.steps() | search.parts();
        if !smaller || search.left == 0 || search.left == before {
            return search.best;
        }
    }
}

struct Search<'a> {
    best: Script,
    fails: &'a dyn Fn(&Script) -> bool,
    left: usize,
}

impl Search<'_> {
    /// Takes a smaller script if it still fails.
    fn accept(&mut self, smaller: Script) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let fails = (self.fails)(&smaller);
        if fails {
            self.best = smaller;
        }
        fails
    }

    /// Without stretches of moves, long ones first.
    fn moves(&mut self) -> bool {
        let mut any = false;
        let mut length = self.best.moves.len().div_ceil(2);
        while length > 0 {
            let mut from = 0;
            while from < self.best.moves.len() {
                let mut smaller = self.best.clone();
                let until = (from + length).min(smaller.moves.len());
                smaller.moves.drain(from..until);
                match self.accept(smaller) {
                    true => any = true,
                    false => from += length,
                }
            }
            length /= 2;
        }
        any
    }

    fn tenants(&mut self) -> bool {
        self.each(
            |script| script.tenants.len(),
            |script, index| {
                script.tenants.remove(index);
                !script.tenants.is_empty()
            },
        )
    }

    /// Without versions that bring anything new.
    fn contents(&mut self) -> bool {
        (0..self.best.tenants.len()).fold(false, |any, tenant| {
            let leave_out = move |script: &mut Script, index| {
                script.tenants[tenant].contents.remove(index);
                !script.tenants[tenant].contents.is_empty()
            };
            any | self.each(move |script| script.tenants[tenant].contents.len(), leave_out)
        })
    }

    fn pipelines(&mut self) -> bool {
        (0..self.best.tenants.len()).fold(false, |any, tenant| {
            any | self.each(
                move |script| script.tenants[tenant].contents[0].len(),
                move |script, index| {
                    let contents = &mut script.tenants[tenant].contents;
                    contents.iter_mut().for_each(|content| drop(content.remove(index)));
                    !contents[0].is_empty()
                },
            )
        })
    }

    fn steps(&mut self) -> bool {
        self.each_pipeline(|search, (tenant, content, pipeline)| {
            search.each(
                move |script| script.tenants[tenant].contents[content][pipeline].plan().steps.len(),
                move |script, index| {
                    let of = &mut script.tenants[tenant].contents[content][pipeline];
                    of.without(index).map(|smaller| *of = smaller).is_some()
                },
            )
        })
    }

    /// Without schedules, troubles, conditions, timeouts and the like.
    fn parts(&mut self) -> bool {
        self.each_pipeline(|search, (tenant, content, pipeline)| {
            let change = |change: fn(&mut crate::pipelines::Pipeline)| {
                move |script: &mut Script| change(&mut script.tenants[tenant].contents[content][pipeline])
            };
            let changes = [
                change(|of| of.timetable = None),
                change(|of| of.troubles.clear()),
                change(|of| of.stored.plan.timeout_ms = None),
                change(|of| of.stored.plan.steps.iter_mut().for_each(|step| step.when.clear())),
                change(|of| (of.source.restart_after, of.source.grows_us) = (None, None)),
                change(|of| (of.after, of.watches) = (None, false)),
                change(|of| of.stored.plan.priority = 0),
                change(|of| of.stored.plan.steps.iter_mut().for_each(|step| step.pool = None)),
            ];
            changes.into_iter().fold(false, |any, change| {
                let mut smaller = search.best.clone();
                change(&mut smaller);
                any | (smaller.to_string() != search.best.to_string() && search.accept(smaller))
            })
        })
    }

    /// Leaves out one thing after another; `leave_out` says whether what is left is a script.
    fn each(&mut self, count: impl Fn(&Script) -> usize, leave_out: impl Fn(&mut Script, usize) -> bool) -> bool {
        let mut any = false;
        for index in (0..count(&self.best)).rev() {
            let mut smaller = self.best.clone();
            any |= leave_out(&mut smaller, index) && self.accept(smaller);
        }
        any
    }

    fn each_pipeline(&mut self, mut f: impl FnMut(&mut Self, (usize, usize, usize)) -> bool) -> bool {
        let mut any = false;
        for tenant in 0..self.best.tenants.len() {
            for content in 0..self.best.tenants[tenant].contents.len() {
                for pipeline in 0..self.best.tenants[tenant].contents[content].len() {
                    any |= f(self, (tenant, content, pipeline));
                }
            }
        }
        any
    }
}
