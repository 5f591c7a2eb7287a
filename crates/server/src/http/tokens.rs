//! The token endpoint and the OpenID documents, as HTTP: what they say is auth's.

use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Method, StatusCode};
use ringback_core::AppId;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::answer::{JSON, Reply};
use super::origin::Origins;
use super::refusals::Refused;
use crate::auth::{
    Auth, INSTANCES_PATH, KEYS_PATH, NOTIFICATION_DOCUMENT_PATH, TokenAnswer, TokenRequest, TokenVersion,
};
use crate::clock;
use crate::trace::{Entry, Trace};

/// The tenant of a token endpoint's path, `/{tenant}/oauth2/v2.0/token` or the older `/{tenant}/oauth2/token`.
pub(crate) fn token_path(path: &str) -> Option<(&str, TokenVersion)> {
    let rest = path.strip_prefix('/')?;
    let (tenant, rest) = rest.split_once('/')?;
    let version = if rest.eq_ignore_ascii_case("oauth2/v2.0/token") {
        TokenVersion::V2
    } else if rest.eq_ignore_ascii_case("oauth2/token") {
        TokenVersion::V1
    } else {
        return None;
    };
    Some((tenant, version))
}

/// One of the documents that are read without a token, if the target is one. What they name is under `base`.
pub(crate) fn documents(
    auth: &Auth,
    origins: &Origins,
    method: &Method,
    target: &str,
    base: &str,
) -> Option<Result<Reply, Refused>> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let document = if path.eq_ignore_ascii_case(NOTIFICATION_DOCUMENT_PATH) {
        json(&auth.notification_document(base))
    } else if path.eq_ignore_ascii_case(KEYS_PATH) {
        json(&auth.keys())
    } else if path.eq_ignore_ascii_case(INSTANCES_PATH) {
        instance(auth, origins, query, base)
    } else {
        let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
        if rest.eq_ignore_ascii_case("discovery/v2.0/keys") || rest.eq_ignore_ascii_case("discovery/keys") {
            json(&auth.keys())
        } else if rest.eq_ignore_ascii_case("v2.0/.well-known/openid-configuration") {
            match auth.tenant_document(base, tenant, clock::wall_seconds()) {
                Ok(document) => json(&document),
                Err(denied) => answer(&denied),
            }
        } else {
            return None;
        }
    };
    Some(if method == Method::GET { Ok(document) } else { Err(Refused::only("GET")) })
}

/// Instance discovery: msal asks for it about a host that it does not know, and leaves out the host's port.
fn instance(auth: &Auth, origins: &Origins, query: &str, base: &str) -> Reply {
    let fields = form_urlencoded::parse(query.as_bytes());
    let asked = fields.filter(|(name, _)| name == "authorization_endpoint").map(|(_, value)| value).next();
    let url = asked.and_then(|url| Url::parse(&url).ok()).filter(|url| url.scheme() == "https");
    let host = url.as_ref().and_then(Url::host_str).filter(|host| origins.is_ours(host));
    let ours = host.map(|host| match Url::parse(base) {
        Ok(here) if here.host_str() == Some(host) => Cow::Borrowed(base),
        _ => Cow::Owned(format!(
            "https://{host}{}",
            url.as_ref().and_then(Url::port).map_or(String::new(), |port| format!(":{port}"))
        )),
    });
    let tenant = url.as_ref().and_then(|url| url.path_segments()?.next()).unwrap_or_default();
    match auth.instance_document(ours.as_deref(), tenant, clock::wall_seconds()) {
        Ok(document) => json(&document),
        Err(denied) => answer(&denied),
    }
}

/// A request for a token, as auth wants it.
pub(crate) fn request<'a>(
    base: &'a str,
    tenant: &'a str,
    version: TokenVersion,
    headers: &'a HeaderMap,
    body: &'a Bytes,
    peer: SocketAddr,
) -> TokenRequest<'a> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    TokenRequest {
        base,
        tenant,
        version,
        authorization: text(AUTHORIZATION.as_str()),
        body,
        client_request_id: text("client-request-id"),
        source: peer.ip(),
    }
}

/// Answers a request for a token. `who`: set to the app that asked, if it is known.
pub(crate) async fn token(
    auth: &Auth,
    trace: &Trace,
    method: &Method,
    request: TokenRequest<'_>,
    who: &mut Option<AppId>,
) -> Result<Reply, Refused> {
    if method != Method::POST {
        return Err(Refused::only("POST"));
    }
    let token = auth.token(request, clock::wall_seconds()).await;
    // Known by now, if it was seen for the first time.
    *who = auth.asking(request);
    match who {
        _ if token.is_wrong_secret() => trace.secret_rejected(who.as_ref()),
        Some(app) if token.status == StatusCode::OK.as_u16() => trace.gave_token(app),
        _ => {}
    }
    if let Some(why) = token.refused.as_ref().filter(|_| !token.is_wrong_secret()) {
        let text = || format!("a token was asked for and refused: {why}");
        trace.timeline().add("token", || Entry::of_none(text()).of_app(who.as_ref()));
    }
    Ok(answer(&token))
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
