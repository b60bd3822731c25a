//! What a step wants at its ports against what its neighbours give there. Nullability is not compared: whether a null
//! stands in a column is the data's affair, and a validator's.

use crate::deliver;
use manifest::Step;
use types::{Descriptor, Field, Id, OutputRef, Port, PortName, Problem, Role, RowRelation, nearest};

/// Ports that a plugin may name and a manifest may leave unwired. Of a sink's ports one is wired, which is checked there.
fn optional(descriptor: &Descriptor) -> &'static [&'static str] {
    match descriptor.roles.contains(&Role::Sink) {
        true => &deliver::PORTS,
        false => &["validation", "initial", "reference", "baseline"],
    }
}

/// `a`, `b`, `c`; the rest of a long list is counted.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0..=12 => names.join(", "),
        more => format!("{} and {} more", names[..12].join(", "), more - 12),
    }
}

/// "did you mean `x`?", or else what there is.
pub(crate) fn suggestion(word: &str, known: &[&str], there_is: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("{there_is} none"),
        None => format!("{there_is} {}", listed(known.iter().copied())),
    }
}

/// The column of this name among columns that are known; a problem that names both ends if there is none.
pub(crate) fn column<'f>(
    step: &Step,
    path: &[&str],
    from: &OutputRef,
    has: &'f [Field],
    name: &str,
) -> Result<&'f Field, Problem> {
    has.iter().find(|field| field.name == name).ok_or_else(|| {
        let known: Vec<&str> = has.iter().map(|field| field.name.as_str()).collect();
        let message = format!("step `{}` wants column `{name}`; `{from}` has no such column", step.name);
        Problem::new(message).at(step.place_of(path)).hinted(suggestion(name, &known, "it has"))
    })
}

/// The wanted columns that the table lacks or has with another type.
pub(crate) fn columns(step: &Step, path: &[&str], from: &OutputRef, has: &[Field], wants: &[Field]) -> Vec<Problem> {
    if has.is_empty() {
        return Vec::new();
    }
    let check = |want: &Field| match column(step, path, from, has, &want.name) {
        Ok(got) if got.data_type == want.data_type => None,
        Ok(got) => {
            let (name, wanted, got) = (&want.name, want.data_type, got.data_type);
            let message = format!("step `{}` wants column `{name}` as {wanted}; `{from}` gives {got}", step.name);
            Some(Problem::new(message).at(step.place_of(path)))
        }
        Err(problem) => {
            let (name, wanted) = (&want.name, want.data_type);
            let message =
                format!("step `{}` wants column `{name}` as {wanted}; `{from}` has no such column", step.name);
            Some(Problem { message, ..problem })
        }
    };
    wants.iter().filter_map(check).collect()
}

/// Ports that the manifest wires and the step has not, and ports that it needs and are not wired.
pub(crate) fn ports(step: &Step, what: &str, known: &[&str], required: &[&str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for port in step.inputs.keys().filter(|port| !known.contains(&port.as_str())) {
        let message = format!("step `{}` has no port `{port}`: {what}", step.name);
        let hint = match known.is_empty() {
            true => "remove the input".to_owned(),
            false => suggestion(port.as_str(), known, "its ports are"),
        };
        problems.push(Problem::new(message).at(step.place_of_key(&["inputs", port.as_str()])).hinted(hint));
    }
    for port in required.iter().filter(|port| !step.inputs.keys().any(|wired| wired.as_str() == **port)) {
        let message = format!("step `{}` lacks its input `{port}`: {what}", step.name);
        let hint = format!("add `inputs = {{ {port} = \"step.port\" }}`");
        problems.push(Problem::new(message).at(step.place_of_key(&["inputs"])).hinted(hint));
    }
    problems
}

/// The manifest's ports against those that the descriptor names, without ports that the host makes up (`features`).
pub(crate) fn described_ports(step: &Step, descriptor: &Descriptor, made_up: &[&str]) -> Vec<Problem> {
    let named: Vec<&str> = descriptor.inputs.iter().map(|port| port.name.as_str()).collect();
    let known: Vec<&str> = named.into_iter().filter(|name| !made_up.contains(name)).collect();
    let required: Vec<&str> = known.iter().copied().filter(|name| !optional(descriptor).contains(name)).collect();
    let what = match known.is_empty() {
        true => format!("plugin `{}` takes no inputs", descriptor.name),
        false => format!("plugin `{}` takes {}", descriptor.name, listed(known.iter().copied())),
    };
    ports(step, &what, &known, &required)
}

/// The columns that the descriptor reads at a port.
pub(crate) fn reads<'d>(descriptor: &'d Descriptor, port: &str) -> &'d [Field] {
    descriptor.inputs.iter().find(|input| input.name.as_str() == port).map_or(&[], |input| &input.columns)
}

/// The columns of a described output.
pub(crate) fn gives<'d>(descriptor: &'d Descriptor, port: &str) -> Option<&'d [Field]> {
    descriptor.outputs.iter().find(|output| output.name.as_str() == port).map(|output| &output.columns[..])
}

/// What a plugin says of itself that cannot be: it is the plugin's mistake, whatever the manifest says.
pub(crate) fn contradictions(step: &Step, descriptor: &Descriptor, ports: &[Port]) -> Vec<Problem> {
    let mut wrong = Vec::new();
    let inputs = descriptor.inputs.iter().map(|input| ("input", &input.name, &input.columns));
    let outputs = descriptor.outputs.iter().map(|output| ("output", &output.name, &output.columns));
    let mut seen = std::collections::BTreeSet::new();
    for (side, name, columns) in inputs.chain(outputs) {
        if !seen.insert((side, name)) {
            wrong.push(format!("names its {side} `{name}` twice"));
        }
        let mut names = std::collections::BTreeSet::new();
        if let Some(twice) = columns.iter().find(|field| !names.insert(&field.name)) {
            wrong.push(format!("names column `{}` twice at its {side} `{name}`", twice.name));
        }
    }
    for output in &descriptor.outputs {
        wrong.extend(impossible_rows(output, descriptor, ports));
    }
    let place = step.place_of(&["plugin"]);
    let problem = |what| Problem::new(format!("plugin `{}` contradicts itself: it {what}", descriptor.name));
    wrong.into_iter().map(|what: String| problem(what).at(place.clone()).hinted("mend its `describe`")).collect()
}

fn impossible_rows(output: &types::Output, descriptor: &Descriptor, ports: &[Port]) -> Option<String> {
    let of = |ports: &[Port], name: &PortName| ports.iter().find(|port| port.name == *name).cloned();
    let (name, source) = match &output.rows {
        RowRelation::Other => return None,
        RowRelation::Same(source) | RowRelation::Subset(source) => (&output.name, source),
    };
    let Some(port) = of(ports, source) else {
        // An input that it names and that is not wired is the manifest's mistake, and told as such.
        if of(&descriptor.inputs, source).is_some() {
            return None;
        }
        return Some(format!("makes `{name}` of the rows of `{source}`, which is none of its inputs"));
    };
    let known = !port.columns.is_empty() && !output.columns.is_empty();
    if known && matches!(output.rows, RowRelation::Subset(_)) && !same_columns(&port.columns, &output.columns) {
        return Some(format!("gives `{name}` as some rows of `{source}`, but with other columns"));
    }
    None
}

/// Equal names and types, in any order.
pub(crate) fn same_columns(left: &[Field], right: &[Field]) -> bool {
    let like = |field: &Field| right.iter().any(|other| other.name == field.name && other.data_type == field.data_type);
    left.len() == right.len() && left.iter().all(like)
}
