//! One field of a cron expression -> the values that it matches, a bit each; or what is wrong with it, by its name.

use crate::expression::shown;
use types::Problem;

/// A field: what it is called and may hold.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    low: u8,
    /// The most that may be written.
    high: u8,
    /// The most that `*` means; a Sunday may be written 7 and is counted as 0.
    star: u8,
    /// Of the values from `low` on.
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// In the order in which they are written.
pub(crate) const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, star: 59, names: &[] },
    Field { name: "hour", low: 0, high: 23, star: 23, names: &[] },
    Field { name: "day of the month", low: 1, high: 31, star: 31, names: &[] },
    Field { name: "month", low: 1, high: 12, star: 12, names: &MONTHS },
    Field { name: "day of the week", low: 0, high: 7, star: 6, names: &WEEKDAYS },
];

/// Numbers below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Values(u64);

impl Values {
    pub(crate) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |value| self.0 >> value & 1 == 1)
    }
}

impl Field {
    /// What `*` means.
    pub(crate) fn all(&self) -> Values {
        Values((self.low..=self.star).fold(0, |bits, value| bits | 1 << value))
    }

    /// The values of a list such as `1,5-9,*/10`.
    pub(crate) fn read(&self, text: &str) -> Result<Values, Problem> {
        let mut bits = 0;
        for item in text.split(',') {
            bits |= self.item(item, text)?;
        }
        // Sunday, written as 7.
        if self.high > self.star && bits >> self.high & 1 == 1 {
            bits = bits & !(1 << self.high) | 1;
        }
        Ok(Values(bits))
    }

    /// `*`, `a`, `a-b`, and the first and last of them with `/step`.
    fn item(&self, item: &str, whole: &str) -> Result<u64, Problem> {
        if item.is_empty() {
            return Err(self.wrong(whole, "expected a value on both sides of each comma"));
        }
        let (span, step) = match item.split_once('/') {
            Some((span, step)) => (span, self.step(item, step)?),
            None => (item, 1),
        };
        let (from, to) = match span.split_once('-') {
            _ if span == "*" => (self.low, self.star),
            Some((from, to)) => self.range(item, from, to)?,
            None => {
                let value = self.value(item, span)?;
                if step != 1 || item.contains('/') {
                    let hint = format!("write where it ends: `{value}-{}/{step}`", self.star);
                    return Err(self.wrong(item, "a step follows `*` or a range").hinted(hint));
                }
                (value, value)
            }
        };
        Ok((from..=to).step_by(step.into()).fold(0, |bits, value| bits | 1 << value))
    }

    fn range(&self, item: &str, from: &str, to: &str) -> Result<(u8, u8), Problem> {
        let (from, to) = (self.value(item, from)?, self.value(item, to)?);
        // `sat-sun`: the week's end is its last day here.
        let to = if to == 0 && from > 0 && self.high > self.star { self.high } else { to };
        if from > to {
            let hint = format!("write it as two: `{from}-{},{}-{to}`", self.star, self.low);
            return Err(self.wrong(item, "expected a range from low to high").hinted(hint));
        }
        Ok((from, to))
    }

    fn step(&self, item: &str, text: &str) -> Result<u8, Problem> {
        let most = self.star - self.low;
        let step = number(text).filter(|step| (1..=most).contains(step));
        step.ok_or_else(|| self.wrong(item, &format!("expected a step of 1 to {most}")))
    }

    fn value(&self, item: &str, text: &str) -> Result<u8, Problem> {
        let named = || self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = number(text).or_else(|| Some(self.low + u8::try_from(named()?).ok()?));
        value.filter(|value| (self.low..=self.high).contains(value)).ok_or_else(|| self.no_value(item))
    }

    fn no_value(&self, item: &str) -> Problem {
        let numbers = format!("expected {} to {}", self.low, self.high);
        let problem = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => self.wrong(item, &format!("{numbers} or {first} to {last}")),
            _ => self.wrong(item, &numbers),
        };
        match foreign(item) {
            Some(hint) => problem.hinted(hint),
            None => problem,
        }
    }

    fn wrong(&self, got: &str, expected: &str) -> Problem {
        Problem::new(format!("the {} is `{}`, {expected}", self.name, shown(got)))
    }
}

/// Up to two digits; a third could not be in range.
fn number(text: &str) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// What other schedulers allow here and cron does not.
fn foreign(item: &str) -> Option<&'static str> {
    let has = |mark: char| item.chars().any(|c| c.eq_ignore_ascii_case(&mark));
    match item {
        _ if has('?') => Some("`?` is not part of cron: write `*`"),
        _ if has('#') => Some("`#`, the nth weekday of a month, is not part of cron: run weekly and let a step decide"),
        _ if has('L') && item.len() <= 4 => {
            Some("`L`, the last day, is not part of cron: run on day 1 for the month before")
        }
        _ if has('W') && item.len() <= 4 => Some("`W`, the nearest working day, is not part of cron: write days 1-5"),
        _ => None,
    }
}
