//! candle's arrays, each with the memory that it takes on the device where it lies. Nothing else here names candle's own type.
//!
//! A view shares its array's memory. Elements that are not there lie nowhere: an array of none is never a device's own, so that no
//! kernel meets it.

use crate::Error;
use crate::device::{Device, Taken};
use candle_core::{DType, Result as Candle, Shape, StorageRef, Tensor};
use std::sync::Arc;

/// What an operation on arrays gives.
pub(crate) type Native<T> = Result<T, Error>;

/// Numbers of one type in a shape. Never changes; cloning is cheap.
#[derive(Clone)]
pub(crate) struct Array {
    own: Tensor,
    /// None on the processors, which count theirs otherwise.
    memory: Option<Arc<Taken>>,
}

impl Array {
    /// Elements in a shape that has as many, on the processors.
    pub(crate) fn of<T: candle_core::WithDType>(elements: Vec<T>, shape: &[usize]) -> Native<Self> {
        Ok(Self { own: Tensor::from_vec(elements, shape, &candle_core::Device::Cpu)?, memory: None })
    }

    pub(crate) fn zeros(device: &Device, shape: &[usize], dtype: DType) -> Native<Self> {
        let count = shape.iter().product();
        Self::made(device, count, dtype, |native| Tensor::zeros(shape, dtype, native))
    }

    pub(crate) fn ones_like(&self) -> Native<Self> {
        self.like(self.elem_count(), || self.own.ones_like())
    }

    /// Charged before it is made: what is too much is never there.
    fn made(
        device: &Device,
        count: usize,
        dtype: DType,
        make: impl FnOnce(&candle_core::Device) -> Candle<Tensor>,
    ) -> Native<Self> {
        let memory = device.take(count as u64 * dtype.size_in_bytes() as u64)?;
        let native = if count == 0 { &candle_core::Device::Cpu } else { device.native() };
        Ok(Self { own: make(native)?, memory })
    }

    /// So many elements of the same type beside this one.
    fn like(&self, count: usize, make: impl FnOnce() -> Candle<Tensor>) -> Native<Self> {
        Self::made(&self.device(), count, self.dtype(), |_| make())
    }

    /// The same elements, seen otherwise.
    fn view(&self, own: Candle<Tensor>) -> Native<Self> {
        Ok(Self { own: own?, memory: self.memory.clone() })
    }

    pub(crate) fn device(&self) -> Device {
        self.memory.as_ref().map(|memory| memory.device().clone()).unwrap_or_default()
    }

    /// Whether it lies elsewhere than where the processors see it.
    pub(crate) fn is_beside(&self) -> bool {
        self.memory.is_some()
    }

    /// The same elements there.
    pub(crate) fn on(&self, device: &Device) -> Native<Self> {
        if self.device() == *device {
            return Ok(self.clone());
        }
        let count = self.elem_count();
        Self::made(device, count, self.dtype(), |native| {
            if count == 0 { Ok(self.own.clone()) } else { self.own.to_device(native) }
        })
    }

    /// Its storage and where in that it begins, if it is the processors' and has no gaps.
    pub(crate) fn storage(&self) -> Native<(StorageRef<'_>, usize)> {
        if self.is_beside() {
            return Err(Error::Native(format!(
                "an array of `{}` was looked for on the processors",
                self.device().name()
            )));
        }
        let (storage, layout) = self.own.storage_and_layout();
        match layout.is_contiguous() {
            true => Ok((storage, layout.start_offset())),
            false => Err(Error::Native("an array has gaps where a slice was wanted".to_owned())),
        }
    }

    pub(crate) fn dims(&self) -> &[usize] {
        self.own.dims()
    }

    pub(crate) fn rank(&self) -> usize {
        self.own.rank()
    }

    pub(crate) fn shape(&self) -> &Shape {
        self.own.shape()
    }

    pub(crate) fn dtype(&self) -> DType {
        self.own.dtype()
    }

    pub(crate) fn elem_count(&self) -> usize {
        self.own.elem_count()
    }

    pub(crate) fn is_contiguous(&self) -> bool {
        self.own.is_contiguous()
    }

    /// Changes the elements in place; to be used on what nobody else has.
    pub(crate) fn change(&self, how: &impl candle_core::InplaceOp1) -> Native<()> {
        Ok(self.own.inplace_op1(how)?)
    }

    pub(crate) fn contiguous(&self) -> Native<Self> {
        match self.is_contiguous() {
            true => Ok(self.clone()),
            false => self.force_contiguous(),
        }
    }

    /// A copy without gaps.
    pub(crate) fn force_contiguous(&self) -> Native<Self> {
        self.like(self.elem_count(), || self.own.force_contiguous())
    }

    pub(crate) fn reshape<S: Into<Shape>>(&self, shape: S) -> Native<Self> {
        let whole = self.contiguous()?;
        whole.view(whole.own.reshape(shape.into()))
    }

    pub(crate) fn broadcast_as<S: Into<Shape>>(&self, shape: S) -> Native<Self> {
        self.view(self.own.broadcast_as(shape))
    }

    pub(crate) fn transpose(&self, first: usize, second: usize) -> Native<Self> {
        self.view(self.own.transpose(first, second))
    }

    /// The last two dimensions exchanged.
    pub(crate) fn t(&self) -> Native<Self> {
        self.view(self.own.t())
    }

    pub(crate) fn permute(&self, order: &[usize]) -> Native<Self> {
        self.view(self.own.permute(order))
    }

    pub(crate) fn narrow(&self, dimension: usize, start: usize, length: usize) -> Native<Self> {
        self.view(self.own.narrow(dimension, start, length))
    }

    pub(crate) fn squeeze(&self, dimension: usize) -> Native<Self> {
        self.view(self.own.squeeze(dimension))
    }

    pub(crate) fn pad_with_zeros(&self, dimension: usize, left: usize, right: usize) -> Native<Self> {
        let others = self.elem_count() / self.dims()[dimension].max(1);
        let count = others * (left + self.dims()[dimension] + right);
        self.like(count, || self.own.pad_with_zeros(dimension, left, right))
    }

    pub(crate) fn matmul(&self, right: &Self) -> Native<Self> {
        self.expect_same_device(right)?;
        let rows = self.elem_count() / self.dims().last().copied().unwrap_or(1).max(1);
        let columns = right.dims().last().copied().unwrap_or(1);
        self.like(rows * columns, || self.own.matmul(&right.own))
    }

    /// Side by side along a new first dimension; there is at least one, all of one shape.
    pub(crate) fn stack(arrays: &[Self]) -> Native<Self> {
        let own: Vec<_> = arrays.iter().map(|array| &array.own).collect();
        match arrays.first() {
            Some(first) => first.like(first.elem_count() * arrays.len(), || Tensor::stack(&own, 0)),
            None => Err(Error::Native("nothing was stacked".to_owned())),
        }
    }

    /// Side by side along a dimension; there is at least one.
    pub(crate) fn cat(arrays: &[&Self], dimension: usize) -> Native<Self> {
        let own: Vec<_> = arrays.iter().map(|array| &array.own).collect();
        let count = arrays.iter().map(|array| array.elem_count()).sum();
        match arrays.first() {
            Some(first) => first.like(count, || Tensor::cat(&own, dimension)),
            None => Err(Error::Native("nothing was put side by side".to_owned())),
        }
    }
}

impl std::fmt::Debug for Array {
    /// Never the elements: they may be anyone's data, and many.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Array({:?} {:?} on {})", self.dtype(), self.dims(), self.device().name())
    }
}

/// candle's own kernels, for arrays beside the processors.
macro_rules! kernels {
    (one: $($one:ident)*; two: $($two:ident $candle_two:ident)*; compare: $($compare:ident $candle_compare:ident)*;) => {
        impl Array {
            $(pub(crate) fn $one(&self) -> Native<Self> {
                self.like(self.elem_count(), || self.own.$one())
            })*

            $(pub(crate) fn $two(&self, right: &Self) -> Native<Self> {
                self.like(self.together(right)?, || self.own.$candle_two(&right.own))
            })*

            $(/// A mask: 1 where it holds, else 0, of a byte each.
            pub(crate) fn $compare(&self, right: &Self) -> Native<Self> {
                let count = self.together(right)?;
                Self::made(&self.device(), count, DType::U8, |_| self.own.$candle_compare(&right.own))
            })*
        }
    };
}
kernels! {
    one: neg abs exp log sqrt recip tanh sin cos floor round erf;
    two: plus broadcast_add minus broadcast_sub times broadcast_mul over broadcast_div;
    compare: eq broadcast_eq ne broadcast_ne lt broadcast_lt le broadcast_le gt broadcast_gt ge broadcast_ge;
}

impl Array {
    /// An error of ours, unless the other lies on the same device.
    fn expect_same_device(&self, other: &Self) -> Native<()> {
        let (own, others) = (self.device(), other.device());
        match own == others {
            true => Ok(()),
            false => Err(Error::Native(format!("operands lie on `{}` and `{}`", own.name(), others.name()))),
        }
    }

    /// Elements of both, broadcast.
    fn together(&self, right: &Self) -> Native<usize> {
        self.expect_same_device(right)?;
        let shape = self.shape().broadcast_shape_binary_op(right.shape(), "broadcast");
        Ok(shape?.elem_count())
    }

    /// This times a number, plus a number.
    pub(crate) fn affine(&self, times: f64, plus: f64) -> Native<Self> {
        self.like(self.elem_count(), || self.own.affine(times, plus))
    }

    /// Of a mask: the one where it is not 0, else the other. All of one shape.
    pub(crate) fn choose(&self, yes: &Self, no: &Self) -> Native<Self> {
        self.expect_same_device(yes)?;
        self.expect_same_device(no)?;
        yes.like(self.elem_count(), || self.own.where_cond(&yes.own, &no.own))
    }

    /// Along a dimension, which keeps length 1.
    pub(crate) fn sum(&self, dimension: usize) -> Native<Self> {
        let count = self.elem_count() / self.dims()[dimension].max(1);
        self.like(count, || self.own.sum_keepdim(dimension))
    }

    /// The largest along a dimension, which keeps length 1.
    pub(crate) fn largest(&self, dimension: usize) -> Native<Self> {
        // The engine divides by the stride of the dimension, which may be 0 where one element lies.
        if self.dims()[dimension] == 1 {
            return Ok(self.clone());
        }
        let count = self.elem_count() / self.dims()[dimension].max(1);
        self.like(count, || self.own.max_keepdim(dimension))
    }

    pub(crate) fn as_type(&self, dtype: DType) -> Native<Self> {
        Self::made(&self.device(), self.elem_count(), dtype, |_| self.own.to_dtype(dtype))
    }

    /// The elements at positions, which are a vector, along a dimension.
    pub(crate) fn rows(&self, positions: &Self, dimension: usize) -> Native<Self> {
        self.expect_same_device(positions)?;
        let count = self.elem_count() / self.dims()[dimension].max(1) * positions.elem_count();
        self.like(count, || self.own.index_select(&positions.own, dimension))
    }

    /// This with elements added at positions along a dimension.
    pub(crate) fn plus_rows(&self, positions: &Self, added: &Self, dimension: usize) -> Native<Self> {
        self.expect_same_device(positions)?;
        self.expect_same_device(added)?;
        self.like(self.elem_count(), || self.own.index_add(&positions.own, &added.own, dimension))
    }
}
