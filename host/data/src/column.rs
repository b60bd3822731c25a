//! A guest's column (bytes under a type) <-> an arrow array. Everything a guest sends is checked here, once.

use crate::Error;
use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanBufferBuilder, PrimitiveArray, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::concat;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Field as ArrowField, Float32Type, Float64Type, Int64Type,
    Schema as ArrowSchema, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use types::{DataType, Field, Schema};

/// The most that one call may carry across the boundary.
pub const CHUNK_BYTES_MAX: usize = 32 << 20;

/// Some rows of a column, as they cross the boundary; the twin of `stepwell:data/tables.column`.
#[derive(Debug, Clone, PartialEq)]
pub struct GuestColumn {
    pub data_type: DataType,
    pub length: u32,
    /// One bit a row, least significant first; none when every row has a value.
    pub validity: Option<Vec<u8>>,
    /// Text and bytes: `length + 1` little-endian int32 from 0.
    pub offsets: Option<Vec<u8>>,
    pub data: Vec<u8>,
}

/// Some rows of a column on their way to a guest: as a [`GuestColumn`], in buffers that lie where the table's do.
#[derive(Debug, Clone)]
pub struct LentColumn {
    pub data_type: DataType,
    pub length: u32,
    pub validity: Option<Bytes>,
    pub offsets: Option<Bytes>,
    pub data: Bytes,
}

impl LentColumn {
    /// Of all its buffers.
    pub fn bytes(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        self.data.len() + length(&self.validity) + length(&self.offsets)
    }
}

impl From<LentColumn> for GuestColumn {
    fn from(lent: LentColumn) -> Self {
        let LentColumn { data_type, length, validity, offsets, data } = lent;
        let owned = |bytes: Bytes| bytes.to_vec();
        Self { data_type, length, validity: validity.map(owned), offsets: offsets.map(owned), data: owned(data) }
    }
}

pub(crate) fn arrow_type(data_type: DataType) -> ArrowType {
    match data_type {
        DataType::Boolean => ArrowType::Boolean,
        DataType::Int64 => ArrowType::Int64,
        DataType::Float32 => ArrowType::Float32,
        DataType::Float64 => ArrowType::Float64,
        DataType::Text => ArrowType::Utf8,
        DataType::Bytes => ArrowType::Binary,
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Date => ArrowType::Date32,
        DataType::Vector(length) => {
            let item = ArrowField::new("item", ArrowType::Float32, false);
            ArrowType::FixedSizeList(Arc::new(item), length as i32)
        }
    }
}

/// [`crate::arrow_schema`], back.
pub(crate) fn schema_of(schema: &ArrowSchema) -> Result<Schema, Error> {
    let data_type = |found: &ArrowType| {
        Some(match found {
            ArrowType::Boolean => DataType::Boolean,
            ArrowType::Int64 => DataType::Int64,
            ArrowType::Float32 => DataType::Float32,
            ArrowType::Float64 => DataType::Float64,
            ArrowType::Utf8 => DataType::Text,
            ArrowType::Binary => DataType::Bytes,
            ArrowType::Timestamp(TimeUnit::Microsecond, _) => DataType::Timestamp,
            ArrowType::Date32 => DataType::Date,
            ArrowType::FixedSizeList(_, length) => DataType::Vector(u32::try_from(*length).ok()?),
            _ => return None,
        })
    };
    let field = |field: &Arc<ArrowField>| {
        let none = || Error::Damaged(format!("column `{}` is {}, which no table has", field.name(), field.data_type()));
        let data_type = data_type(field.data_type()).ok_or_else(none)?;
        Ok(Field { name: field.name().clone(), data_type, nullable: field.is_nullable() })
    };
    Ok(Schema { fields: schema.fields().iter().map(field).collect::<Result<_, Error>>()? })
}

/// Columns of fewer bytes than this together are put into one buffer: as many of their own take longer than to copy them.
const SMALL_BYTES: usize = 16 << 10;

/// Guests' columns as arrays of these fields. What stands under a null is set to zero.
pub(crate) fn decode_all(fields: &[Field], columns: Vec<GuestColumn>) -> Result<Vec<ArrayRef>, Error> {
    let mut together = Together::of(&columns);
    fields.iter().zip(columns).map(|(field, column)| decode(field, column, together.next())).collect()
}

/// The bytes of small columns one behind another, each where a number may begin.
struct Together {
    bytes: Option<Buffer>,
    places: std::vec::IntoIter<Range<usize>>,
}

impl Together {
    fn of(columns: &[GuestColumn]) -> Self {
        let mut end = 0;
        let places: Vec<_> = columns
            .iter()
            .map(|column| {
                let start = end;
                end += column.data.len().next_multiple_of(8);
                start..start + column.data.len()
            })
            .collect();
        let bytes = (end <= SMALL_BYTES).then(|| {
            let mut bytes = MutableBuffer::from_len_zeroed(end);
            for (column, place) in columns.iter().zip(&places) {
                bytes.as_slice_mut()[place.clone()].copy_from_slice(&column.data);
            }
            Buffer::from(bytes)
        });
        Self { bytes, places: places.into_iter() }
    }

    fn next(&mut self) -> Option<Buffer> {
        let place = self.places.next()?;
        self.bytes.as_ref().map(|bytes| bytes.slice_with_length(place.start, place.len()))
    }
}

/// A column; `data` are its bytes, if they stand elsewhere already.
pub(crate) fn decode(field: &Field, column: GuestColumn, data: Option<Buffer>) -> Result<ArrayRef, Error> {
    let bad = |reason: String| Error::Column { column: field.name.clone(), reason };
    if column.data_type != field.data_type {
        let (expected, got) = (field.data_type.to_string(), column.data_type);
        return Err(Error::Type { column: field.name.clone(), expected, got });
    }
    let rows = column.length as usize;
    let nulls = validity(&column, rows).map_err(bad)?;
    if nulls.is_some() && !field.nullable {
        return Err(bad("holds nulls but is declared without".to_owned()));
    }
    let of_type = || ArrayData::builder(arrow_type(field.data_type)).len(rows).nulls(nulls.clone());
    let builder = match field.data_type {
        DataType::Float64 => return numbers::<Float64Type>(field, (column.data, data), rows, nulls).map_err(bad),
        DataType::Int64 => return numbers::<Int64Type>(field, (column.data, data), rows, nulls).map_err(bad),
        DataType::Float32 => return numbers::<Float32Type>(field, (column.data, data), rows, nulls).map_err(bad),
        DataType::Date => return numbers::<Date32Type>(field, (column.data, data), rows, nulls).map_err(bad),
        DataType::Timestamp => {
            return numbers::<TimestampMicrosecondType>(field, (column.data, data), rows, nulls).map_err(bad);
        }
        DataType::Boolean => {
            expect_bytes(&column.data, rows.div_ceil(8)).map_err(bad)?;
            of_type().add_buffer(zeroed_bits(&column.data, rows, nulls.as_ref()))
        }
        DataType::Text | DataType::Bytes => {
            let (offsets, data) = compact_values(&column, rows, nulls.as_ref()).map_err(bad)?;
            of_type().add_buffer(offsets).add_buffer(data)
        }
        DataType::Vector(length) => {
            let values = fixed_values(column.data, 4 * length as usize, rows, nulls.as_ref()).map_err(bad)?;
            let child = ArrayData::builder(ArrowType::Float32).len(rows * length as usize).add_buffer(values);
            of_type().add_child_data(child.build().map_err(|error| bad(error.to_string()))?)
        }
    };
    // Validates all of it: UTF-8, offsets and lengths are the guest's word.
    let data = builder.build().map_err(|error| bad(error.to_string()))?;
    Ok(make_array(data))
}

/// An array of numbers: but for how many they are, nothing about them can be wrong.
fn numbers<T: ArrowPrimitiveType>(
    field: &Field,
    (own, elsewhere): (Vec<u8>, Option<Buffer>),
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, String> {
    let values = match elsewhere.filter(|_| nulls.is_none()) {
        Some(values) => expect_bytes(&values, size_of::<T::Native>() * rows).map(|()| values),
        None => fixed_values(own, size_of::<T::Native>(), rows, nulls.as_ref()),
    }?;
    let array = PrimitiveArray::<T>::new(ScalarBuffer::new(values, 0, rows), nulls);
    Ok(Arc::new(array.with_data_type(arrow_type(field.data_type))))
}

/// The bytes of an array's numbers, if it has such.
pub(crate) fn number_bytes(array: &dyn Array) -> Option<&Buffer> {
    fn bytes<T: ArrowPrimitiveType>(array: &dyn Array) -> Option<&Buffer> {
        array.as_primitive_opt::<T>().map(|array| array.values().inner())
    }
    bytes::<Float64Type>(array)
        .or_else(|| bytes::<Int64Type>(array))
        .or_else(|| bytes::<Float32Type>(array))
        .or_else(|| bytes::<TimestampMicrosecondType>(array))
        .or_else(|| bytes::<Date32Type>(array))
}

fn expect_bytes(data: &[u8], expected: usize) -> Result<(), String> {
    match data.len() == expected {
        true => Ok(()),
        false => Err(format!("holds {} bytes of values, expected {expected}", data.len())),
    }
}

/// The null bitmap; none where every row has a value.
fn validity(column: &GuestColumn, rows: usize) -> Result<Option<NullBuffer>, String> {
    let Some(bits) = &column.validity else { return Ok(None) };
    if bits.len() != rows.div_ceil(8) {
        return Err(format!("holds {} bytes of validity, expected {}", bits.len(), rows.div_ceil(8)));
    }
    let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits.clone()), 0, rows));
    Ok((nulls.null_count() > 0).then_some(nulls))
}

fn zeroed_bits(data: &[u8], rows: usize, nulls: Option<&NullBuffer>) -> Buffer {
    let values = BooleanBuffer::new(Buffer::from_slice_ref(data), 0, rows);
    let mut bits = BooleanBufferBuilder::new(rows);
    (0..rows).for_each(|row| bits.append(values.value(row) && nulls.is_none_or(|nulls| nulls.is_valid(row))));
    bits.finish().into_inner()
}

fn fixed_values(mut data: Vec<u8>, width: usize, rows: usize, nulls: Option<&NullBuffer>) -> Result<Buffer, String> {
    expect_bytes(&data, width * rows)?;
    if let Some(nulls) = nulls {
        (0..rows).filter(|&row| nulls.is_null(row)).for_each(|row| data[row * width..(row + 1) * width].fill(0));
    }
    // Arrow wants the alignment of the value's type. The guest's vector mostly has it, by its allocator's grace.
    match data.as_ptr().align_offset(8) {
        0 => Ok(Buffer::from_vec(data)),
        _ => Ok(Buffer::from_slice_ref(&data)),
    }
}

/// Offsets and values without what stands under nulls, so that equal columns have equal bytes.
fn compact_values(column: &GuestColumn, rows: usize, nulls: Option<&NullBuffer>) -> Result<(Buffer, Buffer), String> {
    let bytes = column.offsets.as_deref().ok_or("has no offsets")?;
    if bytes.len() != 4 * (rows + 1) {
        return Err(format!("holds {} bytes of offsets, expected {}", bytes.len(), 4 * (rows + 1)));
    }
    let offset = |i: usize| i32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]]);
    let mut offsets = vec![0i32];
    let mut data = Vec::with_capacity(column.data.len());
    for row in 0..rows {
        let range = offset(row) as usize..offset(row + 1) as usize;
        let value =
            column.data.get(range).ok_or_else(|| format!("has offsets that fall or leave the data at row {row}"))?;
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            data.extend_from_slice(value);
        }
        offsets.push(i32::try_from(data.len()).map_err(|_| "holds more than 2 GiB in one chunk")?);
    }
    Ok((Buffer::from_vec(offsets), Buffer::from_vec(data)))
}

/// Pieces of a column as a guest sees them.
pub(crate) fn encode(field: &Field, pieces: &[ArrayRef]) -> Result<LentColumn, Error> {
    let array = match pieces {
        [] => arrow::array::new_empty_array(&arrow_type(field.data_type)),
        [piece] => Arc::clone(piece),
        pieces => {
            let references: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
            let refused = |error: ArrowError| Error::Column { column: field.name.clone(), reason: error.to_string() };
            concat(&references).map_err(refused)?
        }
    };
    let rows = array.len();
    let validity = array.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| packed(nulls.inner()));
    let (offsets, values) = match number_bytes(&array) {
        Some(values) => (None, lent(values)),
        None => values_of(field.data_type, &array.to_data(), rows),
    };
    Ok(LentColumn { data_type: field.data_type, length: rows as u32, validity, offsets, data: values })
}

/// The bytes of a buffer, which lives as long as they do.
fn lent(buffer: &Buffer) -> Bytes {
    struct Owner(Buffer);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Owner(buffer.clone()))
}

/// Offsets and values of what are no numbers.
fn values_of(data_type: DataType, data: &ArrayData, rows: usize) -> (Option<Bytes>, Bytes) {
    match data_type {
        DataType::Text | DataType::Bytes => {
            let (offsets, values) = rebased(data, rows);
            (Some(offsets), values)
        }
        DataType::Vector(length) => {
            let child = &data.child_data()[0];
            let start = 4 * (child.offset() + data.offset() * length as usize);
            (None, lent(&child.buffers()[0].slice_with_length(start, 4 * rows * length as usize)))
        }
        _ => (None, packed(&BooleanBuffer::new(data.buffers()[0].clone(), data.offset(), rows))),
    }
}

/// Bits from bit 0 of the first byte, zero beyond the end.
fn packed(bits: &BooleanBuffer) -> Bytes {
    let mut builder = BooleanBufferBuilder::new(bits.len());
    builder.append_buffer(bits);
    lent(&builder.finish().into_inner().slice_with_length(0, bits.len().div_ceil(8)))
}

/// Offsets from 0 and just the values between them.
fn rebased(data: &ArrayData, rows: usize) -> (Bytes, Bytes) {
    if rows == 0 {
        return (Bytes::from_static(&[0; 4]), Bytes::new());
    }
    let offsets = &data.buffers()[0].typed_data::<i32>()[data.offset()..data.offset() + rows + 1];
    let (first, last) = (offsets[0], offsets[rows]);
    let values = data.buffers()[1].slice_with_length(first as usize, (last - first) as usize);
    (offsets.iter().flat_map(|offset| (offset - first).to_le_bytes()).collect(), lent(&values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;
    use proptest::prelude::*;

    fn data_type() -> impl Strategy<Value = DataType> {
        use DataType::{Boolean, Bytes, Date, Float32, Float64, Int64, Text, Timestamp, Vector};
        let plain = proptest::sample::select(vec![Boolean, Int64, Float32, Float64, Text, Bytes, Timestamp, Date]);
        prop_oneof![4 => plain, 1 => any::<u32>().prop_map(Vector), 1 => (0u32..3).prop_map(Vector)]
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..100)
    }

    /// Offsets that nearly are some: in order or not, negative, beyond the data.
    fn offsets() -> impl Strategy<Value = Vec<u8>> {
        let offset = prop_oneof![4 => 0..12, 1 => Just(-1), 1 => Just(i32::MAX), 1 => any::<i32>()];
        (proptest::collection::vec(offset, 0..10), any::<bool>()).prop_map(|(mut offsets, sorted)| {
            if sorted {
                offsets.sort_unstable();
            }
            offsets.into_iter().flat_map(i32::to_le_bytes).collect()
        })
    }

    fn column() -> impl Strategy<Value = GuestColumn> {
        let length = prop_oneof![8 => 0u32..10, 1 => Just(u32::MAX), 1 => any::<u32>()];
        (data_type(), length, proptest::option::of(bytes()), proptest::option::of(offsets()), bytes()).prop_map(
            |(data_type, length, validity, offsets, data)| GuestColumn { data_type, length, validity, offsets, data },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What was let in can be read, stored and shown.
        #[test]
        fn any_chunk_of_a_guest_is_refused_or_harmless(
            column in column(), declared in proptest::option::of(data_type()), nullable in any::<bool>(),
        ) {
            let data_type = declared.unwrap_or(column.data_type);
            let fields = vec![Field { name: "x".to_owned(), data_type, nullable }];
            if let Ok(table) = Table::from_columns(Schema { fields }, vec![column.clone()]) {
                prop_assert_eq!(table.rows(), u64::from(column.length));
                table.read("x", 0, column.length).unwrap();
                crate::json_rows(&table).unwrap();
                crate::write(&table, |_| Ok(())).unwrap();
            }
        }
    }
}
