//! A plan under a tenant's policy.

use crate::fake;
use types::{Grants, LimitsPatch, Policy};

const STEPS: &str = r#"
[limits]
wall = "2 h"
[steps.source]
plugin = "csv"
params = { columns = "a:float64" }
grants = { files = ["data", "/srv"], clock = true, http = ["GET https://a.example/"] }
limits = { memory = "8 GiB", handles = 10 }
"#;

fn bounded(policy: &Policy) -> (plan::Plan, Result<plan::Bounded, Vec<String>>) {
    let mut plan = fake::build(STEPS).unwrap();
    let bounded = plan::bound(&mut plan, &fake::project(STEPS), policy);
    (plan, bounded.map_err(|problems| problems.iter().map(fake::line).collect()))
}

#[test]
fn what_is_asked_for_above_a_cap_is_a_problem() {
    let limits = LimitsPatch {
        memory_bytes: Some(4 << 30),
        wall_ms: Some(3_600_000),
        handles: Some(10),
        ..LimitsPatch::default()
    };
    let (_, bounded) = bounded(&Policy { limits, ..Policy::default() });
    let hint = "ask for less, or ask whoever runs this installation to raise the cap";
    assert_eq!(
        bounded.unwrap_err(),
        [
            format!("4:8: step `source`: limit `wall` is 2 h, the tenant's policy allows at most 1 h; {hint}"),
            format!("8:21: step `source`: limit `memory` is 8 GiB, the tenant's policy allows at most 4 GiB; {hint}"),
        ]
    );
}

#[test]
fn a_default_is_lowered_and_told() {
    let limits = LimitsPatch { output_bytes: Some(1 << 30), handles: Some(10), ..LimitsPatch::default() };
    let (plan, bounded) = bounded(&Policy { limits, ..Policy::default() });
    assert_eq!(bounded.unwrap().lowered, ["output 1 GiB"]);
    assert_eq!(plan.steps[0].limits.output_bytes, 1 << 30);
}

#[test]
fn a_grant_beyond_the_policy_is_a_warning_with_its_line() {
    let (plan, bounded) = bounded(&Policy::default());
    assert_eq!(plan, fake::build(STEPS).unwrap(), "no cap, no change");
    let warnings: Vec<_> = bounded.unwrap().warnings.iter().map(fake::line).collect();
    let says = "7:10: step `source` grants what the tenant's policy does not allow, and will be denied it; ask whoever runs \
                this installation: stepwell tenant policy NAME --allow";
    let lines = ["files = [\"/srv\"]", "http = [\"GET https://a.example/\"]"].map(|line| format!("{says} '{line}'"));
    assert_eq!(warnings, lines);
    let trusting = Policy { grants: Grants::everything(), ..Policy::default() };
    assert!(self::bounded(&trusting).1.unwrap().warnings.is_empty());
}
