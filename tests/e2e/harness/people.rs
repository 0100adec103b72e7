//! A person who uses the shop over HTTP.

use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use super::{address, wait_until};

/// A person who uses the shop over HTTP.
#[derive(Clone)]
pub struct Person {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
    cart_token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    request: String,
}

impl Person {
    pub fn new(base: &str) -> Self {
        let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60)).build().unwrap();
        Self { client, base: base.to_owned(), token: None, cart_token: None }
    }

    /// Knows servers by these roots and no others.
    pub fn trusting(mut self, ca: &std::path::Path) -> Self {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
        let builder = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60));
        self.client = builder.tls_built_in_root_certs(false).add_root_certificate(ca).build().unwrap();
        self
    }

    pub fn with_token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    pub fn with_cart(mut self, token: String) -> Self {
        self.cart_token = Some(token);
        self
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path, Some(body), &[]).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::PUT, path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::PATCH, path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path, None, &[]).await
    }

    /// A request as a client would make it; paths are below `/api/v1` unless they begin with `//`.
    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Answer {
        let builder = self.builder(method.clone(), path, headers);
        let builder = match body {
            Some(body) => builder.json(body),
            None => builder,
        };
        Self::read(builder, format!("{method} {path} {}", body.map(Value::to_string).unwrap_or_default())).await
    }

    /// A body as it is, whatever it is.
    pub async fn raw(&self, method: Method, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.raw_with(method, path, &[("content-type", content_type)], body).await
    }

    /// The same, with headers that name its type among others.
    pub async fn raw_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let builder = self.builder(method.clone(), path, headers).body(body);
        Self::read(builder, format!("{method} {path} raw")).await
    }

    fn builder(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let url = match path.strip_prefix("//") {
            Some(root) => format!("{}/{root}", self.base),
            None => format!("{}/api/v1{path}", self.base),
        };
        let mut builder = self.client.request(method, url);
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token);
        }
        if let Some(token) = &self.cart_token {
            builder = builder.header("X-Cart-Token", token);
        }
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder
    }

    async fn read(builder: reqwest::RequestBuilder, request: String) -> Answer {
        let response = builder.send().await.unwrap_or_else(|error| panic!("{request}: {error}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status, headers, body, request }
    }

    /// A body that comes piece by piece.
    pub async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        self.builder(Method::GET, path, headers).send().await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// A request; `None` if nothing listens.
    pub async fn try_post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Option<Answer> {
        let response = self.builder(Method::POST, path, headers).json(body).send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
        Some(Answer { status, headers, body, request: format!("POST {path}") })
    }

    /// The status of a read; `None` if nothing listens.
    pub async fn try_get(&self, path: &str) -> Option<u16> {
        self.builder(Method::GET, path, &[]).send().await.ok().map(|response| response.status().as_u16())
    }

    /// A form, as a browser sends one.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        Self::read(self.builder(Method::POST, path, &[]).form(fields), format!("POST {path} {fields:?}")).await
    }

    /// A request that is safe to repeat: under a key of its own.
    pub async fn post_once(&self, path: &str, body: &Value) -> Answer {
        let key = uuid::Uuid::now_v7().to_string();
        self.request(Method::POST, path, Some(body), &[("Idempotency-Key", &key)]).await
    }

    /// Orders units of a variant; `wait` holds the answer until the order is decided.
    pub async fn order(&self, variant: &str, quantity: i64, method: Option<&str>) -> Answer {
        let mut body = json!({"items": [{"variant_id": variant, "quantity": quantity}], "shipping_address": address()});
        if self.token.is_none() {
            body["email"] = json!("guest@example.com");
        }
        if let Some(method) = method {
            body["payment"] = json!({ "method": method });
        }
        self.place(&body, &uuid::Uuid::now_v7().to_string()).await
    }

    pub async fn place(&self, body: &Value, key: &str) -> Answer {
        self.request(Method::POST, "/orders", Some(body), &[("Idempotency-Key", key), ("Prefer", "wait=10")]).await
    }

    /// Repeats the order until it is placed: orders asks other domains through circuit breakers of its own, which let
    /// one request per second through until one has succeeded.
    pub async fn place_after_outage(&self, body: &Value, key: &str) -> Answer {
        let is_placed = || async {
            let answer = self.place(body, key).await;
            assert!(matches!(answer.status, 201 | 503), "{answer:?}");
            answer.status == 201
        };
        wait_until("orders are placed again", is_placed).await;
        self.place(body, key).await.expect_status(201)
    }

    pub async fn order_status(&self, id: &str) -> String {
        self.get(&format!("/orders/{id}")).await.expect_status(200).text_at("/status")
    }

    pub async fn wait_for_status(&self, id: &str, status: &str) {
        let what = format!("order {id} is {status}");
        wait_until(&what, || async { self.order_status(id).await == status }).await;
    }
}

impl Answer {
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n-> {}", self.request, self.body);
        self
    }

    /// An error answer: its status, its code, and the one shape that every error has.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}\n-> {}",
            self.request,
            self.body
        );
        assert_eq!(self.body["success"], false);
        for field in ["message", "service", "request_id"] {
            assert!(self.body[field].is_string(), "{field} is missing: {}", self.body);
        }
        assert!(self.body["details"].is_array(), "{}", self.body);
        self
    }

    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer}: {}", self.body)).to_owned()
    }

    #[track_caller]
    pub fn number_at(&self, pointer: &str) -> i64 {
        let found = self.body.pointer(pointer).and_then(Value::as_i64);
        found.unwrap_or_else(|| panic!("no number at {pointer}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
