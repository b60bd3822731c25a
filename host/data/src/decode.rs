//! Arrow IPC bytes that a stranger may have written -> record batches of the expected columns.
//!
//! Every length that the bytes claim is held against the bytes that are there before arrow sees it, and nothing is copied or
//! decompressed: what a few bytes say can make nobody allocate much. Arrow checks the rest, and panics on some of it; neither
//! reaches the caller.

use crate::Error;
use crate::arrow_schema;
use crate::column::schema_of;
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, Message, MetadataVersion, root_as_footer, root_as_message};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use types::Schema;

/// Before the head of a message: a mark, and the head's length.
const PREFIX_BYTES: usize = 8;
const MARK: [u8; 4] = [0xff; 4];

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

/// The batches of a message (an Arrow IPC stream), sharing its bytes.
pub(crate) fn stream(stream: &Buffer, expected: &Schema) -> Result<Vec<RecordBatch>, Error> {
    contained(|| {
        let first = frame(stream, 0)?.ok_or_else(|| damaged("a message holds nothing"))?;
        let schema =
            first.message.header_as_schema().ok_or_else(|| damaged("a message does not begin with a schema"))?;
        let decoder = decoder(schema, first.message.version(), expected)?;
        let (mut batches, mut at) = (Vec::new(), first.end);
        while let Some(Frame { block, end, .. }) = frame(stream, at)? {
            batches.push(batch(&decoder, &block, stream)?);
            at = end;
        }
        Ok(batches)
    })
}

/// What a log holds: the batches that are whole, and where they end.
pub(crate) struct Log {
    pub(crate) schema: Schema,
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) end: usize,
}

/// The batches of a stream that may be cut short anywhere, sharing its bytes; none if it is cut before its columns end.
pub(crate) fn log(stream: &Buffer) -> Result<Option<Log>, Error> {
    contained(|| {
        let Ok(Some(first)) = frame(stream, 0) else { return Ok(None) };
        let schema =
            first.message.header_as_schema().ok_or_else(|| damaged("a message does not begin with a schema"))?;
        let columns = schema_of(&fb_to_schema(schema))?;
        let decoder = decoder(schema, first.message.version(), &columns)?;
        let (mut batches, mut end) = (Vec::new(), first.end);
        while let Ok(Some(next)) = frame(stream, end) {
            batches.push(batch(&decoder, &next.block, stream)?);
            end = next.end;
        }
        Ok(Some(Log { schema: columns, batches, end }))
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

/// A message of a stream: its head, and where it lies.
struct Frame<'a> {
    message: Message<'a>,
    block: Block,
    end: usize,
}

/// The message that begins at `start`, if all that it claims is there; none at the stream's end.
fn frame(stream: &[u8], start: usize) -> Result<Option<Frame<'_>>, Error> {
    let cut = || damaged("a message is shorter than it says");
    let rest = stream.get(start..).ok_or_else(cut)?;
    let (mark, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    if *mark != MARK {
        return Err(damaged("a message has no mark at its beginning"));
    }
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 {
        return Ok(None);
    }
    let (head, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let message = root_as_message(head).map_err(damaged)?;
    let body = usize::try_from(message.bodyLength()).ok().filter(|body| *body <= rest.len()).ok_or_else(cut)?;
    let head = PREFIX_BYTES + length;
    let metadata = i32::try_from(head).map_err(damaged)?;
    Ok(Some(Frame { message, block: Block::new(start as i64, metadata, body as i64), end: start + head + body }))
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
