//! What every request has to pass, and what every answer carries.
//!
//! A page of a stranger, open in the same browser, can send requests to this machine; by a name of its own that
//! leads here (DNS rebinding) it could even read the answers. So a request must name this machine as it names
//! itself, and nothing can be changed through any.

use super::pages;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use results::web::POLICY;

/// Longer addresses are nobody's.
const ADDRESS_MAX: usize = 16 * 1_024;

const ALWAYS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

pub async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refusal(&request) {
        Some((status, why)) => pages::refused(status, &why),
        None => next.run(request).await,
    };
    let not_allowed = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let headers = response.headers_mut();
    if not_allowed {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    response
}

fn refusal(request: &Request<Body>) -> Option<(StatusCode, String)> {
    let uri = request.uri();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let why = format!(
            "{}: only GET and HEAD are answered, nothing can be changed here",
            request.method()
        );
        return Some((StatusCode::METHOD_NOT_ALLOWED, why));
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts
        .next()
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if hosts.next().is_some()
        || !names_this_machine(host)
        || uri.host().is_some_and(|host| !names_this_machine(host))
    {
        let why = format!("host {host:?}: open this by 127.0.0.1 or localhost");
        return Some((StatusCode::FORBIDDEN, why));
    }
    if uri.path().contains(['%', '\\']) || uri.path().contains("/..") {
        return Some((
            StatusCode::NOT_FOUND,
            "There is nothing with such a name.".into(),
        ));
    }
    if uri.to_string().len() > ADDRESS_MAX {
        return Some((
            StatusCode::URI_TOO_LONG,
            "The address is too long: tick fewer runs.".into(),
        ));
    }
    None
}

/// With any port, as a tunnel may change it.
fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::names_this_machine;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "127.0.0.1:80",
            "localhost",
            "LOCALHOST:9",
            "[::1]:8742",
            "[::1]",
        ] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org",
            "localhost.example.org:80",
            "10.0.0.1",
            "[::2]",
            "127.0.0.1:80@example.org",
            "example.org:127.0.0.1",
            "::1",
        ] {
            assert!(!names_this_machine(host), "{host}");
        }
    }
}
