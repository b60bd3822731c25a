//! Intervals by their length: the engine compares months, days and the rest one after the other, so that 60 days were less than 2 months
//! and 48 hours less than a day. As PostgreSQL has it, a month has 30 days and a day 24 hours.

use datafusion::arrow::array::{AsArray, Decimal128Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::{Arc, LazyLock};

const DAY_NS: i128 = 86_400_000_000_000;
const MONTH_DAYS: i128 = 30;
/// Of all decimal places none; 2^31 months are 25 digits.
const LENGTH: DataType = DataType::Decimal128(38, 0);

/// The length of an interval, for a comparison.
pub(crate) fn length(interval: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let taken = vec![DataType::Interval(IntervalUnit::MonthDayNano)];
        Arc::new(ScalarUDF::new_from_impl(Length { signature: Signature::exact(taken, Volatility::Immutable) }))
    });
    FUNCTION.call(vec![interval])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    signature: Signature,
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "length of an interval"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(LENGTH)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = &args.args[0];
        let intervals = given.to_array(args.number_rows.max(1))?;
        let lengths: Decimal128Array =
            intervals.as_primitive::<IntervalMonthDayNanoType>().unary::<_, Decimal128Type>(|it| {
                (i128::from(it.months) * MONTH_DAYS + i128::from(it.days)) * DAY_NS + i128::from(it.nanoseconds)
            });
        crate::rounding::as_given(given, Arc::new(lengths.with_precision_and_scale(38, 0)?))
    }
}
