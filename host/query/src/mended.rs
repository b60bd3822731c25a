//! The engine's functions that a query is given otherwise: what they take and give is the engine's, how they compute it is told where the
//! mend is.

use crate::{calendar, rounding};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::sync::Arc;

/// The engine's function of this name, mended; any other as it is.
pub(crate) fn mended(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let (mend, signature) = match function.name() {
        "round" | "trunc" => (Mend::Digits, rounding::signature(function.signature())),
        "date_trunc" => (Mend::Truncation, function.signature().clone()),
        "date_part" => (Mend::Parts, function.signature().clone()),
        "date_bin" => (Mend::Bins, calendar::signature_of_bins(function.signature())),
        _ => return function,
    };
    Arc::new(ScalarUDF::new_from_impl(Mended { function, mend, signature }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mend {
    Digits,
    Truncation,
    Bins,
    Parts,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Mended {
    /// The engine's.
    function: Arc<ScalarUDF>,
    mend: Mend,
    signature: Signature,
}

impl ScalarUDFImpl for Mended {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        self.function.is_strict()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.function.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match self.mend {
            Mend::Digits => rounding::field(&self.function, &args),
            Mend::Truncation | Mend::Bins | Mend::Parts => self.function.inner().return_field_from_args(args),
        }
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.function.inner().preimage(args, literal, info)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.function.inner().output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match self.mend {
            Mend::Digits => rounding::rounded(&self.function, args),
            Mend::Truncation => calendar::truncated(&self.function, args),
            Mend::Bins => calendar::binned(&self.function, args),
            Mend::Parts => calendar::part(&self.function, args),
        }
    }
}
