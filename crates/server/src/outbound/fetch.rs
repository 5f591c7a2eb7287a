//! Fetching a prompt: one GET (no HEAD before it, `client-facts §4`), redirects checked again, size and time bounded.

use super::connect::ConnectError;
use super::{Connection, Outbound, Target, limits, request};
use crate::directory::Origin;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use hyper::{Method, Response};
use std::time::Duration;
use tokio::time::timeout;

/// Why a prompt has no bytes. The texts are for the bot's author; they hold no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// There was no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The answer is not a success.
    #[error("the host answered with status {0}")]
    Status(u16),
    /// A redirect without a place to go, or to something that is not http or https.
    #[error("the host redirects to something that is not an http or https URL")]
    BadRedirect,
    /// Too many redirects.
    #[error("more than {} redirects", limits::REDIRECTS)]
    TooManyRedirects,
    /// More bytes than allowed.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Compressed although nobody asked for it.
    #[error("the host compresses the file (Content-Encoding) although it was asked not to")]
    Encoded,
    /// Not done in time.
    #[error("not fetched within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The connection broke off, or what came is not HTTP.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

impl Outbound {
    /// Fetches the bytes at a URL, with `max_bytes` and `time` for all of it (prompts: what media takes, and
    /// [`limits::PROMPT_TIME`]). `named` as in [`Outbound::post`]; compared again at each redirect.
    pub async fn get(
        &self,
        target: &Target,
        named: &[Origin],
        max_bytes: usize,
        time: Duration,
    ) -> Result<Bytes, FetchError> {
        let fetch = async {
            // The semaphore is never closed.
            let _permit = self.shared.fetches.acquire().await;
            self.follow(target, named, max_bytes).await
        };
        timeout(time, fetch).await.unwrap_or(Err(FetchError::TimedOut { limit: time }))
    }

    async fn follow(&self, target: &Target, named: &[Origin], max_bytes: usize) -> Result<Bytes, FetchError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("audio/wav, */*;q=0.5"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut target = target.clone();
        for _ in 0..=limits::REDIRECTS {
            let (mut connection, response) = self.ask(&target, named, &headers).await?;
            match response.status().as_u16() {
                200 => {
                    let bytes = read_body(&mut connection, response, max_bytes).await?;
                    self.keep(&target, named, connection).await;
                    return Ok(bytes);
                }
                301 | 302 | 303 | 307 | 308 => {
                    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                    let next =
                        location.and_then(|location| target.join(location).ok()).ok_or(FetchError::BadRedirect)?;
                    self.finish(&target, named, connection, response.into_body()).await;
                    target = next;
                }
                status => {
                    self.finish(&target, named, connection, response.into_body()).await;
                    return Err(FetchError::Status(status));
                }
            }
        }
        Err(FetchError::TooManyRedirects)
    }

    async fn ask(
        &self,
        target: &Target,
        named: &[Origin],
        headers: &HeaderMap,
    ) -> Result<(Connection, Response<Incoming>), FetchError> {
        let mut connection = self.connection(target, named).await?;
        loop {
            match connection.exchange(request(Method::GET, target, headers), Bytes::new()).await {
                Ok(response) => return Ok((connection, response)),
                Err(_) if connection.is_reused() && !connection.is_answered() => {
                    connection = self.open(target, named).await?;
                }
                Err(error) => return Err(FetchError::Broken(error.to_string())),
            }
        }
    }
}

async fn read_body(
    connection: &mut Connection,
    response: Response<Incoming>,
    max_bytes: usize,
) -> Result<Bytes, FetchError> {
    let encoding = response.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(FetchError::Encoded);
    }
    let mut body = response.into_body();
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(FetchError::TooLarge { limit: max_bytes });
    }
    // What a host announces costs nothing until it is there.
    let mut bytes = BytesMut::new();
    while let Some(piece) = connection.next(&mut body).await {
        let piece = piece.map_err(|error| FetchError::Broken(error.to_string()))?;
        if piece.len() > max_bytes - bytes.len() {
            return Err(FetchError::TooLarge { limit: max_bytes });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}
