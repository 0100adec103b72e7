//! The HTTP side: who may ask, what is asked, and in which manner it is answered.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use poem::{
    EndpointExt, Request, Response, Route, Server, handler,
    http::{StatusCode, header::AUTHORIZATION},
    listener::TcpAcceptor,
    web::Data,
};
use reqwest::Url;
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    Sandbox,
    asked::{Answer, Asked, Fields},
    keys::Outcome,
    methods::Manner,
};

/// How late a slow answer is.
const SLOW: Duration = Duration::from_millis(800);

/// How long a connection stays open over which nothing will come.
const SILENCE: Duration = Duration::from_secs(60);

/// How long a stop waits for answers.
const FAREWELL: Duration = Duration::from_millis(200);

pub(crate) async fn serve(listener: TcpListener, sandbox: Sandbox, stop: impl Future<Output = ()>) -> Result<()> {
    let routes = Route::new().at("/*path", poem::get(answer).post(answer)).data(sandbox);
    let acceptor = TcpAcceptor::from_tokio(listener)?;
    Ok(Server::new_with_acceptor(acceptor).run_with_graceful_shutdown(routes, stop, Some(FAREWELL)).await?)
}

#[handler]
async fn answer(request: &Request, body: String, sandbox: Data<&Sandbox>) -> Response {
    let is_known = request.header(AUTHORIZATION).is_some_and(|value| value.starts_with("Bearer sk_"));
    if !is_known {
        let refusal = Answer::error(401, "invalid_request_error", "api_key_missing", "No secret key was shown.");
        return response(&Outcome { answer: refusal, is_replayed: false });
    }
    let Some(asked) = Asked::of(request.method(), request.uri().path()) else {
        let message = "The sandbox does not speak this part of the API.";
        let refusal = Answer::error(404, "invalid_request_error", "url_invalid", message);
        return response(&Outcome { answer: refusal, is_replayed: false });
    };
    let text = if body.is_empty() { request.uri().query().unwrap_or_default() } else { &body };
    let outcome = sandbox.carry_out(&asked, &fields(text), request.header("Idempotency-Key")).await;
    let outcome = outcome.unwrap_or_else(|error| {
        tracing::warn!(%error, "the sandbox's database does not answer");
        let failure = Answer::error(503, "api_error", "api_error", "The sandbox cannot answer now.");
        Outcome { answer: failure, is_replayed: false }
    });
    match outcome.answer.manner {
        Manner::Slow => tokio::time::sleep(SLOW).await,
        Manner::Silent | Manner::Forgetful => tokio::time::sleep(SILENCE).await,
        Manner::TimedOut => {
            let refusal = Answer::error(408, "invalid_request_error", "request_timeout", "It took too long.");
            return response(&Outcome { answer: refusal, is_replayed: false });
        }
        Manner::Plain | Manner::Failing | Manner::Denying => {}
    }
    response(&outcome)
}

/// Forms and queries are written alike.
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
