//! `round` and `trunc` to any number of digits. The engine's multiply by a power of ten and divide by it again, which leaves nothing of a
//! float where the power, or the product, has none.

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::sync::Arc;

/// More digits than any number has, on either side of its point.
const DIGITS_MAX: i64 = 400;

/// The engine's function of this name, mended; any other as it is.
pub(crate) fn mended(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match function.name() {
        "round" | "trunc" => Arc::new(ScalarUDF::new_from_impl(Rounding(function))),
        _ => function,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounding(Arc<ScalarUDF>);

impl ScalarUDFImpl for Rounding {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn is_strict(&self) -> bool {
        self.0.is_strict()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.0.inner().return_field_from_args(args)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.0.inner().output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows.max(1);
        let [value, digits] = &mut args.args[..] else { return self.0.invoke_with_args(args) };
        let value = value.clone();
        if digits.data_type() == DataType::Int64 {
            *digits = within(digits, rows)?;
        }
        let digits = digits.clone();
        let made = self.0.invoke_with_args(args)?;
        match made.data_type() {
            DataType::Float32 => whole::<Float32Type>(made, &value, &digits, rows),
            DataType::Float64 => whole::<Float64Type>(made, &value, &digits, rows),
            _ => Ok(made),
        }
    }
}

/// As many digits as numbers have at most: the engine counts them in 32 bits.
fn within(digits: &ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    let within = whole_numbers(digits, rows)?.unary::<_, Int64Type>(|count| count.clamp(-DIGITS_MAX, DIGITS_MAX));
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
fn as_given(given: &ColumnarValue, array: ArrayRef) -> Result<ColumnarValue> {
    match given {
        ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)),
        ColumnarValue::Array(_) => Ok(ColumnarValue::Array(array)),
    }
}
