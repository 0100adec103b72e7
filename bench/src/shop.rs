//! The shop as seen by an external client: the few calls that a run needs, in the format of the public API.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::arguments::{Arguments, REQUEST_TIMEOUT};
use crate::http::{self, Address, Answer, Body, Client};

pub const CUSTOMER: &str = "customer@souk.test";
pub const ADMIN: &str = "admin@souk.test";
const PASSWORD: &str = "souk-demo-password";

#[derive(Clone)]
pub struct Shop {
    gateways: Arc<[Address]>,
    timeout: Duration,
}

#[derive(Debug, Deserialize)]
pub struct Product {
    pub id: String,
    pub variants: Vec<Variant>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Variant {
    pub id: String,
    /// The price of an order of one unit.
    pub price: Value,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Stock {
    pub on_hand: i64,
    pub reserved: i64,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    data: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

/// An authenticated session. Renews its access token, because a run may outlast it.
pub struct Session {
    bearer: watch::Receiver<HeaderValue>,
    /// Aborted when the session is dropped.
    _renewing: JoinSet<()>,
}

impl Session {
    pub fn bearer(&self) -> HeaderValue {
        self.bearer.borrow().clone()
    }
}

impl Shop {
    pub async fn open(arguments: &Arguments) -> anyhow::Result<Self> {
        Ok(Self { gateways: http::resolve_all(&arguments.urls).await?, timeout: REQUEST_TIMEOUT })
    }

    /// The n-th client, connected to the nodes in turn.
    pub fn client(&self, n: u32) -> Client {
        Client::new(self.gateways[n as usize % self.gateways.len()].clone(), self.timeout)
    }

    pub async fn login(&self, email: &str) -> anyhow::Result<Session> {
        let credentials = json!({"email": email, "password": PASSWORD});
        let tokens: Tokens = self
            .call(Method::POST, "/api/v1/auth/login", None, Some(&credentials))
            .await
            .with_context(|| format!("logging in as {email}, an account of the demo shop"))?;
        let (sender, bearer) = watch::channel(header(&tokens)?);
        let mut renewing = JoinSet::new();
        renewing.spawn(renew(self.clone(), tokens, sender));
        Ok(Session { bearer, _renewing: renewing })
    }

    pub async fn products(&self) -> anyhow::Result<Vec<Product>> {
        let page: Page<Product> = self.call(Method::GET, "/api/v1/products?limit=100", None, None).await?;
        anyhow::ensure!(!page.data.is_empty(), "the shop has no products: start it with its demo shop");
        Ok(page.data)
    }

    pub async fn set_stock(&self, admin: &Session, variant: &Variant, on_hand: i64) -> anyhow::Result<Stock> {
        let path = format!("/api/v1/inventory/{}", variant.id);
        self.call(Method::PUT, &path, Some(admin.bearer()), Some(&json!({"on_hand": on_hand}))).await
    }

    /// Reserved units are visible only to the product's seller and to admins.
    pub async fn stock(&self, admin: &Session, variant: &Variant) -> anyhow::Result<Stock> {
        self.call(Method::GET, &format!("/api/v1/inventory/{}", variant.id), Some(admin.bearer()), None).await
    }

    /// The current status of the order.
    pub async fn order_status(&self, customer: &Session, id: &str) -> anyhow::Result<String> {
        let order: Value =
            self.call(Method::GET, &format!("/api/v1/orders/{id}"), Some(customer.bearer()), None).await?;
        order["status"].as_str().map(str::to_owned).context("an order without a status")
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        bearer: Option<HeaderValue>,
        body: Option<&Value>,
    ) -> anyhow::Result<T> {
        let what = format!("{method} {path}");
        let mut request = Request::builder().method(method).uri(path.parse::<Uri>().with_context(|| what.clone())?);
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        let body = match body {
            Some(body) => Body::new(Bytes::from(serde_json::to_vec(body)?)),
            None => Body::default(),
        };
        let request = request.header(CONTENT_TYPE, "application/json").body(body)?;
        let answer = self.client(0).send(request).await.with_context(|| what.clone())?;
        anyhow::ensure!(answer.status.is_success(), "{what}: {}", rejection(&answer));
        serde_json::from_slice(&answer.body).with_context(|| format!("{what}: the answer has another shape"))
    }
}

/// The kind under which a reply is counted: its status and the stable code of its error body.
pub fn rejection(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct ErrorBody {
        code: String,
    }
    match serde_json::from_slice::<ErrorBody>(&answer.body) {
        Ok(body) => format!("{} {}", answer.status.as_u16(), body.code),
        Err(_) => format!("{} without an error body", answer.status.as_u16()),
    }
}

async fn renew(shop: Shop, mut tokens: Tokens, sender: watch::Sender<HeaderValue>) {
    loop {
        tokio::time::sleep(Duration::from_secs((tokens.expires_in * 2 / 3).max(1))).await;
        let spent = json!({"refresh_token": tokens.refresh_token});
        let renewed = shop.call::<Tokens>(Method::POST, "/api/v1/auth/refresh", None, Some(&spent)).await;
        match renewed.and_then(|tokens| Ok((header(&tokens)?, tokens))) {
            Ok((bearer, renewed)) => {
                tokens = renewed;
                sender.send_replace(bearer);
            }
            // Not hidden: the requests that fail afterwards are counted.
            Err(error) => eprintln!("renewing the access token: {error:#}"),
        }
    }
}

fn header(tokens: &Tokens) -> anyhow::Result<HeaderValue> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", tokens.access_token)).context("the access token")?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn a_rejection_is_its_status_and_code() {
        let answer = |body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            Answer { status: StatusCode::CONFLICT, body, retry_after: None }
        };
        let body = r#"{"success":false,"code":"out_of_stock","message":"","service":"inventory","request_id":"x"}"#;
        assert_eq!(rejection(&answer(body)), "409 out_of_stock");
        assert_eq!(rejection(&answer("<html>")), "409 without an error body");
    }
}
