//! Schemas that a thread met last. A request has a handful of them again and again, and to make one takes longer than to read a row.

use crate::column::arrow_type;
use crate::table::check_schema;
use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use types::{Field, Schema};

/// How many a thread keeps.
const RECENT: usize = 8;

#[derive(Clone)]
struct Known {
    schema: Arc<Schema>,
    arrow: SchemaRef,
    /// Whether it was checked that a table may have these columns.
    is_sound: bool,
}

thread_local! {
    static MET: RefCell<VecDeque<Known>> = const { RefCell::new(VecDeque::new()) };
}

impl Known {
    fn of(fields: &[Field]) -> Self {
        let known = MET.with_borrow(|met| met.iter().find(|known| known.schema.fields == fields).cloned());
        known.unwrap_or_else(|| {
            let field = |field: &Field| ArrowField::new(&field.name, arrow_type(field.data_type), field.nullable);
            let arrow = Arc::new(ArrowSchema::new(fields.iter().map(field).collect::<Vec<_>>()));
            let known = Self { schema: Arc::new(Schema { fields: fields.to_vec() }), arrow, is_sound: false };
            known.keep();
            known
        })
    }

    fn keep(&self) {
        MET.with_borrow_mut(|met| {
            met.retain(|known| known.schema != self.schema);
            met.truncate(RECENT - 1);
            met.push_front(self.clone());
        });
    }
}

/// These columns: the same ones where they were met a moment ago.
pub fn schema(fields: &[Field]) -> Arc<Schema> {
    Known::of(fields).schema
}

/// Columns, as native kernels read and make them.
pub fn arrow_schema(schema: &Schema) -> SchemaRef {
    Known::of(&schema.fields).arrow
}

/// These columns, if a table may have them.
pub(crate) fn sound(schema: Arc<Schema>) -> Result<Arc<Schema>, crate::Error> {
    let is_known = |known: &Known| known.is_sound && known.schema == schema;
    if !MET.with_borrow(|met| met.iter().any(is_known)) {
        check_schema(&schema)?;
        Known { is_sound: true, ..Known::of(&schema.fields) }.keep();
    }
    Ok(schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::DataType;

    #[test]
    fn what_was_met_is_the_same_and_what_is_wrong_stays_wrong() {
        let field = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: false };
        let fields = [field("a", DataType::Int64), field("b", DataType::Text)];
        assert!(Arc::ptr_eq(&schema(&fields), &schema(&fields)));
        let twice = Arc::new(Schema { fields: vec![field("a", DataType::Int64), field("a", DataType::Int64)] });
        for _ in 0..2 {
            assert!(sound(Arc::clone(&twice)).is_err());
            arrow_schema(&twice);
        }
        for number in 0..100 {
            let one = Arc::new(Schema { fields: vec![field(&format!("c{number}"), DataType::Date)] });
            assert_eq!(sound(Arc::clone(&one)).unwrap(), one);
            assert_eq!(arrow_schema(&one).field(0).name(), &one.fields[0].name);
        }
        assert_eq!(MET.with_borrow(VecDeque::len), RECENT);
    }
}
