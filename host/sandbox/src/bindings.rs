//! The contract, bound to the types of `data`, `tensors` and `trees`.
//!
//! One host-only world exports every role, so that there is one set of types; a plugin has some of them, found by
//! [`crate::engine::Plugin`] role by role.

wasmtime::component::bindgen!({
    inline: "
        package stepwell:host;
        world every-role {
            include stepwell:step/imports@0.1.0;
            export stepwell:step/description@0.1.0;
            export stepwell:step/collector@0.1.0;
            export stepwell:step/transformer@0.1.0;
            export stepwell:step/fitted@0.1.0;
            export stepwell:step/validator@0.1.0;
            export stepwell:step/trainer@0.1.0;
            export stepwell:step/predictor@0.1.0;
            export stepwell:step/evaluator@0.1.0;
            export stepwell:step/sink@0.1.0;
        }
    ",
    path: [
        "../../wit/platform@0.1.0",
        "../../wit/data@0.1.0",
        "../../wit/tensor@0.1.0",
        "../../wit/step@0.1.0",
    ],
    world: "stepwell:host/every-role",
    imports: { default: trappable },
    trappable_error_type: { "stepwell:platform/errors.error" => crate::state::Failure },
    with: {
        "stepwell:platform/files.file": crate::host::files::OpenFile,
        "stepwell:platform/files.new-file": crate::host::files::NewFile,
        "stepwell:data/tables.table": data::Table,
        "stepwell:data/tables.table-writer": data::TableWriter,
        "stepwell:tensor/tensors.tensor": tensors::Tensor,
        "stepwell:tensor/training.variable": tensors::Variable,
        "stepwell:tensor/training.optimiser": tensors::Optimiser,
        "stepwell:tensor/trees.binned": trees::Binned,
        "stepwell:tensor/trees.growth": trees::Growth,
    },
});

pub(crate) use exports::stepwell::step as role;
pub(crate) use stepwell::data::tables as wit_tables;
pub(crate) use stepwell::platform::errors::Error as WitError;
pub(crate) use stepwell::step::types as wit_step;
