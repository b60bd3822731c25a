//! A table <-> its stored parts: canonical Arrow IPC files, each named by its digest, mapped when read.

use crate::column;
use crate::table::check_schema;
use crate::{Error, Table, decode};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use types::{Digest, Schema, TableRef};

/// Rows a part; the last may have fewer. Part of the digest's definition: changing it changes every table's name.
pub const PART_ROWS: usize = 65_536;

/// A part in its stored form.
pub struct StoredPart {
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

/// Whether a table can be stored: what its schema may be, and rows only where there are columns.
pub fn check_kept(table: &Table) -> Result<(), Error> {
    check_schema(table.schema())?;
    match table.schema().fields.is_empty() && table.rows() > 0 {
        // Nothing would say how many they are.
        true => Err(Error::Shape(format!("{} rows without a column cannot be kept", table.rows()))),
        false => Ok(()),
    }
}

/// The canonical parts of a table, handed out one at a time, and the table's name.
pub fn write(table: &Table, mut sink: impl FnMut(StoredPart) -> Result<(), Error>) -> Result<TableRef, Error> {
    check_kept(table)?;
    let schema = table.schema();
    let (mut parts, mut bytes) = (Vec::new(), 0);
    for start in (0..table.rows()).step_by(PART_ROWS) {
        let part = encode_part(&canonical(&table.slice(start, PART_ROWS as u64))?)?;
        let digest = Digest::of(&part);
        bytes += part.len() as u64;
        parts.push(digest);
        sink(StoredPart { digest, bytes: part })?;
    }
    let digest = table_digest(schema, &parts);
    Ok(TableRef { digest, schema: schema.clone(), rows: table.rows(), parts, bytes })
}

fn table_digest(schema: &Schema, parts: &[Digest]) -> Digest {
    Digest::of_json(&("table", 1, schema, parts))
}

/// One batch whose buffers depend on nothing but its values.
fn canonical(slice: &Table) -> Result<RecordBatch, Error> {
    let fields = &slice.schema().fields;
    let arrays = fields
        .iter()
        .enumerate()
        .map(|(i, field)| {
            let pieces: Vec<_> = slice.batches().iter().map(|batch| batch.column(i).clone()).collect();
            column::decode(field, column::encode(field, &pieces)?.into(), None)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let whole = Table::from_arrays(slice.schema().clone(), arrays, slice.rows())?;
    whole.batches().first().cloned().ok_or_else(|| Error::Shape("a part has at least one row".to_owned()))
}

fn encode_part(batch: &RecordBatch) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let written = (|| {
        let options = IpcWriteOptions::try_new(64, false, arrow::ipc::MetadataVersion::V5)?;
        let mut writer = FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options)?;
        writer.write(batch)?;
        writer.finish()
    })();
    written.map_err(|error| Error::Shape(error.to_string()))?;
    Ok(bytes)
}

/// Whether a reference can be true: its digest is that of schema and parts, and it has as many parts as its rows take. What
/// the parts hold shows when they are opened.
pub fn verify(reference: &TableRef) -> Result<(), Error> {
    check_schema(&reference.schema)?;
    let (got, expected) = (reference.parts.len() as u64, reference.rows.div_ceil(PART_ROWS as u64));
    if got != expected {
        return Err(Error::Damaged(format!("has {got} parts, its {} rows take {expected}", reference.rows)));
    }
    match table_digest(&reference.schema, &reference.parts) == reference.digest {
        true => Ok(()),
        false => Err(Error::Damaged("schema and parts do not give its digest".to_owned())),
    }
}

/// A stored table, its parts mapped. `path_of` says where a part lies. Types, sizes and names are verified: the parts may
/// have been written by a worker that a guest took over. So are the bytes, against the part's name: a disk that altered one
/// must not give a result. A part that stands in the table often is mapped once.
pub fn open(reference: &TableRef, path_of: impl Fn(&Digest) -> std::path::PathBuf) -> Result<Table, Error> {
    verify(reference)?;
    let mut opened: HashMap<Digest, RecordBatch> = HashMap::new();
    let mut batches = Vec::with_capacity(reference.parts.len());
    for (i, digest) in reference.parts.iter().enumerate() {
        let batch = match opened.get(digest) {
            Some(batch) => batch.clone(),
            None => decode::part(&named(digest, &path_of(digest))?, &reference.schema)?,
        };
        let (got, expected) = (batch.num_rows() as u64, rows_of_part(reference, i));
        if got != expected {
            return Err(Error::Damaged(format!("part {} holds {got} rows, expected {expected}", i + 1)));
        }
        opened.insert(*digest, batch.clone());
        batches.push(batch);
    }
    Ok(Table::from_batches(reference.schema.clone(), batches))
}

fn rows_of_part(reference: &TableRef, part: usize) -> u64 {
    let before = part as u64 * PART_ROWS as u64;
    (reference.rows - before).min(PART_ROWS as u64)
}

/// The bytes of a part, if they are those that its name says.
fn named(digest: &Digest, path: &Path) -> Result<Buffer, Error> {
    let bytes = map(path)?;
    match Digest::of(&bytes) {
        got if got == *digest => Ok(bytes),
        got => {
            let (path, expected, got) = (path.display(), digest.short(), got.short());
            Err(Error::Damaged(format!("`{path}` was altered: expected bytes of digest {expected}, got {got}")))
        }
    }
}

/// The bytes of a file, mapped read-only. A blob is never changed in place and a log only grows, so the mapping stays true.
#[expect(unsafe_code, reason = "mapping a file and lending it to arrow are unsafe by signature; blobs are immutable")]
pub(crate) fn map(path: &Path) -> Result<Buffer, Error> {
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    struct Mapping(*mut core::ffi::c_void, usize);
    // SAFETY: the mapping is read-only and owned by this value alone until it is dropped.
    unsafe impl Send for Mapping {}
    // SAFETY: as above; shared reads of immutable bytes.
    unsafe impl Sync for Mapping {}
    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: the pointer and length are those that `mmap` gave.
            let _ = unsafe { munmap(self.0, self.1) };
        }
    }
    let io = |source: std::io::Error| Error::Io { path: path.display().to_string(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len() as usize;
    if length == 0 {
        return Err(Error::Damaged("a part is empty".to_owned()));
    }
    // SAFETY: a fresh private mapping of a file that nobody writes to.
    let pointer = unsafe { mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, &file, 0) }
        .map_err(|error| io(error.into()))?;
    let owner = Arc::new(Mapping(pointer, length));
    let start = std::ptr::NonNull::new(pointer.cast::<u8>()).expect("mmap gives no null mapping");
    // SAFETY: the bytes live as long as `owner`, which the buffer keeps.
    Ok(unsafe { Buffer::from_custom_allocation(start, length, owner) })
}

/// A small table as one message: what a request to a serving worker carries.
pub fn to_bytes(table: &Table) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let written = (|| {
        let mut writer = StreamWriter::try_new(&mut bytes, &table.arrow_schema())?;
        table.batches().iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    })();
    written.map_err(|error| Error::Shape(error.to_string()))?;
    Ok(bytes)
}

/// [`to_bytes`], back. Everything is verified against the schema that is expected.
pub fn open_bytes(bytes: &[u8], schema: &Schema) -> Result<Table, Error> {
    Ok(Table::from_batches(schema.clone(), decode::stream(&Buffer::from(bytes), schema)?))
}
