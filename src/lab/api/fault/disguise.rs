//! Answers with more or fewer fields than documented.

use serde_json::{Value, json};

/// What is added to each object.
const EXTRA: &str = "lab_extra";

/// Objects whose keys are no fields but data.
const MAPS: [&str; 2] = ["labels", "time_series"];

/// Adds an unknown field to each object.
pub(super) fn add_fields(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(add_fields),
        Value::Object(fields) => {
            fields
                .iter_mut()
                .filter(|(key, _)| !MAPS.contains(&key.as_str()))
                .for_each(|(_, v)| add_fields(v));
            fields.insert(EXTRA.to_owned(), json!({"nested": [1, "two", null]}));
        }
        _ => {}
    }
}

/// Whether one of these fields is anywhere.
pub(super) fn has_field(value: &Value, names: &[String]) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| has_field(value, names)),
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            names.contains(key) || !MAPS.contains(&key.as_str()) && has_field(value, names)
        }),
        _ => false,
    }
}

/// Removes fields wherever they are.
pub(super) fn remove_fields(value: &mut Value, names: &[String]) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| remove_fields(value, names)),
        Value::Object(fields) => {
            fields.retain(|key, _| !names.contains(key));
            let data = fields.iter_mut().filter(|(key, _)| !MAPS.contains(&key.as_str()));
            data.for_each(|(_, value)| remove_fields(value, names));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_gets_a_field_but_labels() {
        let mut value = json!({"servers": [{"id": 1, "labels": {"a": "b"}, "public_net": {"ipv4": null}}]});
        add_fields(&mut value);
        assert_eq!(value["servers"][0]["labels"], json!({"a": "b"}));
        for place in ["/lab_extra", "/servers/0/lab_extra", "/servers/0/public_net/lab_extra/nested"] {
            assert!(value.pointer(place).is_some(), "{place}");
        }
    }

    #[test]
    fn fields_are_removed_wherever_they_are() {
        let mut value = json!({"server": {"id": 1, "image": {"id": 2}, "labels": {"id": "x"}}, "next": []});
        let id = ["id".to_owned()];
        assert!(has_field(&value, &id));
        remove_fields(&mut value, &id);
        assert_eq!(value, json!({"server": {"image": {}, "labels": {"id": "x"}}, "next": []}));
        assert!(!has_field(&value, &id));
    }
}
