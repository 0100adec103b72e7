//! The OpenAPI document, generated from the routes.

use std::{collections::BTreeSet, sync::OnceLock};

use poem_openapi::OpenApiService;
use serde_json::{Map, Value, json};

use crate::{
    http::error::STATUSES,
    routes::{
        admin::AdminApi,
        audit_log::AuditLogApi,
        auth::AuthApi,
        carts::CartsApi,
        dead_letters::DeadLettersApi,
        health::HealthApi,
        inventory::InventoryApi,
        orders::OrdersApi,
        payments::{PaymentsApi, SandboxApi},
        pricing::PricingApi,
        products::ProductsApi,
    },
};

const DESCRIPTION: &str = "The backend of a shop.\n\nEvery failure has the same body (`Error`); its `code` is stable. \
`X-Request-Id` and `traceparent` are accepted or generated, and returned in every reply. \
A query parameter that is unknown or repeated is rejected. In a `PATCH` or `PUT`, an absent field is unchanged and \
null clears it; elsewhere null is the same as absent. Money is an integer of minor units \
with an ISO 4217 currency. Times are RFC 3339, UTC.";

/// The document and the page that shows it.
pub(crate) struct Texts {
    pub(crate) document: String,
    pub(crate) reader: String,
}

/// The texts as they are served, with the sandbox if it is enabled.
pub(crate) fn texts(local_stack: bool) -> &'static Texts {
    static LOCAL: OnceLock<Texts> = OnceLock::new();
    static OTHER: OnceLock<Texts> = OnceLock::new();
    let cell = if local_stack { &LOCAL } else { &OTHER };
    cell.get_or_init(|| {
        let document = build(local_stack);
        let empty = OpenApiService::new((), "", "");
        // The library's page, with our document in place of an empty one.
        let reader = empty.swagger_ui_html().replacen(&empty.spec(), &document.replace("</", "<\\/"), 1);
        Texts { document, reader }
    })
}

/// The OpenAPI 3 document of everything, as pretty JSON with sorted keys.
pub fn openapi_document() -> String {
    texts(true).document.clone()
}

fn build(local_stack: bool) -> String {
    let api = (
        (AuthApi, (AdminApi, DeadLettersApi, AuditLogApi), ProductsApi, InventoryApi, PricingApi, CartsApi),
        (OrdersApi, PaymentsApi, SandboxApi, HealthApi),
    );
    let service = OpenApiService::new(api, "souk", env!("CARGO_PKG_VERSION")).description(DESCRIPTION).server("/");
    // The library can serialize only what it has built itself.
    let mut document: Value = serde_json::from_str(&service.spec()).unwrap_or_default();
    if !local_stack && let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|path, _| !path.starts_with("/api/v1/sandbox/"));
    }
    share_failures(&mut document);
    name_headers(&mut document);
    close_bodies(&mut document);
    mark_nullable(&mut document);
    let mut text = serde_json::to_string_pretty(&sorted(document)).unwrap_or_default();
    text.push('\n');
    text
}

/// Failures are the same everywhere: each is defined once, and referenced by the operations that may return it.
fn share_failures(document: &mut Value) {
    let mut shared = Map::new();
    for (status, name, description) in STATUSES {
        let mut response = json!({
            "description": description,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        });
        if let Some(header) = match status {
            401 => Some("WWW-Authenticate"),
            405 => Some("Allow"),
            429 | 503 => Some("Retry-After"),
            _ => None,
        } {
            response["headers"] = json!({ header: { "schema": { "type": "string" } } });
        }
        shared.insert(name.into(), response);
    }
    document["components"]["responses"] = Value::Object(shared);
    for operation in operations(document) {
        let has_body = operation.get("requestBody").is_some();
        let Some(responses) = operation["responses"].as_object_mut() else { continue };
        for (status, name, _) in STATUSES {
            let key = status.to_string();
            let is_shared = responses.get(&key).is_some_and(is_error);
            if !has_body && matches!(status, 408 | 413 | 415) {
                responses.remove(&key);
            } else if is_shared {
                responses.insert(key, json!({ "$ref": format!("#/components/responses/{name}") }));
            }
        }
    }
}

fn is_error(response: &Value) -> bool {
    response["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Error"
}

/// Derives the headers of a success from the parameters and the reply of the operation.
fn name_headers(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    for operation in operations(document) {
        let takes = |name: &str| {
            operation["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name))
        };
        let (key, prefer) = (takes("Idempotency-Key"), takes("Prefer"));
        for status in ["200", "201", "202"] {
            let Some(response) = operation["responses"].get_mut(status) else { continue };
            let schema = response["content"]["application/json"]["schema"]["$ref"].as_str().unwrap_or_default();
            let name = schema.rsplit('/').next().unwrap_or_default();
            let has_version = schemas[name]["properties"].get("version").is_some();
            let named = [
                (has_version, "ETag", "The version, for `If-Match` and `If-None-Match`"),
                (key, "Idempotent-Replayed", "`true` if an earlier run of the same request produced the reply"),
                (prefer, "Preference-Applied", "The wait that was granted"),
            ];
            for (_, header, description) in named.into_iter().filter(|(applies, ..)| *applies) {
                response["headers"][header] = json!({ "description": description, "schema": { "type": "string" } });
            }
        }
    }
}

/// Request bodies reject unknown fields. Schemas of replies stay open, since fields may be added to them.
fn close_bodies(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let mut sent = BTreeSet::new();
    for operation in operations(document) {
        reach(&operation["requestBody"], &schemas, &mut sent);
    }
    for name in &sent {
        let schema = &mut document["components"]["schemas"][name];
        if schema["type"] == "object" {
            schema["additionalProperties"] = Value::Bool(false);
        }
    }
}

/// In a creation, null is the same as absent. Fields that a change can clear by null declare that themselves.
fn mark_nullable(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let mut sent = BTreeSet::new();
    for path in document["paths"].as_object().into_iter().flat_map(Map::values) {
        reach(&path["post"]["requestBody"], &schemas, &mut sent);
    }
    for name in &sent {
        let schema = &mut document["components"]["schemas"][name];
        let required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
        let fields = schema["properties"].as_object_mut().into_iter().flatten();
        for (_, field) in fields.filter(|(name, _)| !required.contains(&json!(name))) {
            if let Some(reference) = field.as_object_mut().and_then(|field| field.remove("$ref")) {
                field["allOf"] = json!([{ "$ref": reference }]);
            }
            field["nullable"] = Value::Bool(true);
        }
    }
}

fn reach(value: &Value, schemas: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let name =
                fields.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/components/schemas/"));
            if let Some(name) = name
                && found.insert(name.to_owned())
            {
                reach(&schemas[name], schemas, found);
            }
            fields.values().for_each(|field| reach(field, schemas, found));
        }
        Value::Array(items) => items.iter().for_each(|item| reach(item, schemas, found)),
        _ => {}
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    paths.filter_map(Value::as_object_mut).flat_map(|path| path.values_mut())
}

/// Sorts keys, whose order must not depend on how a library was built, and removes defaults.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut entries: Vec<(String, Value)> = fields
                .into_iter()
                .filter(|entry| !is_default(entry))
                .map(|(name, field)| (name, sorted(field)))
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        // Bounds of integers are integers.
        other => other.as_f64().filter(|number| number.fract() == 0.0).map_or(other, |number| json!(number as i64)),
    }
}

fn is_default((name, field): &(String, Value)) -> bool {
    (name == "deprecated" && *field == false) || (name == "explode" && *field == true)
}
