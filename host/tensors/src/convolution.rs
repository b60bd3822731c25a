//! Images or sequences and kernels -> their cross-correlation, by matrix products.
//!
//! Each window of the input becomes a column ("im2col", Chellapilla, Puri and Simard, 2006), so that a convolution is a
//! product of kernels [outputs, channels x size] and columns [channels x size, images x places], and its gradients are two
//! more products. A sequence is an image of height 1. Images are taken some at a time, so that the columns, which hold
//! each element as often as a kernel has, stay small.

use crate::array::{Elements, Real, array, by_real, in_rows};
use crate::graph::pull;
use crate::lanes;
use crate::native::{Array, Native};
use crate::product::in_any_company;
use crate::{ELEMENTS_MAX, Error, Tensor, shape};
use std::ops::Range;

/// Elements of columns that are made at a time, if more than one image is.
const COLUMNS_MAX: usize = 1 << 22;

/// How kernels move: one number a dimension each. See the contract's `convolution`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    pub stride: Vec<u32>,
    pub padding: Vec<u32>,
    pub dilation: Vec<u32>,
    pub groups: u32,
}

/// Along one dimension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) length: usize,
    pub(crate) size: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) dilation: usize,
    /// Places of the window.
    pub(crate) places: usize,
}

impl Axis {
    /// None unless there is a place for the window, dilated, in the padded length, and something to lie under it.
    pub(crate) fn new(length: usize, size: usize, [stride, padding, dilation]: [u32; 3]) -> Option<Self> {
        if length == 0 || dilation == 0 {
            return None;
        }
        let padded = (length as u64) + 2 * u64::from(padding);
        let reach = (size as u64).checked_sub(1)?.checked_mul(u64::from(dilation))? + 1;
        let room = padded.checked_sub(reach)?;
        let places = room.checked_div(u64::from(stride))? + 1;
        let [stride, padding, dilation] = [stride, padding, dilation].map(|number| number as usize);
        Some(Self { length, size, stride, padding, dilation, places: usize::try_from(places).ok()? })
    }

    /// A dimension that is not there.
    pub(crate) fn none() -> Self {
        Self { length: 1, size: 1, stride: 1, padding: 0, dilation: 1, places: 1 }
    }

    /// The places whose window has an element of the input under the kernel's element, and where the first one is.
    pub(crate) fn inside(self, element: usize) -> (Range<usize>, usize) {
        let offset = element * self.dilation;
        let first = self.padding.saturating_sub(offset).div_ceil(self.stride).min(self.places);
        let end = (self.length + self.padding).saturating_sub(offset).div_ceil(self.stride).min(self.places);
        (first..end.max(first), (first * self.stride + offset).saturating_sub(self.padding))
    }
}

#[derive(Debug, Clone, Copy)]
struct Geometry {
    images: usize,
    /// Of all groups together.
    channels: usize,
    outputs: usize,
    groups: usize,
    height: Axis,
    width: Axis,
}

impl Geometry {
    /// Rows of the columns of one group: channels x kernel elements.
    fn depth(&self) -> usize {
        self.channels / self.groups * self.height.size * self.width.size
    }

    fn places(&self) -> usize {
        self.height.places * self.width.places
    }

    fn pixels(&self) -> usize {
        self.height.length * self.width.length
    }

    /// Images in turn, so many that their columns are not too many.
    fn turns(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (images, each) = (self.images, (COLUMNS_MAX / (self.depth() * self.places()).max(1)).max(1));
        (0..images).step_by(each).map(move |start| start..images.min(start + each))
    }
}

impl Tensor {
    /// [batch, channels, length] with kernels [outputs, channels / groups, size], or the same of images; bias [outputs].
    pub fn convolve(&self, kernels: &Tensor, bias: Option<&Tensor>, how: &Convolution) -> Result<Self, Error> {
        self.expect_real("tensor")?;
        kernels.expect_type("kernels", self.element_type())?;
        let geometry = geometry(self.dims(), kernels.dims(), how)?;
        let mut shape = vec![geometry.images, geometry.outputs, geometry.height.places, geometry.width.places];
        if self.dims().len() == 3 {
            shape.remove(2);
        }
        let shape = shape::within_limits(shape)?;
        let made = if shape.contains(&0) || self.is_vacant() || kernels.is_vacant() {
            Self::vacant(&shape, &[self, kernels])?
        } else if self.is_beside() {
            Self::trip([self, kernels], |[x, kernels]| x.convolve(kernels, None, how))?
        } else {
            let (x, w) = (self.value.contiguous()?, kernels.value.contiguous()?);
            let value = by_real!(x, T => forward::<T>(&x, &w, geometry))?.reshape(shape.as_slice())?;
            let (x2, w2) = (x.clone(), w.clone());
            let to_x = pull(move |g| by_real!(g, T => to_input::<T>(g, &w2, x.dims(), geometry)));
            let to_w = pull(move |g| by_real!(g, T => to_kernels::<T>(g, &x2, w.dims(), geometry)));
            Self::result(value, [(self, to_x), (kernels, to_w)])
        };
        match bias {
            Some(bias) => made.plus_channels(bias, geometry.outputs),
            None => Ok(made),
        }
    }

    /// A number for each channel.
    fn plus_channels(&self, bias: &Tensor, outputs: usize) -> Result<Self, Error> {
        bias.expect_shape("convolve", "bias", &[outputs])?;
        bias.expect_type("bias", self.element_type())?;
        let mut shape = vec![1; self.dims().len() - 1];
        shape[0] = outputs;
        self.binary(crate::Binary::Add, &bias.reshaped(&shape)?)
    }
}

fn geometry(input: &[usize], kernels: &[usize], how: &Convolution) -> Result<Geometry, Error> {
    let mismatch = |expected: String| Error::Shape {
        operation: "convolve",
        expected,
        got: format!("{input:?} and kernels {kernels:?} with groups = {}", how.groups),
    };
    let rank = input.len().saturating_sub(2);
    if !matches!(rank, 1 | 2) || kernels.len() != input.len() {
        return Err(mismatch(
            "[batch, channels, length] or [.., height, width], and kernels of the same rank".to_owned(),
        ));
    }
    for (name, numbers) in [("stride", &how.stride), ("padding", &how.padding), ("dilation", &how.dilation)] {
        each_dimension(name, numbers, rank)?;
    }
    let (channels, groups) = (input[1], how.groups as usize);
    let divides = |count: usize| groups != 0 && count.is_multiple_of(groups);
    if !divides(channels) || !divides(kernels[0]) || kernels[1] != channels / groups {
        return Err(mismatch("groups that divide channels and outputs, and kernels of channels / groups".to_owned()));
    }
    let axis = |i: usize| {
        Axis::new(input[2 + i], kernels[2 + i], [how.stride[i], how.padding[i], how.dilation[i]]).ok_or_else(|| {
            mismatch("a stride and a dilation above 0, and kernels that fit into the padded input".to_owned())
        })
    };
    let (height, width) = if rank == 1 { (Axis::none(), axis(0)?) } else { (axis(0)?, axis(1)?) };
    let geometry = Geometry { images: input[0], channels, outputs: kernels[0], groups, height, width };
    // The columns of one image.
    let columns =
        (geometry.depth() as u64).checked_mul(height.places as u64).and_then(|it| it.checked_mul(width.places as u64));
    match columns {
        Some(columns) if columns <= ELEMENTS_MAX => Ok(geometry),
        _ => Err(mismatch(format!("at most {ELEMENTS_MAX} elements in the windows of an image"))),
    }
}

/// One number for each dimension over which a window moves.
pub(crate) fn each_dimension(name: &str, numbers: &[u32], rank: usize) -> Result<(), Error> {
    match numbers.len() == rank {
        true => Ok(()),
        false => Err(Error::invalid(name, format!("has {} numbers, expected {rank}", numbers.len()))),
    }
}

/// Windows of some images of a group as columns [depth, images x places].
fn columns<T: Real>(x: &[T], group: usize, images: Range<usize>, geometry: Geometry) -> Native<Array> {
    let Geometry { channels, groups, height, width, .. } = geometry;
    let (places, pixels, count) = (geometry.places(), geometry.pixels(), images.len());
    let mut made = vec![T::zero(); geometry.depth() * count * places];
    in_rows(&mut made, count * places, |row, columns| {
        let (channel, element) = (row / (height.size * width.size), row % (height.size * width.size));
        let channel = group * (channels / groups) + channel;
        let ((rows, first_row), (across, first)) =
            (height.inside(element / width.size), width.inside(element % width.size));
        for (image, columns) in images.clone().zip(columns.chunks_exact_mut(places)) {
            let plane = &x[(image * channels + channel) * pixels..][..pixels];
            for (i, row) in rows.clone().enumerate() {
                let from = &plane[(first_row + i * height.stride) * width.length..][..width.length];
                let to = &mut columns[row * width.places..][across.clone()];
                if width.stride == 1 && !to.is_empty() {
                    to.copy_from_slice(&from[first..first + to.len()]);
                } else {
                    let from = from.iter().skip(first).step_by(width.stride);
                    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
                }
            }
        }
    });
    array(made, &[geometry.depth(), count * places])
}

/// The way back of `columns`: adds each element of a column to the pixel that it came from.
fn from_columns<T: Real>(columns: &[T], to: &mut [T], group: usize, count: usize, geometry: Geometry) {
    let Geometry { channels, groups, height, width, .. } = geometry;
    let (places, pixels, size) = (geometry.places(), geometry.pixels(), height.size * width.size);
    let of_group = group * (channels / groups)..(group + 1) * (channels / groups);
    in_rows(to, pixels, |plane, to| {
        let (image, channel) = (plane / channels, plane % channels);
        if !of_group.contains(&channel) {
            return;
        }
        for element in 0..size {
            let row = (channel - of_group.start) * size + element;
            let from = &columns[row * count * places + image * places..][..places];
            let ((rows, first_row), (across, first)) =
                (height.inside(element / width.size), width.inside(element % width.size));
            for (i, row) in rows.enumerate() {
                let to = &mut to[(first_row + i * height.stride) * width.length..][..width.length];
                let from = &from[row * width.places..][across.clone()];
                let to = to.iter_mut().skip(first).step_by(width.stride);
                to.zip(from).for_each(|(to, &from)| *to += from);
            }
        }
    });
}

/// The kernels of a group as a matrix [outputs / groups, depth].
fn kernel_matrix(kernels: &Array, group: usize, geometry: Geometry) -> Native<Array> {
    let outputs = geometry.outputs / geometry.groups;
    kernels.narrow(0, group * outputs, outputs)?.reshape((outputs, geometry.depth()))
}

/// Some images of a group's gradient as a matrix [outputs / groups, images x places].
fn gradient_matrix(g: &Array, group: usize, images: &Range<usize>, geometry: Geometry) -> Native<Array> {
    let outputs = geometry.outputs / geometry.groups;
    let g = g.reshape((geometry.images, geometry.outputs, geometry.places()))?;
    let part = g.narrow(0, images.start, images.len())?.narrow(1, group * outputs, outputs)?;
    part.transpose(0, 1)?.contiguous()?.reshape((outputs, images.len() * geometry.places()))
}

/// [images, outputs, places].
fn forward<T: Real>(x: &Array, kernels: &Array, geometry: Geometry) -> Native<Array> {
    let x = Elements::<T>::of(x)?;
    let (places, outputs) = (geometry.places(), geometry.outputs / geometry.groups);
    let mut made = Vec::with_capacity(geometry.images * geometry.outputs * places);
    for images in geometry.turns() {
        let groups = (0..geometry.groups).map(|group| {
            let columns = columns::<T>(&x, group, images.clone(), geometry)?;
            let product = in_any_company(&kernel_matrix(kernels, group, geometry)?, &columns)?;
            product.reshape((outputs, images.len(), places))
        });
        let groups = groups.collect::<Native<Vec<_>>>()?;
        let turn = Array::cat(&groups.iter().collect::<Vec<_>>(), 0)?.transpose(0, 1)?.contiguous()?;
        made.extend_from_slice(&Elements::<T>::of(&turn)?);
    }
    array(made, &[geometry.images, geometry.outputs, places])
}

fn to_input<T: Real>(g: &Array, kernels: &Array, shape: &[usize], geometry: Geometry) -> Native<Array> {
    let each = geometry.channels * geometry.pixels();
    let mut made = vec![T::zero(); geometry.images * each];
    for images in geometry.turns() {
        for group in 0..geometry.groups {
            let g = gradient_matrix(g, group, &images, geometry)?;
            let columns = kernel_matrix(kernels, group, geometry)?.t()?.matmul(&g)?;
            let to = &mut made[images.start * each..images.end * each];
            from_columns(&Elements::<T>::of(&columns)?, to, group, images.len(), geometry);
        }
    }
    array(made, shape)
}

fn to_kernels<T: Real>(g: &Array, x: &Array, shape: &[usize], geometry: Geometry) -> Native<Array> {
    let x = Elements::<T>::of(x)?;
    let of_group = |group: usize| {
        let turns = geometry.turns().map(|images| {
            let columns = columns::<T>(&x, group, images.clone(), geometry)?;
            gradient_matrix(g, group, &images, geometry)?.matmul(&columns.t()?)
        });
        let turns = turns.collect::<Native<Vec<_>>>()?;
        match turns.as_slice() {
            [only] => Ok(only.clone()),
            several => lanes::sum(&Array::stack(several)?, 0)?.squeeze(0),
        }
    };
    let groups = (0..geometry.groups).map(of_group).collect::<Native<Vec<_>>>()?;
    Array::cat(&groups.iter().collect::<Vec<_>>(), 0)?.reshape(shape)
}
