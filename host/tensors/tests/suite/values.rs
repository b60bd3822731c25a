//! What operations compute, where it is not plain: broadcasting, NaN, tensors without elements, views.

use crate::{assert_close, placed, tensor, vacant, values, variable};
use tensors::{Binary, Comparison, ElementType, Reduction, Tensor, Unary, gradients};

#[test]
fn unary_values() {
    let at = |op: Unary, x: f64| tensor(&[], &[x]).unary(op).unwrap().item().unwrap();
    assert_close("sigmoid", &[at(Unary::Sigmoid, -40.0)], &[4.248354255291589e-18], 1e-30);
    assert_eq!([at(Unary::Sigmoid, -1e4), at(Unary::Sigmoid, 1e4)], [0.0, 1.0]);
    assert_close("gelu", &[at(Unary::Gelu, 1.0)], &[0.8413447460685429], 1e-12);
    assert_eq!([at(Unary::Round, 2.5), at(Unary::Round, -0.5), at(Unary::Floor, -0.5)], [3.0, -1.0, -1.0]);
    assert_eq!([at(Unary::Relu, f64::NEG_INFINITY), at(Unary::Relu, 2.0)], [0.0, 2.0]);
    assert!(at(Unary::Relu, f64::NAN).is_nan());
}

#[test]
fn nan_wins_maximum_and_reductions() {
    let (x, nan) = (tensor(&[2], &[1.0, f64::NAN]), tensor(&[2], &[f64::NAN, 1.0]));
    for op in [Binary::Maximum, Binary::Minimum] {
        assert!(values(&x.binary(op, &nan).unwrap()).iter().all(|value| value.is_nan()));
    }
    for op in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min] {
        assert!(x.reduce(op, None, false).unwrap().item().unwrap().is_nan());
    }
    assert_eq!(x.argmax(0).unwrap().item(), Ok(1.0));
}

#[test]
fn comparisons_broadcast() {
    let (column, row) = (tensor(&[2, 1], &[1.0, 2.0]), tensor(&[2], &[1.0, 2.0]));
    let compare = |op| values(&column.compare(op, &row).unwrap());
    assert_eq!(compare(Comparison::Eq), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(compare(Comparison::Ne), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(compare(Comparison::Lt), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(compare(Comparison::Le), [1.0, 1.0, 0.0, 1.0]);
    assert_eq!(compare(Comparison::Gt), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(compare(Comparison::Ge), [1.0, 0.0, 1.0, 1.0]);
}

#[test]
fn matmul_values() {
    let a = tensor(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(values(&a.matmul(&a).unwrap()), [7.0, 10.0, 15.0, 22.0]);
    let turned = a.transpose(0, 1).unwrap();
    assert_eq!(values(&turned.matmul(&a).unwrap()), [10.0, 14.0, 14.0, 20.0]);
    let stacked = Tensor::concat(&[&a, &turned], 0).unwrap().reshape(&[2, 1, 2, 2]).unwrap();
    let product = stacked.matmul(&a.reshape(&[1, 2, 2]).unwrap()).unwrap();
    assert_eq!(product.shape(), [2, 1, 2, 2]);
    assert_eq!(values(&product), [7.0, 10.0, 15.0, 22.0, 10.0, 14.0, 14.0, 20.0]);
}

/// An answer about a row alone has the bits of an answer about many: a model served is the model that was judged.
#[test]
fn a_row_of_a_product_is_the_same_in_any_company() {
    for element_type in [ElementType::Float32, ElementType::Float64] {
        for (inner, width) in [
            (1, 1),
            (2, 1),
            (3, 1),
            (64, 256),
            (256, 10),
            (30, 1),
            (7, 33),
            (300, 5),
            (32, 1),
            (300, 1),
            (513, 3),
            (784, 64),
            (1100, 1),
            (1100, 2),
            (1100, 65),
            (2500, 10),
        ] {
            let x = Tensor::normal(&[310, inner], element_type, 1).unwrap();
            let w = Tensor::normal(&[inner, width], element_type, 2).unwrap();
            let turned = Tensor::normal(&[width, inner], element_type, 2).unwrap().transpose(0, 1).unwrap();
            let bias = Tensor::normal(&[width], element_type, 3).unwrap();
            let stack = |x: &Tensor| x.reshape(&[1, x.shape()[0], inner]).unwrap();
            let ways: [&dyn Fn(&Tensor) -> Tensor; 4] = [
                &|x| x.linear(&w, Some(&bias)).unwrap(),
                &|x| x.matmul(&w).unwrap(),
                &|x| x.matmul(&turned).unwrap(),
                &|x| {
                    stack(x)
                        .matmul(&w.reshape(&[1, inner, width]).unwrap())
                        .unwrap()
                        .reshape(&[x.shape()[0], width])
                        .unwrap()
                },
            ];
            for (way, product) in ways.iter().enumerate() {
                let whole = product(&x);
                for length in [1, 2, 3, 5, 8, 17, 64, 65, 128, 200, 257] {
                    let piece = product(&x.narrow(0, 40, length).unwrap());
                    let same = values(&piece) == values(&whole.narrow(0, 40, length).unwrap());
                    assert!(same, "{length} rows of {element_type} [310, {inner}] by [{inner}, {width}], way {way}");
                }
            }
        }
    }
}

#[test]
fn an_image_is_convolved_the_same_in_any_company() {
    for element_type in [ElementType::Float32, ElementType::Float64] {
        for (channels, outputs, size) in [(1, 1, 3), (1, 2, 1), (3, 1, 3), (64, 5, 3), (70, 1, 3)] {
            let x = Tensor::normal(&[40, channels, 5, 5], element_type, 1).unwrap();
            let kernels = Tensor::normal(&[outputs, channels, size, size], element_type, 2).unwrap();
            let how = tensors::Convolution { stride: vec![2, 2], padding: vec![0, 0], dilation: vec![1, 1], groups: 1 };
            let whole = x.convolve(&kernels, None, &how).unwrap();
            for length in [1, 2, 7, 33] {
                let piece = x.narrow(0, 3, length).unwrap().convolve(&kernels, None, &how).unwrap();
                assert_eq!(
                    values(&piece),
                    values(&whole.narrow(0, 3, length).unwrap()),
                    "{length} of {channels} {outputs} {size}"
                );
            }
        }
    }
}

#[test]
fn softmax_does_not_overflow() {
    let x = tensor(&[1, 3], &[1000.0, 1000.0, -1000.0]);
    assert_eq!(values(&x.softmax(1).unwrap()), [0.5, 0.5, 0.0]);
    assert_close(
        "log",
        &values(&x.log_softmax(1).unwrap()),
        &[-0.5f64.ln().abs(), -0.5f64.ln().abs(), -2000.6931],
        1e-6,
    );
}

/// The values, and the gradients of their sum, weighted by 1, 2, .., along rows.
fn with_gradients(x: &Tensor, f: impl Fn(&Tensor) -> Tensor) -> [Vec<f64>; 2] {
    let x = variable("x", x);
    let y = f(&x.value());
    let weights = placed(Tensor::arange(y.shape()[1], ElementType::Float64, 1.0, 1.0).unwrap());
    let loss = y.binary(Binary::Mul, &weights).unwrap().reduce(Reduction::Sum, None, false).unwrap();
    [values(&y), values(&gradients(&loss, &[&x]).unwrap()[0])]
}

/// Bit for bit where they are no numbers, else to the last digits.
fn assert_alike(what: &str, got: &[f64], expected: &[f64]) {
    let alike = |(got, expected): (&f64, &f64)| match expected.is_finite() {
        true => (got - expected).abs() <= 1e-12,
        false => got == expected || got.is_nan() && expected.is_nan(),
    };
    let same = got.len() == expected.len() && got.iter().zip(expected).all(alike);
    assert!(same, "{what}: got {got:?}, expected {expected:?}");
}

#[test]
fn infinities_along_a_dimension() {
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    let share = (1.0 + (-1f64).exp()).recip();
    // Classes that are not allowed, all of them, one that is certain, two, and one that is no number.
    let rows = [[-INF, 0.0, 1.0], [-INF, -INF, -INF], [INF, 0.0, -INF], [INF, INF, 1.0], [NAN, INF, 0.0]];
    let x = tensor(&[5, 3], &rows.concat());
    let log_sum = 1f64.exp().ln_1p();
    let [y, gradients] = with_gradients(&x, |x| x.reduce(Reduction::LogSumExp, Some(1), true).unwrap());
    assert_alike("log-sum-exp", &y, &[log_sum, -INF, INF, INF, NAN]);
    let expected = [[0.0, 1.0 - share, share], [1.0; 3], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [NAN; 3]];
    assert_alike("its gradient", &gradients, &expected.concat());
    let [y, gradients] = with_gradients(&x, |x| x.softmax(1).unwrap());
    let none = [NAN; 3];
    assert_alike("softmax", &y, &[[0.0, 1.0 - share, share], none, none, none, none].concat());
    let slope = share * (1.0 - share);
    assert_alike("its gradient", &gradients, &[[0.0, -slope, slope], none, none, none, none].concat());
    let [y, gradients] = with_gradients(&x, |x| x.log_softmax(1).unwrap());
    let expected = [[-INF, -log_sum, 1.0 - log_sum], none, [NAN, -INF, -INF], [NAN, NAN, -INF], none];
    assert_alike("log-softmax", &y, &expected.concat());
    let first = [1.0, 2.0 - 6.0 * (1.0 - share), 3.0 - 6.0 * share];
    let expected = [first, none, [NAN, 2.0, 3.0], [NAN, NAN, 3.0], none];
    assert_alike("its gradient", &gradients, &expected.concat());
    let targets = placed(Tensor::from_bytes(&[1], ElementType::Int64, &1i64.to_le_bytes()).unwrap());
    for (row, expected) in rows.iter().zip([log_sum, NAN, INF, NAN, NAN]) {
        let loss = tensors::cross_entropy(&tensor(&[1, 3], row), &targets).unwrap();
        assert_alike("cross-entropy", &[loss.item().unwrap()], &[expected]);
    }
}

#[test]
fn positions_are_whole_numbers() {
    let x = tensor(&[2, 3], &[1.0, 5.0, 5.0, 9.0, 0.0, 2.0]).cast(ElementType::Float32).unwrap();
    let positions = x.argmax(1).unwrap();
    assert_eq!((positions.element_type(), positions.shape()), (ElementType::Int64, vec![2]));
    assert_eq!((values(&positions), values(&x.argmin(0).unwrap())), (vec![1.0, 0.0], vec![0.0, 1.0, 1.0]));
    let nan = tensor(&[3], &[1.0, f64::NAN, f64::NEG_INFINITY]);
    assert_eq!((nan.argmax(0).unwrap().item(), nan.argmin(0).unwrap().item()), (Ok(1.0), Ok(1.0)));
}

#[test]
fn whole_numbers_wrap_and_refuse_what_is_not_theirs() {
    let largest = Tensor::from_bytes(&[2], ElementType::Int64, &[i64::MAX.to_le_bytes(); 2].concat()).unwrap();
    let sum = largest.binary_scalar(Binary::Add, 1.0).unwrap();
    assert_eq!(sum.to_bytes().unwrap(), [i64::MIN.to_le_bytes(); 2].concat());
    assert_eq!(largest.reduce(Reduction::Sum, None, false).unwrap().to_bytes().unwrap(), (-2i64).to_le_bytes());
    let order = Tensor::permutation(5, 3).unwrap();
    assert_eq!(order.reduce(Reduction::Max, Some(0), false).unwrap().item(), Ok(4.0));
    assert_eq!(values(&order.cumulative_sum(0).unwrap())[4], 10.0);
    let even = order.compare_scalar(Comparison::Lt, 2.0).unwrap();
    assert_eq!(
        (even.element_type(), even.reduce(Reduction::Sum, None, false).unwrap().item()),
        (ElementType::Int64, Ok(2.0))
    );
    for text in [
        order.unary(Unary::Exp).unwrap_err().to_string(),
        order.reduce(Reduction::Mean, None, false).unwrap_err().to_string(),
        order.softmax(0).unwrap_err().to_string(),
    ] {
        assert_eq!(text, "`tensor` is int64, expected float32 or float64; cast it");
    }
    assert!(order.binary_scalar(Binary::Div, 2.0).is_err());
    assert_eq!(
        order.compare_scalar(Comparison::Lt, 0.5).unwrap_err().to_string(),
        "`right` is 0.5, expected a whole number below 2^53 for int64"
    );
    assert!(tensors::Variable::create("x", &order).is_err());
    assert_eq!(values(&tensor(&[3], &[1.9, -1.9, f64::NAN]).cast(ElementType::Int64).unwrap()), [1.0, -1.0, 0.0]);
}

#[test]
fn elements_by_position() {
    let whole = |shape: &[u32], values: &[f64]| tensor(shape, values).cast(ElementType::Int64).unwrap();
    let x = tensor(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let rows = x.take(0, &whole(&[2, 1], &[2.0, 0.0])).unwrap();
    assert_eq!((rows.shape(), values(&rows)), (vec![2, 1, 2], vec![5.0, 6.0, 1.0, 2.0]));
    assert_eq!(x.take(1, &whole(&[], &[1.0])).unwrap().shape(), [3]);
    assert_eq!(values(&x.gather(1, &whole(&[3, 1], &[1.0, 0.0, 1.0])).unwrap()), [2.0, 3.0, 6.0]);
    let sums = tensor(&[2], &[0.0; 2]).scatter_add(0, &whole(&[3], &[1.0, 0.0, 1.0]), &tensor(&[3], &[1.0, 2.0, 4.0]));
    assert_eq!(values(&sums.unwrap()), [2.0, 5.0]);
    let hot = whole(&[2], &[2.0, 0.0]).one_hot(3, ElementType::Float32).unwrap();
    assert_eq!((hot.shape(), values(&hot)), (vec![2, 3], vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0]));
    let outside = x.take(0, &whole(&[1], &[3.0])).unwrap_err();
    assert_eq!(outside.to_string(), "`positions` holds 3, expected 0 to below 3");
    assert_eq!(x.take(0, &x).unwrap_err().to_string(), "`positions` is float64, expected int64; cast it");
    assert!(x.gather(0, &whole(&[1, 3], &[0.0; 3])).is_err());
}

#[test]
fn arrangements() {
    let x = tensor(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(values(&x.flip(1).unwrap()), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    assert_eq!(values(&x.permute(&[1, 0]).unwrap()), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert!(x.permute(&[0, 0]).is_err() && x.permute(&[0]).is_err() && x.permute(&[0, 1, 1]).is_err());
    let wide = tensor(&[2, 1], &[1.0, 2.0]).broadcast_to(&[2, 2, 2]).unwrap();
    assert_eq!(values(&wide), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    assert_eq!(wide.bytes(), 64);
    assert!(x.broadcast_to(&[3]).is_err() && x.broadcast_to(&[2, 1]).is_err());
    assert_eq!(values(&Tensor::arange(4, ElementType::Float32, 1.0, -0.5).unwrap()), [1.0, 0.5, 0.0, -0.5]);
}

/// A sum in float32 of many numbers loses none of them.
#[test]
fn long_sums_keep_their_digits() {
    let ones = Tensor::full(&[1 << 25], ElementType::Float32, 1.0).unwrap();
    assert_eq!(ones.reduce(Reduction::Sum, None, false).unwrap().item(), Ok((1 << 25) as f64));
    let rows = ones.reshape(&[1 << 24, 2]).unwrap().reduce(Reduction::Sum, Some(0), false).unwrap();
    assert_eq!(values(&rows), [(1 << 24) as f64; 2]);
}

#[test]
fn tensors_without_elements() {
    let (none, wide) = (vacant(&[0, 3]), vacant(&[2, 0]));
    assert_eq!(none.unary(Unary::Exp).unwrap().shape(), [0, 3]);
    assert_eq!(none.binary(Binary::Add, &tensor(&[3], &[1.0; 3])).unwrap().shape(), [0, 3]);
    assert_eq!(values(&none.reduce(Reduction::Sum, Some(0), false).unwrap()), [0.0; 3]);
    assert_eq!(none.reduce(Reduction::Max, Some(1), false).unwrap().shape(), [0]);
    assert_eq!(none.reduce(Reduction::Sum, None, true).unwrap().shape(), [1, 1]);
    assert_eq!(values(&wide.matmul(&none).unwrap()), [0.0; 6]);
    assert_eq!(none.softmax(0).unwrap().shape(), [0, 3]);
    assert_eq!(none.argmax(1).unwrap().shape(), [0]);
    assert_eq!(none.transpose(0, 1).unwrap().reshape(&[5, 0]).unwrap().shape(), [5, 0]);
    assert_eq!(tensor(&[2], &[1.0, 2.0]).narrow(0, 2, 0).unwrap().shape(), [0]);
    assert_eq!(tensor(&[2], &[1.0, 2.0]).index_select(0, &[]).unwrap().shape(), [0]);
    assert_eq!(Tensor::concat(&[&none, &tensor(&[1, 3], &[1.0; 3])], 0).unwrap().shape(), [1, 3]);
    assert_eq!(none.cast(ElementType::Float32).unwrap().to_bytes(), Ok(vec![]));
    // A gradient finds its way through them, and is zero.
    let x = variable("x", &tensor(&[2, 3], &[1.0; 6]));
    let loss = x.value().narrow(0, 0, 0).unwrap().reduce(Reduction::Sum, None, false).unwrap();
    assert_eq!(values(&gradients(&loss, &[&x]).unwrap()[0]), [0.0; 6]);
}

#[test]
fn bytes_are_what_the_elements_take() {
    let big = Tensor::full(&[1000, 1000], ElementType::Float32, 1.0).unwrap();
    assert_eq!(big.bytes(), 4_000_000);
    assert_eq!(big.narrow(1, 0, 1).unwrap().bytes(), 4000);
    assert_eq!(big.narrow(1, 3, 2).unwrap().to_bytes().unwrap().len(), 8000);
}
