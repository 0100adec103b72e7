//! The HTTP API: authorization, parsing, and the delivery of replies.

use std::{collections::BTreeMap, io, time::Duration};

use anyhow::Result;
use poem::{
    Body, EndpointExt, Request, Response, Route,
    error::ReadBodyError,
    handler,
    http::{StatusCode, header::AUTHORIZATION},
    web::Data,
};
use reqwest::Url;
use serde_json::json;
use server::{Index, Options, Stage};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    Sandbox,
    keys::Outcome,
    methods::Manner,
    operation::{Answer, Fields, Operation},
};

/// The delay of a slow reply.
const SLOW: Duration = Duration::from_millis(800);

/// How long a connection that gets no reply stays open.
const SILENCE: Duration = Duration::from_secs(60);

/// The maximum body size, in bytes.
const LONGEST: usize = 64 * 1024;

/// How long shutdown waits for replies.
const FAREWELL: Duration = Duration::from_millis(200);

pub(crate) async fn serve(listener: TcpListener, sandbox: Sandbox, stop: impl Future<Output = ()>) -> Result<()> {
    let routes = Route::new().at("/", poem::get(index)).at("/*path", poem::get(answer).post(answer)).data(sandbox);
    let options = Options { timeout: FAREWELL, ..Options::new("sandbox") };
    let (stage, stages) = watch::channel(Stage::Open);
    let leave = async {
        stop.await;
        stage.send_replace(Stage::Closing);
    };
    let (served, ()) = tokio::join!(server::serve(listener, routes, options, stages), leave);
    Ok(served?)
}

#[handler]
fn index(request: &Request) -> Response {
    let description = "A payment provider that misbehaves on demand: the part of Stripe's API below /v1 that a shop \
                       needs. docs/payments.md lists what it does, and when.";
    Index::new("souk sandbox", env!("CARGO_PKG_VERSION"), description).response(request)
}

#[handler]
async fn answer(request: &Request, body: Body, sandbox: Data<&Sandbox>) -> Response {
    let is_known = request.header(AUTHORIZATION).is_some_and(|value| value.starts_with("Bearer sk_"));
    if !is_known {
        let rejection = Answer::error(401, "invalid_request_error", "api_key_missing", "No API key provided.");
        return response(&Outcome { answer: rejection, is_replayed: false });
    }
    let Some(operation) = Operation::of(request.method(), request.uri().path()) else {
        let message = "The sandbox does not support this part of the API.";
        let rejection = Answer::error(404, "invalid_request_error", "url_invalid", message);
        return response(&Outcome { answer: rejection, is_replayed: false });
    };
    let body = match body.into_bytes_limit(LONGEST).await {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(error) => {
            let status = match &error {
                ReadBodyError::Io(error) if error.kind() == io::ErrorKind::TimedOut => 408,
                ReadBodyError::PayloadTooLarge => 413,
                _ => 400,
            };
            let rejection = Answer::error(status, "invalid_request_error", "body_unreadable", &error.to_string());
            return response(&Outcome { answer: rejection, is_replayed: false });
        }
    };
    let text = if body.is_empty() { request.uri().query().unwrap_or_default() } else { &body };
    let outcome = sandbox.carry_out(&operation, &fields(text), request.header("Idempotency-Key")).await;
    let outcome = outcome.unwrap_or_else(|error| {
        tracing::warn!(%error, "sandbox database unavailable");
        let failure = Answer::error(503, "api_error", "api_error", "The sandbox is unavailable. Try again.");
        Outcome { answer: failure, is_replayed: false }
    });
    match outcome.answer.manner {
        Manner::Slow => tokio::time::sleep(SLOW).await,
        Manner::Silent | Manner::Forgetful => tokio::time::sleep(SILENCE).await,
        Manner::TimedOut => {
            let rejection = Answer::error(408, "invalid_request_error", "request_timeout", "The request timed out.");
            return response(&Outcome { answer: rejection, is_replayed: false });
        }
        Manner::Plain | Manner::Failing | Manner::Denying => {}
    }
    response(&outcome)
}

/// Parses the fields of a form or a query string, which have the same encoding.
fn fields(text: &str) -> Fields {
    let pairs = Url::parse(&format!("http://sandbox/?{text}")).map(|url| url.query_pairs().into_owned().collect());
    Fields(pairs.unwrap_or_else(|_| BTreeMap::new()))
}

fn response(outcome: &Outcome) -> Response {
    let status = StatusCode::from_u16(outcome.answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let builder = Response::builder().status(status).content_type("application/json");
    let builder = if outcome.is_replayed { builder.header("Idempotent-Replayed", "true") } else { builder };
    let body = if outcome.answer.body.is_null() { json!({}) } else { outcome.answer.body.clone() };
    builder.body(body.to_string())
}
