//! A tower layer between a web server and whoever takes notifications: only what is from the platform, for this app
//! and understood comes through; the rest is refused in its status. What notifications mean is not known here.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::timeout;
use tower_layer::Layer;
use tower_service::Service;

use crate::limits;
use crate::verify::{Delivery, MESSAGE_ID, Refusal, Verifier, parse};

/// Any error, as tower has it.
type BoxError = Box<dyn StdError + Send + Sync>;

/// Makes of a service that takes verified notifications ([`Delivery`]) one that takes HTTP requests.
///
/// ```
/// use std::convert::Infallible;
/// use std::sync::Arc;
/// use ringback_client::verify::{Delivery, Expected, Verifier};
/// use ringback_client::VerifyLayer;
/// use tower::{Layer, service_fn};
///
/// let expected = Expected { app_id: "my app's id".into(), tenant: None };
/// let openid = "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration";
/// let verifier = Arc::new(Verifier::expecting(expected, openid));
///
/// let take = service_fn(|delivery: Delivery| async move {
///     for told in delivery.notifications {
///         println!("call {}: {:?}", told.call, told.change_type);
///     }
///     Ok::<_, Infallible>(())
/// });
/// // A `Service<Request<_>>` that never fails: to be given to hyper, axum's `route_service`, …
/// let webhook = VerifyLayer::new(verifier).layer(take);
/// # let _ = webhook.clone();
/// ```
///
/// A bot that follows its calls gives [`Notifications::inlet`](crate::Notifications::inlet) in place of `take`.
///
/// The answer is 202 once the inner service has taken it, with the headers that Microsoft's own SDK gives (contract
/// §5.2). What is refused never reaches the inner service: see [`Refusal::status`]; what is not a POST is 405. The body
/// is read only after its token was verified, [`limits::NOTIFICATION_BYTES`] at most and within [`limits::BODY_TIME`].
/// If the inner service fails, or is not ready within [`limits::ROOM_TIME`], the answer is 503 with `Retry-After`, and
/// the platform repeats; an error that is a [`Refusal`] is answered with that one's status. A repeat bears the same
/// [`Delivery::message_id`].
#[derive(Clone)]
pub struct VerifyLayer {
    verifier: Arc<Verifier>,
}

impl VerifyLayer {
    /// A layer that asks `verifier`.
    pub fn new(verifier: Arc<Verifier>) -> VerifyLayer {
        VerifyLayer { verifier }
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify { verifier: self.verifier.clone(), inner }
    }
}

/// What [`VerifyLayer`] makes.
#[derive(Clone)]
pub struct Verify<S> {
    verifier: Arc<Verifier>,
    inner: S,
}

impl<S, B> Service<Request<B>> for Verify<S>
where
    S: Service<Delivery> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    /// Always: what is refused needs nothing of the inner service, whose readiness is awaited once it is needed.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Verify { verifier, inner } = self.clone();
        Box::pin(async move { Ok(answer(&verifier, inner, request).await) })
    }
}

async fn answer<S, B>(verifier: &Verifier, inner: S, request: Request<B>) -> Response<Full<Bytes>>
where
    S: Service<Delivery>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    if request.method() != Method::POST {
        return only("POST");
    }
    // Answer headers of the Graph SDK (contract §5.2).
    let message = request.headers().get(MESSAGE_ID).cloned();
    let scenario = request.headers().get("scenario-id").cloned();
    let passed = match admit(verifier, request).await {
        Ok(delivery) => pass(inner, delivery).await,
        Err(refusal) => Err(refusal.into()),
    };
    let mut response = match passed {
        Ok(()) => empty(StatusCode::ACCEPTED),
        Err(error) => {
            tracing::warn!(%error, "notification refused");
            refused(&*error)
        }
    };
    let headers = response.headers_mut();
    message.map(|value| headers.insert("client-request-id", value));
    scenario.map(|value| headers.insert("scenario-id", value));
    response
}

/// The token first, so that a stranger's body is not read.
async fn admit<B>(verifier: &Verifier, request: Request<B>) -> Result<Delivery, Refusal>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let (head, body) = request.into_parts();
    let tenant = verifier.admit(&head.headers).await?;
    let body = match timeout(limits::BODY_TIME, Limited::new(body, limits::NOTIFICATION_BYTES).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::TooLong),
        Ok(Err(_)) | Err(_) => return Err(Refusal::Body),
    };
    parse(&head.headers, &body, tenant)
}

async fn pass<S>(mut inner: S, delivery: Delivery) -> Result<(), BoxError>
where
    S: Service<Delivery>,
    S::Error: Into<BoxError>,
{
    let ready = timeout(limits::ROOM_TIME, poll_fn(|context| inner.poll_ready(context))).await;
    ready.map_err(|_| Refusal::NoRoom)?.map_err(Into::into)?;
    inner.call(delivery).await.map(drop).map_err(Into::into)
}

/// A refusal has its status. What else went wrong is not the platform's fault: it may repeat.
fn refused(error: &(dyn StdError + Send + Sync + 'static)) -> Response<Full<Bytes>> {
    let refusal = error.downcast_ref::<Refusal>();
    let mut response = empty(refusal.map_or(StatusCode::SERVICE_UNAVAILABLE, |refusal| refusal.status()));
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    // The words of an error of the bot's own are for its author, and stay in the trace.
    *response.body_mut() = Full::new(refusal.map(Refusal::to_string).unwrap_or_default().into());
    response
}

/// 405.
pub(crate) fn only(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// A status and no body.
pub(crate) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
