//! What pages of other origins may do, and that nothing is kept by caches.
//!
//! Reading and posting is open to all, as with Alertmanager; deleting is not
//! granted.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

const METHODS: [&str; 3] = ["GET", "POST", "HEAD"];
const HEADERS: [&str; 4] = ["Accept", "Content-Type", "Origin", "X-Requested-With"];

pub(super) async fn allow(request: Request, next: Next) -> Response {
    let foreign = request.headers().contains_key(header::ORIGIN);
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let preflight = request.method() == Method::OPTIONS && wanted.is_some();
    let mut response = match preflight {
        true => preflighted(request.headers()),
        false => {
            let mut response = next.run(request).await;
            if foreign {
                grant(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
            }
            response
        }
    };
    grant(&mut response, header::VARY, "Origin");
    grant(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

fn preflighted(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::OK.into_response();
    let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let method = said(header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or("");
    let Some(method) = METHODS.iter().find(|known| **known == method) else {
        return response;
    };
    let mut granted = Vec::new();
    let wanted = said(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or("");
    for name in wanted
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        match HEADERS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name))
        {
            Some(known) => granted.push(*known),
            None => return response,
        }
    }
    grant(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    grant(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, method);
    if !granted.is_empty() {
        let granted = granted.join(", ");
        grant(
            &mut response,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            &granted,
        );
    }
    response
}

fn grant(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
