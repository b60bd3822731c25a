//! The contract's records <-> the host's vocabulary, in both directions. No decisions.

use crate::bindings::{role, wit_step, wit_tables};
use data::GuestColumn;
use types::{
    DataType, Descriptor, Fault, Field, Finding, Id, Interval, Measure, Output, Port, PortName, RowRelation, Severity,
};

pub(crate) fn type_in(data_type: wit_tables::DataType) -> DataType {
    use wit_tables::DataType as Wit;
    match data_type {
        Wit::Boolean => DataType::Boolean,
        Wit::Int64 => DataType::Int64,
        Wit::Float32 => DataType::Float32,
        Wit::Float64 => DataType::Float64,
        Wit::Text => DataType::Text,
        Wit::Bytes => DataType::Bytes,
        Wit::Timestamp => DataType::Timestamp,
        Wit::Date => DataType::Date,
        Wit::Vector(length) => DataType::Vector(length),
    }
}

pub(crate) fn type_out(data_type: DataType) -> wit_tables::DataType {
    use wit_tables::DataType as Wit;
    match data_type {
        DataType::Boolean => Wit::Boolean,
        DataType::Int64 => Wit::Int64,
        DataType::Float32 => Wit::Float32,
        DataType::Float64 => Wit::Float64,
        DataType::Text => Wit::Text,
        DataType::Bytes => Wit::Bytes,
        DataType::Timestamp => Wit::Timestamp,
        DataType::Date => Wit::Date,
        DataType::Vector(length) => Wit::Vector(length),
    }
}

pub(crate) fn field_in(field: wit_tables::Field) -> Field {
    Field { name: field.name, data_type: type_in(field.data_type), nullable: field.nullable }
}

pub(crate) fn field_out(field: &Field) -> wit_tables::Field {
    wit_tables::Field { name: field.name.clone(), data_type: type_out(field.data_type), nullable: field.nullable }
}

pub(crate) fn column_in(column: wit_tables::Column) -> GuestColumn {
    GuestColumn {
        data_type: type_in(column.data_type),
        length: column.length,
        validity: column.validity,
        offsets: column.offsets,
        data: column.data,
    }
}

pub(crate) fn port_out(port: &Port) -> wit_step::Port {
    wit_step::Port { name: port.name.to_string(), columns: port.columns.iter().map(field_out).collect() }
}

/// A port's name from a guest.
pub(crate) fn port_name(text: &str) -> Result<PortName, Fault> {
    PortName::parse(text).map_err(|error| Fault::guest(format!("names a port wrongly: {error}")))
}

/// What a guest says of itself. Roles and imports are not its to say; they are added by whoever compiled it.
pub(crate) fn descriptor_in(said: role::description::Descriptor) -> Result<Descriptor, Fault> {
    let broken =
        |what: &str, error: &dyn std::fmt::Display| Fault::guest(format!("describes its {what} wrongly: {error}"));
    let port = |port: wit_step::Port| {
        let columns = port.columns.into_iter().map(field_in).collect();
        Ok(Port { name: port_name(&port.name)?, columns })
    };
    let output = |output: role::description::Output| {
        let rows = match output.rows {
            role::description::RowRelation::Same(input) => RowRelation::Same(port_name(&input)?),
            role::description::RowRelation::Subset(input) => RowRelation::Subset(port_name(&input)?),
            role::description::RowRelation::Other => RowRelation::Other,
        };
        let columns = output.columns.into_iter().map(field_in).collect();
        Ok(Output { name: port_name(&output.name)?, columns, rows })
    };
    Ok(Descriptor {
        name: types::PluginName::parse(&said.name).map_err(|error| broken("name", &error))?,
        version: said.version.chars().take(64).collect(),
        summary: said.summary.chars().take(1000).collect(),
        parameters: types::read_schema(&said.parameters).map_err(|error| broken("parameters", &error))?,
        inputs: said.inputs.into_iter().map(port).collect::<Result<_, Fault>>()?,
        outputs: said.outputs.into_iter().map(output).collect::<Result<_, Fault>>()?,
        learns: said.learns,
        roles: Vec::new(),
        imports: Vec::new(),
    })
}

pub(crate) fn finding_in(finding: role::validator::Finding) -> Finding {
    Finding {
        check: finding.check,
        column: finding.column,
        severity: match finding.severity {
            role::validator::Severity::Warning => Severity::Warning,
            role::validator::Severity::Error => Severity::Error,
        },
        passed: finding.passed,
        observed: types::sentence(finding.observed),
        expected: types::sentence(finding.expected),
        sample: finding.sample.into_iter().take(20).collect(),
        sample_values: Vec::new(),
    }
}

pub(crate) fn measure_in(measure: role::evaluator::Measure) -> Measure {
    let interval = |interval: role::evaluator::Interval| Interval { low: interval.low, high: interval.high };
    Measure {
        name: measure.name,
        slice: measure.slice,
        value: measure.value,
        interval: measure.interval.map(interval),
        baseline_value: measure.baseline_value,
        difference_interval: measure.difference_interval.map(interval),
    }
}

pub(crate) fn training_measure_in(measure: role::trainer::Measure) -> Measure {
    Measure {
        name: measure.name,
        slice: None,
        value: measure.value,
        interval: None,
        baseline_value: None,
        difference_interval: None,
    }
}
