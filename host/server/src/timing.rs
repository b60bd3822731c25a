//! A component that learns and answers row by row -> how long it takes, told by the worker that runs it. For benchmarks.

use crate::catalog::{Aside, DESCRIBE_LIMITS};
use crate::{Error, Server};
use data::{GuestColumn, Table, TableWriter};
use ports::{Answer, Assignment, Blobs, Call, Task, Times};
use serde_json::Value;
use std::path::PathBuf;
use types::{
    Artifact, DataType, Descriptor, Device, Digest, Fault, Field, Grants, Id, Limits, Port, PortName, SavedFile,
    Schema, TableRef, TenantId,
};

/// The rows of the tables that an answer is timed with.
pub const TIMED_ROWS: [u64; 3] = [1, 1000, 1_000_000];
const PIECE_ROWS: u64 = 65_536;
const LIMITS: Limits = Limits { wall_ms: 600_000, ..DESCRIBE_LIMITS };

impl Server {
    /// Times a stored component that is fitted on, and applied to, one column of numbers, of which every eighth is null: that
    /// column's name is `column`, in parameters and tables. The answer has a time for each of [`TIMED_ROWS`].
    pub fn time(&self, tenant: &TenantId, component: Digest, params: &Value, column: &str) -> Result<Times, Error> {
        let _hold = self.active(tenant)?;
        let columns = vec![Field { name: column.to_owned(), data_type: DataType::Float64, nullable: true }];
        let ask = |task| self.asked(tenant, component, params, task);
        let port = Port { name: PortName::parse("rows").map_err(Fault::host)?, columns: columns.clone() };
        let Answer::Described { descriptor } = ask(Task::Describe { inputs: vec![port] })? else { return Err(other()) };
        let stored = |&rows: &u64| self.keep_table(tenant, &numbers(&columns, rows).map_err(Fault::host)?);
        let tables = TIMED_ROWS.iter().map(stored).collect::<Result<Vec<_>, Fault>>()?;
        let reads = read_of(&descriptor);
        let (fit, inputs, gives) = (tables.get(1).cloned(), ports::Tables::new(), Vec::new());
        let Answer::Outputs { outputs } = ask(Task::Fit { fit, inputs, reads: reads.clone(), gives })? else {
            return Err(other());
        };
        let state = outputs.into_values().find_map(state_of).unwrap_or_default();
        match ask(Task::Time { state, tables, reads })? {
            Answer::Timed { times } => Ok(times),
            _ => Err(other()),
        }
    }

    fn asked(&self, tenant: &TenantId, component: Digest, params: &Value, task: Task) -> Result<Answer, Fault> {
        let (parameters, seed, logical_time_us, limits, checkpoint) = (params.clone(), 0, 0, LIMITS, None);
        let assignment =
            Assignment { component, parameters, seed, logical_time_us, limits, device: Device::Cpu, checkpoint, task };
        let (who, grants, base) = ("the plugin".to_owned(), Grants::default(), PathBuf::new());
        self.admission.at_once(tenant, &Call { who, assignment, grants, base, turn: Default::default() }, &Aside).result
    }

    /// Stores a table's parts as blobs.
    pub(crate) fn keep_table(&self, tenant: &TenantId, table: &Table) -> Result<TableRef, Fault> {
        let mut failed = None;
        let kept = data::write(table, |part| match self.store.put(tenant, &part.bytes) {
            Ok(_) => Ok(()),
            Err(fault) => {
                failed = Some(fault);
                Err(data::Error::Shape("a part could not be stored".to_owned()))
            }
        });
        kept.map_err(|error| failed.unwrap_or_else(|| Fault::invalid(error.to_string())))
    }
}

fn other() -> Error {
    Fault::host("a worker answered a task with something else").into()
}

/// The columns that it reads at the port `rows`.
fn read_of(descriptor: &Descriptor) -> Vec<String> {
    let rows = descriptor.inputs.iter().find(|input| input.name.as_str() == "rows");
    rows.map(|input| input.columns.iter().map(|field| field.name.clone()).collect()).unwrap_or_default()
}

fn state_of(artifact: Artifact) -> Option<Vec<SavedFile>> {
    match artifact {
        Artifact::State { files } => Some(files),
        _ => None,
    }
}

/// So many rows of numbers that do not repeat soon.
fn numbers(columns: &[Field], rows: u64) -> Result<Table, data::Error> {
    let mut writer = TableWriter::create(Schema { fields: columns.to_vec() })?;
    for start in (0..rows).step_by(PIECE_ROWS as usize) {
        let piece = start..rows.min(start + PIECE_ROWS);
        let length = (piece.end - piece.start) as u32;
        let value =
            |row: u64| if row % 8 == 7 { 0.0 } else { (row as f64 * 0.618_033_988_749_895).fract() * 200.0 - 50.0 };
        let data = piece.flat_map(|row| value(row).to_le_bytes()).collect();
        let validity = Some(vec![0b0111_1111; (length as usize).div_ceil(8)]);
        let column = GuestColumn { data_type: DataType::Float64, length, validity, offsets: None, data };
        writer.append(vec![column; columns.len()])?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_eighth_of_the_numbers_is_null() {
        let columns = [Field { name: "x".to_owned(), data_type: DataType::Float64, nullable: true }];
        let table = numbers(&columns, PIECE_ROWS + 20).unwrap();
        assert_eq!(table.rows(), PIECE_ROWS + 20);
        let rows = data::json_rows(&table.slice(PIECE_ROWS - 8, 24)).unwrap();
        let nulls: Vec<usize> = (0..24).filter(|&row| rows[row]["x"].is_null()).collect();
        assert_eq!(nulls, [7, 15, 23]);
        assert_ne!(rows[0]["x"], rows[1]["x"]);
    }
}
