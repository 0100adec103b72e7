//! The calls of buyers and of the verification, in the format of the public API.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request};
use serde_json::{Value, json};

use super::cluster::{ADMIN, PASSWORD};
use crate::http::{Address, Answer, Body, Client, Failure};
use crate::shop::rejection;

/// Longer than the request timeout of the shop.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A client with a connection to each gateway, which switches to the next one when a gateway fails.
pub struct Caller {
    clients: Vec<Client>,
    turn: usize,
    token: Option<String>,
}

impl Caller {
    pub fn new(gateways: &[u16], turn: usize) -> Self {
        let clients = gateways.iter().map(|port| Client::new(Address::loopback(*port), TIMEOUT)).collect();
        Self { clients, turn, token: None }
    }

    /// Registers a new account.
    pub async fn register(&mut self, email: &str) -> Result<()> {
        let account = json!({"email": email, "password": PASSWORD});
        self.enter("/auth/register", &account).await
    }

    /// Logs in as the cluster's admin.
    pub async fn login_as_admin(&mut self) -> Result<()> {
        self.enter("/auth/login", &json!({"email": ADMIN, "password": PASSWORD})).await
    }

    async fn enter(&mut self, path: &str, body: &Value) -> Result<()> {
        let entered = self.expect(Method::POST, path, Some(body)).await?;
        self.token = Some(entered["access_token"].as_str().context("no access token")?.to_owned());
        Ok(())
    }

    /// Sends one request to the current gateway.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = match body {
            Some(body) => Body::new(Bytes::from(body.to_string())),
            None => Body::default(),
        };
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let request = request.map_err(|error| Failure(format!("request: {error}")))?;
        let turn = self.turn % self.clients.len();
        self.clients[turn].send(request).await
    }

    /// Switches to the next gateway.
    pub fn turn_to_the_other(&mut self) {
        self.turn += 1;
    }

    /// Sends a request that must succeed, with retries for a minute.
    pub async fn expect(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let key = uuid::Uuid::new_v4().to_string();
        let began = tokio::time::Instant::now();
        loop {
            let why = match self.send(method.clone(), path, body, Some(&key)).await {
                Ok(answer) if answer.status.is_success() => return Ok(serde_json::from_slice(&answer.body)?),
                Ok(answer) if !answer.status.is_server_error() => bail!("{method} {path}: {}", rejection(&answer)),
                Ok(answer) => rejection(&answer),
                Err(failure) => failure.to_string(),
            };
            if began.elapsed() > Duration::from_secs(60) {
                bail!("{method} {path}: {why}, for a minute");
            }
            self.turn_to_the_other();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Lists all orders of the caller, newest first.
    pub async fn orders(&mut self) -> Result<Vec<Value>> {
        let mut orders = Vec::new();
        let mut path = "/orders?limit=100".to_owned();
        loop {
            let mut page = self.expect(Method::GET, &path, None).await?;
            let Value::Array(data) = page["data"].take() else { bail!("GET {path}: no data") };
            orders.extend(data);
            match page["pagination"]["next_cursor"].as_str() {
                Some(cursor) => path = format!("/orders?limit=100&cursor={cursor}"),
                None => return Ok(orders),
            }
        }
    }
}
