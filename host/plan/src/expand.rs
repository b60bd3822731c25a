//! temporary
use crate::{Each, Plan};
use types::{Item, StepName};

pub fn expand(plan: &Plan, _items: &dyn Fn(&StepName) -> Option<Vec<Item>>) -> Plan {
    plan.clone()
}

pub fn static_items(_each: &Each) -> Option<Vec<Item>> {
    None
}
