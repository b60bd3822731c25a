//! One task of a step, from a fresh instance to its answer.

use crate::bindings::wit_step;
use crate::convert;
use crate::engine::Plugin;
use crate::instance::{Instance, exported, stored};
use crate::row_wise::{Piece, same_rows};
use crate::state::{State, Usage};
use data::Table;
use ports::{Answer, Assignment, Delivery, Doors, Page, Tables, Task};
use std::collections::BTreeMap;
use types::{
    Artifact, CURSOR_BYTES_MAX, Fault, Field, Id, Interval, Measure, Port, PortName, SavedFile, Schema, Signature,
    TableRef,
};
use wasmtime::component::ResourceAny;

/// Runs the task of an assignment. The usage is true also of a failure.
pub fn attempt(plugin: &Plugin, assignment: &Assignment, doors: Box<dyn Doors>) -> (Result<Answer, Fault>, Usage) {
    let parameters = assignment.parameters.to_string();
    let mut state = State::new(doors, assignment.limits, parameters, assignment.seed, assignment.logical_time_us);
    if let Some(digest) = &assignment.checkpoint {
        match stored(&state.doors.blob(digest), digest) {
            Ok(saved) => state.checkpoint = Some(saved),
            Err(why) => return (Err(Fault::host(format!("cannot read the checkpoint: {why}"))), state.usage),
        }
    }
    match Instance::start(plugin, state) {
        Ok(mut instance) => {
            let answer = carry_out(&mut instance, &assignment.task).and_then(bounded);
            (answer, instance.store.data().used())
        }
        Err(fault) => (Err(fault), Usage::default()),
    }
}

fn carry_out(instance: &mut Instance, task: &Task) -> Result<Answer, Fault> {
    match task {
        Task::Compile => Err(Fault::host("a component is compiled before it is loaded")),
        Task::Describe { inputs } => describe(instance, inputs),
        Task::Discover => discover(instance),
        Task::Collect { cursor } => collect(instance, cursor.as_deref()),
        Task::Transform { inputs } => transform(instance, inputs),
        Task::Fit { .. } => fit_and_apply(instance, task),
        Task::Apply { state, inputs, reads, gives } => {
            let transform = restored(instance, state)?;
            let mut outputs = BTreeMap::new();
            apply(instance, transform, inputs, reads, gives, &mut outputs)?;
            Ok(Answer::Outputs { outputs })
        }
        Task::Feedback { .. } | Task::Examine { .. } => Err(Fault::host("the server does this itself")),
        Task::Time { .. } => Err(Fault::host("a component is timed by whoever loads it")),
        Task::Check { rows, reference } => check(instance, rows, reference.as_ref()),
        Task::Train { .. } => train(instance, task),
        Task::Predict { rows, model, reads } => predict(instance, rows, model, reads),
        Task::Evaluate { candidate, baseline, slices } => evaluate(instance, candidate, baseline.as_ref(), slices),
        Task::Deliver { key, delivery } => deliver(instance, key, delivery),
    }
}

/// The answer, if what it gives can be recorded.
fn bounded(answer: Answer) -> Result<Answer, Fault> {
    let Answer::Outputs { outputs } = &answer else { return Ok(answer) };
    let oversized = outputs.iter().find_map(|(port, artifact)| Some((port, artifact.oversized()?)));
    match oversized {
        Some((port, oversized)) => Err(Fault::guest(format!("output `{port}`: {oversized}"))),
        None => Ok(answer),
    }
}

fn outputs(pairs: impl IntoIterator<Item = (&'static str, Artifact)>) -> Result<Answer, Fault> {
    let outputs = pairs.into_iter().map(|(name, artifact)| Ok((convert::port_name(name)?, artifact)));
    Ok(Answer::Outputs { outputs: outputs.collect::<Result<BTreeMap<_, _>, Fault>>()? })
}

fn describe(instance: &mut Instance, inputs: &[Port]) -> Result<Answer, Fault> {
    let description = exported!(instance, description)?;
    let inputs: Vec<_> = inputs.iter().map(convert::port_out).collect();
    let called = description.call_describe(&mut instance.store, &inputs);
    let descriptor = convert::descriptor_in(instance.settle(called)?)?;
    Ok(Answer::Described { descriptor: Box::new(descriptor) })
}

fn discover(instance: &mut Instance) -> Result<Answer, Fault> {
    let collector = exported!(instance, collector)?;
    let called = collector.call_discover(&mut instance.store);
    let columns: Vec<Field> = instance.settle(called)?.into_iter().map(convert::field_in).collect();
    match (Schema { fields: columns.clone() }).duplicate() {
        Some(name) => Err(Fault::invalid(format!("the source has two columns named `{name}`"))),
        None => Ok(Answer::Discovered { columns }),
    }
}

fn collect(instance: &mut Instance, cursor: Option<&str>) -> Result<Answer, Fault> {
    let collector = exported!(instance, collector)?;
    let mut cursor = cursor.map(unhex).transpose()?;
    loop {
        let called = collector.call_read(&mut instance.store, cursor.as_deref());
        let page = instance.settle(called)?;
        check_cursor(&page.next_cursor)?;
        let table = instance.receive(page.table)?;
        let table = instance.keep(&table)?;
        let (more, restarted) = (page.more, page.restarted);
        let page = Page { table, cursor: hex(&page.next_cursor), more, restarted };
        // A collector that says "more" without going anywhere would never end.
        if more && page.table.rows == 0 && cursor.as_deref() == unhex(&page.cursor).ok().as_deref() {
            return Err(Fault::guest("says there is more, but neither brought rows nor moved its cursor"));
        }
        cursor = Some(unhex(&page.cursor)?);
        instance.store.data_mut().charge_page(&page)?;
        instance.store.data_mut().doors.page(page)?;
        if !more {
            return Ok(Answer::Collected);
        }
    }
}

fn transform(instance: &mut Instance, inputs: &Tables) -> Result<Answer, Fault> {
    let transformer = exported!(instance, transformer)?;
    let mut named = Vec::new();
    for (name, reference) in inputs {
        named.push(wit_step::NamedTable { name: name.to_string(), table: instance.give(reference)? });
    }
    let called = transformer.call_run(&mut instance.store, &named);
    let mut outputs = BTreeMap::new();
    for output in instance.settle(called)? {
        let name = convert::port_name(&output.name)?;
        let table = instance.receive(output.table)?;
        let kept = Artifact::Table(instance.keep(&table)?);
        if outputs.insert(name.clone(), kept).is_some() {
            return Err(Fault::guest(format!("gave two tables named `{name}`")));
        }
    }
    Ok(Answer::Outputs { outputs })
}

fn fit_and_apply(instance: &mut Instance, task: &Task) -> Result<Answer, Fault> {
    let Task::Fit { fit, inputs, reads, gives } = task else {
        return Err(Fault::host("fitting was asked of another task"));
    };
    let fitted = exported!(instance, fitted)?;
    let fitted = fitted.transform();
    let transform = match fit {
        Some(rows) => {
            let rows = instance.open(rows)?;
            let rows = instance.show(&rows, reads)?;
            let called = fitted.call_fit(&mut instance.store, rows);
            instance.settle(called)?
        }
        None => restored(instance, &[])?,
    };
    let called = fitted.call_save(&mut instance.store, transform);
    let saved = instance.settle(called)?;
    let state = Artifact::State { files: instance.keep_files(saved)? };
    let mut outputs = BTreeMap::from([(PortName::parse("state").map_err(Fault::host)?, state)]);
    apply(instance, transform, inputs, reads, gives, &mut outputs)?;
    Ok(Answer::Outputs { outputs })
}

/// What an earlier attempt saved, in this instance. Of no files: a step that learns nothing.
pub(crate) fn restored(instance: &mut Instance, state: &[SavedFile]) -> Result<ResourceAny, Fault> {
    let files = instance.load_files(state)?;
    let fitted = exported!(instance, fitted)?;
    let called = fitted.transform().call_restore(&mut instance.store, &files);
    instance.settle(called)
}

/// The inputs, each with what the step makes of it.
fn apply(
    instance: &mut Instance,
    transform: ResourceAny,
    inputs: &Tables,
    reads: &[String],
    gives: &[String],
    outputs: &mut BTreeMap<PortName, Artifact>,
) -> Result<(), Fault> {
    let fitted = exported!(instance, fitted)?;
    let fitted = fitted.transform();
    for (name, reference) in inputs {
        let rows = instance.open(reference)?;
        let shown = instance.show(&rows, reads)?;
        let called = fitted.call_apply(&mut instance.store, transform, shown);
        let applied = instance.settle(called)?;
        let applied = instance.receive(applied)?;
        let table = laid_over(&rows, &applied, gives)?;
        if let Some(piece) = Piece::of(&rows) {
            let again = instance.again(|instance| {
                let shown = instance.show(&piece.rows, reads)?;
                let called = fitted.call_apply(&mut instance.store, transform, shown);
                let again = instance.settle(called)?;
                instance.receive(again)
            });
            again?.map_or(Ok(()), |again| piece.same(&applied, &again))?;
        }
        outputs.insert(name.clone(), Artifact::Table(instance.keep(&table)?));
    }
    Ok(())
}

/// What a row-wise step gave, over the rows it was given, in the columns that it declared.
fn laid_over(rows: &Table, applied: &Table, gives: &[String]) -> Result<Table, Fault> {
    same_rows(rows.rows(), applied.rows())?;
    let broken = |error: data::Error| Fault::guest(error.to_string());
    let joined = rows.with_columns(applied).map_err(broken)?;
    if gives.is_empty() {
        return Ok(joined);
    }
    if let Some(extra) = applied.schema().fields.iter().find(|field| !gives.contains(&field.name)) {
        return Err(Fault::guest(format!("gave a column `{}` that it did not declare", extra.name)));
    }
    joined.select(gives).map_err(broken)
}

fn check(instance: &mut Instance, rows: &TableRef, reference: Option<&TableRef>) -> Result<Answer, Fault> {
    let validator = exported!(instance, validator)?;
    let given = instance.give(rows)?;
    let reference = reference.map(|table| instance.give(table)).transpose()?;
    let called = validator.call_check(&mut instance.store, given, reference);
    let findings = instance.settle(called)?.into_iter().map(convert::finding_in).collect();
    outputs([("findings", Artifact::Findings { findings })])
}

fn train(instance: &mut Instance, task: &Task) -> Result<Answer, Fault> {
    let Task::Train { train, validation, features, label, weight, initial } = task else {
        return Err(Fault::host("training was asked of another task"));
    };
    let trainer = exported!(instance, trainer)?;
    // A learner sees its features, label and weight: nothing else can leak into a model.
    let seen: Vec<String> = features.iter().chain(label).chain(weight).cloned().collect();
    let show_training = |instance: &mut Instance, table: &TableRef| {
        let table = instance.open(table)?;
        instance.show(&table, &seen)
    };
    let training = crate::bindings::role::trainer::Training {
        train: show_training(instance, train)?,
        validation: validation.as_ref().map(|table| show_training(instance, table)).transpose()?,
        features: features.clone(),
        label: label.clone(),
        weight: weight.clone(),
        initial: initial.as_ref().map(|files| instance.load_files(files)).transpose()?,
    };
    let called = trainer.call_train(&mut instance.store, &training);
    let trained = instance.settle(called)?;
    let signature = Signature {
        inputs: trained.inputs.into_iter().map(convert::field_in).collect(),
        outputs: trained.outputs.into_iter().map(convert::field_in).collect(),
    };
    let measures: Vec<_> = trained.measures.into_iter().map(convert::training_measure_in).collect();
    finite(&measures)?;
    let files = instance.keep_files(trained.files)?;
    outputs([("model", Artifact::Model { files, signature, measures })])
}

fn predict(instance: &mut Instance, rows: &TableRef, model: &[SavedFile], reads: &[String]) -> Result<Answer, Fault> {
    let predictor = exported!(instance, predictor)?;
    let predictor = predictor.model();
    let files = instance.load_files(model)?;
    let called = predictor.call_load(&mut instance.store, &files);
    let model = instance.settle(called)?;
    let table = instance.open(rows)?;
    let given = instance.show(&table, reads)?;
    let called = predictor.call_predict(&mut instance.store, model, given);
    let answered = instance.settle(called)?;
    let predictions = instance.receive(answered)?;
    same_rows(table.rows(), predictions.rows())?;
    if let Some(piece) = Piece::of(&table) {
        let again = instance.again(|instance| {
            let given = instance.show(&piece.rows, reads)?;
            let called = predictor.call_predict(&mut instance.store, model, given);
            let again = instance.settle(called)?;
            instance.receive(again)
        });
        again?.map_or(Ok(()), |again| piece.same(&predictions, &again))?;
    }
    let joined = table.with_columns(&predictions).map_err(|error| Fault::guest(error.to_string()))?;
    let kept = instance.keep(&joined)?;
    outputs([("table", Artifact::Table(kept))])
}

fn evaluate(
    instance: &mut Instance,
    candidate: &TableRef,
    baseline: Option<&TableRef>,
    slices: &[String],
) -> Result<Answer, Fault> {
    let evaluator = exported!(instance, evaluator)?;
    let candidate = instance.give(candidate)?;
    let baseline = baseline.map(|table| instance.give(table)).transpose()?;
    let called = evaluator.call_evaluate(&mut instance.store, candidate, baseline, slices);
    let measures: Vec<_> = instance.settle(called)?.into_iter().map(convert::measure_in).collect();
    finite(&measures)?;
    outputs([("measures", Artifact::Measures { measures })])
}

fn deliver(instance: &mut Instance, key: &str, delivery: &Delivery) -> Result<Answer, Fault> {
    use crate::bindings::role::sink as wit;
    let sink = exported!(instance, sink)?;
    let delivery = match delivery {
        Delivery::Table { table } => wit::Delivery::Table(instance.give(table)?),
        Delivery::Report { report } => wit::Delivery::Report(report.to_string()),
        Delivery::Model { files, about } => {
            let files = instance.load_files(files)?;
            wit::Delivery::Model(wit::TrainedModel { files, about: about.to_string() })
        }
    };
    let called = sink.call_deliver(&mut instance.store, key, &delivery);
    let wit::Receipt { location, repeated } = instance.settle(called)?;
    // Cut, not refused: what it tells of has happened.
    outputs([("delivered", Artifact::Delivered { location: types::sentence(location), repeated })])
}

/// What is stored and judged is a number; a plugin leaves out what it cannot compute.
fn finite(measures: &[Measure]) -> Result<(), Fault> {
    let ends = |interval: Option<Interval>| interval.into_iter().flat_map(|interval| [interval.low, interval.high]);
    let numbers = |found: &Measure| -> Vec<f64> {
        let own = [found.value].into_iter().chain(found.baseline_value);
        own.chain(ends(found.interval)).chain(ends(found.difference_interval)).collect()
    };
    match measures.iter().find(|found| numbers(found).iter().any(|number| !number.is_finite())) {
        Some(found) => {
            let name: String = found.name.chars().take(80).collect();
            Err(Fault::guest(format!("measure `{name}` holds {} where a finite number is expected", found.value)))
        }
        None => Ok(()),
    }
}

fn check_cursor(cursor: &[u8]) -> Result<(), Fault> {
    let (got, most) = (cursor.len(), CURSOR_BYTES_MAX);
    match got <= most {
        true => Ok(()),
        false => Err(Fault::guest(format!("gives a cursor of {got} bytes, at most {most} are taken"))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, Fault> {
    let pairs =
        (0..text.len()).step_by(2).map(|i| text.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    pairs.collect::<Option<_>>().ok_or_else(|| Fault::host("a stored cursor is not hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_said_with_its_port_and_its_bound() {
        let (name, slice, interval) = ("auc".to_owned(), None, None);
        let measure =
            Measure { name, slice, value: 0.5, interval, baseline_value: None, difference_interval: interval };
        let many = |count| outputs([("measures", Artifact::Measures { measures: vec![measure.clone(); count] })]);
        let fault = many(types::MEASURES_MAX + 1).and_then(bounded).unwrap_err();
        assert_eq!(fault.message, "output `measures`: gives 10001 measures, at most 10000 are taken");
        assert!(many(types::MEASURES_MAX).and_then(bounded).is_ok());
        let fault = check_cursor(&vec![0; CURSOR_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(fault.message, "gives a cursor of 1048577 bytes, at most 1048576 are taken");
        assert_eq!(check_cursor(&vec![0; CURSOR_BYTES_MAX]), Ok(()));
    }
}
