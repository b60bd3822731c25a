//! A device's memory: what is counted, until when, and that what is too much is refused.

use tensors::*;

fn ones(device: &Device, count: u32) -> Tensor {
    Tensor::full(&[count], ElementType::Float32, 1.0).unwrap().on(device).unwrap()
}

#[test]
fn each_array_is_counted_from_its_making_to_its_end() {
    let device = Device::stand_in();
    device.begin(u64::MAX);
    let x = ones(&device, 100);
    assert_eq!(device.used_bytes(), 400);
    // A view is no other array, and a clone none.
    let view = x.reshape(&[10, 10]).unwrap().transpose(0, 1).unwrap();
    assert_eq!((device.used_bytes(), x.clone().bytes()), (400, 400));
    let sum = view.binary(Binary::Add, &view).unwrap();
    assert_eq!(device.used_bytes(), 800);
    drop(x);
    assert_eq!(device.used_bytes(), 800, "the view keeps it");
    drop((view, sum));
    assert_eq!(device.used_bytes(), 0);
    assert!(device.peak_bytes() >= 800);
    device.begin(u64::MAX);
    assert_eq!(device.peak_bytes(), 0, "an attempt does not answer for the one before");
}

#[test]
fn what_only_a_gradient_needs_is_counted_too() {
    let device = Device::stand_in();
    let x = Variable::create("x", &ones(&device, 100)).unwrap();
    let squares = x.value().unary(Unary::Square).unwrap();
    let loss = squares.reduce(Reduction::Sum, None, false).unwrap();
    drop(squares);
    // The operand is the variable's own; the loss is one number.
    let before = device.used_bytes();
    assert_eq!(before, 404);
    let tanh = x.value().unary(Unary::Tanh).unwrap();
    let other = tanh.reduce(Reduction::Sum, None, false).unwrap();
    drop(tanh);
    assert_eq!(device.used_bytes(), before + 404, "its slope is made of the result, which nobody else holds");
    drop((loss, other));
    assert_eq!(device.used_bytes(), 400);
    let cubes = x.value().binary(Binary::Mul, &x.value()).unwrap();
    let moved = cubes.binary(Binary::Sub, &ones(&device, 1)).unwrap();
    drop(cubes);
    assert_eq!(device.used_bytes(), 800, "a sum's gradient needs neither operand");
    drop(moved);
}

#[test]
fn what_would_be_too_much_is_refused_and_the_rest_stays() {
    let device = Device::stand_in();
    device.begin(1000);
    let x = ones(&device, 200);
    let refused = x.binary(Binary::Mul, &x).unwrap_err();
    assert_eq!(refused, Error::DeviceMemory { used: 1600, limit: 1000 });
    assert_eq!((device.used_bytes(), device.peak_bytes()), (800, 800));
    assert!(Tensor::full(&[51], ElementType::Float32, 1.0).unwrap().on(&device).is_err());
    let fits = Tensor::full(&[50], ElementType::Float32, 1.0).unwrap().on(&device).unwrap();
    assert_eq!((fits.bytes(), device.used_bytes()), (200, 1000));
    device.begin(2000);
    assert!(x.binary(Binary::Mul, &x).is_ok());
}

#[test]
fn the_processors_memory_is_not_a_devices() {
    let processors = Device::default();
    processors.begin(0);
    let x = ones(&processors, 100);
    assert_eq!((x.bytes(), processors.used_bytes(), processors.peak_bytes()), (400, 0, 0));
}

#[test]
fn a_seed_has_the_same_numbers_on_every_device() {
    let device = Device::stand_in();
    for make in [Tensor::normal, Tensor::uniform] {
        let made = make(&[1001], ElementType::Float32, 7).unwrap();
        assert_eq!(made.on(&device).unwrap().to_bytes(), made.to_bytes());
    }
    let x = Tensor::normal(&[1001], ElementType::Float32, 7).unwrap();
    assert_eq!(x.on(&device).unwrap().dropout(0.3, 5).unwrap().to_bytes(), x.dropout(0.3, 5).unwrap().to_bytes());
}

#[test]
fn a_device_that_is_not_there_is_named() {
    assert!(Device::open(types::Device::Cpu).is_ok_and(|device| device == Device::default()));
    if !CUDA {
        let refused = Device::open(types::Device::Cuda(0)).unwrap_err().to_string();
        assert!(refused.starts_with("cannot compute on `cuda:0`: "), "{refused}");
    }
}

/// Two layers, dropout and AdamW under a bound on the gradient, as the plugin `mlp` does it.
fn trained(device: &Device, element_type: ElementType) -> Vec<Vec<f64>> {
    let made = |shape: &[u32], seed| Tensor::normal(shape, element_type, seed).unwrap().on(device).unwrap();
    let small = |shape: &[u32], seed| made(shape, seed).binary_scalar(Binary::Mul, 0.3).unwrap();
    let (x, targets) = (made(&[64, 8], 1), made(&[64, 8], 1).argmax(1).unwrap());
    let variable = |name: &str, shape: &[u32], seed| Variable::create(name, &small(shape, seed)).unwrap();
    let weights =
        [variable("w1", &[8, 16], 2), variable("b1", &[16], 3), variable("w2", &[16, 8], 4), variable("b2", &[8], 5)];
    let [w1, b1, w2, b2] = &weights;
    let method = Method::Adamw(Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 });
    let mut optimiser = Optimiser::create(method, &weights.each_ref()).unwrap();
    for step in 0..40 {
        let rows: Vec<u32> = (0..32).map(|row| (row * 7 + step) % 64).collect();
        let (x, targets) = (x.index_select(0, &rows).unwrap(), targets.index_select(0, &rows).unwrap());
        let hidden = x.linear(&w1.value(), Some(&b1.value())).unwrap().unary(Unary::Relu).unwrap();
        let hidden = hidden.dropout(0.1, step.into()).unwrap();
        let logits = hidden.linear(&w2.value(), Some(&b2.value())).unwrap();
        optimiser.step(&cross_entropy(&logits, &targets).unwrap(), 0.05, Some(1.0)).unwrap();
    }
    weights.iter().map(|weight| weight.value().numbers().unwrap()).collect()
}

#[test]
fn a_network_learns_the_same_on_every_device() {
    let device = Device::stand_in();
    // Orders of roundings differ; 40 steps of float64 keep 9 digits of them, those of float32 three.
    for (element_type, tolerance) in [(ElementType::Float64, 1e-9), (ElementType::Float32, 1e-3)] {
        let (there, here) = (trained(&device, element_type), trained(&Device::default(), element_type));
        for (there, here) in there.iter().zip(&here) {
            crate::assert_close("weights", there, here, tolerance);
        }
        assert_eq!(trained(&device, element_type), there, "and the same again");
    }
    assert_eq!(device.used_bytes(), 0, "nothing is left");
}
