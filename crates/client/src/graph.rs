//! The calls API as typed requests: one function per verb, errors as the platform words them.
//! Knows nothing of notifications.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use ringback_graph::{self as wire, Version};
use url::Url;

use crate::error::GraphError;
use crate::http::{Answer, Http};
use crate::token::Tokens;
use crate::verify::{Expected, Verifier};
use crate::{Config, Error, limits};

/// The platform, asked as one app. Clones share the token and the connections.
#[derive(Clone)]
pub struct Graph(Arc<Inner>);

struct Inner {
    http: Http,
    tokens: Tokens,
    base: Url,
    config: Config,
}

impl Graph {
    /// Asks nothing yet: the token is fetched with the first request.
    ///
    /// # Errors
    /// [`Error::Config`] if `base_url` is no http or https address.
    pub fn new(config: Config) -> Result<Graph, Error> {
        let base = Url::parse(&config.base_url).map_err(|error| Error::Config(format!("base_url: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(Error::Config("base_url: must begin with http:// or https://".into()));
        }
        let http = Http::new();
        let tokens = Tokens::new(http.clone(), &config);
        Ok(Graph(Arc::new(Inner { http, tokens, base, config })))
    }

    /// A verifier of notifications for this app and tenant, on the same connections.
    pub fn verifier(&self) -> Verifier {
        let config = &self.0.config;
        let expected = Expected { app_id: config.app_id.clone(), tenant: Some(config.tenant.clone()) };
        Verifier::with(self.0.http.clone(), config.openid_url(), expected)
    }

    /// Places a call (contract §2.2). A ringing timeout makes it a beta request.
    ///
    /// # Errors
    /// As every request here: [`Error::Graph`] with the platform's words; [`Error::Token`],
    /// [`Error::Transport`], [`Error::TimedOut`] or [`Error::Answer`] where it did not come so far.
    pub async fn create_call(&self, call: &wire::CreateCall<'_>) -> Result<wire::Call<'static>, Error> {
        let version = if call.ringing_timeout_in_seconds.is_some() { Version::Beta } else { Version::V1 };
        let answer = self.send(Method::POST, self.url(version, &[])?, call.print()).await?;
        Ok(wire::Call::parse(&answer.body)?)
    }

    /// Reads a call.
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn get_call(&self, call: &str) -> Result<wire::Call<'static>, Error> {
        Ok(wire::Call::parse(&self.get(&[call]).await?.body)?)
    }

    /// The app's calls, all pages (at most [`limits::PAGES`]).
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn list_calls(&self) -> Result<Vec<wire::Call<'static>>, Error> {
        self.list(&[], wire::Call::parse_list).await
    }

    /// Answers an incoming call with audio hosted by the platform; further notifications go to
    /// `callback_uri` (contract §2.3).
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn answer(&self, call: &str, callback_uri: &str) -> Result<(), Error> {
        let body = wire::Answer {
            callback_uri: Some(callback_uri.into()),
            accepted_modalities: vec![wire::Modality::Audio],
            media_config: wire::MediaConfig::service_hosted(),
            participant_capacity: None,
        };
        self.act(call, "answer", body.print()).await.map(drop)
    }

    /// Rejects an incoming call.
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn reject(&self, call: &str, reason: wire::RejectReason) -> Result<(), Error> {
        let body = wire::Reject { reason: Some(reason), callback_uri: None };
        self.act(call, "reject", body.print()).await.map(drop)
    }

    /// Ends the call.
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn hang_up(&self, call: &str) -> Result<(), Error> {
        self.send(Method::DELETE, self.url(Version::V1, &[call])?, Vec::new()).await.map(drop)
    }

    /// Keeps the call for another 45 minutes (contract §2.5).
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn keep_alive(&self, call: &str) -> Result<(), Error> {
        self.act(call, "keepAlive", Vec::new()).await.map(drop)
    }

    /// Plays prompts (contract §2.6); played for ever, it is a beta request.
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn play_prompt(
        &self,
        call: &str,
        play: &wire::PlayPrompt<'_>,
    ) -> Result<wire::CommsOperation<'static>, Error> {
        let beta = play.repeat_forever || play.prompts.iter().any(|prompt| prompt.repeat.is_some());
        let version = if beta { Version::Beta } else { Version::V1 };
        let answer = self.send(Method::POST, self.url(version, &[call, "playPrompt"])?, play.print()).await?;
        Ok(wire::CommsOperation::parse(&answer.body)?)
    }

    /// Records what the far end says (contract §2.10).
    ///
    /// # Errors
    /// As [`Graph::create_call`]; code `8523` unless there is exactly one prompt.
    pub async fn record_response(
        &self,
        call: &str,
        record: &wire::RecordResponse<'_>,
    ) -> Result<wire::CommsOperation<'static>, Error> {
        let answer = self.act(call, "recordResponse", record.print()).await?;
        Ok(wire::CommsOperation::parse(&answer.body)?)
    }

    /// The bytes of a recording, a WAV file: read where its operation says, with the token that the operation bears.
    ///
    /// # Errors
    /// [`Error::Answer`] if the operation has no recording; those of [`Graph::create_call`].
    pub async fn recording(&self, operation: &wire::CommsOperation<'_>) -> Result<Bytes, Error> {
        let given = |text: &Option<std::borrow::Cow<'_, str>>| {
            text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let found = (given(&operation.recording_location), given(&operation.recording_access_token));
        let (Some(location), Some(token)) = found else {
            return Err(Error::Answer("the operation has no recording".into()));
        };
        let url = Url::parse(&location).map_err(|error| Error::Answer(format!("recordingLocation: {error}")))?;
        let answer = self.0.http.send(request(&Method::GET, &url, &Bytes::new(), &token, 0)?).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(refused(&answer).into()) }
    }

    /// Presses keys for the far end (contract §2.8). However it ends, its status is `completed`; its reason says how.
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn send_dtmf_tones(
        &self,
        call: &str,
        send: &wire::SendDtmfTones<'_>,
    ) -> Result<wire::CommsOperation<'static>, Error> {
        let answer = self.act(call, "sendDtmfTones", send.print()).await?;
        Ok(wire::CommsOperation::parse(&answer.body)?)
    }

    /// Asks to be told of keys pressed (contract §2.8).
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn subscribe_to_tone(
        &self,
        call: &str,
        client_context: Option<&str>,
    ) -> Result<wire::CommsOperation<'static>, Error> {
        self.act_in_context(call, "subscribeToTone", client_context).await
    }

    /// Ends what is played and queued (contract §2.7).
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn cancel_media_processing(
        &self,
        call: &str,
        client_context: Option<&str>,
    ) -> Result<wire::CommsOperation<'static>, Error> {
        self.act_in_context(call, "cancelMediaProcessing", client_context).await
    }

    /// Reads an operation.
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn get_operation(&self, call: &str, operation: &str) -> Result<wire::CommsOperation<'static>, Error> {
        let answer = self.get(&[call, "operations", operation]).await?;
        Ok(wire::CommsOperation::parse(&answer.body)?)
    }

    /// The call's operations, all pages (at most [`limits::PAGES`]).
    ///
    /// # Errors
    /// As [`Graph::create_call`].
    pub async fn list_operations(&self, call: &str) -> Result<Vec<wire::CommsOperation<'static>>, Error> {
        self.list(&[call, "operations"], wire::CommsOperation::parse_list).await
    }

    async fn get(&self, path: &[&str]) -> Result<Answer, Error> {
        self.send(Method::GET, self.url(Version::V1, path)?, Vec::new()).await
    }

    async fn list<T>(
        &self,
        path: &[&str],
        parse: fn(&[u8]) -> Result<wire::Collection<T>, wire::BodyError>,
    ) -> Result<Vec<T>, Error> {
        let mut url = self.url(Version::V1, path)?;
        let mut all = Vec::new();
        for _ in 0..limits::PAGES {
            let page = parse(&self.send(Method::GET, url.clone(), Vec::new()).await?.body)?;
            all.extend(page.value);
            let Some(next) = page.next_link.and_then(|link| Url::parse(&link).ok()) else { break };
            // Only what it asks for, never where: the token goes to no other host.
            url.set_query(next.query());
        }
        Ok(all)
    }

    async fn act(&self, call: &str, verb: &str, body: Vec<u8>) -> Result<Answer, Error> {
        self.send(Method::POST, self.url(Version::V1, &[call, verb])?, body).await
    }

    async fn act_in_context(
        &self,
        call: &str,
        verb: &str,
        client_context: Option<&str>,
    ) -> Result<wire::CommsOperation<'static>, Error> {
        let body = wire::ContextOnly { client_context: client_context.map(Into::into) };
        let answer = self.act(call, verb, body.print()).await?;
        Ok(wire::CommsOperation::parse(&answer.body)?)
    }

    /// Sends until it is neither throttled nor told that the token is void.
    async fn send(&self, method: Method, url: Url, body: Vec<u8>) -> Result<Answer, Error> {
        let body = Bytes::from(body);
        let mut attempt = 0;
        let mut token_renewed = false;
        loop {
            let token = self.0.tokens.get().await?;
            let answer = self.0.http.send(request(&method, &url, &body, &token, attempt)?).await?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            if answer.status == StatusCode::UNAUTHORIZED && !token_renewed {
                token_renewed = true;
                self.0.tokens.forget(&token).await;
                continue;
            }
            match pause(&answer) {
                Some(pause) if attempt < limits::RETRIES => {
                    attempt += 1;
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(refused(&answer).into()),
            }
        }
    }

    fn url(&self, version: Version, path: &[&str]) -> Result<Url, Error> {
        // `.` and `..` would be resolved away and make another address.
        if path.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(Error::Config("an id is empty".into()));
        }
        let mut url = self.0.base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Config("base_url cannot have a path".into()))?
            .pop_if_empty()
            .extend([version.as_str(), "communications", "calls"])
            .extend(path);
        Ok(url)
    }
}

fn request(method: &Method, url: &Url, body: &Bytes, token: &str, attempt: u32) -> Result<Request<Full<Bytes>>, Error> {
    let mut request = Request::builder()
        .method(method)
        .uri(url.as_str())
        .header(AUTHORIZATION, secret(token)?)
        .header(ACCEPT, "application/json");
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if attempt > 0 {
        request = request.header("retry-attempt", attempt);
    }
    request.body(Full::new(body.clone())).map_err(|error| Error::Config(format!("request: {error}")))
}

fn secret(token: &str) -> Result<HeaderValue, Error> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let mut value = value.map_err(|_| Error::Answer("the token cannot be sent in a header".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// How long to wait before asking again; `None` = do not.
fn pause(answer: &Answer) -> Option<Duration> {
    let throttled = matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    retry_after(&answer.headers).filter(|pause| throttled && *pause <= limits::RETRY_AFTER)
}

/// Decimal seconds (contract §6).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn refused(answer: &Answer) -> GraphError {
    let told = wire::ErrorBody::parse(&answer.body);
    let header_id = || Some(answer.headers.get("request-id")?.to_str().ok()?.to_owned());
    let (code, message, request_id) = match told {
        Ok(body) => (body.code.into(), body.message.into(), body.request_id.map(Into::into)),
        Err(_) => ("unknown".to_owned(), "the answer has no error body".to_owned(), None),
    };
    GraphError {
        status: answer.status.as_u16(),
        code,
        message,
        request_id: request_id.or_else(header_id),
        retry_after: retry_after(&answer.headers),
    }
}
