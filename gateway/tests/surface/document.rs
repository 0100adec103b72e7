//! The OpenAPI document: where it is served, and what it says of every operation.

use gateway::openapi_document;
use serde_json::{Value, json};

use crate::client;

#[tokio::test]
async fn the_document_and_its_reader_are_served() {
    let client = client().await;
    let served = client.get("/api/v1/openapi.json").send().await;
    served.assert_text(openapi_document()).await;
    let reader = client.get("/api/v1/docs").send().await;
    reader.assert_content_type("text/html; charset=utf-8");
    let page = reader.0.into_body().into_string().await.unwrap();
    assert!(page.contains("#/components/responses/NotFound"));
    let head = client.head("/api/v1/openapi.json").send().await;
    head.assert_status_is_ok();
    head.assert_text("").await;
}

#[test]
fn the_checked_in_document_is_the_served_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let document = openapi_document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert!(golden == document, "docs/openapi.json has drifted: make golden");
}

#[test]
fn every_operation_documents_its_failures_and_its_caller() {
    let document: Value = serde_json::from_str(&openapi_document()).unwrap();
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            count += 1;
            let responses = operation["responses"].as_object().unwrap();
            for status in ["405", "500"] {
                assert!(responses.contains_key(status), "{method} {path} lacks {status}");
            }
            if operation.get("requestBody").is_some() {
                for status in ["400", "413", "415", "422"] {
                    assert!(responses.contains_key(status), "{method} {path} lacks {status}");
                }
            }
            assert!(operation["operationId"].is_string(), "{method} {path}");
        }
    }
    assert_eq!(count, 61);
    let security = &document["paths"]["/api/v1/orders"]["post"]["security"];
    assert_eq!(*security, json!([{"bearer": []}, {"cart_token": []}]));
    assert!(document["paths"]["/api/v1/products"]["get"].get("security").is_none());
    assert_eq!(document["components"]["schemas"]["NewOrder"]["additionalProperties"], false);
}
