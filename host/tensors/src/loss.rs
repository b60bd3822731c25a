//! Predictions and truth -> one number to make small.

use crate::array::{Elements, Number, Real, array, by_real, by_type, in_rows};
use crate::graph::pull;
use crate::lanes::{self, row_sum};
use crate::native::{Array, Native};
use crate::unary::{sigmoid, softplus};
use crate::{Device, ElementType, Error, Tensor, beside};

/// How far a prediction p is from the truth y, with d = p - y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// d^2.
    Squared,
    /// |d|; its gradient at 0 is 0.
    Absolute,
    /// d^2 / 2 where |d| is at most delta, else delta (|d| - delta / 2) (Huber, 1964).
    Huber(f64),
    /// q (y - p) where p is below y, else (1 - q) (p - y) (Koenker and Bassett, 1978); its gradient at 0 is 0.
    Quantile(f64),
}

impl Distance {
    fn check(self) -> Result<(), Error> {
        match self {
            Self::Huber(delta) if !(delta > 0.0 && delta < f64::INFINITY) => {
                Err(Error::invalid("delta", format!("is {delta}, expected a number above 0")))
            }
            Self::Quantile(q) if !(q > 0.0 && q < 1.0) => {
                Err(Error::invalid("quantile", format!("is {q}, expected a number between 0 and 1")))
            }
            _ => Ok(()),
        }
    }

    fn value(self, d: f64) -> f64 {
        match self {
            Self::Squared => d * d,
            Self::Absolute => d.abs(),
            Self::Huber(delta) if d.abs() <= delta => d * d / 2.0,
            Self::Huber(delta) => delta * (d.abs() - delta / 2.0),
            Self::Quantile(q) => (q * -d).max((1.0 - q) * d),
        }
    }

    /// The same of arrays on another device than the processors; so is the slope below.
    fn value_beside(self, d: &Array) -> Native<Array> {
        match self {
            Self::Squared => d.times(d),
            Self::Absolute => d.abs(),
            Self::Huber(delta) => {
                let far = d.abs()?.affine(delta, -delta * delta / 2.0)?;
                Self::is_near(d, delta)?.choose(&d.times(d)?.affine(0.5, 0.0)?, &far)
            }
            Self::Quantile(q) => {
                let zero = beside::zero(d)?;
                d.lt(&zero)?.choose(&d.affine(-q, 0.0)?, &d.affine(1.0 - q, 0.0)?)
            }
        }
    }

    fn slope_beside(self, d: &Array) -> Native<Array> {
        match self {
            Self::Squared => d.affine(2.0, 0.0),
            Self::Absolute => beside::sign(d),
            Self::Huber(delta) => {
                Self::is_near(d, delta)?.choose(&d.contiguous()?, &beside::sign(d)?.affine(delta, 0.0)?)
            }
            Self::Quantile(q) => {
                let zero = beside::zero(d)?;
                let sign = beside::sign(d)?;
                d.lt(&zero)?.choose(&sign.affine(q, 0.0)?, &sign.affine(1.0 - q, 0.0)?)
            }
        }
    }

    fn is_near(d: &Array, delta: f64) -> Native<Array> {
        let most = beside::zero(d)?.affine(1.0, delta)?;
        d.abs()?.le(&most)
    }

    fn slope(self, d: f64) -> f64 {
        let sign = if d == 0.0 { 0.0 } else { d.signum() };
        match self {
            Self::Squared => 2.0 * d,
            Self::Absolute => sign,
            Self::Huber(delta) if d.abs() <= delta => d,
            Self::Huber(delta) => delta * sign,
            Self::Quantile(q) if d < 0.0 => -q,
            Self::Quantile(q) => (1.0 - q) * sign,
        }
    }
}

/// Mean over all elements of the distance of prediction and target, each times its weight; the weights are not normalised.
pub fn regression_loss(
    distance: Distance,
    predictions: &Tensor,
    targets: &Tensor,
    weights: Option<&Tensor>,
) -> Result<Tensor, Error> {
    distance.check()?;
    if predictions.is_beside() {
        let checked = Terms::check("regression-loss", "predictions", predictions, targets, weights)?;
        return checked.mean_beside(
            move |p, y| distance.value_beside(&p.minus(y)?),
            move |p, y| distance.slope_beside(&p.minus(y)?),
            move |p, y| distance.slope_beside(&p.minus(y)?)?.neg(),
        );
    }
    let of_prediction = move |p: f64, y: f64| distance.slope(p - y);
    let rule = Rule {
        operation: "regression-loss",
        name: "predictions",
        value: move |p: f64, y: f64| distance.value(p - y),
        by_prediction: of_prediction,
        by_target: move |p: f64, y: f64| -of_prediction(p, y),
    };
    mean_of(rule, predictions, targets, weights)
}

/// Mean of log(1 + exp(x)) - x y over all elements, each times its weight; the weights are not normalised, as in PyTorch.
pub fn binary_cross_entropy(logits: &Tensor, targets: &Tensor, weights: Option<&Tensor>) -> Result<Tensor, Error> {
    if logits.is_beside() {
        let checked = Terms::check("binary-cross-entropy", "logits", logits, targets, weights)?;
        return checked.mean_beside(
            |x, y| beside::softplus(x)?.minus(&x.times(y)?),
            |x, y| beside::sigmoid(x)?.minus(y),
            |x, _| x.neg(),
        );
    }
    let rule = Rule {
        operation: "binary-cross-entropy",
        name: "logits",
        value: |x: f64, y: f64| softplus(x) - x * y,
        by_prediction: |x: f64, y: f64| sigmoid(x) - y,
        by_target: |x: f64, _: f64| -x,
    };
    mean_of(rule, logits, targets, weights)
}

/// A loss of each element by itself, with its slopes. In float64 whatever the type: a mean of float32 loses nothing by it.
struct Rule<V, P, T> {
    operation: &'static str,
    /// What the contract calls the predictions.
    name: &'static str,
    value: V,
    by_prediction: P,
    by_target: T,
}

fn mean_of(
    rule: Rule<impl Function, impl Function, impl Function>,
    predictions: &Tensor,
    targets: &Tensor,
    weights: Option<&Tensor>,
) -> Result<Tensor, Error> {
    Terms::check(rule.operation, rule.name, predictions, targets, weights)?;
    let x = predictions.value.contiguous()?;
    let y = targets.value.contiguous()?;
    let w = weights.map(|weights| weights.value.contiguous()).transpose()?;
    let value = by_real!(x, T => {
        let terms = each::<T>(&x, &y, w.as_ref(), &rule.value)?;
        array(vec![T::of(row_sum(&terms) / terms.len() as f64)], &[])
    })?;
    let back = |f: Box<dyn Function>| {
        let (x, y, w) = (x.clone(), y.clone(), w.clone());
        pull(move |g| {
            by_real!(x, T => {
                let share = one(g)? / x.elem_count() as f64;
                array(each::<T>(&x, &y, w.as_ref(), &|x, y| share * f(x, y))?, x.dims())
            })
        })
    };
    let to_weights = weights.map(|weights| {
        let (x, y, value) = (x.clone(), y.clone(), rule.value);
        let to_weights = pull(move |g| {
            by_real!(x, T => {
                let share = one(g)? / x.elem_count() as f64;
                array(each::<T>(&x, &y, None, &|x, y| share * value(x, y))?, x.dims())
            })
        });
        (weights, to_weights)
    });
    let mut operands = vec![(predictions, back(Box::new(rule.by_prediction)))];
    operands.push((targets, back(Box::new(rule.by_target))));
    operands.extend(to_weights);
    Ok(Tensor::result_of(value, operands))
}

/// What a loss is the mean of: of one shape and type, with at least one element.
struct Terms<'a> {
    predictions: &'a Tensor,
    targets: &'a Tensor,
    weights: Option<&'a Tensor>,
}

impl<'a> Terms<'a> {
    fn check(
        operation: &'static str,
        name: &'static str,
        predictions: &'a Tensor,
        targets: &'a Tensor,
        weights: Option<&'a Tensor>,
    ) -> Result<Self, Error> {
        predictions.expect_real(name)?;
        let shape = predictions.dims();
        for (other_name, other) in [("targets", Some(targets)), ("weights", weights)] {
            if let Some(other) = other {
                other.expect_type(other_name, predictions.element_type())?;
                other.expect_shape(operation, other_name, shape)?;
            }
        }
        if predictions.is_vacant() {
            return Err(Error::invalid(name, format!("has shape {shape:?}, expected at least one element")));
        }
        Ok(Self { predictions, targets, weights })
    }

    /// The mean of a rule's values on another device than the processors, and its slopes.
    fn mean_beside(
        self,
        value: impl ArrayRule + Copy,
        by_prediction: impl ArrayRule,
        by_target: impl ArrayRule,
    ) -> Result<Tensor, Error> {
        let Self { predictions, targets, weights } = self;
        let (x, y) = (predictions.value.contiguous()?, targets.value.contiguous()?);
        let w = weights.map(|weights| weights.value.contiguous()).transpose()?;
        let count = x.elem_count();
        let terms = weighted(value(&x, &y)?, w.as_ref())?;
        let mean = terms.reshape(count)?.sum(0)?.affine(1.0 / count as f64, 0.0)?.reshape(())?;
        let back = |rule: Box<dyn ArrayRule>, w: Option<Array>| {
            let (x, y) = (x.clone(), y.clone());
            pull(move |g| weighted(rule(&x, &y)?, w.as_ref())?.times(g)?.affine(1.0 / count as f64, 0.0))
        };
        let mut operands = vec![(predictions, back(Box::new(by_prediction), w.clone()))];
        operands.push((targets, back(Box::new(by_target), w)));
        operands.extend(weights.map(|weights| (weights, back(Box::new(value), None))));
        Ok(Tensor::result_of(mean, operands))
    }
}

/// Predictions and targets -> a number for each, on their device.
trait ArrayRule: Fn(&Array, &Array) -> Native<Array> + Send + Sync + 'static {}
impl<F: Fn(&Array, &Array) -> Native<Array> + Send + Sync + 'static> ArrayRule for F {}

fn weighted(terms: Array, w: Option<&Array>) -> Native<Array> {
    match w {
        Some(w) => terms.times(w),
        None => Ok(terms),
    }
}

/// Prediction and target -> a number.
trait Function: Fn(f64, f64) -> f64 + Send + Sync + 'static {}
impl<F: Fn(f64, f64) -> f64 + Send + Sync + 'static> Function for F {}

/// The function of each pair, times its weight.
fn each<T: Real>(x: &Array, y: &Array, w: Option<&Array>, f: &(impl Fn(f64, f64) -> f64 + Sync)) -> Native<Vec<T>> {
    let (x, y) = (Elements::<T>::of(x)?, Elements::<T>::of(y)?);
    let w = w.map(Elements::<T>::of).transpose()?;
    let weight = |i: usize| w.as_ref().map_or(1.0, |w| w[i].wide());
    Ok(crate::array::pieces(x.len(), |start, piece| {
        for (i, to) in (start..).zip(piece) {
            *to = T::of(weight(i) * f(x[i].wide(), y[i].wide()));
        }
    }))
}

/// The one number of a gradient of a loss.
fn one(g: &Array) -> Native<f64> {
    let g = g.contiguous()?;
    by_real!(g, T => Ok(Elements::<T>::of(&g)?.first().copied().map_or(0.0, Number::wide)))
}

/// Mean over rows of -log-softmax(logits [rows, classes]) at `targets` [rows], class positions as int64 or as whole numbers in
/// the logits' type. Its gradient by the logits is (softmax - 1 at the target) / rows.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor, Error> {
    logits.expect_real("logits")?;
    let [rows, classes] = *logits.dims() else {
        let got = format!("shape {:?}", logits.dims());
        return Err(Error::Shape { operation: "cross-entropy", expected: "logits [rows, classes]".to_owned(), got });
    };
    if logits.is_vacant() {
        let reason = format!("has shape {:?}, expected at least one element", logits.dims());
        return Err(Error::invalid("logits", reason));
    }
    if targets.element_type() != ElementType::Int64 {
        targets.expect_type("targets", logits.element_type())?;
    }
    targets.expect_shape("cross-entropy", "targets", &[rows])?;
    let targets = targets.on(&Device::default())?;
    let classes = by_type!(targets.value, T => class_positions::<T>(&targets.value, classes))?;
    let x = logits.value.contiguous()?;
    if x.is_beside() {
        return cross_entropy_beside(logits, &x, &classes);
    }
    let (value, totals) = by_real!(x, T => log_likelihood::<T>(&x, &classes))?;
    let back = pull(move |g| {
        by_real!(x, T => {
            let share = T::of(one(g)? / rows as f64);
            shares::<T>(&x, &totals, &classes, share)
        })
    });
    Ok(Tensor::result(value, [(logits, back)]))
}

/// The mean over rows of log(sum(exp(x))) - x at the class, where x lies. What the classes are is brought there as a mask.
fn cross_entropy_beside(logits: &Tensor, x: &Array, classes: &[usize]) -> Result<Tensor, Error> {
    let (rows, width) = (x.dims()[0], x.dims()[1]);
    let mask = by_real!(x, T => {
        let mut mask = vec![T::default(); rows * width];
        mask.chunks_exact_mut(width).zip(classes).for_each(|(row, &class)| row[class] = T::ONE);
        array(mask, x.dims())
    })?;
    let mask = mask.on(&x.device())?;
    // Chosen and not multiplied: logits of classes that are not allowed are often minus infinity.
    let chosen = mask.gt(&beside::zero(x)?)?.choose(x, &beside::zeros_like(x)?)?;
    let totals = beside::log_sums(x, 1)?;
    let terms = totals.minus(&chosen.sum(1)?)?;
    let value = terms.sum(0)?.affine(1.0 / rows as f64, 0.0)?.reshape(())?;
    let x = x.clone();
    let back = pull(move |g| x.minus(&totals)?.exp()?.minus(&mask)?.times(g)?.affine(1.0 / rows as f64, 0.0));
    Ok(Tensor::result(value, [(logits, back)]))
}

fn class_positions<T: Number>(targets: &Array, classes: usize) -> Result<Vec<usize>, Error> {
    let targets = targets.contiguous()?;
    let position = |(row, value): (usize, &T)| {
        let number = value.wide();
        match number >= 0.0 && number < classes as f64 && number.fract() == 0.0 {
            true => Ok(number as usize),
            false => {
                let reason = format!("holds {value} in row {row}, expected a class from 0 to {}", classes - 1);
                Err(Error::invalid("targets", reason))
            }
        }
    };
    Elements::<T>::of(&targets)?.iter().enumerate().map(position).collect()
}

/// The mean over rows of log(sum(exp(x))) - x at the class, and each row's logarithm.
fn log_likelihood<T: Real>(x: &Array, classes: &[usize]) -> Native<(Array, Vec<f64>)> {
    let elements = Elements::<T>::of(x)?;
    let rows = elements.chunks_exact(x.dims()[1]);
    let totals: Vec<f64> = rows.clone().map(|row| lanes::log_sum_exp(row).wide()).collect();
    let terms = rows.zip(classes).zip(&totals).map(|((row, &class), total)| total - row[class].wide());
    let mean = terms.sum::<f64>() / classes.len() as f64;
    Ok((array(vec![T::of(mean)], &[])?, totals))
}

fn shares<T: Real>(x: &Array, totals: &[f64], classes: &[usize], share: T) -> Native<Array> {
    let (elements, width) = (Elements::<T>::of(x)?, x.dims()[1]);
    let mut made = vec![T::zero(); elements.len()];
    in_rows(&mut made, width, |row, to| {
        let total = T::of(totals[row]);
        to.iter_mut().zip(&elements[row * width..]).for_each(|(to, &x)| *to = (x - total).exp() * share);
        to[classes[row]] -= share;
    });
    array(made, x.dims())
}
