//! The steps that the host does itself, in place: a gate's verdict, and the registration of a model.

use super::{Around, Drive, committed};
use crate::RunEvent;
use crate::call::{who, wrong_input};
use crate::outputs::Outputs;
use plan::{PlannedStep, Work};
use types::{Artifact, Attempt, Fault, ModelVersion, OutputRef, PortName, Receipt, Record, Requirement, StepCommit};

impl Drive<'_> {
    pub(super) fn verdict(
        &self,
        step: &PlannedStep,
        measures: &OutputRef,
        require: &[Requirement],
    ) -> Result<Outputs, Fault> {
        let (Artifact::Measures { measures: taken } | Artifact::Model { measures: taken, .. }) =
            self.view.output(measures).ok_or_else(|| wrong_input(step, measures, "measures", None))?
        else {
            return Err(wrong_input(step, measures, "measures", self.view.output(measures)));
        };
        Ok(Outputs::from([(only_output(step)?, Artifact::Verdict(models::gate(require, taken)))]))
    }

    /// Registers a version. Commit, version and alias are one record, so a crash leaves all of them or none; and since the
    /// step is then committed, a resumed run does not come here again.
    pub(super) fn register(
        &mut self,
        step: &PlannedStep,
        attempt: Attempt,
        alias: Option<&str>,
        around: Around,
    ) -> Result<(), Fault> {
        let dispatcher = self.dispatcher;
        let alone = dispatcher.alone();
        match self.registration(step, attempt, alias)? {
            Ok(record) => {
                let recorded = self.record(record.clone());
                drop(alone);
                if let Err(fault) = recorded {
                    let (step, receipt) = (step.name.clone(), Receipt::default());
                    return self.refused(&step, attempt, fault, receipt, around);
                }
                tell_registered(&record, around);
                Ok(())
            }
            Err(fault) => self.fail(&step.name, attempt, fault, Receipt::default(), around),
        }
    }

    /// The record; the inner fault is the step's, the outer one the journal's.
    fn registration(
        &self,
        step: &PlannedStep,
        attempt: Attempt,
        alias: Option<&str>,
    ) -> Result<Result<Record, Fault>, Fault> {
        let Work::Register { name, .. } = &step.work else {
            return Ok(Err(Fault::host(format!("{} registers nothing", who(step)))));
        };
        let (journal, tenant) = (&self.dispatcher.journal, self.tenant);
        let number = journal.next_version(tenant, name)?;
        let from = alias.map(|alias| journal.alias(tenant, name, alias)).transpose()?.flatten();
        let origin = models::Origin { run: self.run, number, registered_us: self.now_us() };
        let version = models::version(&self.stored.plan, &step.name, &|output| self.view.output(output), origin);
        Ok(version.and_then(|version| {
            let artifact = Artifact::Version { model: name.clone(), version: number };
            let outputs = Outputs::from([(only_output(step)?, artifact)]);
            let receipt = Receipt::default();
            let commit = StepCommit { step: step.name.clone(), attempt, outputs, receipt, key: None, taken: None };
            let alias = alias.map(|alias| models::alias_move(&version, alias, from));
            Ok(Record::VersionRegistered { version: Box::new(version), alias, step: step.name.clone(), commit })
        }))
    }
}

fn tell_registered(record: &Record, around: Around) {
    let Record::VersionRegistered { version, alias, step, commit } = record else { return };
    let ModelVersion { model, version: number, digest, registered_us, .. } = version.as_ref();
    (around.observer)(&committed(commit, *registered_us));
    (around.observer)(&RunEvent::Registered {
        step: step.clone(),
        model: model.clone(),
        version: *number,
        digest: *digest,
        alias: alias.as_ref().map(|alias| alias.alias.clone()),
    });
}

/// The port of a step that gives one thing.
fn only_output(step: &PlannedStep) -> Result<PortName, Fault> {
    let mut ports = step.outputs.keys();
    match (ports.next(), ports.next()) {
        (Some(port), None) => Ok(port.clone()),
        _ => Err(Fault::host(format!("{} gives {} outputs, expected 1", who(step), step.outputs.len()))),
    }
}
