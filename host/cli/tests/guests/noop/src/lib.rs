//! What a step costs that does nothing: one call of the host, and no table.

use stepwell::{Descriptor, Inputs, Plugin, Result, Tables, Transformer};

struct Noop;

impl Plugin for Noop {
    fn describe(_: &Inputs) -> Result<Descriptor> {
        Ok(stepwell::descriptor!())
    }
}

impl Transformer for Noop {
    fn run(_: Tables) -> Result<Tables> {
        // So that the call is not a call of nothing at all.
        std::hint::black_box(stepwell::seed());
        Ok(Tables::new())
    }
}

stepwell::export!(Noop: Transformer);
