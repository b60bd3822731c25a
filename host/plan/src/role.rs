//! What a component exports -> the one role that its step plays, and the keys that go with it.

use manifest::Step;
use types::{Descriptor, Problem, Role};

/// The role. A component may export one; a trainer comes with its predictor, and the two count as one.
pub(crate) fn of(step: &Step, descriptor: &Descriptor) -> Result<Role, Problem> {
    let mut roles: Vec<Role> = descriptor.roles.iter().copied().filter(|role| *role != Role::Predictor).collect();
    roles.sort_unstable();
    roles.dedup();
    let predicts = descriptor.roles.contains(&Role::Predictor);
    let plugin = &descriptor.name;
    let (message, hint) = match (&roles[..], predicts) {
        ([Role::Trainer], false) => (
            format!("plugin `{plugin}` trains, but exports no predictor that could use what it learnt"),
            "export `predictor` beside `trainer`",
        ),
        ([role], _) if *role == Role::Trainer || !predicts => return Ok(*role),
        ([], false) => (format!("plugin `{plugin}` exports no role, so it can do no step"), "export one role"),
        ([], true) => (
            format!("plugin `{plugin}` only predicts, and no step trains its model"),
            "export `trainer` beside `predictor`; predictions are made by `builtin = \"predict\"`",
        ),
        (roles, predicts) => {
            let predictor = predicts.then_some("predictor");
            let names = crate::wiring::listed(roles.iter().map(|role| role.interface()).chain(predictor));
            (
                format!("plugin `{plugin}` exports {names}, so it is not clear what step `{}` does", step.name),
                "make a component of each role; only a trainer and its predictor belong together",
            )
        }
    };
    Err(Problem::new(message).at(step.place_of(&["plugin"])).hinted(hint))
}

/// Keys of the step that its role does not read.
pub(crate) fn keys(step: &Step, role: Role, descriptor: &Descriptor) -> Vec<Problem> {
    let owners = [
        ("fit", Role::Fitted),
        ("label", Role::Trainer),
        ("weight", Role::Trainer),
        ("features", Role::Trainer),
        ("ignore", Role::Trainer),
        ("slices", Role::Evaluator),
    ];
    let foreign = owners.into_iter().filter(|(key, owner)| step.places.contains(&[key]) && *owner != role);
    let problem = |(key, owner): (&str, Role)| {
        let message = format!("step `{}`: `{key}` is for {}", step.name, plural(owner));
        let hint = format!("plugin `{}` is {}; remove the key", descriptor.name, singular(role));
        Problem::new(message).at(step.place_of_key(&[key])).hinted(hint)
    };
    foreign.map(problem).collect()
}

/// For people.
pub(crate) fn singular(role: Role) -> &'static str {
    match role {
        Role::Collector => "a collector",
        Role::Validator => "a validator",
        Role::Transformer => "a transformer",
        Role::Fitted => "a fitted transformer",
        Role::Trainer => "a trainer",
        Role::Predictor => "a predictor",
        Role::Evaluator => "an evaluator",
        Role::Sink => "a sink",
    }
}

fn plural(role: Role) -> String {
    singular(role).split_once(' ').map_or(String::new(), |(_, noun)| format!("{noun}s"))
}
