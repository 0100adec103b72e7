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

/// The fields of a command, two levels deep: by name, with the values of `recorded` fields. The field that names the
/// entity is left out.
pub(crate) fn fields_of<C: Serialize>(
    command: &C,
    entity: Option<Uuid>,
    recorded: &[&str],
) -> Result<Vec<AuditedField>, serde_json::Error> {
    let mut fields = Vec::new();
    let entity = entity.map(|entity| entity.to_string());
    let Value::Object(top) = serde_json::to_value(command)? else { return Ok(fields) };
    for (name, value) in top {
        match value {
            Value::Object(inner) if !recorded.contains(&name.as_str()) => {
                fields.extend(
                    inner.into_iter().map(|(field, value)| field_of(format!("{name}.{field}"), value, recorded)),
                );
            }
            Value::String(text) if Some(&text) == entity.as_ref() => {}
            value => fields.push(field_of(name, value, recorded)),
        }
    }
    Ok(fields)
}

fn field_of(name: String, value: Value, recorded: &[&str]) -> AuditedField {
    let value = recorded.contains(&name.as_str()).then_some(value);
    AuditedField { name, value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(command: &Value, entity: Option<Uuid>, recorded: &[&str]) -> Value {
        serde_json::to_value(fields_of(command, entity, recorded).unwrap()).unwrap()
    }

    #[test]
    fn fields_are_named_and_only_declared_values_are_recorded() {
        let entity = Uuid::from_u128(7);
        let command = json!({
            "thing_id": entity,
            "reason": "a@example.com",
            "changes": {"note": "secret", "price": {"amount": 5, "currency": "USD"}, "limit": null},
        });
        let found = fields(&command, Some(entity), &["changes.price", "changes.limit"]);
        let expected = json!([
            {"name": "changes.limit", "value": null},
            {"name": "changes.note"},
            {"name": "changes.price", "value": {"amount": 5, "currency": "USD"}},
            {"name": "reason"},
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn deeper_fields_are_not_named() {
        let command = json!({"changes": {"address": {"city": "Oslo"}}});
        assert_eq!(fields(&command, None, &[]), json!([{"name": "changes.address"}]));
        assert_eq!(fields(&json!("no fields"), None, &[]), json!([]));
    }
}
