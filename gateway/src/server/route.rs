//! The routing table: one entry per path, which knows its methods, its domain and its template.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use poem::{
    Endpoint, IntoResponse, Request, Response, Result, Route,
    endpoint::{BoxEndpoint, make_sync},
    http::{HeaderValue, Method},
};
use poem_openapi::{
    OpenApi,
    registry::{MetaOperation, MetaParamIn},
};

use crate::{
    http::{error::ApiError, query::Parameters},
    server::{
        context::{Label, RequestContext},
        reads::{self, Write},
    },
};

/// Adds the paths of one domain.
pub(crate) fn mount<A: OpenApi>(mut route: Route, service: &'static str, api: A) -> Route {
    let mut paths: HashMap<String, _> =
        A::meta().into_iter().flat_map(|meta| meta.paths).map(|path| (pattern_of(&path.path), path)).collect();
    let mut table = HashMap::new();
    api.add_routes(&mut table);
    for (pattern, methods) in table {
        let (template, parameters) = match paths.remove(&pattern) {
            Some(path) => (path.path, path.operations.into_iter().map(parameters_of).collect()),
            None => (pattern.clone(), HashMap::new()),
        };
        route = route.at(pattern, Methods::new(service, template, methods, parameters));
    }
    route
}

/// The query parameters of an operation.
fn parameters_of(operation: MetaOperation) -> (Method, Vec<String>) {
    let parameters = operation.params.into_iter().filter(|parameter| parameter.in_type == MetaParamIn::Query);
    (operation.method, parameters.map(|parameter| parameter.name).collect())
}

/// Adds a constant text.
pub(crate) fn mount_text(route: Route, path: &str, content_type: &'static str, text: &'static str) -> Route {
    mount_get(route, path, make_sync(move |_| Response::builder().content_type(content_type).body(text)))
}

/// Adds a path with GET only.
pub(crate) fn mount_get(route: Route, path: &str, endpoint: impl Endpoint<Output = Response> + 'static) -> Route {
    let methods =
        HashMap::from([(Method::GET, Box::new(poem::endpoint::ToDynEndpoint(endpoint)) as BoxEndpoint<'static>)]);
    route.at(path, Methods::new(crate::http::error::GATEWAY, path.to_owned(), methods, HashMap::new()))
}

/// poem-openapi names the parameters of a route by their positions.
fn pattern_of(template: &str) -> String {
    let mut place = 0;
    let segments = template.split('/').map(|segment| {
        if segment.starts_with('{') {
            place += 1;
            format!(":param{}", place - 1)
        } else {
            segment.to_owned()
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The methods of one path.
struct Methods {
    label: Arc<Label>,
    methods: HashMap<Method, BoxEndpoint<'static>>,
    /// The query parameters of each operation. Pages and texts have none, and ignore their query.
    parameters: HashMap<Method, Vec<String>>,
    allow: HeaderValue,
    /// Whether public responses to GET are kept.
    is_kept: bool,
}

impl Methods {
    fn new(
        service: &'static str,
        template: String,
        methods: HashMap<Method, BoxEndpoint<'static>>,
        parameters: HashMap<Method, Vec<String>>,
    ) -> Self {
        let mut names: Vec<&str> = methods.keys().map(Method::as_str).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.sort_unstable();
        let allow = HeaderValue::from_str(&names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""));
        let is_kept = reads::is_kept(&template);
        Self { label: Arc::new(Label { service, template }), methods, parameters, allow, is_kept }
    }
}

impl Endpoint for Methods {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let context = RequestContext::of(&request)?.clone();
        // Only one route handles a request.
        drop(context.label.set(self.label.clone()));
        let is_head = request.method() == Method::HEAD;
        let method = if is_head { Method::GET } else { request.method().clone() };
        let Some(endpoint) = self.methods.get(&method) else {
            return Err(ApiError::method_not_allowed(self.allow.clone()).into());
        };
        // No valid path contains NUL, and PostgreSQL does not accept it in text.
        if (0..).map_while(|place| request.raw_path_param(&format!("param{place}"))).any(|value| value.contains('\0')) {
            return Err(ApiError::no_such_id().into());
        }
        if let Some(known) = self.parameters.get(&method) {
            let parameters = Parameters::of(&request, known)?;
            request.set_data(parameters);
        }
        if self.is_kept
            && let Some(key) = reads::key(&request).map(Cow::into_owned)
        {
            return reads::read(&context.gateway, request, &key, &self.label, endpoint).await;
        }
        let write = Write::of(&request, &self.label);
        let result = endpoint.call(request).await;
        if let Some(write) = write {
            write.end(&context.gateway.reads, &result);
        }
        let mut response = result.map_err(|error| self.label.name_part(error))?.into_response();
        if is_head {
            response.set_body(());
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_finds_its_route() {
        assert_eq!(pattern_of("/api/v1/sandbox/{intent}/{action}"), "/api/v1/sandbox/:param0/:param1");
    }
}
