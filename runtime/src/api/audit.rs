//! What the audit log records of a command.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A field of an audited command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedField {
    /// Its name; of a field in an object, with the object's name: `changes.price`.
    pub name: String,
    /// Its value, if the command declares that it is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Value>,
}

/// A null that is there is a value.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// What a command says of itself: its fields, and whether it names the entity of its key.
#[derive(Debug)]
pub(crate) struct Described {
    pub fields: Vec<AuditedField>,
    /// A key may also be derived from what the command names.
    pub names_key: bool,
}

/// Describes a command: its fields by name, two levels deep, with the values of those in `recorded`. A recorded name
/// may also lead into the entries of a list: `things.price`. The field that names the key is left out, and so is the
/// version that the caller expects.
pub(crate) fn describe<C: Serialize>(
    command: &C,
    key: Option<Uuid>,
    recorded: &[&str],
) -> Result<Described, serde_json::Error> {
    let mut described = Described { fields: Vec::new(), names_key: false };
    let key = key.map(|key| key.to_string());
    let Value::Object(top) = serde_json::to_value(command)? else { return Ok(described) };
    for (name, value) in top.into_iter().filter(|(name, _)| name != EXPECTED_VERSION) {
        match value {
            Value::String(text) if Some(&text) == key.as_ref() => described.names_key = true,
            Value::Object(inner) if !recorded.contains(&name.as_str()) => {
                for (field, value) in inner {
                    add(&mut described.fields, format!("{name}.{field}"), value, recorded);
                }
            }
            value => add(&mut described.fields, name, value, recorded),
        }
    }
    Ok(described)
}

const EXPECTED_VERSION: &str = "expected_version";

fn add(fields: &mut Vec<AuditedField>, name: String, value: Value, recorded: &[&str]) {
    if let Value::Array(entries) = &value {
        let inside = recorded.iter().filter_map(|path| Some((*path, path.strip_prefix(&name)?.strip_prefix('.')?)));
        fields.extend(inside.map(|(path, field)| {
            let values = entries.iter().map(|entry| entry.get(field).cloned().unwrap_or_default()).collect();
            AuditedField { name: path.to_owned(), value: Some(Value::Array(values)) }
        }));
    }
    let value = recorded.contains(&name.as_str()).then_some(value);
    fields.push(AuditedField { name, value });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(command: &Value, key: Option<Uuid>, recorded: &[&str]) -> (Value, bool) {
        let Described { fields, names_key } = describe(command, key, recorded).unwrap();
        (serde_json::to_value(fields).unwrap(), names_key)
    }

    #[test]
    fn fields_are_named_and_only_declared_values_are_recorded() {
        let key = Uuid::from_u128(7);
        let command = json!({
            "thing_id": key,
            "reason": "a@example.com",
            "changes": {"note": "secret", "price": {"amount": 5, "currency": "USD"}, "limit": null},
            "expected_version": 3,
        });
        let expected = json!([
            {"name": "changes.limit", "value": null},
            {"name": "changes.note"},
            {"name": "changes.price", "value": {"amount": 5, "currency": "USD"}},
            {"name": "reason"},
        ]);
        assert_eq!(fields(&command, Some(key), &["changes.price", "changes.limit"]), (expected, true));
    }

    #[test]
    fn a_key_that_the_command_does_not_name_is_no_entity() {
        let (_, names_key) = fields(&json!({"number": "SK-1"}), Some(Uuid::from_u128(7)), &[]);
        assert!(!names_key);
    }

    #[test]
    fn values_in_a_list_are_recorded_without_their_neighbours() {
        let command = json!({"thing": {"parts": [{"price": 5, "note": "secret"}, {"note": "secret"}]}});
        let expected = json!([{"name": "thing.parts.price", "value": [5, null]}, {"name": "thing.parts"}]);
        assert_eq!(fields(&command, None, &["thing.parts.price"]).0, expected);
    }

    #[test]
    fn deeper_fields_are_not_named() {
        let command = json!({"changes": {"address": {"city": "Oslo"}}});
        assert_eq!(fields(&command, None, &[]).0, json!([{"name": "changes.address"}]));
        assert_eq!(fields(&json!("no fields"), None, &[]).0, json!([]));
    }
}
