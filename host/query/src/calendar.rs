//! `date_trunc`, `date_bin` and `date_part` of instants of any year, and of all time between them. The engine's first two count nanoseconds,
//! which there are from 1678 to 2261: beyond them its `date_trunc` fails, and its `date_bin` answers null. Its `date_part` counts the time
//! between instants in 32 bits: beyond 68 years it answers null, beyond two seconds it leaves the fraction out, and its
//! milliseconds begin anew after 24 days.

use crate::rounding::as_given;
use chrono::Datelike;
use datafusion::arrow::array::{Array, AsArray, PrimitiveArray};
use datafusion::arrow::compute::kernels::cast_utils::IntervalUnit;
use datafusion::arrow::compute::{cast, try_binary, try_unary};
use datafusion::arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalUnit as Interval, TimeUnit, TimestampMicrosecondType as Micros,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, Signature, TypeSignature};
use std::sync::Arc;

const DAY_US: i128 = 86_400_000_000;
/// 400 years: the calendar repeats, its weekdays too.
const ROUND_US: i128 = 146_097 * DAY_US;
/// 1800-01-01. The engine counts all of a round from here.
const ROUND_BEGINS_US: i128 = -62_091 * DAY_US;
const COUNTED_US: std::ops::RangeInclusive<i64> = -9_214_560_000_000_000..=9_214_646_400_000_000;

/// By the engine, of the same place in a round that it counts.
pub(crate) fn truncated(engine: &ScalarUDF, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let given = args.args[1].clone();
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = given.data_type() else {
        return engine.invoke_with_args(args);
    };
    let rows = args.number_rows.max(1);
    let instants = given.to_array(rows)?;
    let instants = instants.as_primitive::<Micros>();
    // The engine cuts these towards 1970.
    if let Some(width) = width_of_unit(&args.args[0]) {
        let cut: PrimitiveArray<Micros> =
            try_unary(instants, |instant| counted(i128::from(instant).div_euclid(width) * width))?;
        return as_given(&given, Arc::new(cut.with_data_type(given.data_type())));
    }
    if instants.iter().flatten().all(|instant| COUNTED_US.contains(&instant)) {
        return engine.invoke_with_args(args);
    }
    let is_utc = |zone: &str| ["UTC", "Etc/UTC", "Z", "GMT"].iter().any(|name| name.eq_ignore_ascii_case(zone));
    if let Some(zone) = zone.filter(|zone| !is_utc(zone) && !zone.starts_with(['+', '-'])) {
        return exec_err!("`date_trunc` at the time zone {zone} takes instants from 1678 to 2261; in UTC it takes any");
    }
    let alike = instants.unary::<_, Micros>(alike).with_data_type(given.data_type());
    args.args[1] = as_given(&given, Arc::new(alike))?;
    let made = engine.invoke_with_args(args)?.to_array(rows)?;
    let back =
        |made: i64, instant: i64| counted(i128::from(made) + i128::from(instant) - i128::from(self::alike(instant)));
    let back: PrimitiveArray<Micros> = try_binary(made.as_primitive::<Micros>(), instants, back)?;
    as_given(&given, Arc::new(back.with_data_type(given.data_type())))
}

/// In microseconds, of what is no more than a second.
fn width_of_unit(unit: &ColumnarValue) -> Option<i128> {
    let ColumnarValue::Scalar(unit) = unit else { return None };
    match unit.try_as_str()??.to_lowercase().as_str() {
        "second" => Some(1_000_000),
        "millisecond" => Some(1000),
        "microsecond" => Some(1),
        _ => None,
    }
}

fn alike(instant: i64) -> i64 {
    if COUNTED_US.contains(&instant) {
        return instant;
    }
    (ROUND_BEGINS_US + (i128::from(instant) - ROUND_BEGINS_US).rem_euclid(ROUND_US)) as i64
}

/// By the engine, but for the seconds between instants; what it answers null though there was a value is an error.
pub(crate) fn part(engine: &ScalarUDF, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let given = args.args[1].clone();
    let rows = args.number_rows.max(1);
    if let (DataType::Duration(unit), DataType::Float64) = (given.data_type(), args.return_type()) {
        let (counted, each) = (cast(&given.to_array(rows)?, &DataType::Int64)?, a_second(unit));
        // Apart, so that it is rounded once.
        let seconds = |count: i64| count.div_euclid(each) as f64 + count.rem_euclid(each) as f64 / each as f64;
        let seconds = counted.as_primitive::<Int64Type>().unary::<_, Float64Type>(seconds);
        return as_given(&given, Arc::new(seconds));
    }
    if let (DataType::Duration(unit), Some(parts)) = (given.data_type(), parts_a_second(&args.args[0])) {
        let (counted, each) = (cast(&given.to_array(rows)?, &DataType::Int64)?, i128::from(a_second(unit)));
        let is_beyond = |count: i64| i32::try_from(i128::from(count) * parts / each).is_err();
        if counted.as_primitive::<Int64Type>().iter().flatten().any(is_beyond) {
            return beyond_parts();
        }
    }
    let made = engine.invoke_with_args(args)?;
    match nulls(&made) > nulls(&given) {
        true => beyond_parts(),
        false => Ok(made),
    }
}

/// Of a part that the engine counts in 32 bits, by any of the names that it knows it by.
fn parts_a_second(part: &ColumnarValue) -> Option<i128> {
    let ColumnarValue::Scalar(part) = part else { return None };
    match part.try_as_str()??.trim_matches(['\'', '"']).parse() {
        Ok(IntervalUnit::Second) => Some(1),
        Ok(IntervalUnit::Millisecond) => Some(1000),
        Ok(IntervalUnit::Microsecond) => Some(1_000_000),
        _ => None,
    }
}

fn beyond_parts() -> Result<ColumnarValue> {
    exec_err!("a part of a time is beyond what is counted of it; between instants ask for `epoch`")
}

fn a_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn nulls(values: &ColumnarValue) -> usize {
    match values {
        ColumnarValue::Array(array) => array.logical_null_count(),
        ColumnarValue::Scalar(value) => usize::from(value.is_null()),
    }
}

/// What the engine's takes, with every instant in microseconds: it takes an origin in nanoseconds alone.
pub(crate) fn signature_of_bins(engines: &Signature) -> Signature {
    let micros = |taken: &DataType| match taken {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        other => other.clone(),
    };
    let form = |form: &TypeSignature| match form {
        TypeSignature::Exact(taken) => TypeSignature::Exact(taken.iter().map(micros).collect()),
        other => other.clone(),
    };
    match &engines.type_signature {
        TypeSignature::OneOf(forms) => Signature::one_of(forms.iter().map(form).collect(), engines.volatility),
        _ => engines.clone(),
    }
}

/// How wide the bins are.
#[derive(Clone, Copy)]
enum Width {
    Months(i64),
    Nanoseconds(i128),
}

/// By ourselves; times of day by the engine.
pub(crate) fn binned(engine: &ScalarUDF, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [width, given, origin @ ..] = &args.args[..] else { return engine.invoke_with_args(args) };
    if !matches!(given.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _)) {
        return engine.invoke_with_args(args);
    }
    let (Some(width), Some(origin)) = (width_of(width)?, origin_of(origin)?) else {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from(given.data_type())?));
    };
    let instants = given.to_array(args.number_rows.max(1))?;
    let bin = |instant: i64| match width {
        Width::Months(months) => bin_of_months(instant, origin, months).ok_or_else(beyond),
        Width::Nanoseconds(ns) => {
            let since = (i128::from(instant) - i128::from(origin)) * 1000;
            counted(i128::from(origin) + (since.div_euclid(ns) * ns).div_euclid(1000))
        }
    };
    let bins: PrimitiveArray<Micros> = try_unary(instants.as_primitive::<Micros>(), bin)?;
    as_given(given, Arc::new(bins.with_data_type(given.data_type())))
}

/// None of a null.
fn width_of(given: &ColumnarValue) -> Result<Option<Width>> {
    let ColumnarValue::Scalar(width) = given else { return exec_err!("`date_bin` takes one interval for all rows") };
    let ScalarValue::IntervalMonthDayNano(width) = width.cast_to(&DataType::Interval(Interval::MonthDayNano))? else {
        return exec_err!("`date_bin` takes an interval");
    };
    let Some(width) = width else { return Ok(None) };
    let ns = i128::from(width.days) * DAY_US * 1000 + i128::from(width.nanoseconds);
    match (width.months, ns) {
        (0, 1..) => Ok(Some(Width::Nanoseconds(ns))),
        (1.., 0) => Ok(Some(Width::Months(i64::from(width.months)))),
        (0, _) | (_, 0) => exec_err!("`date_bin` takes an interval greater than zero"),
        _ => exec_err!("`date_bin` takes an interval of months, or of days and times, not of both"),
    }
}

/// 1970-01-01 where a text names none, none of a null.
fn origin_of(given: &[ColumnarValue]) -> Result<Option<i64>> {
    match given {
        [] => Ok(Some(0)),
        [ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(origin, _))] => Ok(*origin),
        _ => exec_err!("`date_bin` takes one origin for all rows"),
    }
}

/// None where the calendar ends.
fn bin_of_months(instant: i64, origin: i64, width: i64) -> Option<i64> {
    let at = |instant: i64| chrono::DateTime::from_timestamp_micros(instant);
    let (instant, origin) = (at(instant)?, at(origin)?);
    let month = |at: chrono::DateTime<chrono::Utc>| i64::from(at.year()) * 12 + i64::from(at.month0());
    let after = |months: i64| {
        let by = chrono::Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        if months < 0 { origin.checked_sub_months(by) } else { origin.checked_add_months(by) }
    };
    let months = (month(instant) - month(origin)).div_euclid(width) * width;
    let bin = after(months)?;
    // An origin may be later in its month.
    let bin = if bin > instant { after(months - width)? } else { bin };
    Some(bin.timestamp_micros())
}

fn counted(instant: i128) -> std::result::Result<i64, ArrowError> {
    i64::try_from(instant).map_err(|_| beyond())
}

fn beyond() -> ArrowError {
    ArrowError::ComputeError("an instant lies beyond those that there are".to_owned())
}
