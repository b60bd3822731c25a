//! The contract (`wit/`) as Rust: what a guest imports, generated once, and each exported interface by itself.
//!
//! Every exported interface has a world of its own (`wit/sdk.wit`), so that [`export!`](crate::export) can join the
//! description with any set of roles. A component's type is the union of the worlds whose macros were expanded;
//! wit-component then drops each import that no code calls. Not for plugins: they use the crate's own names.

/// Generates one world of the SDK. Only the worlds that export something make a macro.
macro_rules! generate {
    ($world:literal, $($options:tt)*) => {
        wit_bindgen::generate!({
            path: [
                "../../wit/platform@0.1.0",
                "../../wit/data@0.1.0",
                "../../wit/tensor@0.1.0",
                "../../wit/step@0.1.0",
                "wit",
            ],
            world: $world,
            $($options)*
        });
    };
}

generate!(
    "stepwell:sdk/host",
    generate_all,
    additional_derives: [PartialEq],
    additional_derives_ignore: ["named-table"],
);

/// One exported interface, over the one set of imported types.
macro_rules! exported {
    ($module:ident, $world:literal) => {
        exported!($module, $world,);
    };
    ($module:ident, $world:literal, $($types:literal: $path:path)?) => {
        pub mod $module {
            generate!(
                $world,
                with: {
                    "stepwell:platform/errors@0.1.0": crate::bindings::stepwell::platform::errors,
                    "stepwell:data/tables@0.1.0": crate::bindings::stepwell::data::tables,
                    $($types: $path)?
                },
                pub_export_macro: true,
            );
        }
    };
}

exported!(description, "stepwell:sdk/description", "stepwell:step/types@0.1.0": crate::bindings::stepwell::step::types);
exported!(collector, "stepwell:sdk/collector");
exported!(transformer, "stepwell:sdk/transformer", "stepwell:step/types@0.1.0": crate::bindings::stepwell::step::types);
exported!(fitted, "stepwell:sdk/fitted", "stepwell:step/types@0.1.0": crate::bindings::stepwell::step::types);
exported!(validator, "stepwell:sdk/validator");
exported!(trainer, "stepwell:sdk/trainer", "stepwell:step/types@0.1.0": crate::bindings::stepwell::step::types);
exported!(predictor, "stepwell:sdk/predictor", "stepwell:step/types@0.1.0": crate::bindings::stepwell::step::types);
exported!(evaluator, "stepwell:sdk/evaluator");
exported!(sink, "stepwell:sdk/sink", "stepwell:step/types@0.1.0": crate::bindings::stepwell::step::types);
