//! One pooled HTTP client: requests out, whole bounded answers back. Knows nothing of Graph.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::http::uri::Scheme;
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::{Error, limits};

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Cheap to clone; clones share the pool.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<Dialler>, Full<Bytes>>,
}

impl Http {
    /// Trusts the system's certificates (`SSL_CERT_FILE` names others). Without any, only `http`
    /// addresses can be asked. `HTTPS_PROXY` and `NO_PROXY` are heeded as other clients do.
    pub(crate) fn new() -> Http {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(limits::CONNECT_TIME));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new();
        let builder = match builder.with_provider_and_native_roots(provider.clone()) {
            Ok(builder) => builder,
            Err(error) => {
                tracing::warn!(%error, "no system certificates: https cannot be used");
                HttpsConnectorBuilder::new().with_tls_config(trusting_nobody(provider))
            }
        };
        let https = builder
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialler { tcp, proxies: Arc::new(Matcher::from_env()) });
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::IDLE_TIME)
            .build(https);
        Http { client }
    }

    /// Sends once and reads the whole answer, within [`limits::REQUEST_TIME`] and
    /// [`limits::ANSWER_BYTES`].
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let exchange = self.exchange(request, &host);
        match tokio::time::timeout(limits::REQUEST_TIME, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::TimedOut { host }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, host: &str) -> Result<Answer, Error> {
        let broken = |reason: String| Error::Transport { host: host.to_owned(), reason };
        let response = self.client.request(request).await.map_err(|error| broken(chain(&error)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, limits::ANSWER_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Error::Answer(format!("longer than {} bytes", limits::ANSWER_BYTES))
            } else {
                broken(error.to_string())
            }
        })?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

/// TCP to the host itself, or through the proxy that the environment names for https.
#[derive(Clone)]
struct Dialler {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let mut tcp = self.tcp.clone();
        let proxy = self.proxies.intercept(&to).filter(|_| to.scheme() == Some(&Scheme::HTTPS));
        Box::pin(async move {
            let Some(proxy) = proxy else { return Ok(tcp.call(to).await?) };
            let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
            if let Some(credentials) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(credentials.clone());
            }
            Ok(tunnel.call(to).await?)
        })
    }
}

fn trusting_nobody(provider: rustls::crypto::CryptoProvider) -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("the provider has the default protocol versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
