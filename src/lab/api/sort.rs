//! `sort=field[:asc|:desc]`, several times.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::error::ApiError;

/// What a list can be ordered by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SortKey {
    Number(u64),
    Text(String),
    Time(Option<Timestamp>),
}

/// Orders items by the fields in turn; a field that is none of `fields` is refused. `key` knows all of them.
pub(crate) fn sort<T>(
    items: &mut [T],
    orders: &[String],
    fields: &[&str],
    key: impl Fn(&T, &str) -> Option<SortKey>,
) -> Result<(), ApiError> {
    let wrong = |order: &str| ApiError::field("sort", &format!("cannot sort by '{order}'"));
    // stable, so the last field goes first
    for order in orders.iter().rev() {
        let (field, descending) = match order.split_once(':') {
            None => (order.as_str(), false),
            Some((field, "asc")) => (field, false),
            Some((field, "desc")) => (field, true),
            Some(_) => return Err(wrong(order)),
        };
        if !fields.contains(&field) {
            return Err(wrong(order));
        }
        if descending {
            items.sort_by_cached_key(|item| Reverse(key(item, field)));
        } else {
            items.sort_by_cached_key(|item| key(item, field));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(orders: &[&str]) -> Result<Vec<(u64, &'static str)>, ApiError> {
        let mut items = vec![(1, "b"), (2, "a"), (3, "b")];
        let orders: Vec<String> = orders.iter().map(|o| (*o).to_owned()).collect();
        sort(&mut items, &orders, &["id", "name"], |(id, name), field| match field {
            "id" => Some(SortKey::Number(*id)),
            "name" => Some(SortKey::Text((*name).to_owned())),
            _ => None,
        })?;
        Ok(items)
    }

    #[test]
    fn the_first_field_weighs_most() {
        assert_eq!(sorted(&["name", "id:desc"]).unwrap(), [(2, "a"), (3, "b"), (1, "b")]);
        assert_eq!(sorted(&["name:desc", "id:asc"]).unwrap(), [(1, "b"), (3, "b"), (2, "a")]);
        assert_eq!(sorted(&[]).unwrap(), [(1, "b"), (2, "a"), (3, "b")]);
    }

    #[test]
    fn unknown_fields_and_directions_are_refused() {
        assert!(sorted(&["age"]).is_err());
        assert!(sorted(&["id:up"]).is_err());
        let unknown = ["age".to_owned()];
        assert!(
            sort(&mut [(); 0], &unknown, &["id"], |(), _| None).is_err(),
            "an empty list has fields, too"
        );
    }
}
