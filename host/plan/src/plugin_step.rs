//! A step with a plugin -> what it does and gives, by its role. Trainers are in `train`, sinks in `deliver`.

use crate::known::{Given, Kind, Known, Rows, Steps, port, take};
use crate::{Describe, PlannedPlugin, Work, deliver, device, fan, parameters, role, train, wiring};
use manifest::Step;
use std::collections::BTreeMap;
use types::{Descriptor, Field, OutputRef, Port, PortName, Problem, Role, RowRelation, Spot};

/// A table that a step takes, and where from.
pub(crate) struct Taken<'s> {
    pub(crate) output: &'s OutputRef,
    pub(crate) columns: &'s [Field],
}

pub(crate) type Tables<'s> = BTreeMap<&'s PortName, Taken<'s>>;

/// A step whose role and parameters were found right, and which can be asked what it makes of columns.
pub(crate) struct Asked<'s, 'd> {
    /// With the first of the values that it runs for.
    pub(crate) step: &'s Step,
    /// With the others.
    others: &'s [Step],
    pub(crate) tables: Tables<'s>,
    plugins: &'d mut Describe<'d>,
    /// What the plugin said with the others.
    said: Vec<Descriptor>,
}

pub(crate) fn plan(step: &Step, steps: &Steps, plugins: &mut Describe<'_>) -> Result<Known, Vec<Problem>> {
    let variants = step.variants();
    let (step, others) = variants.split_first().ok_or_else(Vec::new)?;
    let mut plugins =
        |step: &Step, ports: Option<&[Port]>| plugins(step, ports).map_err(|problem| placed(step, problem));
    let about = plugins(step, None).map_err(|problem| vec![problem])?.descriptor;
    let role = role::of(step, &about).map_err(|problem| vec![problem])?;
    let mut problems = role::keys(step, role, &about);
    problems.extend(parameters::check(&variants, &about));
    problems.extend(fan::role(step, role, &about));
    problems.extend(role_ports(step, role, &about));
    let tables = tables(step, role, steps, &mut problems);
    let beside = device::check(step, role, &about);
    if !problems.is_empty() {
        return Err([problems, beside].concat());
    }
    let asked = Asked { step, others, tables, plugins: &mut plugins, said: Vec::new() };
    let planned = match role {
        Role::Collector => collect(asked),
        Role::Validator => check(asked),
        Role::Transformer => transform(asked),
        Role::Fitted => fit(asked, steps),
        Role::Evaluator => evaluate(asked),
        Role::Sink => deliver::plan(asked, steps),
        Role::Trainer | Role::Predictor => train::plan(asked, steps),
    };
    Known::with(planned, beside)
}

/// What came of describing, at the place in the step's query that it names, or else at the step's plugin.
fn placed(step: &Step, problem: Problem) -> Problem {
    if problem.place.is_some() {
        return problem;
    }
    let named = problem.message.split_once("`query`: ").and_then(|(who, rest)| Some((who, Spot::of(rest)?)));
    match named.and_then(|(who, (spot, rest))| Some((who, step.place_in_query(spot)?, rest))) {
        // Beneath the first line is the text's own, which the place shows.
        Some((who, place, rest)) => {
            let message = format!("{who}{}", rest.lines().next().unwrap_or_default());
            Problem { message, ..problem }.at(Some(place))
        }
        None => problem.at(step.place_of(&["plugin"])),
    }
}

/// All of these, or go on.
pub(crate) fn stop(problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The ports that the contract itself gives a role, checked before the plugin is asked.
fn role_ports(step: &Step, role: Role, descriptor: &Descriptor) -> Vec<Problem> {
    let (known, required): (&[&str], &[&str]) = match role {
        Role::Validator => (&["table", "reference"], &["table"]),
        Role::Evaluator => (&["candidate", "baseline"], &["candidate"]),
        Role::Trainer | Role::Predictor => (&["train", "validation", "initial"], &["train"]),
        Role::Collector => (&[], &[]),
        Role::Sink => return deliver::ports(step, descriptor),
        Role::Transformer | Role::Fitted => return Vec::new(),
    };
    let what = match known.is_empty() {
        true => format!("plugin `{}` is {}, which takes no inputs", descriptor.name, role::singular(role)),
        false => {
            let known = wiring::listed(known.iter().copied());
            format!("plugin `{}` is {}, which takes {known}", descriptor.name, role::singular(role))
        }
    };
    wiring::ports(step, &what, known, required)
}

/// What is wired. A sink's input may be no table, and what a trainer starts from is none: they have no columns.
fn tables<'s>(step: &'s Step, role: Role, steps: &'s Steps, problems: &mut Vec<Problem>) -> Tables<'s> {
    let mut tables = Tables::new();
    for (port, output) in &step.inputs {
        let name = types::Id::as_str(port);
        let wanted = match role {
            Role::Sink => deliver::kinds(name),
            Role::Trainer | Role::Predictor if name == "initial" => &[Kind::Model],
            _ => &[Kind::Table],
        };
        match take(steps, step, &["inputs", name], output, wanted) {
            Ok(given) => drop(tables.insert(port, Taken { output, columns: &given.columns })),
            Err(problem) => problems.push(problem),
        }
    }
    tables
}

impl Asked<'_, '_> {
    /// The plugin's answer to these ports, free of contradictions.
    pub(crate) fn describe(&mut self, ports: &[Port]) -> Result<(Descriptor, PlannedPlugin), Vec<Problem>> {
        let described = (self.plugins)(self.step, Some(ports)).map_err(|problem| vec![problem])?;
        let descriptor = described.descriptor;
        stop(wiring::contradictions(self.step, &descriptor, ports))?;
        for other in self.others {
            let said = (self.plugins)(other, Some(ports)).map_err(|problem| vec![problem])?.descriptor;
            stop(wiring::contradictions(other, &said, ports))?;
            stop(fan::unlike(other, &descriptor, &said).into_iter().collect())?;
            self.said.push(said);
        }
        let parameters = self.step.params.clone();
        let (name, imports) = (descriptor.name.clone(), descriptor.imports.clone());
        let plugin = PlannedPlugin { name, component: described.component, parameters, imports };
        Ok((descriptor, plugin))
    }

    /// The ports of the manifest.
    pub(crate) fn ports(&self) -> Vec<Port> {
        let port =
            |(name, taken): (&&PortName, &Taken<'_>)| Port { name: (*name).clone(), columns: taken.columns.to_vec() };
        self.tables.iter().map(port).collect()
    }

    /// The columns that the descriptor reads at the manifest's ports, against those that stand there.
    pub(crate) fn wiring(&self, descriptor: &Descriptor, made_up: &[&str]) -> Result<(), Vec<Problem>> {
        let mut problems = wiring::described_ports(self.step, descriptor, made_up);
        for said in [descriptor].into_iter().chain(&self.said) {
            for (port, taken) in &self.tables {
                let (port, wants) = (types::Id::as_str(*port), wiring::reads(said, types::Id::as_str(*port)));
                let wrong = wiring::columns(self.step, &["inputs", port], taken.output, taken.columns, wants);
                // What one value wants in vain, the next one mostly wants too.
                problems.extend(wrong.into_iter().filter(|problem| !problems.contains(problem)).collect::<Vec<_>>());
            }
        }
        stop(problems)
    }

    /// The table at one of the contract's ports.
    pub(crate) fn table(&self, name: &str) -> Option<&Taken<'_>> {
        self.tables.get(&port(name))
    }

    fn output(&self, name: &str) -> Option<OutputRef> {
        self.step.inputs.get(&port(name)).cloned()
    }

    pub(crate) fn required(&self, name: &str) -> Result<OutputRef, Vec<Problem>> {
        let lacks = || vec![Problem::new(format!("step `{}` lacks its input `{name}`", self.step.name))];
        self.output(name).ok_or_else(lacks)
    }

    pub(crate) fn optional(&self, name: &str) -> Option<OutputRef> {
        self.output(name)
    }

    /// A problem of what the plugin says, at the step's `plugin`.
    pub(crate) fn mistake(&self, descriptor: &Descriptor, what: &str) -> Vec<Problem> {
        let message = format!("plugin `{}`, asked by step `{}`, {what}", descriptor.name, self.step.name);
        vec![Problem::new(message).at(self.step.place_of(&["plugin"])).hinted("mend its `describe`")]
    }
}

pub(crate) fn known<const N: usize>(work: Work, given: [(&str, Given); N]) -> Known {
    let given = given.into_iter().map(|(name, given)| (port(name), given)).collect();
    Known { work, given, reads: Vec::new(), training: None, root: None, beside: Vec::new() }
}

fn collect(mut asked: Asked<'_, '_>) -> Result<Known, Vec<Problem>> {
    let (descriptor, plugin) = asked.describe(&[])?;
    asked.wiring(&descriptor, &[])?;
    let Some(columns) = wiring::gives(&descriptor, "table") else {
        return Err(asked.mistake(&descriptor, "names no output `table`"));
    };
    let table = Given::table(columns.to_vec(), Rows::Collected);
    Ok(known(Work::Collect { plugin }, [("table", table)]))
}

fn check(mut asked: Asked<'_, '_>) -> Result<Known, Vec<Problem>> {
    let (descriptor, plugin) = asked.describe(&asked.ports())?;
    asked.wiring(&descriptor, &[])?;
    let rows = asked.required("table")?;
    let columns = asked.table("table").map(|taken| taken.columns.to_vec()).unwrap_or_default();
    let table = Given::table(columns, Rows::Unchanged(rows.clone()));
    let work = Work::Check { plugin, rows, reference: asked.optional("reference") };
    Ok(known(work, [("table", table), ("findings", Given::other(Kind::Findings))]))
}

fn transform(mut asked: Asked<'_, '_>) -> Result<Known, Vec<Problem>> {
    let (descriptor, plugin) = asked.describe(&asked.ports())?;
    asked.wiring(&descriptor, &[])?;
    if descriptor.outputs.is_empty() {
        return Err(asked.mistake(&descriptor, "names no output"));
    }
    let inputs = asked.step.inputs.clone();
    let rows = |relation: &RowRelation| match relation {
        RowRelation::Subset(source) => match inputs.get(source) {
            Some(output) => Rows::Unchanged(output.clone()),
            None => Rows::Made("names rows that it does not take"),
        },
        RowRelation::Same(_) => Rows::Made("changes rows without being a fitted transformer"),
        RowRelation::Other => Rows::Made("is not row-wise"),
    };
    let given =
        |output: &types::Output| (output.name.clone(), Given::table(output.columns.clone(), rows(&output.rows)));
    let given = descriptor.outputs.iter().map(given).collect();
    let work = Work::Transform { plugin, inputs: inputs.clone() };
    Ok(Known { work, given, reads: Vec::new(), training: None, root: None, beside: Vec::new() })
}

/// Described once, with the port `rows`: one state must suit every input, so all have the columns that it is fitted on.
fn fit(mut asked: Asked<'_, '_>, steps: &Steps) -> Result<Known, Vec<Problem>> {
    let step = asked.step;
    let fitted = match &step.fit {
        Some(output) => {
            let given = take(steps, step, &["fit"], output, &[Kind::Table]).map_err(|problem| vec![problem])?;
            Some(Taken { output, columns: &given.columns })
        }
        None => None,
    };
    let first = asked.tables.values().next().map(|taken| Taken { ..*taken });
    let Some(first) = first else {
        let message = format!("step `{}` has no inputs, so it makes nothing", step.name);
        let hint = "name the tables to apply it to, such as `inputs = { train = \"parts.train\" }`";
        return Err(vec![Problem::new(message).at(step.place_of_key(&["inputs"])).hinted(hint)]);
    };
    let path: Vec<String> = match &fitted {
        Some(_) => vec!["fit".to_owned()],
        None => {
            ["inputs", asked.tables.keys().next().map_or("", |port| types::Id::as_str(*port))].map(str::to_owned).into()
        }
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let base = fitted.unwrap_or(first);
    let (descriptor, plugin) = asked.describe(&[Port { name: port("rows"), columns: base.columns.to_vec() }])?;
    let mut problems = fit_key(step, &descriptor);
    problems
        .extend(asked.others.iter().zip(&asked.said).filter_map(|(other, said)| fan::reads(other, &descriptor, said)));
    problems.extend(wiring::columns(step, &path, base.output, base.columns, wiring::reads(&descriptor, "rows")));
    for (port, taken) in &asked.tables {
        problems.extend(unlike(step, port, taken, &base));
    }
    stop(problems)?;
    let Some(columns) = wiring::gives(&descriptor, "rows") else {
        return Err(asked.mistake(&descriptor, "names no output `rows`"));
    };
    let table = |output: &OutputRef| Given::table(columns.to_vec(), Rows::Fitted(output.clone()));
    let mut given: BTreeMap<_, _> = step.inputs.iter().map(|(port, output)| (port.clone(), table(output))).collect();
    given.insert(port("state"), Given::other(Kind::State));
    let reads = wiring::reads(&descriptor, "rows").to_vec();
    let names = reads.iter().map(|field| field.name.clone()).collect();
    let work = Work::Fit { plugin, fit: step.fit.clone(), inputs: step.inputs.clone(), reads: names };
    Ok(Known { work, given, reads, training: None, root: None, beside: Vec::new() })
}

/// `fit` is there if and only if the plugin learns; and no input may hide the state.
fn fit_key(step: &Step, descriptor: &Descriptor) -> Vec<Problem> {
    let mut problems = Vec::new();
    if step.inputs.contains_key(&port("state")) {
        let message = format!("step `{}` may not name an input `state`: its learnt state stands there", step.name);
        problems.push(Problem::new(message).at(step.place_of_key(&["inputs", "state"])));
    }
    match (&step.fit, descriptor.learns) {
        (None, true) => {
            let message = format!("step `{}` lacks `fit`: plugin `{}` learns from rows", step.name, descriptor.name);
            let hint = "name the training rows, such as `fit = \"parts.train\"`, never the test rows";
            problems.push(Problem::new(message).at(step.place_of(&[])).hinted(hint));
        }
        (Some(_), false) => {
            let message = format!("step `{}` has `fit`, but plugin `{}` learns nothing", step.name, descriptor.name);
            problems.push(Problem::new(message).at(step.place_of_key(&["fit"])).hinted("remove the key"));
        }
        _ => {}
    }
    problems
}

/// How an input's columns differ from those that the step is fitted on.
fn unlike(step: &Step, port: &PortName, taken: &Taken<'_>, base: &Taken<'_>) -> Vec<Problem> {
    let path = ["inputs", types::Id::as_str(port)];
    if taken.columns.is_empty() || base.columns.is_empty() {
        return Vec::new();
    }
    let mut problems = wiring::columns(step, &path, taken.output, taken.columns, base.columns);
    let extra = taken.columns.iter().filter(|field| base.columns.iter().all(|known| known.name != field.name));
    problems.extend(extra.map(|field| {
        let (from, fitted) = (taken.output, base.output);
        let message = format!(
            "step `{}` takes column `{}` of `{from}`; `{fitted}`, which it is fitted on, has no such column",
            step.name, field.name
        );
        Problem::new(message).at(step.place_of(&path)).hinted("all inputs of a fitted step have the same columns")
    }));
    problems
}

fn evaluate(mut asked: Asked<'_, '_>) -> Result<Known, Vec<Problem>> {
    let (descriptor, plugin) = asked.describe(&asked.ports())?;
    asked.wiring(&descriptor, &[])?;
    let candidate = asked.required("candidate")?;
    let columns = asked.table("candidate").map_or(&[][..], |taken| taken.columns);
    let slices = asked.step.slices.clone();
    let unknown = slices.iter().enumerate().filter(|_| !columns.is_empty());
    let wrong = unknown.flat_map(|(index, slice)| sliced(asked.step, index, slice, &candidate, columns));
    stop(wrong.collect())?;
    let work = Work::Evaluate { plugin, candidate, baseline: asked.optional("baseline"), slices };
    Ok(known(work, [("measures", Given::other(Kind::Measures))]))
}

/// What is wrong with a slice: a column of this very name, or those that it crosses.
fn sliced(step: &Step, index: usize, slice: &str, from: &OutputRef, columns: &[Field]) -> Vec<Problem> {
    if columns.iter().any(|field| field.name == slice) {
        return Vec::new();
    }
    let index = index.to_string();
    let path = ["slices", index.as_str()];
    let crossed: Vec<&str> = slice.split(" x ").collect();
    let mut wrong: Vec<Problem> =
        crossed.iter().filter_map(|name| wiring::column(step, &path, from, columns, name).err()).collect();
    let twice = crossed.iter().enumerate().find(|(at, name)| crossed[..*at].contains(name));
    wrong.extend(twice.map(|(_, name)| {
        let message = format!("step `{}` crosses column `{name}` with itself in the slice `{slice}`", step.name);
        let hint = format!("write `{name}` for its own slices, or cross it with another column");
        Problem::new(message).at(step.place_of(&path)).hinted(hint)
    }));
    wrong
}
