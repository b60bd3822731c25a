//! Rows and a declared schema -> findings, one a check, whether it passed or not.
//!
//! Checks of a declared column are `presence`, `type`, then on its values `nullable`, `min`, `max`, `values`, `unique`;
//! of the table, `closed` (no other columns) and `min_rows`. Wrong data is a finding and never an error; what cannot be
//! checked (a `min` of a text) is an error of the parameters. A column that is absent or of another type has no findings
//! on its values. Nulls are judged by `nullable` alone; not-a-number is outside every range.

mod values;

use crate::values::Rule;
use serde::Deserialize;
use std::collections::BTreeMap;
use stepwell::{
    DataType, Descriptor, Error, Field, Finding, Inputs, Plugin, Result, Severity, Table, Validator, field,
};

const PARAMETERS: &str = r#"{
    "type": "object",
    "required": ["columns"],
    "additionalProperties": false,
    "properties": {
        "columns": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["type"],
                "additionalProperties": false,
                "properties": {
                    "type": {"type": "string", "description": "boolean, int64, float32, float64, text, bytes, timestamp, date or vector(n)"},
                    "required": {"type": "boolean", "default": true},
                    "nullable": {"type": "boolean", "default": false},
                    "min": {"type": "number", "description": "Of a numeric column, included."},
                    "max": {"type": "number", "description": "Of a numeric column, included."},
                    "values": {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1, "description": "The only values allowed."},
                    "unique": {"type": "boolean", "default": false, "description": "No value comes twice."}
                }
            }
        },
        "closed": {"type": "boolean", "default": false, "description": "No other columns."},
        "min_rows": {"type": "integer", "minimum": 0}
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    columns: BTreeMap<String, Declared>,
    #[serde(default)]
    closed: bool,
    min_rows: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    #[serde(rename = "type")]
    data_type: String,
    #[serde(default = "yes")]
    required: bool,
    #[serde(default)]
    nullable: bool,
    min: Option<f64>,
    max: Option<f64>,
    values: Option<Vec<serde_json::Value>>,
    #[serde(default)]
    unique: bool,
}

fn yes() -> bool {
    true
}

/// A declared column whose parameters were found to make sense.
struct Column {
    name: String,
    data_type: DataType,
    required: bool,
    rules: Vec<Rule>,
}

impl Declared {
    fn checked(self, name: String) -> Result<Column> {
        let place = |key: &str| format!("columns.{name}.{key}");
        let data_type = DataType::parse(&self.data_type, &place("type"))?;
        let mut rules = Vec::new();
        if !self.nullable {
            rules.push(Rule::NotNull);
        }
        for (key, bound, rule) in [("min", self.min, Rule::Min as fn(f64) -> Rule), ("max", self.max, Rule::Max)] {
            let Some(bound) = bound else { continue };
            if !data_type.is_numeric() {
                let reason = format!("expected a bound only of a numeric column, got one of `{}`", self.data_type);
                return Err(Error::invalid(place(key), reason));
            }
            rules.push(rule(bound));
        }
        if let Some(allowed) = &self.values {
            rules.push(Rule::allowed(allowed, data_type, &place("values"))?);
        }
        if self.unique {
            rules.push(Rule::Unique);
        }
        Ok(Column { name, data_type, required: self.required, rules })
    }
}

impl Params {
    fn checked(self) -> Result<Schema> {
        let columns = self.columns.into_iter().map(|(name, declared)| declared.checked(name)).collect::<Result<_>>()?;
        Ok(Schema { columns, closed: self.closed, min_rows: self.min_rows })
    }
}

struct Schema {
    columns: Vec<Column>,
    closed: bool,
    min_rows: Option<u64>,
}

impl Schema {
    /// The findings that need no rows.
    fn on_shape(&self, fields: &[Field], rows: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        for column in &self.columns {
            let found = field::find(fields, &column.name);
            let presence = if found.is_some() { "present" } else { "absent" };
            let expected = if column.required { "present" } else { "present or absent" };
            findings.push(finding(
                "presence",
                Some(&column.name),
                found.is_some() || !column.required,
                presence,
                expected,
            ));
            if let Some(found) = found {
                let (observed, expected) = (found.data_type.name(), column.data_type.name());
                findings.push(finding("type", Some(&column.name), observed == expected, observed, expected));
            }
        }
        if self.closed {
            let declared = |field: &&Field| self.columns.iter().any(|column| column.name == field.name);
            let others: Vec<String> =
                fields.iter().filter(|field| !declared(field)).map(|field| field.name.clone()).collect();
            let observed = if others.is_empty() { "no other columns".into() } else { others.join(", ") };
            findings.push(finding("closed", None, others.is_empty(), observed, "no other columns"));
        }
        if let Some(least) = self.min_rows {
            findings.push(finding("min_rows", None, rows >= least, rows.to_string(), format!("at least {least}")));
        }
        findings
    }

    /// The columns whose values can be judged: present, and of their type.
    fn present<'a>(&'a self, fields: &'a [Field]) -> impl Iterator<Item = &'a Column> {
        self.columns
            .iter()
            .filter(|column| field::find(fields, &column.name).is_some_and(|field| field.data_type == column.data_type))
    }
}

fn finding(
    check: &str,
    column: Option<&str>,
    passed: bool,
    observed: impl Into<String>,
    expected: impl Into<String>,
) -> Finding {
    let (check, column) = (check.into(), column.map(Into::into));
    let (observed, expected) = (observed.into(), expected.into());
    Finding { check, column, severity: Severity::Error, passed, observed, expected, sample: Vec::new() }
}

struct Check;

impl Validator for Check {
    fn check(rows: &Table, _reference: Option<&Table>) -> Result<Vec<Finding>> {
        let schema = stepwell::params::<Params>()?.checked()?;
        let fields = rows.schema();
        let mut findings = schema.on_shape(&fields, rows.rows());
        for column in schema.present(&fields) {
            for rule in &column.rules {
                let violations = values::violations(rule, rows.chunks(&column.name)?)?;
                let passed = violations.count == 0;
                let (observed, expected) = (violations.observed(), rule.expected());
                let judged = finding(rule.check(), Some(&column.name), passed, observed, expected);
                findings.push(Finding { sample: violations.sample, ..judged });
            }
        }
        Ok(findings)
    }
}

impl Plugin for Check {
    /// Reads the declared columns that are there; one that is not is a finding, and no reason to refuse the pipeline.
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        if inputs.is_empty() {
            return Ok(descriptor.input("table", []).output_same_rows("table", [], "table"));
        }
        let schema = stepwell::params::<Params>()?.checked()?;
        let declared = |column: &Column| {
            let nullable = !column.rules.contains(&Rule::NotNull);
            Field { name: column.name.clone(), data_type: column.data_type, nullable }
        };
        let declared: Vec<Field> = schema.columns.iter().map(declared).collect();
        let given = inputs.columns("table");
        if given.is_empty() {
            return Ok(descriptor.input("table", declared.clone()).output_same_rows("table", declared, "table"));
        }
        let names: Vec<&str> = declared.iter().map(|field| field.name.as_str()).collect();
        Ok(descriptor.input("table", field::pick(given, &names)).output_same_rows("table", given, "table"))
    }
}

stepwell::export!(Check: Validator);

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(json: &str) -> Result<Schema> {
        stepwell::parse::<Params>(json)?.checked()
    }

    #[test]
    fn the_shape_of_a_table_is_judged_without_its_rows() {
        let declared = r#"{"closed": true, "min_rows": 3, "columns": {
            "age": {"type": "int64"}, "name": {"type": "text"}, "note": {"type": "text", "required": false}}}"#;
        let fields = [Field::new("age", DataType::Float64), Field::new("other", DataType::Text)];
        let findings = schema(declared).unwrap().on_shape(&fields, 2);
        let failed: Vec<_> = findings
            .iter()
            .filter(|finding| !finding.passed)
            .map(|finding| (finding.check.as_str(), finding.column.as_deref(), finding.observed.as_str()))
            .collect();
        let expected = [
            ("type", Some("age"), "float64"),
            ("presence", Some("name"), "absent"),
            ("closed", None, "other"),
            ("min_rows", None, "2"),
        ];
        assert_eq!(failed, expected);
    }

    #[test]
    fn what_cannot_be_checked_is_refused() {
        for (wrong, name) in [
            (r#"{"columns": {"a": {"type": "text", "min": 1}}}"#, "columns.a.min"),
            (r#"{"columns": {"a": {"type": "string"}}}"#, "columns.a.type"),
            (r#"{"columns": {"a": {"type": "int64", "values": ["x"]}}}"#, "columns.a.values"),
            (r#"{"columns": {"a": {"type": "int64", "pattern": "x"}}}"#, "columns.a.pattern"),
        ] {
            let Err(Error::InvalidInput(error)) = schema(wrong).map(|_| ()) else { panic!("no error in {wrong}") };
            assert_eq!(error.name, name);
        }
    }
}
