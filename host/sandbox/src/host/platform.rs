//! `stepwell:platform`: errors, config, report, checkpoint.

use crate::bindings::WitError;
use crate::bindings::stepwell::platform::{checkpoint, config, errors, report};
use crate::saying::tame;
use crate::state::{Answer, Failure, State};
use ports::Watched;

impl errors::Host for State {
    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<WitError> {
        match failure {
            Failure::Told(error) => Ok(error),
            Failure::Trap(error) => Err(error),
        }
    }
}

impl crate::bindings::wit_step::Host for State {}

impl config::Host for State {
    fn parameters(&mut self) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.parameters.clone())
    }

    fn seed(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        Ok(self.seed)
    }

    fn logical_time(&mut self) -> wasmtime::Result<i64> {
        self.enter()?;
        self.usage.read_time = true;
        Ok(self.logical_time_us)
    }
}

impl report::Host for State {
    fn log(&mut self, level: report::Level, message: String) -> wasmtime::Result<()> {
        self.enter()?;
        let level = match level {
            report::Level::Debug => "debug",
            report::Level::Info => "info",
            report::Level::Warn => "warn",
            report::Level::Error => "error",
        };
        self.log(level, &message);
        Ok(())
    }

    fn progress(&mut self, done: u64, total: Option<u64>) -> wasmtime::Result<()> {
        self.enter()?;
        if self.may_say() {
            self.doors.say(Watched::Progress { done, total });
        }
        Ok(())
    }

    fn metric(&mut self, name: String, value: f64, index: u64) -> wasmtime::Result<()> {
        self.enter()?;
        if self.may_say() {
            self.doors.say(tame(Watched::Metric { name, value: Some(value), index }));
        }
        Ok(())
    }
}

impl checkpoint::Host for State {
    fn save(&mut self, state: Vec<u8>) -> Answer<()> {
        self.enter()?;
        if let Err(fault) = self.charge_disk(state.len()) {
            return Err(self.trip(fault).into());
        }
        Ok(self.world().checkpoint(state)?)
    }

    fn load(&mut self) -> wasmtime::Result<Option<Vec<u8>>> {
        self.enter()?;
        Ok(self.checkpoint.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shut::Shut;
    use crate::state::SAYINGS_MAX;
    use types::Limits;

    #[test]
    fn metrics_and_progress_beyond_the_most_are_dropped_and_counted() {
        let limits = Limits { host_calls: u64::MAX, ..Limits::DEFAULT };
        let mut state = State::new(Box::new(Shut), limits, String::new(), 0, 0);
        for index in 0..u64::from(SAYINGS_MAX) / 2 {
            report::Host::metric(&mut state, "loss".to_owned(), 0.5, index).unwrap();
            report::Host::progress(&mut state, index, None).unwrap();
        }
        assert_eq!(state.used().sayings_dropped, 0);
        report::Host::metric(&mut state, "loss".to_owned(), 0.5, 0).unwrap();
        report::Host::progress(&mut state, 1, None).unwrap();
        assert_eq!(state.used().sayings_dropped, 2);
        // What nobody was to hear is not missing.
        state.unheard = true;
        report::Host::progress(&mut state, 1, None).unwrap();
        assert_eq!(state.used().sayings_dropped, 2);
    }
}
