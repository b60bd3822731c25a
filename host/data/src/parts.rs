//! A table <-> its stored parts: canonical Arrow IPC files, each named by its digest, mapped when read.

use crate::column::{arrow_schema, decode, encode};
use crate::{Error, Table};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, StreamReader, read_footer_length};
use arrow::ipc::root_as_footer;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use std::io::Cursor;
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

/// The canonical parts of a table, handed out one at a time, and the table's name.
pub fn write(table: &Table, mut sink: impl FnMut(StoredPart) -> Result<(), Error>) -> Result<TableRef, Error> {
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
            decode(field, encode(field, &pieces)?)
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

/// A stored table, its parts mapped. `path_of` says where a part lies. Types, sizes and names are verified: the parts may
/// have been written by a worker that a guest took over.
pub fn open(reference: &TableRef, path_of: impl Fn(&Digest) -> std::path::PathBuf) -> Result<Table, Error> {
    if table_digest(&reference.schema, &reference.parts) != reference.digest {
        return Err(Error::Damaged("schema and parts do not give its digest".to_owned()));
    }
    let mut batches = Vec::new();
    for digest in &reference.parts {
        decode_part(&map(&path_of(digest))?, &reference.schema, &mut batches)?;
    }
    let table = Table::from_batches(reference.schema.clone(), batches);
    if table.rows() != reference.rows {
        return Err(Error::Damaged(format!("holds {} rows, expected {}", table.rows(), reference.rows)));
    }
    Ok(table)
}

/// The batches of a mapped part, sharing its bytes. Arrow checks much and panics on some of the rest; neither reaches the caller.
fn decode_part(part: &Buffer, expected: &Schema, batches: &mut Vec<RecordBatch>) -> Result<(), Error> {
    let damaged = |reason: String| Error::Damaged(reason);
    let decoded = std::panic::catch_unwind(|| -> Result<Vec<RecordBatch>, Error> {
        let trailer = part.len().checked_sub(10).ok_or_else(|| damaged("a part is cut short".to_owned()))?;
        let footer_length = part[trailer..].first_chunk::<10>().map(|bytes| read_footer_length(*bytes));
        let footer_length = footer_length.ok_or_else(|| damaged("a part is cut short".to_owned()))?;
        let footer_length = footer_length.map_err(|error| damaged(error.to_string()))?;
        let footer = trailer.checked_sub(footer_length).ok_or_else(|| damaged("a part is cut short".to_owned()))?;
        let footer = root_as_footer(&part[footer..trailer]).map_err(|error| damaged(error.to_string()))?;
        let schema = footer.schema().ok_or_else(|| damaged("a part has no schema".to_owned()))?;
        let schema = Arc::new(fb_to_schema(schema));
        check_columns(&schema, expected)?;
        let decoder = FileDecoder::new(schema, footer.version());
        let mut found = Vec::new();
        for block in footer.recordBatches().iter().flatten() {
            let length = block.bodyLength() as usize + block.metaDataLength() as usize;
            let bytes = part.slice_with_length(block.offset() as usize, length);
            let batch = decoder.read_record_batch(block, &bytes).map_err(|error| damaged(error.to_string()))?;
            found.extend(batch);
        }
        Ok(found)
    });
    batches.extend(decoded.map_err(|_| damaged("a part's structure contradicts itself".to_owned()))??);
    Ok(())
}

fn check_columns(found: &arrow::datatypes::Schema, expected: &Schema) -> Result<(), Error> {
    match found.fields() == arrow_schema(expected).fields() {
        true => Ok(()),
        false => Err(Error::Damaged("a part has other columns than its table".to_owned())),
    }
}

/// The bytes of a file, mapped read-only. A blob is never changed in place, so the mapping stays true.
#[expect(unsafe_code, reason = "mapping a file and lending it to arrow are unsafe by signature; blobs are immutable")]
fn map(path: &Path) -> Result<Buffer, Error> {
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
    let damaged = |error: arrow::error::ArrowError| Error::Damaged(error.to_string());
    let decoded = std::panic::catch_unwind(|| -> Result<Vec<RecordBatch>, Error> {
        let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(damaged)?;
        check_columns(&reader.schema(), schema)?;
        reader.collect::<Result<_, _>>().map_err(damaged)
    });
    let batches = decoded.map_err(|_| Error::Damaged("a message's structure contradicts itself".to_owned()))??;
    Ok(Table::from_batches(schema.clone(), batches))
}
