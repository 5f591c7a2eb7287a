//! The token endpoint and the OpenID documents, as HTTP: what they say is auth's.

use std::net::SocketAddr;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::answer::{JSON, Reply};
use super::refusals::Refused;
use crate::auth::{Auth, KEYS_PATH, NOTIFICATION_DOCUMENT_PATH, TokenAnswer, TokenRequest};
use crate::clock;

/// The tenant of a token endpoint's path, `/{tenant}/oauth2/v2.0/token`.
pub(crate) fn token_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?;
    let (tenant, rest) = rest.split_once('/')?;
    rest.eq_ignore_ascii_case("oauth2/v2.0/token").then_some(tenant)
}

/// One of the documents that are read without a token, if `path` is one.
pub(crate) fn documents(auth: &Auth, method: &Method, path: &str) -> Option<Result<Reply, Refused>> {
    let document = if path.eq_ignore_ascii_case(NOTIFICATION_DOCUMENT_PATH) {
        json(&auth.notification_document(None))
    } else if path.eq_ignore_ascii_case(KEYS_PATH) {
        json(&auth.keys())
    } else {
        let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
        if rest.eq_ignore_ascii_case("discovery/v2.0/keys") {
            json(&auth.keys())
        } else if rest.eq_ignore_ascii_case("v2.0/.well-known/openid-configuration") {
            match auth.tenant_document(None, tenant, clock::wall_seconds()) {
                Ok(document) => json(&document),
                Err(denied) => answer(&denied),
            }
        } else {
            return None;
        }
    };
    Some(if method == Method::GET { Ok(document) } else { Err(only("GET")) })
}

/// Answers a request for a token.
pub(crate) async fn token(
    auth: &Auth,
    method: &Method,
    tenant: &str,
    headers: &HeaderMap,
    body: &Bytes,
    peer: SocketAddr,
) -> Result<Reply, Refused> {
    if method != Method::POST {
        return Err(only("POST"));
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let request = TokenRequest {
        tenant,
        authorization: text(AUTHORIZATION.as_str()),
        body,
        client_request_id: text("client-request-id"),
        source: peer.ip(),
    };
    Ok(answer(&auth.token(request, clock::wall_seconds()).await))
}

fn answer(answer: &TokenAnswer) -> Reply {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reply = Reply::body(status, JSON, answer.body.to_string()).with("cache-control", "no-store");
    match answer.retry_after {
        Some(seconds) => reply.with("retry-after", seconds.to_string()),
        None => reply,
    }
}

fn json(document: &Value) -> Reply {
    Reply::body(StatusCode::OK, JSON, document.to_string())
}

fn only(allow: &'static str) -> Refused {
    Refused {
        allow: Some(allow),
        ..Refused::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "notAllowed",
            format!("The method is not allowed here. Allowed: {allow}."),
        )
    }
}
