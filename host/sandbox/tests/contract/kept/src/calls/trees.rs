//! `stepwell:tensor/trees`: one tree of one split, learned and then followed.

use super::Calls;
use stepwell::trees::{Binned, Feature, Growth, ends};
use stepwell::{Result, Table, Tensor};

pub(super) fn call(calls: &mut Calls, rows: &Table) -> Result<()> {
    let columns = ["value".to_owned()];
    let ends = ends(rows, &columns, 2)?.remove(0);
    calls.numbers("ends", &ends);
    let binned = Binned::create(rows, &[Feature { column: "value".into(), ends }])?;
    let (gradients, ones) = (Tensor::from_f64(&[-1.0, 2.0])?, Tensor::from_f64(&[1.0, 1.0])?);
    let learned = Growth::learn(&binned, &gradients, &ones, Some(&ones))?;
    calls.bytes("histogram", &learned.histogram(0)?);
    for growth in [learned, Growth::follow(&binned)?] {
        let (first, second) = growth.split(0, 0, &[0])?;
        calls.numbers("split", &[f64::from(first), f64::from(second)]);
        calls.tensor("values", growth.values(&[0.0, 10.0, 20.0]));
    }
    Ok(())
}
