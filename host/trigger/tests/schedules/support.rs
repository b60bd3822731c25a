//! Schedules, written short.

use trigger::{Draft, Expression, Moment, Schedule, Whose, Zone};
use types::{Id, PipelineName, TenantId};

pub(crate) fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap_or_else(|| panic!("there is no zone {name}"))
}

pub(crate) fn schedule(cron: &str, zone_name: &str, draft: Draft) -> Schedule {
    let draft = Draft { zone: Some(zone(zone_name)), ..draft };
    Schedule::new(Expression::parse(cron).unwrap(), draft).unwrap()
}

/// The microsecond at which a moment begins in UTC.
pub(crate) fn at(text: &str) -> i64 {
    Moment::parse(text).unwrap().begins_us(Zone::UTC)
}

pub(crate) fn with_whose<T>(then: impl FnOnce(Whose<'_>) -> T) -> T {
    let pipeline = PipelineName::parse("train").unwrap();
    then(Whose { tenant: &TenantId::default_tenant(), pipeline: &pipeline })
}
