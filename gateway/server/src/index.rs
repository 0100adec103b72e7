//! The index page at a listener's `/`, with links to its other pages. Browsers get HTML, programs that accept JSON get
//! JSON.

use std::fmt::Write;

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, header},
};
use serde_json::{Map, Value, json};

const HTML: &str = "text/html";
const JSON: &str = "application/json";
/// No scripts and no external resources: the page is self-contained.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;\
color:#222;background:#fff}h1{margin:0}table{border-collapse:collapse;margin:1rem 0}\
th,td{text-align:left;vertical-align:top;padding:.3rem 1.5rem .3rem 0}th{font-weight:600}a{color:#0550ae}\
code{font:14px ui-monospace,monospace;background:#f3f3f3;padding:.1rem .3rem;border-radius:.2rem}\
.muted{color:#666}@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}a{color:#7ab7ff}\
code{background:#2a2a2a}.muted{color:#999}}";

/// Public demo accounts.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// The password of all of them.
    pub password: String,
    /// Their e-mail addresses and roles.
    pub accounts: Vec<(String, String)>,
}

/// The index page of a listener.
#[derive(Debug, Clone)]
pub struct Index {
    name: String,
    version: &'static str,
    description: String,
    links: Vec<(&'static str, String, String)>,
    accounts: Option<Accounts>,
}

impl Index {
    /// A page without links.
    pub fn new(name: impl Into<String>, version: &'static str, description: impl Into<String>) -> Self {
        Self { name: name.into(), version, description: description.into(), links: Vec::new(), accounts: None }
    }

    /// Adds a link: its name for programs, its target and a description.
    #[must_use]
    pub fn link(mut self, name: &'static str, to: impl Into<String>, label: impl Into<String>) -> Self {
        self.links.push((name, to.into(), label.into()));
        self
    }

    /// Shows accounts.
    #[must_use]
    pub fn accounts(mut self, accounts: Option<Accounts>) -> Self {
        self.accounts = accounts;
        self
    }

    /// The page in the format that the client accepts.
    pub fn response(&self, request: &Request) -> Response {
        let is_json = prefers_json(request.headers());
        let response = Response::builder().header(header::VARY, HeaderValue::from_static("Accept"));
        if is_json {
            return response.content_type(JSON).body(self.json().to_string());
        }
        response
            .content_type("text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            .header(header::REFERRER_POLICY, "no-referrer")
            .body(self.html())
    }

    fn json(&self) -> Value {
        let links: Map<String, Value> = self.links.iter().map(|(name, to, _)| ((*name).into(), json!(to))).collect();
        let mut value = json!({
            "name": self.name, "version": self.version, "description": self.description, "links": links,
        });
        if let Some(Accounts { password, accounts }) = &self.accounts {
            let accounts: Vec<Value> =
                accounts.iter().map(|(email, role)| json!({"email": email, "role": role})).collect();
            value["demo"] = json!({"password": password, "accounts": accounts});
        }
        value
    }

    fn html(&self) -> String {
        let (name, version, description) = (escaped(&self.name), self.version, escaped(&self.description));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{name}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n\
             <p class=\"muted\">version {version}</p>\n<p>{description}</p>\n<table>\n"
        );
        for (_, to, label) in &self.links {
            let (to, label) = (escaped(to), escaped(label));
            // Writing to a string cannot fail.
            let _ = writeln!(page, "<tr><td><a href=\"{to}\">{to}</a></td><td>{label}</td></tr>");
        }
        page.push_str("</table>\n");
        if let Some(Accounts { password, accounts }) = &self.accounts {
            page.push_str("<h2>Demo accounts</h2>\n<table>\n<tr><th>Email</th><th>Role</th></tr>\n");
            for (email, role) in accounts {
                let (email, role) = (escaped(email), escaped(role));
                let _ = writeln!(page, "<tr><td><code>{email}</code></td><td>{role}</td></tr>");
            }
            let password = escaped(password);
            let _ = writeln!(page, "</table>\n<p>Password: <code>{password}</code>. On a local stack only.</p>");
        }
        page.push_str("</body>\n</html>\n");
        page
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Whether a client prefers JSON to HTML. HTML is the default.
fn prefers_json(headers: &HeaderMap) -> bool {
    let (json, html) = (weight(headers, JSON), weight(headers, HTML));
    // `application/json, */*` names JSON and merely allows HTML.
    json.quality > 0.0 && (json.quality, json.precision) > (html.quality, html.precision)
}

#[derive(Clone, Copy)]
struct Weight {
    quality: f32,
    /// How precisely the range matches the type: 3 exactly, 2 by its first half, 1 as `*/*`.
    precision: u8,
}

/// The weight of a media type by the `Accept` header: that of the most precise matching range.
fn weight(headers: &HeaderMap, media_type: &str) -> Weight {
    let family = media_type.split('/').next().unwrap_or_default();
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut best = Weight { quality: 0.0, precision: 0 };
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let precision = match name.split_once('/') {
            Some(("*", "*")) => 1,
            Some((first, "*")) if first.eq_ignore_ascii_case(family) => 2,
            Some(_) if name.eq_ignore_ascii_case(media_type) => 3,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(1.0, |text| text.trim().parse().unwrap_or(0.0));
        if precision > best.precision {
            best = Weight { quality, precision };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_served_on_request() {
        let prefers = |accept: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            prefers_json(&headers)
        };
        for json in [
            &["application/json"][..],
            &["Application/JSON; charset=utf-8"],
            &["application/*"],
            &["application/json, text/plain, */*"],
            &["text/html;q=0.5, application/json"],
            &["text/html;q=0.5", "application/json;q=0.6"],
            &["*/*, text/html;q=0"],
            &["text/*;q=0.4, application/json;q=0.5"],
        ] {
            assert!(prefers(json), "{json:?}");
        }
        for html in [
            &[][..],
            &["*/*"],
            &["text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"],
            &["application/json;q=0.5, text/html"],
            &["application/json, text/html"],
            &["application/json;q=0"],
            &["application/json;q=nonsense, */*;q=0.1"],
            &["text/*, application/json;q=0.9"],
            &["nonsense"],
        ] {
            assert!(!prefers(html), "{html:?}");
        }
    }

    #[test]
    fn a_page_is_whole_and_holds_no_script() {
        let index = Index::new("a <b> & c", "1", "d").link("x", "/y?a=\"1\"", "z");
        let page = index.html();
        assert!(
            page.contains("<h1>a &lt;b&gt; &amp; c</h1>") && page.contains("href=\"/y?a=&quot;1&quot;\""),
            "{page}"
        );
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("@import"), "{page}");
    }
}
