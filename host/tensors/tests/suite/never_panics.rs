//! Random operations on random shapes: a result or an error, never a panic, also on the way back.

use crate::{contract, placed, variable};
use contract::kebab;
use proptest::prelude::*;
use tensors::*;

/// One call with small, often unfit arguments; operands are picked among all tensors so far.
#[derive(Debug, Clone)]
struct Call {
    operation: usize,
    choice: usize,
    operands: (usize, usize, usize),
    shape: Vec<u32>,
    dimension: u32,
    number: u32,
    keep: bool,
}

fn call() -> impl Strategy<Value = Call> {
    let shape = prop::collection::vec(0u32..4, 0..5);
    let numbers = (prop_oneof![9 => 0u32..4, 1 => any::<u32>()], prop_oneof![9 => 0u32..4, 1 => any::<u32>()]);
    let operands = (any::<usize>(), any::<usize>(), any::<usize>());
    (0..OPERATIONS.len(), any::<usize>(), operands, shape, numbers, any::<bool>()).prop_map(
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

/// A number that a guest may well get wrong.
fn odd(choice: usize) -> f64 {
    [0.5, 0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, 1e-300][choice % 7]
}

fn pick<T: Copy>(cases: &[T], choice: usize) -> T {
    cases[choice % cases.len()]
}

fn element_type(choice: usize) -> ElementType {
    pick(&[ElementType::Float32, ElementType::Float64, ElementType::Int64], choice)
}

type Operation = (&'static str, fn(&Call, &[&Tensor; 3]) -> Result<Tensor, Error>);

/// Everything that takes a tensor and gives one, by its name in the contract.
const OPERATIONS: [Operation; 37] = [
    ("unary", |call, [x, ..]| x.unary(pick(&Unary::ALL, call.choice))),
    ("binary", |call, [x, y, _]| x.binary(pick(&Binary::ALL, call.choice), y)),
    ("binary-scalar", |call, [x, ..]| x.binary_scalar(pick(&Binary::ALL, call.choice), odd(call.number as usize))),
    ("compare", |call, [x, y, _]| x.compare(pick(&Comparison::ALL, call.choice), y)),
    ("compare-scalar", |call, [x, ..]| {
        x.compare_scalar(pick(&Comparison::ALL, call.choice), odd(call.number as usize))
    }),
    ("select", |_, [x, y, z]| x.select(y, z)),
    ("clamp", |call, [x, ..]| x.clamp(call.keep.then(|| odd(call.choice)), Some(odd(call.number as usize)))),
    ("leaky-relu", |call, [x, ..]| x.leaky_relu(odd(call.choice))),
    ("matmul", |_, [x, y, _]| x.matmul(y)),
    ("linear", |call, [x, y, z]| x.linear(y, call.keep.then_some(z))),
    ("convolve", |call, [x, y, z]| x.convolve(y, call.keep.then_some(z), &convolution(call))),
    ("pool", |call, [x, ..]| x.pool(pick(&Pooling::ALL, call.choice), &window(call))),
    ("layer-norm", |call, [x, y, z]| x.layer_norm(call.keep.then_some(y), Some(z), odd(call.choice))),
    ("layer-norm", |call, [x, ..]| x.layer_norm(None, None, odd(call.choice))),
    ("dropout", |call, [x, ..]| x.dropout(odd(call.choice), call.number.into())),
    ("reduce", |call, [x, ..]| {
        let dimension = call.choice.is_multiple_of(3).then_some(call.dimension);
        x.reduce(pick(&Reduction::ALL, call.choice), dimension, call.keep)
    }),
    ("reduce", |call, [x, ..]| x.reduce(pick(&Reduction::ALL, call.choice), Some(call.dimension), call.keep)),
    ("argmax", |call, [x, ..]| x.argmax(call.dimension)),
    ("argmin", |call, [x, ..]| x.argmin(call.dimension)),
    ("cumulative-sum", |call, [x, ..]| x.cumulative_sum(call.dimension)),
    ("softmax", |call, [x, ..]| x.softmax(call.dimension)),
    ("log-softmax", |call, [x, ..]| x.log_softmax(call.dimension)),
    ("reshape", |call, [x, ..]| x.reshape(&call.shape)),
    ("transpose", |call, [x, ..]| x.transpose(call.dimension, call.number)),
    ("permute", |call, [x, ..]| x.permute(&call.shape)),
    ("broadcast-to", |call, [x, ..]| x.broadcast_to(&call.shape)),
    ("flip", |call, [x, ..]| x.flip(call.dimension)),
    ("narrow", |call, [x, ..]| x.narrow(call.dimension, call.number, call.choice as u32 % 4)),
    ("index-select", |call, [x, ..]| x.index_select(call.dimension, &call.shape)),
    ("take", |call, [x, y, _]| x.take(call.dimension, &y.cast(ElementType::Int64)?)),
    ("gather", |call, [x, y, _]| x.gather(call.dimension, &y.cast(ElementType::Int64)?)),
    ("scatter-add", |call, [x, y, z]| x.scatter_add(call.dimension, &y.cast(ElementType::Int64)?, z)),
    ("one-hot", |call, [x, ..]| x.one_hot(call.number % 4, element_type(call.choice))),
    ("concat", |call, [x, y, _]| Tensor::concat(&[x, y, x], call.dimension)),
    ("cast", |call, [x, ..]| x.cast(element_type(call.choice))),
    ("binary-cross-entropy", |call, [x, y, z]| binary_cross_entropy(x, y, call.keep.then_some(z))),
    ("regression-loss", |call, [x, y, z]| {
        let number = odd(call.number as usize);
        let distances = [Distance::Squared, Distance::Absolute, Distance::Huber(number), Distance::Quantile(number)];
        regression_loss(pick(&distances, call.choice), x, y, call.keep.then_some(z))
    }),
];

fn numbers(call: &Call, length: usize) -> Vec<u32> {
    let mut numbers = call.shape.clone();
    numbers.resize(length, call.number);
    numbers
}

fn convolution(call: &Call) -> Convolution {
    let rank = 1 + call.choice % 2;
    let numbers = numbers(call, 3 * rank);
    let (stride, rest) = numbers.split_at(rank);
    let (padding, dilation) = rest.split_at(rank);
    let groups = call.dimension.min(3);
    Convolution { stride: stride.to_vec(), padding: padding.to_vec(), dilation: dilation.to_vec(), groups }
}

fn window(call: &Call) -> Window {
    let rank = 1 + call.choice / 2 % 2;
    let numbers = numbers(call, 3 * rank);
    let (size, rest) = numbers.split_at(rank);
    let (stride, padding) = rest.split_at(rank);
    Window { size: size.to_vec(), stride: stride.to_vec(), padding: padding.to_vec() }
}

/// Nothing that the contract offers is left out. The makers, `value` and what the next test draws have their own.
#[test]
fn every_operation_is_drawn() {
    const ELSEWHERE: [&str; 10] = [
        "from-table",
        "from-bytes",
        "full",
        "arange",
        "normal",
        "uniform",
        "bernoulli",
        "permutation",
        "value",
        "cross-entropy",
    ];
    for operation in contract::operations() {
        let name = operation.split('.').next().unwrap();
        let drawn = OPERATIONS.iter().any(|(drawn, _)| *drawn == name) || ELSEWHERE.contains(&name);
        assert!(drawn, "{name} is drawn by no property test");
    }
    assert_eq!(kebab(Reduction::LogSumExp), "log-sum-exp");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn operations_and_gradients(
        shapes in prop::collection::vec(prop::collection::vec(0u32..4, 0..5), 1..4),
        calls in prop::collection::vec(call(), 1..16),
    ) {
        let initial: Vec<Variable> = shapes
            .iter()
            .zip(0..)
            .map(|(shape, seed)| variable("x", &Tensor::normal(shape, ElementType::Float64, seed).unwrap()))
            .collect();
        let mut tensors: Vec<Tensor> = initial.iter().map(Variable::value).collect();
        tensors.push(placed(Tensor::permutation(3, 1).unwrap()));
        for call in &calls {
            let at = |operand: usize| &tensors[operand % tensors.len()];
            let operands = [at(call.operands.0), at(call.operands.1), at(call.operands.2)];
            let (name, perform) = OPERATIONS[call.operation];
            match perform(call, &operands) {
                Ok(tensor) => {
                    prop_assert_eq!(tensor.to_bytes().unwrap().len() as u64, tensor.bytes(), "{}", name);
                    // Small operands make small results, so that the next can be shown.
                    if tensor.bytes() < 1 << 16 {
                        tensors.push(tensor);
                    }
                }
                Err(Error::Native(text)) => prop_assert!(false, "{name} {call:?} reached candle: {text}"),
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
    fn classes(shape in prop::collection::vec(0u32..4, 0..3), targets in prop::collection::vec(-1i64..4, 0..4)) {
        let logits = variable("logits", &Tensor::normal(&shape, ElementType::Float64, 1).unwrap());
        let bytes: Vec<u8> = targets.iter().flat_map(|target| target.to_le_bytes()).collect();
        let targets = Tensor::from_bytes(&[targets.len() as u32], ElementType::Int64, &bytes).unwrap();
        for targets in [targets.cast(ElementType::Float64).unwrap(), targets] {
            if let Ok(loss) = cross_entropy(&logits.value(), &targets) {
                prop_assert_eq!(gradients(&loss, &[&logits]).unwrap()[0].shape(), shape.clone());
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
                Tensor::bernoulli(&shape, element_type, 0.5, 1),
            ];
            for made in made {
                prop_assert_eq!(made.map(|tensor| tensor.bytes()), bytes_of(&shape, element_type));
            }
            let _ = Tensor::from_bytes(&shape, element_type, &vec![0; bytes]);
        }
        prop_assert!(Tensor::normal(&[2], ElementType::Int64, 1).is_err());
    }

    /// A file that is another's, cut, damaged or made up.
    #[test]
    fn files(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<prop::sample::Index>()) {
        let (x, n) = (Tensor::normal(&[2, 3], ElementType::Float32, 1).unwrap(), Tensor::permutation(4, 1).unwrap());
        let mut file = to_safetensors(&[("x".to_owned(), &x), ("n".to_owned(), &n)]).unwrap();
        for (place, byte) in damage {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let _ = from_safetensors(&file[..cut.index(file.len() + 1)]);
        let _ = from_safetensors(&file);
    }
}
