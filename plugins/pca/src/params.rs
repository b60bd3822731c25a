//! What the step's `params` set, checked, and the columns that they mean.

use serde::Deserialize;
use stepwell::{DataType, Error, Field, Result, field};

/// The most columns: their eigenvectors are found in the guest.
const COLUMNS_MAX: usize = 1024;

pub(crate) const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "columns": {
            "type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1024, "uniqueItems": true,
            "description": "Columns to take apart; by default every float32 and float64 column."
        },
        "except": {
            "type": "array", "items": {"type": "string"}, "uniqueItems": true, "default": [],
            "description": "Columns to leave out."
        },
        "components": {"type": "integer", "minimum": 1, "description": "How many; by default as many as columns."},
        "variance": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "description": "Instead of components: as many as keep more than this share of the variance. What the step gives is then known only after it was fitted."},
        "whiten": {"type": "boolean", "default": false, "description": "Each component with variance 1."},
        "replace": {"type": "boolean", "default": false, "description": "The columns give way to the components; not with variance."},
        "prefix": {"type": "string", "minLength": 1, "maxLength": 100, "default": "pc", "description": "Components are named by it and a number from 1."}
    }
}"#;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Params {
    columns: Option<Vec<String>>,
    except: Vec<String>,
    pub(crate) components: Option<usize>,
    pub(crate) variance: Option<f64>,
    pub(crate) whiten: bool,
    pub(crate) replace: bool,
    prefix: String,
}

impl Default for Params {
    fn default() -> Self {
        let (columns, except, components, variance) = Default::default();
        Self { columns, except, components, variance, whiten: false, replace: false, prefix: "pc".into() }
    }
}

impl Params {
    /// Holds without the schema too.
    pub(crate) fn checked(self) -> Result<Self> {
        if let (Some(components), Some(_)) = (self.components, self.variance) {
            let reason = format!("expected without `variance`, got {components}; keep one of the two");
            return Err(Error::invalid("components", reason));
        }
        if self.variance.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            let got = self.variance.unwrap_or_default();
            return Err(Error::invalid("variance", format!("expected more than 0 and at most 1, got {got}")));
        }
        if self.variance.is_some() && self.replace {
            return Err(Error::invalid("replace", "expected only without `variance`, got both"));
        }
        Ok(self)
    }

    /// The columns to take apart among these, in their order. A named column that is absent or not numeric is an error.
    pub(crate) fn select(&self, fields: &[Field]) -> Result<Vec<Field>> {
        for name in self.columns.iter().flatten() {
            let found = field::require(fields, name)?;
            if !found.data_type.is_numeric() {
                let got = found.data_type.name();
                let reason = format!("expected a number (`int64`, `float32`, `float64`), got `{got}`");
                return Err(Error::invalid(name, reason));
            }
        }
        for name in &self.except {
            field::require(fields, name)?;
        }
        let wanted = |field: &Field| match &self.columns {
            Some(names) => names.contains(&field.name),
            None => matches!(field.data_type, DataType::Float32 | DataType::Float64),
        };
        let selected: Vec<Field> =
            fields.iter().filter(|field| wanted(field) && !self.except.contains(&field.name)).cloned().collect();
        if !(1..=COLUMNS_MAX).contains(&selected.len()) {
            let got = selected.len();
            let reason =
                format!("expected 1 to {COLUMNS_MAX} columns of numbers, got {got}; name integer columns in `columns`");
            return Err(Error::invalid("columns", reason));
        }
        match self.components.filter(|components| *components > selected.len()) {
            Some(components) => {
                let most = selected.len();
                Err(Error::invalid("components", format!("expected at most the {most} columns, got {components}")))
            }
            None => Ok(selected),
        }
    }

    /// What the step gives for these columns, of which `selected` are taken apart; nothing where that is known only after
    /// fitting. A component that has the name of another column is an error.
    pub(crate) fn gives(&self, fields: &[Field], selected: &[Field]) -> Result<Vec<Field>> {
        let components = self.components.unwrap_or(selected.len());
        let names = self.names(components);
        let stays = |field: &&Field| !self.replace || !selected.iter().any(|gone| gone.name == field.name);
        let kept: Vec<Field> = fields.iter().filter(stays).cloned().collect();
        if let Some(taken) = names.iter().find(|name| field::find(&kept, name).is_some()) {
            return Err(Error::invalid(taken, "expected no column of a component's name; set another `prefix`"));
        }
        if self.variance.is_some() {
            return Ok(Vec::new());
        }
        Ok(kept.into_iter().chain(names.into_iter().map(|name| Field::new(name, DataType::Float64))).collect())
    }

    pub(crate) fn names(&self, components: usize) -> Vec<String> {
        (1..=components).map(|number| format!("{}{number}", self.prefix)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(json: &str) -> Result<Params> {
        stepwell::parse::<Params>(json).and_then(Params::checked)
    }

    fn fields() -> Vec<Field> {
        vec![
            Field::new("a", DataType::Float64),
            Field::new("n", DataType::Int64),
            Field::new("t", DataType::Text),
            Field::new("b", DataType::Float32),
        ]
    }

    fn gives(json: &str) -> Result<Vec<String>> {
        let (params, fields) = (params(json)?, fields());
        let given = params.gives(&fields, &params.select(&fields)?)?;
        Ok(given.into_iter().map(|field| field.name).collect())
    }

    #[test]
    fn what_it_gives_is_known_before_it_is_fitted() {
        let names = |names: &[&str]| Ok(names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(gives("{}"), names(&["a", "n", "t", "b", "pc1", "pc2"]));
        assert_eq!(gives(r#"{"components": 1, "replace": true}"#), names(&["n", "t", "pc1"]));
        assert_eq!(gives(r#"{"columns": ["n"], "prefix": "x"}"#), names(&["a", "n", "t", "b", "x1"]));
        assert_eq!(gives(r#"{"variance": 0.9}"#), names(&[]), "how many the rows tell");
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let wrong = [
            (r#"{"components": 3}"#, "components"),
            (r#"{"components": 1, "variance": 0.5}"#, "components"),
            (r#"{"variance": 0.5, "replace": true}"#, "replace"),
            (r#"{"variance": 1.5}"#, "variance"),
            (r#"{"columns": ["t"]}"#, "t"),
            (r#"{"except": ["x"]}"#, "x"),
            (r#"{"except": ["a", "b"]}"#, "columns"),
        ];
        for (json, name) in wrong {
            assert!(matches!(gives(json), Err(Error::InvalidInput(error)) if error.name == name), "{json}");
        }
        let taken = [fields(), vec![Field::new("pc2", DataType::Text)]].concat();
        let params = params("{}").unwrap();
        assert!(params.gives(&taken, &params.select(&taken).unwrap()).is_err());
    }
}
