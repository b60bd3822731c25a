//! `round` and `trunc` to any number of digits. The engine's multiply by a power of ten and divide by it again, which leaves nothing of a
//! float where the power, or the product, has none.

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type, Int64Type};
use datafusion::common::types::{NativeType, logical_int64};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, Signature, TypeSignature,
    TypeSignatureClass,
};
use std::sync::Arc;

/// More digits than any number has, on either side of its point.
const DIGITS_MAX: i64 = 400;

/// What the engine's takes, with as many digits as a whole number counts: its `round` takes 32 bits of them.
pub(crate) fn signature(engines: &Signature) -> Signature {
    let digits = Coercion::new_implicit(
        TypeSignatureClass::Native(logical_int64()),
        vec![TypeSignatureClass::Integer],
        NativeType::Int64,
    );
    let wide = |form: &TypeSignature| match form {
        TypeSignature::Coercible(taken) if taken.len() == 2 => {
            TypeSignature::Coercible(vec![taken[0].clone(), digits.clone()])
        }
        other => other.clone(),
    };
    match &engines.type_signature {
        TypeSignature::OneOf(forms) => Signature::one_of(forms.iter().map(wide).collect(), engines.volatility),
        _ => engines.clone(),
    }
}

/// What the engine's gives; digits that the text has are those that it computes with.
pub(crate) fn field(engine: &ScalarUDF, args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let digits = match args.scalar_arguments.get(1) {
        Some(Some(ScalarValue::Int64(Some(count)))) => Some(ScalarValue::Int64(Some(clamped(*count)))),
        _ => None,
    };
    let written: Vec<Option<&ScalarValue>> = match &digits {
        Some(digits) => vec![args.scalar_arguments[0], Some(digits)],
        None => args.scalar_arguments.to_vec(),
    };
    engine.inner().return_field_from_args(ReturnFieldArgs { arg_fields: args.arg_fields, scalar_arguments: &written })
}

pub(crate) fn rounded(engine: &ScalarUDF, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    if args.args.iter().any(|given| given.data_type() == DataType::Null) {
        return ColumnarValue::Scalar(ScalarValue::Null).cast_to(args.return_type(), None);
    }
    let rows = args.number_rows.max(1);
    let [value, digits] = &mut args.args[..] else { return engine.invoke_with_args(args) };
    let value = value.clone();
    *digits = within(digits, rows)?;
    let counted = digits.clone();
    if engine.name() == "round" {
        *digits = digits.cast_to(&DataType::Int32, None)?;
    }
    let made = engine.invoke_with_args(args)?;
    match made.data_type() {
        DataType::Float32 => whole::<Float32Type>(made, &value, &counted, rows),
        DataType::Float64 => whole::<Float64Type>(made, &value, &counted, rows),
        _ => Ok(made),
    }
}

fn clamped(count: i64) -> i64 {
    count.clamp(-DIGITS_MAX, DIGITS_MAX)
}

/// As many digits as numbers have at most.
fn within(digits: &ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    let within = whole_numbers(digits, rows)?.unary::<_, Int64Type>(clamped);
    as_given(digits, Arc::new(within))
}

fn whole_numbers(digits: &ColumnarValue, rows: usize) -> Result<PrimitiveArray<Int64Type>> {
    let counted = cast(&digits.to_array(rows)?, &DataType::Int64)?;
    Ok(counted.as_primitive::<Int64Type>().clone())
}

/// A float that the engine made nothing of, or too much: with that many digits after its point it is itself, and before it 0.
fn whole<T: ArrowPrimitiveType>(
    made: ColumnarValue,
    value: &ColumnarValue,
    digits: &ColumnarValue,
    rows: usize,
) -> Result<ColumnarValue>
where
    T::Native: Into<f64> + Default,
{
    let array = made.to_array(rows)?;
    let array = array.as_primitive::<T>();
    let wide = |number: T::Native| -> f64 { number.into() };
    if array.values().iter().all(|number| wide(*number).is_finite()) {
        return Ok(made);
    }
    let value = cast(&value.to_array(rows)?, &T::DATA_TYPE)?;
    let (value, digits) = (value.as_primitive::<T>(), whole_numbers(digits, rows)?);
    let number = |row: usize| match (array.value(row), value.value(row)) {
        (made, _) if wide(made).is_finite() => made,
        (_, value) if digits.value(row) > 0 => value,
        (made, value) if wide(made).is_nan() && wide(value).is_finite() => T::Native::default(),
        (made, _) => made,
    };
    let numbers = (0..array.len()).map(|row| array.is_valid(row).then(|| number(row)));
    as_given(&made, Arc::new(numbers.collect::<PrimitiveArray<T>>()))
}

/// One value, if it was one.
pub(crate) fn as_given(given: &ColumnarValue, array: ArrayRef) -> Result<ColumnarValue> {
    match given {
        ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)),
        ColumnarValue::Array(_) => Ok(ColumnarValue::Array(array)),
    }
}
