//! What a plugin says of itself: its name, its parameters, the columns it reads and gives.

use crate::bindings::description::exports::stepwell::step::description as wire;
use crate::bindings::stepwell::step::types::Port;
use crate::{Error, Field, Result};

/// The ports wired to the step, each with the columns known before the run. Empty when a person asks what the plugin is.
#[derive(Clone, Debug, Default)]
pub struct Inputs(pub(crate) Vec<Port>);

impl Inputs {
    /// The columns on a port; none where the port is not wired, or a person asks.
    pub fn port(&self, name: &str) -> Option<&[Field]> {
        self.0.iter().find(|port| port.name == name).map(|port| port.columns.as_slice())
    }

    /// The columns on a port, as [`port`](Self::port), and nothing where they are unknown.
    pub fn columns(&self, name: &str) -> &[Field] {
        self.port(name).unwrap_or_default()
    }

    /// Every port that is wired, with its columns.
    pub fn ports(&self) -> impl Iterator<Item = (&str, &[Field])> {
        self.0.iter().map(|port| (port.name.as_str(), port.columns.as_slice()))
    }

    /// Whether nothing is wired: a person asks what the plugin is, so no parameters are set either.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Builds what `describe` answers; [`descriptor!`](crate::descriptor) starts one from the plugin's `Cargo.toml`.
#[derive(Clone, Debug)]
pub struct Descriptor {
    wire: wire::Descriptor,
}

/// A [`Descriptor`] with the name, version and description of the crate that calls the macro.
#[macro_export]
macro_rules! descriptor {
    () => {
        $crate::Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"))
    };
}

impl Descriptor {
    /// A plugin that takes no parameters, reads nothing and gives nothing yet.
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        let parameters = r#"{"type": "object", "additionalProperties": false}"#.into();
        let (name, version, summary) = (name.into(), version.into(), summary.into());
        let (inputs, outputs, learns) = (Vec::new(), Vec::new(), false);
        Self { wire: wire::Descriptor { name, version, summary, parameters, inputs, outputs, learns } }
    }

    /// The parameters, as a JSON Schema (draft 2020-12) of an object.
    pub fn parameters(mut self, schema: &str) -> Self {
        self.wire.parameters = schema.into();
        self
    }

    /// A port the plugin takes, with the columns it reads there.
    pub fn input(mut self, name: &str, columns: impl Into<Vec<Field>>) -> Self {
        self.wire.inputs.push(Port { name: name.into(), columns: columns.into() });
        self
    }

    /// An output whose rows follow from no input row by row.
    pub fn output(self, name: &str, columns: impl Into<Vec<Field>>) -> Self {
        self.gives(name, columns.into(), wire::RowRelation::Other)
    }

    /// An output whose row i is made of row i of that input alone, so the step can stand on the path of a request.
    pub fn output_same_rows(self, name: &str, columns: impl Into<Vec<Field>>, input: &str) -> Self {
        self.gives(name, columns.into(), wire::RowRelation::Same(input.into()))
    }

    /// An output of some rows of that input, with its columns unchanged.
    pub fn output_subset(self, name: &str, columns: impl Into<Vec<Field>>, input: &str) -> Self {
        self.gives(name, columns.into(), wire::RowRelation::Subset(input.into()))
    }

    /// Row-wise plugins: `fit` learns something, so the manifest must say from which rows.
    pub fn learns(mut self) -> Self {
        self.wire.learns = true;
        self
    }

    fn gives(mut self, name: &str, columns: Vec<Field>, rows: wire::RowRelation) -> Self {
        self.wire.outputs.push(wire::Output { name: name.into(), columns, rows });
        self
    }

    /// Checks what the author wrote, so that a slip shows at the first `describe` and not in a user's run.
    pub(crate) fn checked(self) -> Result<wire::Descriptor> {
        let schema = serde_json::from_str::<serde_json::Value>(&self.wire.parameters);
        let kind = schema.as_ref().map(|schema| schema["type"].as_str());
        if !matches!(kind, Ok(Some("object"))) {
            let got = schema.map_or_else(|error| error.to_string(), |schema| schema["type"].to_string());
            return Err(Error::permanent(format!("parameters: expected a JSON Schema of type `object`, got {got}")));
        }
        let legal = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let name = &self.wire.name;
        if !(1..=64).contains(&name.len()) || !name.chars().all(legal) {
            return Err(Error::permanent(format!("plugin name: expected 1 to 64 of `a-z 0-9 -`, got `{name}`")));
        }
        Ok(self.wire)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_descriptor_starts_from_the_manifest_of_its_crate() {
        let wire = crate::descriptor!().output_same_rows("rows", [], "rows").checked().unwrap();
        assert_eq!((wire.name.as_str(), wire.version.as_str()), ("stepwell", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        for schema in ["{", "[]", r#"{"type": "array"}"#] {
            assert!(crate::descriptor!().parameters(schema).checked().is_err(), "{schema}");
        }
    }
}
