//! The short form of a row-wise step that learns nothing: its columns, and what becomes of the rows.

/// Makes a whole plugin of the columns it reads, the columns it adds, and a closure from rows to rows.
///
/// The step has no parameters and learns nothing; for either, implement [`RowWise`](crate::RowWise) itself.
#[macro_export]
macro_rules! row_wise {
    (reads { $($read:literal: $read_type:ident),+ $(,)? } adds { $($add:literal: $add_type:ident),+ $(,)? }
     |$rows:ident| $body:expr) => {
        struct Step;

        impl $crate::RowWise for Step {
            fn fit(_: &$crate::Table) -> $crate::Result<Self> {
                Ok(Self)
            }

            fn apply(&self, $rows: &$crate::Table) -> $crate::Result<$crate::Table> {
                $body
            }
        }

        impl $crate::__serde::Serialize for Step {
            fn serialize<S: $crate::__serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_unit()
            }
        }

        impl<'de> $crate::__serde::Deserialize<'de> for Step {
            fn deserialize<D: $crate::__serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <() as $crate::__serde::Deserialize>::deserialize(deserializer).map(|()| Self)
            }
        }

        impl $crate::Plugin for Step {
            fn describe(inputs: &$crate::Inputs) -> $crate::Result<$crate::Descriptor> {
                use $crate::{DataType, Field};
                let reads = vec![$(Field::new($read, DataType::$read_type)),+];
                let added = vec![$(Field::new($add, DataType::$add_type).nullable()),+];
                let gives = added.into_iter().fold(inputs.columns("rows").to_vec(), |all, one| $crate::field::with(&all, one));
                Ok($crate::descriptor!().input("rows", reads).output_same_rows("rows", gives, "rows"))
            }
        }

        $crate::export!(Step: RowWise);
    };
}
