//! Random operations on random shapes: a result or an error, never a panic, also on the way back.

use crate::variable;
use proptest::prelude::*;
use tensors::*;

const UNARY: [Unary; 16] = [
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
];
const BINARY: [Binary; 6] = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Maximum, Binary::Minimum];
const COMPARISON: [Comparison; 6] =
    [Comparison::Eq, Comparison::Ne, Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge];
const REDUCTION: [Reduction; 4] = [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min];

/// One call with small, often unfit arguments; operands are picked among all tensors so far.
#[derive(Debug, Clone)]
struct Call {
    operation: u8,
    choice: usize,
    operands: (usize, usize),
    shape: Vec<u32>,
    dimension: u32,
    number: u32,
    keep: bool,
}

fn call() -> impl Strategy<Value = Call> {
    let shape = prop::collection::vec(0u32..4, 0..5);
    let numbers = (prop_oneof![9 => 0u32..4, 1 => any::<u32>()], prop_oneof![9 => 0u32..4, 1 => any::<u32>()]);
    let operands = (any::<usize>(), any::<usize>());
    (0u8..18, any::<usize>(), operands, shape, numbers, any::<bool>()).prop_map(
        |(operation, choice, operands, shape, (dimension, number), keep)| Call {
            operation,
            choice,
            operands,
            shape,
            dimension,
            number,
            keep,
        },
    )
}

fn perform(call: &Call, tensors: &[Tensor]) -> Result<Tensor, Error> {
    let (x, y) = (&tensors[call.operands.0 % tensors.len()], &tensors[call.operands.1 % tensors.len()]);
    let (dimension, number) = (call.dimension, call.number);
    let element_type = if call.keep { ElementType::Float32 } else { ElementType::Float64 };
    match call.operation {
        0 | 1 => x.unary(UNARY[call.choice % UNARY.len()]),
        2 | 3 => x.binary(BINARY[call.choice % BINARY.len()], y),
        4 => x.binary_scalar(BINARY[call.choice % BINARY.len()], f64::from(number) - 1.0),
        5 => x.compare(COMPARISON[call.choice % COMPARISON.len()], y),
        6 => x.matmul(y),
        7 => x.reduce(
            REDUCTION[call.choice % REDUCTION.len()],
            call.choice.is_multiple_of(3).then_some(dimension),
            call.keep,
        ),
        8 => x.reduce(REDUCTION[call.choice % REDUCTION.len()], Some(dimension), call.keep),
        9 => x.argmax(dimension),
        10 => x.softmax(dimension),
        11 => x.log_softmax(dimension),
        12 => x.reshape(&call.shape),
        13 => x.transpose(dimension, number),
        14 => x.narrow(dimension, number, call.choice as u32 % 4),
        15 => x.index_select(dimension, &call.shape),
        16 => Tensor::concat(&[x, y, x], dimension),
        _ if call.choice.is_multiple_of(4) => binary_cross_entropy(x, y, call.keep.then_some(x)),
        _ if call.choice.is_multiple_of(3) => cross_entropy(x, y),
        _ => x.cast(element_type),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operations_and_gradients(
        shapes in prop::collection::vec(prop::collection::vec(0u32..4, 0..4), 1..4),
        calls in prop::collection::vec(call(), 1..12),
    ) {
        let initial: Vec<Variable> = shapes
            .iter()
            .zip(0..)
            .map(|(shape, seed)| variable("x", &Tensor::normal(shape, ElementType::Float64, seed).unwrap()))
            .collect();
        let mut tensors: Vec<Tensor> = initial.iter().map(Variable::value).collect();
        for call in &calls {
            match perform(call, &tensors) {
                Ok(tensor) => {
                    prop_assert_eq!(tensor.to_bytes().unwrap().len() as u64, tensor.bytes());
                    tensors.push(tensor);
                }
                Err(Error::Native(text)) => prop_assert!(false, "{:?} reached candle: {}", call, text),
                Err(_) => {}
            }
        }
        for tensor in &tensors {
            let loss = tensor.reduce(Reduction::Sum, None, false).unwrap();
            for variable in &initial {
                match gradients(&loss, &[variable]) {
                    Ok(gradient) => prop_assert_eq!(gradient[0].shape(), variable.value().shape()),
                    Err(Error::InvalidInput { .. }) => {}
                    Err(error) => prop_assert!(false, "{error}"),
                }
            }
        }
    }

    #[test]
    fn makers(shape in prop::collection::vec(prop_oneof![4 => 0u32..9, 1 => (1u32 << 20)..], 0..10), bytes in 0usize..64) {
        prop_assume!(bytes_of(&shape, ElementType::Float64).map_or(true, |bytes| bytes < 1 << 20));
        for element_type in [ElementType::Float32, ElementType::Float64] {
            let made = [
                Tensor::full(&shape, element_type, 1.0),
                Tensor::normal(&shape, element_type, 1),
                Tensor::uniform(&shape, element_type, 1),
            ];
            for made in made {
                prop_assert_eq!(made.map(|tensor| tensor.bytes()), bytes_of(&shape, element_type));
            }
            let _ = Tensor::from_bytes(&shape, element_type, &vec![0; bytes]);
        }
    }
}
