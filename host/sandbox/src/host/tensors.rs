//! `stepwell:tensor/tensors`: the operations of crate `tensors` under handles.

use crate::bindings::stepwell::tensor::tensors::{self as wit, Host, HostTensor};
use crate::state::{Answer, State, amount, of_device};
use data::Table;
use tensors::Tensor;
use types::{Fault, LimitKind};
use wasmtime::component::Resource;

/// Tensors by name.
type Named = Vec<(String, Resource<Tensor>)>;

impl Host for State {
    fn to_safetensors(&mut self, named: Named) -> Answer<Vec<u8>> {
        self.enter()?;
        let bytes = tensors::to_safetensors(&self.named(&named)?);
        self.computed(bytes)
    }

    fn from_safetensors(&mut self, data: Vec<u8>) -> Answer<Named> {
        self.enter()?;
        let tensors = tensors::from_safetensors(&data)?;
        self.hold_named(tensors)
    }
}

fn element_in(element: wit::ElementType) -> tensors::ElementType {
    match element {
        wit::ElementType::Float32 => tensors::ElementType::Float32,
        wit::ElementType::Float64 => tensors::ElementType::Float64,
        wit::ElementType::Int64 => tensors::ElementType::Int64,
    }
}

/// Both enumerations come from one list in the contract; a case that one lacks does not compile.
macro_rules! same_names {
    ($name:ident: $from:path => $to:path { $($case:ident)* }) => {
        fn $name(value: $from) -> $to {
            use $from as From;
            use $to as To;
            match value { $(From::$case => To::$case,)* }
        }
    };
}
same_names!(unary_in: wit::Unary => tensors::Unary {
    Neg Abs Exp Log Sqrt Square Recip Tanh Sigmoid Relu Gelu Sin Cos Sign Floor Round Expm1 Log1p Erf GeluTanh Silu Softplus
});
same_names!(binary_in: wit::Binary => tensors::Binary { Add Sub Mul Div Maximum Minimum Pow });
same_names!(comparison_in: wit::Comparison => tensors::Comparison { Eq Ne Lt Le Gt Ge });
same_names!(reduction_in: wit::Reduction => tensors::Reduction { Sum Mean Max Min Variance LogSumExp });
same_names!(pooling_in: wit::Pooling => tensors::Pooling { Max Average });

impl State {
    /// What stands under these handles.
    pub(super) fn named<'a>(&'a self, named: &'a [(String, Resource<Tensor>)]) -> Answer<Vec<(String, &'a Tensor)>> {
        named.iter().map(|(name, handle)| Ok((name.clone(), self.resources.get(handle)?))).collect()
    }

    pub(super) fn hold_named(&mut self, named: Vec<(String, Tensor)>) -> Answer<Named> {
        named.into_iter().map(|(name, tensor)| Ok((name, self.place(tensor)?))).collect()
    }

    /// Keeps what was made of numbers, on the step's device.
    pub(super) fn place(&mut self, made: Tensor) -> Answer<Resource<Tensor>> {
        let placed = self.computed(made.on(&self.device))?;
        self.hold(placed)
    }

    /// What came of a computation. Where a device has no more memory for it, a guest that cannot bear that is told of as such.
    pub(super) fn computed<T>(&mut self, made: Result<T, tensors::Error>) -> Answer<T> {
        match &made {
            Err(tensors::Error::DeviceMemory { used, limit }) => {
                let done = format!("its tensors would take {} of the device", amount(*used));
                self.tripped.get_or_insert(Fault::beyond(LimitKind::DeviceMemory, done, *limit));
            }
            Err(error @ tensors::Error::DeviceFull { .. }) => {
                let (used, limit) = (amount(self.device.used_bytes()), amount(self.limits.device_memory_bytes));
                let mut fault = of_device(error);
                fault.message += &format!("; the step's own tensors take {used} of it, and may take {limit}");
                self.tripped.get_or_insert(fault);
            }
            _ => {}
        }
        Ok(made?)
    }

    /// An operand that need not be there.
    fn operand(&self, handle: Option<&Resource<Tensor>>) -> Answer<Option<Tensor>> {
        handle.map(|handle| Ok(self.resources.get(handle)?.clone())).transpose()
    }

    /// One operation on a tensor under a handle; the result under a new one.
    fn derive(
        &mut self,
        tensor: &Resource<Tensor>,
        operation: impl FnOnce(&Tensor) -> Result<Tensor, tensors::Error>,
    ) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let made = operation(self.resources.get(tensor)?);
        let result = self.computed(made)?;
        self.hold(result)
    }

    fn make(&mut self, made: Result<Tensor, tensors::Error>) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let made = self.computed(made)?;
        self.place(made)
    }
}

impl HostTensor for State {
    fn from_table(
        &mut self,
        table: Resource<Table>,
        columns: Vec<String>,
        element: wit::ElementType,
    ) -> Answer<Resource<Tensor>> {
        let made = Tensor::from_table(self.resources.get(&table)?, &columns, element_in(element));
        self.make(made)
    }

    fn from_bytes(&mut self, shape: Vec<u32>, element: wit::ElementType, data: Vec<u8>) -> Answer<Resource<Tensor>> {
        self.make(Tensor::from_bytes(&shape, element_in(element), &data))
    }

    fn full(&mut self, shape: Vec<u32>, element: wit::ElementType, value: f64) -> Answer<Resource<Tensor>> {
        self.make(Tensor::full(&shape, element_in(element), value))
    }

    fn normal(&mut self, shape: Vec<u32>, element: wit::ElementType, seed: u64) -> Answer<Resource<Tensor>> {
        self.make(Tensor::normal(&shape, element_in(element), seed))
    }

    fn uniform(&mut self, shape: Vec<u32>, element: wit::ElementType, seed: u64) -> Answer<Resource<Tensor>> {
        self.make(Tensor::uniform(&shape, element_in(element), seed))
    }

    fn bernoulli(
        &mut self,
        shape: Vec<u32>,
        element: wit::ElementType,
        probability: f64,
        seed: u64,
    ) -> Answer<Resource<Tensor>> {
        self.make(Tensor::bernoulli(&shape, element_in(element), probability, seed))
    }

    fn permutation(&mut self, count: u32, seed: u64) -> Answer<Resource<Tensor>> {
        self.make(Tensor::permutation(count, seed))
    }

    fn arange(&mut self, count: u32, element: wit::ElementType, start: f64, step: f64) -> Answer<Resource<Tensor>> {
        self.make(Tensor::arange(count, element_in(element), start, step))
    }

    fn shape(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<Vec<u32>> {
        self.enter()?;
        Ok(self.resources.get(&tensor)?.shape())
    }

    fn element_type(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<wit::ElementType> {
        self.enter()?;
        Ok(match self.resources.get(&tensor)?.element_type() {
            tensors::ElementType::Float32 => wit::ElementType::Float32,
            tensors::ElementType::Float64 => wit::ElementType::Float64,
            tensors::ElementType::Int64 => wit::ElementType::Int64,
        })
    }

    fn to_bytes(&mut self, tensor: Resource<Tensor>) -> Answer<Vec<u8>> {
        self.enter()?;
        let bytes = self.resources.get(&tensor)?.to_bytes();
        self.computed(bytes)
    }

    fn item(&mut self, tensor: Resource<Tensor>) -> Answer<f64> {
        self.enter()?;
        let item = self.resources.get(&tensor)?.item();
        self.computed(item)
    }

    fn to_table(&mut self, tensor: Resource<Tensor>, columns: Vec<String>) -> Answer<Resource<Table>> {
        self.enter()?;
        let table = self.resources.get(&tensor)?.to_table(&columns);
        let table = self.computed(table)?;
        self.hold(table)
    }

    fn unary(&mut self, tensor: Resource<Tensor>, op: wit::Unary) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.unary(unary_in(op)))
    }

    fn binary(
        &mut self,
        tensor: Resource<Tensor>,
        op: wit::Binary,
        right: Resource<Tensor>,
    ) -> Answer<Resource<Tensor>> {
        let right = self.resources.get(&right)?.clone();
        self.derive(&tensor, |tensor| tensor.binary(binary_in(op), &right))
    }

    fn binary_scalar(&mut self, tensor: Resource<Tensor>, op: wit::Binary, right: f64) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.binary_scalar(binary_in(op), right))
    }

    fn compare(
        &mut self,
        tensor: Resource<Tensor>,
        op: wit::Comparison,
        right: Resource<Tensor>,
    ) -> Answer<Resource<Tensor>> {
        let right = self.resources.get(&right)?.clone();
        self.derive(&tensor, |tensor| tensor.compare(comparison_in(op), &right))
    }

    fn compare_scalar(
        &mut self,
        tensor: Resource<Tensor>,
        op: wit::Comparison,
        right: f64,
    ) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.compare_scalar(comparison_in(op), right))
    }

    fn select(
        &mut self,
        tensor: Resource<Tensor>,
        condition: Resource<Tensor>,
        otherwise: Resource<Tensor>,
    ) -> Answer<Resource<Tensor>> {
        let (condition, otherwise) = (self.resources.get(&condition)?.clone(), self.resources.get(&otherwise)?.clone());
        self.derive(&tensor, |tensor| tensor.select(&condition, &otherwise))
    }

    fn clamp(&mut self, tensor: Resource<Tensor>, low: Option<f64>, high: Option<f64>) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.clamp(low, high))
    }

    fn leaky_relu(&mut self, tensor: Resource<Tensor>, slope: f64) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.leaky_relu(slope))
    }

    fn linear(
        &mut self,
        tensor: Resource<Tensor>,
        weights: Resource<Tensor>,
        bias: Option<Resource<Tensor>>,
    ) -> Answer<Resource<Tensor>> {
        let (weights, bias) = (self.resources.get(&weights)?.clone(), self.operand(bias.as_ref())?);
        self.derive(&tensor, |tensor| tensor.linear(&weights, bias.as_ref()))
    }

    fn convolve(
        &mut self,
        tensor: Resource<Tensor>,
        kernels: Resource<Tensor>,
        bias: Option<Resource<Tensor>>,
        how: wit::Convolution,
    ) -> Answer<Resource<Tensor>> {
        let wit::Convolution { stride, padding, dilation, groups } = how;
        let how = tensors::Convolution { stride, padding, dilation, groups };
        let (kernels, bias) = (self.resources.get(&kernels)?.clone(), self.operand(bias.as_ref())?);
        self.derive(&tensor, |tensor| tensor.convolve(&kernels, bias.as_ref(), &how))
    }

    fn pool(&mut self, tensor: Resource<Tensor>, op: wit::Pooling, window: wit::Window) -> Answer<Resource<Tensor>> {
        let wit::Window { size, stride, padding } = window;
        self.derive(&tensor, |tensor| tensor.pool(pooling_in(op), &tensors::Window { size, stride, padding }))
    }

    fn layer_norm(
        &mut self,
        tensor: Resource<Tensor>,
        weight: Option<Resource<Tensor>>,
        bias: Option<Resource<Tensor>>,
        epsilon: f64,
    ) -> Answer<Resource<Tensor>> {
        let (weight, bias) = (self.operand(weight.as_ref())?, self.operand(bias.as_ref())?);
        self.derive(&tensor, |tensor| tensor.layer_norm(weight.as_ref(), bias.as_ref(), epsilon))
    }

    fn dropout(&mut self, tensor: Resource<Tensor>, probability: f64, seed: u64) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.dropout(probability, seed))
    }

    fn matmul(&mut self, tensor: Resource<Tensor>, right: Resource<Tensor>) -> Answer<Resource<Tensor>> {
        let right = self.resources.get(&right)?.clone();
        self.derive(&tensor, |tensor| tensor.matmul(&right))
    }

    fn reduce(
        &mut self,
        tensor: Resource<Tensor>,
        op: wit::Reduction,
        dimension: Option<u32>,
        keep: bool,
    ) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.reduce(reduction_in(op), dimension, keep))
    }

    fn argmax(&mut self, tensor: Resource<Tensor>, dimension: u32) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.argmax(dimension))
    }

    fn argmin(&mut self, tensor: Resource<Tensor>, dimension: u32) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.argmin(dimension))
    }

    fn cumulative_sum(&mut self, tensor: Resource<Tensor>, dimension: u32) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.cumulative_sum(dimension))
    }

    fn softmax(&mut self, tensor: Resource<Tensor>, dimension: u32) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.softmax(dimension))
    }

    fn log_softmax(&mut self, tensor: Resource<Tensor>, dimension: u32) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.log_softmax(dimension))
    }

    fn reshape(&mut self, tensor: Resource<Tensor>, shape: Vec<u32>) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.reshape(&shape))
    }

    fn transpose(&mut self, tensor: Resource<Tensor>, first: u32, second: u32) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.transpose(first, second))
    }

    fn permute(&mut self, tensor: Resource<Tensor>, dimensions: Vec<u32>) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.permute(&dimensions))
    }

    fn broadcast_to(&mut self, tensor: Resource<Tensor>, shape: Vec<u32>) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.broadcast_to(&shape))
    }

    fn flip(&mut self, tensor: Resource<Tensor>, dimension: u32) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.flip(dimension))
    }

    fn narrow(
        &mut self,
        tensor: Resource<Tensor>,
        dimension: u32,
        start: u32,
        length: u32,
    ) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.narrow(dimension, start, length))
    }

    fn index_select(
        &mut self,
        tensor: Resource<Tensor>,
        dimension: u32,
        positions: Vec<u32>,
    ) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.index_select(dimension, &positions))
    }

    fn take(
        &mut self,
        tensor: Resource<Tensor>,
        dimension: u32,
        positions: Resource<Tensor>,
    ) -> Answer<Resource<Tensor>> {
        let positions = self.resources.get(&positions)?.clone();
        self.derive(&tensor, |tensor| tensor.take(dimension, &positions))
    }

    fn gather(
        &mut self,
        tensor: Resource<Tensor>,
        dimension: u32,
        positions: Resource<Tensor>,
    ) -> Answer<Resource<Tensor>> {
        let positions = self.resources.get(&positions)?.clone();
        self.derive(&tensor, |tensor| tensor.gather(dimension, &positions))
    }

    fn scatter_add(
        &mut self,
        tensor: Resource<Tensor>,
        dimension: u32,
        positions: Resource<Tensor>,
        values: Resource<Tensor>,
    ) -> Answer<Resource<Tensor>> {
        let (positions, values) = (self.resources.get(&positions)?.clone(), self.resources.get(&values)?.clone());
        self.derive(&tensor, |tensor| tensor.scatter_add(dimension, &positions, &values))
    }

    fn one_hot(
        &mut self,
        tensor: Resource<Tensor>,
        classes: u32,
        element: wit::ElementType,
    ) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.one_hot(classes, element_in(element)))
    }

    fn concat(&mut self, parts: Vec<Resource<Tensor>>, dimension: u32) -> Answer<Resource<Tensor>> {
        let parts = parts.iter().map(|part| self.resources.get(part)).collect::<Result<Vec<_>, _>>()?;
        let made = Tensor::concat(&parts, dimension);
        self.make(made)
    }

    fn cast(&mut self, tensor: Resource<Tensor>, element: wit::ElementType) -> Answer<Resource<Tensor>> {
        self.derive(&tensor, |tensor| tensor.cast(element_in(element)))
    }

    fn drop(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<()> {
        self.let_go(tensor)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::WitError;
    use crate::shut::Shut;
    use crate::state::{Failure, told};
    use types::{FaultKind, Limits};

    #[test]
    fn tensors_beyond_a_devices_memory_are_refused_by_the_limits_name() {
        let limits = Limits { device_memory_bytes: 1000, ..Limits::DEFAULT };
        let state = State::new(Box::new(Shut), limits, String::new(), 0, 0);
        let mut state = state.on(tensors::Device::stand_in());
        let full = |state: &mut State, count| state.full(vec![count], wit::ElementType::Float32, 1.0);
        let x = full(&mut state, 200).unwrap_or_else(|_| panic!("800 of 1000 bytes"));
        assert_eq!(state.device.used_bytes(), 800, "what a guest makes lies on its step's device");
        assert!(state.tripped.is_none());
        for refused in [full(&mut state, 200), state.unary(Resource::new_borrow(x.rep()), wit::Unary::Exp)] {
            let Err(Failure::Told(WitError::BudgetExceeded(budget))) = refused else { panic!("it was let through") };
            assert_eq!((budget.kind.as_str(), budget.used, budget.limit), ("device_memory", 1600, 1000));
            let fault = told(WitError::BudgetExceeded(budget));
            assert_eq!(fault.kind, FaultKind::Limit { limit: LimitKind::DeviceMemory });
        }
        let fault = state.tripped.take().unwrap();
        assert!(fault.message.contains("`device_memory` is 1000 B"), "{fault}");
        assert!(HostTensor::drop(&mut state, x).is_ok());
        assert_eq!((state.device.used_bytes(), state.used().device_memory_bytes), (0, 800));
    }

    #[test]
    fn a_device_that_others_fill_may_have_room_later() {
        let state = State::new(Box::new(Shut), Limits::DEFAULT, String::new(), 0, 0);
        let mut state = state.on(tensors::Device::stand_in());
        let full = || Err(tensors::Error::DeviceFull { reason: "CUDA_ERROR_OUT_OF_MEMORY".to_owned() });
        let Err(Failure::Told(error)) = state.computed::<()>(full()) else { panic!("it was let through") };
        // A guest that passes it on, and one that cannot bear it.
        for fault in [told(error), state.tripped.take().unwrap()] {
            assert!(matches!(fault.kind, FaultKind::Transient { retry_after_ms: 10_000 }), "{fault}");
            assert!(fault.message.starts_with("the device has no memory left: CUDA_ERROR_OUT_OF_MEMORY"), "{fault}");
        }
        assert!(state.computed(Ok(())).is_ok() && state.tripped.is_none());
    }
}
