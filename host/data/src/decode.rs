//! Arrow IPC bytes that a stranger may have written -> record batches of the expected columns.
//!
//! Every length that the bytes claim is held against the bytes that are there before arrow sees it, and nothing is copied or
//! decompressed: what a few bytes say can make nobody allocate much. Arrow checks the rest, and panics on some of it; neither
//! reaches the caller.

use crate::Error;
use crate::column::arrow_schema;
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, MetadataVersion, root_as_footer};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use types::Schema;

/// The one batch of a part (an Arrow IPC file), sharing its bytes.
pub(crate) fn part(part: &Buffer, expected: &Schema) -> Result<RecordBatch, Error> {
    contained(|| {
        let cut = || damaged("a part is cut short");
        let trailer = part.len().checked_sub(10).ok_or_else(cut)?;
        let footer_length = part[trailer..].first_chunk::<10>().map(|bytes| read_footer_length(*bytes));
        let footer_length = footer_length.ok_or_else(cut)?.map_err(damaged)?;
        let footer = trailer.checked_sub(footer_length).ok_or_else(cut)?;
        let footer = root_as_footer(&part[footer..trailer]).map_err(damaged)?;
        let schema = footer.schema().ok_or_else(|| damaged("a part has no schema"))?;
        let decoder = decoder(schema, footer.version(), expected)?;
        let mut blocks = footer.recordBatches().into_iter().flatten();
        match (blocks.next(), blocks.next()) {
            (Some(block), None) => batch(&decoder, block, part),
            _ => Err(damaged("a part holds more or less than one batch")),
        }
    })
}

/// For these columns only. Copies nothing: a buffer that is not aligned as ours are is refused.
fn decoder(found: arrow::ipc::Schema<'_>, version: MetadataVersion, expected: &Schema) -> Result<FileDecoder, Error> {
    let found = Arc::new(fb_to_schema(found));
    match found.fields() == arrow_schema(expected).fields() {
        true => Ok(FileDecoder::new(found, version).with_require_alignment(true)),
        false => Err(damaged("a part has other columns than its table")),
    }
}

fn batch(decoder: &FileDecoder, block: &Block, bytes: &Buffer) -> Result<RecordBatch, Error> {
    let within = || {
        let start = usize::try_from(block.offset()).ok()?;
        let head = usize::try_from(block.metaDataLength()).ok()?;
        let body = usize::try_from(block.bodyLength()).ok()?;
        let length = head.checked_add(body)?;
        (start.checked_add(length)? <= bytes.len()).then_some((start, length, body))
    };
    let (start, length, body) = within().ok_or_else(|| damaged("a batch is not where it is said to be"))?;
    let found = decoder.read_record_batch(block, &bytes.slice_with_length(start, length)).map_err(damaged)?;
    let found = found.ok_or_else(|| damaged("a batch is expected where there is nothing"))?;
    // A row takes at least a bit; arrow does not look if there are no columns.
    match found.num_rows() <= body.saturating_mul(8) {
        true => Ok(found),
        false => Err(damaged(format!("a batch of {body} bytes claims {} rows", found.num_rows()))),
    }
}

fn damaged(reason: impl ToString) -> Error {
    Error::Damaged(reason.to_string())
}

fn contained<T>(decode: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|_| Err(damaged("its structure contradicts itself")))
}

#[cfg(test)]
mod tests;
