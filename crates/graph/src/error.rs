//! The body of every refusal (`contract §6`): clients of all languages read it, and bots switch
//! on its code. Which refusal has which code is decided by the server.

use std::borrow::Cow;

use serde::ser::SerializeMap;

use crate::print::{Members, Object, Unset, to_json};
use crate::read::{self, BodyError, Node};
use crate::time::Utc;

/// An error as the wire has it: `{"error":{"code","message","innerError":{…}}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    /// A word, or a number as text such as `8522`.
    pub code: Cow<'a, str>,
    /// What is wrong and what to do about it.
    pub message: Cow<'a, str>,
    /// When, in the form of [`Utc::without_zone`].
    pub date: Option<Cow<'a, str>>,
    /// The server's id of the request.
    pub request_id: Option<Cow<'a, str>>,
    /// The client's id of the request.
    pub client_request_id: Option<Cow<'a, str>>,
}

impl<'a> ErrorBody<'a> {
    /// An error at this moment.
    pub fn new(
        code: impl Into<Cow<'a, str>>,
        message: impl Into<Cow<'a, str>>,
        at: Utc,
        request_id: &'a str,
        client_request_id: &'a str,
    ) -> Self {
        ErrorBody {
            code: code.into(),
            message: message.into(),
            date: Some(at.without_zone().to_string().into()),
            request_id: Some(request_id.into()),
            client_request_id: Some(client_request_id.into()),
        }
    }

    /// The body of the answer.
    pub fn print(&self) -> Vec<u8> {
        to_json(&Outer(self), Unset::Omit)
    }

    /// Reads a body; `innererror` and a code that is a number are understood too.
    ///
    /// An error means that the answer has no Graph error in it, as a proxy's has not.
    pub fn parse(body: &[u8]) -> Result<ErrorBody<'static>, BodyError> {
        let body = read::json(body)?;
        let body = Node::root(&body)?;
        let error = body.member("error");
        let read = error.object(|error| {
            let code = error.member("code");
            let code = match code.value().as_i64() {
                Some(number) => number.to_string().into(),
                None => code.needed_text("the code of the error")?,
            };
            let inner = error.member("innerError");
            let inner = if inner.is_null() { error.member("innererror") } else { inner };
            Ok(ErrorBody {
                code,
                message: error.member("message").text()?.unwrap_or_default(),
                date: inner.member("date").text()?,
                request_id: inner.member("request-id").text()?,
                client_request_id: inner.member("client-request-id").text()?,
            })
        })?;
        read.ok_or_else(|| error.missing("an object with a code and a message"))
    }
}

struct Outer<'e>(&'e ErrorBody<'e>);

impl Object for Outer<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.object("error", self.0)
    }
}

impl Object for ErrorBody<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.put("code", &self.code)?;
        out.put("message", &self.message)?;
        out.object("innerError", &Inner(self))
    }
}

struct Inner<'e>(&'e ErrorBody<'e>);

impl Object for Inner<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.given("date", &self.0.date)?;
        out.given("request-id", &self.0.request_id)?;
        out.given("client-request-id", &self.0.client_request_id)
    }
}
