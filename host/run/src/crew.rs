//! The threads of a run's attempts: as many as work at once, kept for the attempts that follow.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

/// Something to be done; whoever asks for it hears of its end in another way, whatever happens.
type Job<'scope> = Box<dyn FnOnce() + Send + 'scope>;

/// Dropped, it lets its threads go once they have done what they were given.
pub(crate) struct Crew<'scope, 'env: 'scope> {
    scope: &'scope Scope<'scope, 'env>,
    jobs: Sender<Job<'scope>>,
    taken: Arc<Mutex<Receiver<Job<'scope>>>>,
    /// Threads that wait for a job, less the jobs that wait for a thread.
    idle: Arc<AtomicUsize>,
    threads: Cell<usize>,
}

impl<'scope, 'env> Crew<'scope, 'env> {
    pub(crate) fn new(scope: &'scope Scope<'scope, 'env>) -> Self {
        let ((jobs, taken), idle) = (channel(), Arc::default());
        Self { scope, jobs, taken: Arc::new(Mutex::new(taken)), idle, threads: Cell::new(0) }
    }

    /// Has a job done, by a thread that waits or a new one; where the machine has none to give, by one that is busy yet, or here.
    pub(crate) fn give(&self, job: impl FnOnce() + Send + 'scope) {
        let waits = |idle: usize| idle.checked_sub(1);
        if self.idle.fetch_update(Ordering::Relaxed, Ordering::Relaxed, waits).is_err() {
            let (taken, idle) = (Arc::clone(&self.taken), Arc::clone(&self.idle));
            let work = move || {
                loop {
                    let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    job();
                    idle.fetch_add(1, Ordering::Relaxed);
                }
            };
            let spawned = std::thread::Builder::new().spawn_scoped(self.scope, work).is_ok();
            self.threads.set(self.threads.get() + usize::from(spawned));
            if self.threads.get() == 0 {
                return job();
            }
        }
        // It is taken by one of the threads, which outlive this.
        let _ = self.jobs.send(Box::new(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_does_what_comes_one_by_one_and_more_what_comes_at_once() {
        let threads = |together: bool| {
            let names = Mutex::new(Vec::new());
            std::thread::scope(|scope| {
                let (crew, (done, ended)) = (Crew::new(scope), channel());
                let gate = std::sync::Barrier::new(if together { 4 } else { 1 });
                let gate = Arc::new(gate);
                for _ in 0..4 {
                    let (names, done, gate) = (&names, done.clone(), Arc::clone(&gate));
                    crew.give(move || {
                        gate.wait();
                        names.lock().unwrap().push(std::thread::current().id());
                        let _ = done.send(());
                    });
                    if !together {
                        ended.recv().unwrap();
                        while crew.idle.load(Ordering::Relaxed) == 0 {
                            std::thread::yield_now();
                        }
                    }
                }
            });
            let mut names = names.into_inner().unwrap();
            names.sort_by_key(|id| format!("{id:?}"));
            names.dedup();
            names.len()
        };
        assert_eq!((threads(false), threads(true)), (1, 4));
    }
}
