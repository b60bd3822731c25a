//! Two versions -> how the columns of requests and answers differ, for whoever puts one in the other's place. Pure.

use types::{Field, ModelVersion};

/// What callers of the old version will meet at the new one, in sentences.
pub fn unlike(old: &ModelVersion, new: &ModelVersion) -> Vec<String> {
    let sides = [("requests", &old.request, &new.request), ("answers", &old.signature.outputs, &new.signature.outputs)];
    sides.into_iter().flat_map(|(side, old, new)| of_side(side, old, new)).collect()
}

fn of_side(side: &str, old: &[Field], new: &[Field]) -> Vec<String> {
    let find = |fields: &[Field], name: &str| fields.iter().find(|field| field.name == name).cloned();
    let kind = |field: &Field| format!("{}{}", field.data_type, if field.nullable { ", may be null" } else { "" });
    let gone = old.iter().filter(|field| find(new, &field.name).is_none());
    let gone = gone.map(|field| format!("its {side} have no `{}`", field.name));
    let come = new.iter().filter_map(|field| match find(old, &field.name) {
        None => Some(format!("its {side} have `{}` ({}) besides", field.name, kind(field))),
        Some(before) if before != *field => {
            let name = &field.name;
            Some(format!("in its {side} `{name}` is {}, not {} as before", kind(field), kind(&before)))
        }
        Some(_) => None,
    });
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::DataType;

    fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
        Field { name: name.to_owned(), data_type, nullable }
    }

    #[test]
    fn what_is_gone_new_or_otherwise_is_told_and_the_order_is_not() {
        let [a, b] = [field("a", DataType::Int64, false), field("b", DataType::Text, false)];
        let old = [a.clone(), b.clone()];
        assert_eq!(of_side("requests", &old, &[b.clone(), a.clone()]), Vec::<String>::new());
        let new = [field("a", DataType::Int64, true), field("c", DataType::Float64, false)];
        let expected = [
            "its requests have no `b`",
            "in its requests `a` is int64, may be null, not int64 as before",
            "its requests have `c` (float64) besides",
        ];
        assert_eq!(of_side("requests", &old, &new), expected);
    }
}
