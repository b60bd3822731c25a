//! `stepwell:tensor/tensors`: the operations of crate `tensors` under handles.

use crate::bindings::stepwell::tensor::tensors::{self as wit, Host, HostTensor};
use crate::state::{Answer, State};
use data::Table;
use tensors::Tensor;
use wasmtime::component::Resource;

impl Host for State {}

fn element_in(element: wit::ElementType) -> tensors::ElementType {
    match element {
        wit::ElementType::Float32 => tensors::ElementType::Float32,
        wit::ElementType::Float64 => tensors::ElementType::Float64,
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
    Neg Abs Exp Log Sqrt Square Recip Tanh Sigmoid Relu Gelu Sin Cos Sign Floor Round
});
same_names!(binary_in: wit::Binary => tensors::Binary { Add Sub Mul Div Maximum Minimum });
same_names!(comparison_in: wit::Comparison => tensors::Comparison { Eq Ne Lt Le Gt Ge });
same_names!(reduction_in: wit::Reduction => tensors::Reduction { Sum Mean Max Min });

impl State {
    /// One operation on a tensor under a handle; the result under a new one.
    fn derive(
        &mut self,
        tensor: &Resource<Tensor>,
        operation: impl FnOnce(&Tensor) -> Result<Tensor, tensors::Error>,
    ) -> Answer<Resource<Tensor>> {
        self.enter()?;
        let result = operation(self.resources.get(tensor)?)?;
        self.hold(result)
    }

    fn make(&mut self, made: Result<Tensor, tensors::Error>) -> Answer<Resource<Tensor>> {
        self.enter()?;
        self.hold(made?)
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

    fn shape(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<Vec<u32>> {
        self.enter()?;
        Ok(self.resources.get(&tensor)?.shape())
    }

    fn element_type(&mut self, tensor: Resource<Tensor>) -> wasmtime::Result<wit::ElementType> {
        self.enter()?;
        Ok(match self.resources.get(&tensor)?.element_type() {
            tensors::ElementType::Float32 => wit::ElementType::Float32,
            tensors::ElementType::Float64 => wit::ElementType::Float64,
        })
    }

    fn to_bytes(&mut self, tensor: Resource<Tensor>) -> Answer<Vec<u8>> {
        self.enter()?;
        Ok(self.resources.get(&tensor)?.to_bytes()?)
    }

    fn item(&mut self, tensor: Resource<Tensor>) -> Answer<f64> {
        self.enter()?;
        Ok(self.resources.get(&tensor)?.item()?)
    }

    fn to_table(&mut self, tensor: Resource<Tensor>, columns: Vec<String>) -> Answer<Resource<Table>> {
        self.enter()?;
        let table = self.resources.get(&tensor)?.to_table(&columns)?;
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
