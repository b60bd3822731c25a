//! `stepwell:tensor/tensors`: every operation once.

use super::Calls;
use stepwell::tensor::{
    Binary, Comparison, Convolution, ElementType, Pooling, Reduction, Unary, Window, from_safetensors, to_safetensors,
};
use stepwell::{Result, Table, Tensor};

const UNARY: [Unary; 22] = [
    Unary::Neg,
    Unary::Abs,
    Unary::Exp,
    Unary::Log,
    Unary::Sqrt,
    Unary::Square,
    Unary::Recip,
    Unary::Tanh,
    Unary::Sigmoid,
    Unary::Relu,
    Unary::Gelu,
    Unary::Sin,
    Unary::Cos,
    Unary::Sign,
    Unary::Floor,
    Unary::Round,
    Unary::Expm1,
    Unary::Log1p,
    Unary::Erf,
    Unary::GeluTanh,
    Unary::Silu,
    Unary::Softplus,
];
const BINARY: [Binary; 7] =
    [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Maximum, Binary::Minimum, Binary::Pow];
const COMPARISON: [Comparison; 6] =
    [Comparison::Eq, Comparison::Ne, Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge];
const REDUCTION: [Reduction; 6] =
    [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::Variance, Reduction::LogSumExp];

pub(super) fn call(calls: &mut Calls, rows: &Table) -> Result<()> {
    let square = Tensor::from_f64(&[1.0, 2.0, 3.0, 5.0])?.reshape(&[2, 2])?;
    made(calls, rows);
    read(calls, &square)?;
    elements(calls, &square)?;
    products(calls, &square)?;
    along(calls, &square);
    shaped(calls, &square)?;
    picked(calls, &square)
}

fn made(calls: &mut Calls, rows: &Table) {
    let float = ElementType::Float64;
    calls.tensor("from-table", Tensor::from_table(rows, &["value".to_owned()], float));
    calls.tensor("full", Tensor::full(&[1, 2], ElementType::Float32, 0.5));
    calls.tensor("arange", Tensor::arange(3, float, 1.0, 0.5));
    calls.tensor("normal", Tensor::normal(&[2], float, 7));
    calls.tensor("uniform", Tensor::uniform(&[2], float, 7));
    calls.tensor("bernoulli", Tensor::bernoulli(&[4], float, 0.5, 7));
    calls.tensor("permutation", Tensor::permutation(4, 7));
}

fn read(calls: &mut Calls, square: &Tensor) -> Result<()> {
    square.shape().iter().for_each(|length| calls.number("shape", f64::from(*length)));
    calls.is("element-type", square.element_type() == ElementType::Float64);
    calls.bytes("to-bytes", &square.to_bytes()?);
    calls.number("item", square.sum()?.item()?);
    let table = square.to_table(&["a".to_owned(), "b".to_owned()])?;
    calls.numbers("to-table", &table.f64("b")?.required()?);
    let file = to_safetensors(&[("square".to_owned(), square)])?;
    from_safetensors(&file)?.into_iter().for_each(|(name, tensor)| calls.tensor(&name, Ok(tensor)));
    Ok(())
}

fn elements(calls: &mut Calls, square: &Tensor) -> Result<()> {
    UNARY.into_iter().for_each(|op| calls.tensor("unary", square.unary(op)));
    BINARY.into_iter().for_each(|op| calls.tensor("binary", square.binary(op, square)));
    calls.tensor("binary-scalar", square.binary_scalar(Binary::Sub, 2.0));
    let flipped = square.flip(0)?;
    COMPARISON.into_iter().for_each(|op| calls.tensor("compare", square.compare(op, &flipped)));
    let above = square.compare_scalar(Comparison::Gt, 2.0)?;
    calls.tensor("select", square.select(&above, &above));
    calls.tensor("compare-scalar", Ok(above));
    calls.tensor("clamp", square.clamp(Some(2.0), None));
    calls.tensor("leaky-relu", square.binary_scalar(Binary::Sub, 2.0)?.leaky_relu(0.5));
    calls.tensor("dropout", square.dropout(0.5, 7));
    calls.tensor("cast", square.cast(ElementType::Int64));
    Ok(())
}

fn products(calls: &mut Calls, square: &Tensor) -> Result<()> {
    calls.tensor("matmul", square.matmul(square));
    let bias = Tensor::from_f64(&[1.0, 0.5])?;
    calls.tensor("linear", square.linear(square, Some(&bias)));
    let (signal, kernels) = (square.reshape(&[1, 1, 4])?, bias.reshape(&[1, 1, 2])?);
    let how = Convolution { stride: vec![1], padding: vec![1], dilation: vec![1], groups: 1 };
    calls.tensor("convolve", signal.convolve(&kernels, None, &how));
    let window = Window { size: vec![2], stride: vec![2], padding: vec![0] };
    calls.tensor("pool", signal.pool(Pooling::Max, &window));
    calls.tensor("pool", signal.pool(Pooling::Average, &window));
    calls.tensor("layer-norm", square.layer_norm(Some(&bias), None, 1e-5));
    Ok(())
}

fn along(calls: &mut Calls, square: &Tensor) {
    REDUCTION.into_iter().for_each(|op| calls.tensor("reduce", square.reduce(op, Some(0), true)));
    calls.tensor("argmax", square.argmax(1));
    calls.tensor("argmin", square.argmin(1));
    calls.tensor("cumulative-sum", square.cumulative_sum(1));
    calls.tensor("softmax", square.softmax(1));
    calls.tensor("log-softmax", square.log_softmax(1));
}

fn shaped(calls: &mut Calls, square: &Tensor) -> Result<()> {
    calls.tensor("transpose", square.transpose(0, 1));
    calls.tensor("permute", square.permute(&[1, 0]));
    calls.tensor("broadcast-to", square.narrow(0, 1, 1)?.broadcast_to(&[2, 2]));
    calls.tensor("flip", square.flip(1));
    calls.tensor("concat", Tensor::concat(&[square, square], 0));
    Ok(())
}

fn picked(calls: &mut Calls, square: &Tensor) -> Result<()> {
    let positions = Tensor::from_i64(&[1, 0])?;
    calls.tensor("index-select", square.index_select(0, &[1, 1]));
    calls.tensor("take", square.take(0, &positions));
    let column = positions.reshape(&[2, 1])?;
    calls.tensor("gather", square.gather(1, &column));
    calls.tensor("scatter-add", square.scatter_add(1, &column, &square.narrow(1, 0, 1)?));
    calls.tensor("one-hot", positions.one_hot(2, ElementType::Float32));
    Ok(())
}
