//! Pages for browsers: an index at `/`, the documentation at `/docs`, and redirects from addresses that are often
//! guessed.

use poem::{Request, Response, Route, endpoint::make_sync, http::StatusCode, http::header};
use server::Index;

use crate::{
    http::tag::BASE,
    server::{
        gateway::Local,
        route::{mount_get, mount_text},
    },
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

macro_rules! pages {
    ($($name:literal: $label:literal),* $(,)?) => {
        /// The documentation that belongs to this version.
        const PAGES: &[(&str, &str, &str)] = &[
            $((concat!("/docs/", $name), $label, include_str!(concat!("../../../docs/", $name)))),*
        ];
    };
}

pages! {
    "domains.md": "What each domain promises, and its endpoints",
    "errors.md": "Every error code",
    "events.md": "Every event, with a sample",
    "messages.md": "Every request over NATS",
    "payments.md": "Payment providers and the sandbox",
    "architecture.md": "How it works",
    "operations.md": "Running nodes",
    "configuration.md": "Every variable",
}

/// Adds the pages to the routing table.
pub(crate) fn mount(mut route: Route, local: &Local) -> Route {
    let docs = format!("{BASE}/docs");
    let document = format!("{BASE}/openapi.json");
    let home =
        Index::new("souk", VERSION, "The backend of a shop. This is its HTTP gateway; the API begins at /api/v1.")
            .link("reader", &docs, "The API, to read and to try")
            .link("openapi", &document, "The OpenAPI document")
            .link("health", "/health", "The health of the system, by domain")
            .link("docs", "/docs", "The documentation");
    let home = match &local.metrics {
        Some(base) => home.link("metrics", format!("{base}/metrics"), "Metrics of this node"),
        None => home,
    };
    let home = home.accounts(local.accounts.clone());
    for path in ["/", BASE, "/api/v1/"] {
        let home = home.clone();
        route = mount_get(route, path, make_sync(move |request: Request| home.response(&request)));
    }
    let mut library = Index::new("souk", VERSION, "The documentation, as Markdown.")
        .link("home", "/", "What is running here")
        .link("reader", &docs, "The API, to read and to try");
    for (path, label, text) in PAGES {
        library = library.link(path, *path, *label);
        route = mount_text(route, path, "text/plain; charset=utf-8", text);
    }
    for path in ["/docs", "/docs/"] {
        let library = library.clone();
        route = mount_get(route, path, make_sync(move |request: Request| library.response(&request)));
    }
    for (path, to) in [("/api/v1/docs/", docs), ("/openapi.json", document)] {
        let redirect = make_sync(move |_| {
            Response::builder().status(StatusCode::PERMANENT_REDIRECT).header(header::LOCATION, &to).finish()
        });
        route = mount_get(route, path, redirect);
    }
    // Browsers request it by themselves.
    let no_icon = make_sync(|_| {
        Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::CACHE_CONTROL, "public, max-age=86400")
            .finish()
    });
    mount_get(route, "/favicon.ico", no_icon)
}
