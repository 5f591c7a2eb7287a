//! Media on the wire: who processes it, and the files that are played (`contract §1.6`).

use std::borrow::Cow;

use serde::ser::SerializeMap;

use crate::print::{Members, Object};
use crate::read::{BodyError, Node};

/// Who processes the media of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaConfig<'a> {
    /// `serviceHostedMediaConfig`: the server plays and records.
    ServiceHosted {
        /// Files worth fetching early.
        pre_fetch_media: Vec<MediaInfo<'a>>,
    },
    /// `appHostedMediaConfig`: the bot's own media stack.
    AppHosted {
        /// Opaque text of that stack.
        blob: Option<Cow<'a, str>>,
    },
}

/// A file to be played: WAV, mono, 16 bit, 16 kHz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaInfo<'a> {
    /// Where it is.
    pub uri: Cow<'a, str>,
    /// A key under which it may be cached.
    pub resource_id: Option<Cow<'a, str>>,
}

/// One prompt of playPrompt (`mediaPrompt`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPrompt<'a> {
    /// What to play.
    pub media_info: MediaInfo<'a>,
    /// How often, on beta; as the client wrote it.
    pub repeat: Option<i32>,
}

impl MediaConfig<'_> {
    /// The server plays and records, and nothing is fetched early.
    pub fn service_hosted() -> Self {
        MediaConfig::ServiceHosted { pre_fetch_media: Vec::new() }
    }
}

impl<'a> MediaPrompt<'a> {
    /// The file at `uri`, played once.
    pub fn of(uri: impl Into<Cow<'a, str>>) -> Self {
        let media_info = MediaInfo { uri: uri.into(), resource_id: None };
        MediaPrompt { media_info, repeat: None }
    }
}

impl Object for MediaInfo<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("mediaInfo")?;
        out.put("uri", &self.uri)?;
        out.maybe("resourceId", &self.resource_id)
    }
}

impl Object for MediaPrompt<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        out.odata_type("mediaPrompt")?;
        out.object("mediaInfo", &self.media_info)?;
        out.given("loop", &self.repeat)
    }
}

impl Object for MediaConfig<'_> {
    fn members<M: SerializeMap>(&self, out: &mut Members<M>) -> Result<(), M::Error> {
        match self {
            MediaConfig::ServiceHosted { pre_fetch_media } => {
                out.odata_type("serviceHostedMediaConfig")?;
                out.objects("preFetchMedia", pre_fetch_media)
            }
            MediaConfig::AppHosted { blob } => {
                out.odata_type("appHostedMediaConfig")?;
                out.maybe("blob", blob)
            }
        }
    }
}

impl MediaInfo<'static> {
    fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        Ok(MediaInfo {
            uri: node.member("uri").needed_text("the address of a .wav file")?,
            resource_id: node.member("resourceId").text()?,
        })
    }
}

impl MediaPrompt<'static> {
    /// Reads a prompt; its own `loop` only where `beta`.
    pub(crate) fn read(node: &Node<'_>, beta: bool) -> Result<Self, BodyError> {
        const EXPECTED: &str = "an object of type #microsoft.graph.mediaPrompt";
        let prompt = node.object(|node| {
            if !node.may_be("mediaPrompt") {
                return Err(node.wrong_type(EXPECTED));
            }
            let info = node.member("mediaInfo");
            let media_info = info.object(MediaInfo::read)?;
            let media_info = media_info.ok_or_else(|| info.missing("an object with a uri"))?;
            let repeat = if beta { node.member("loop").number()? } else { None };
            Ok(MediaPrompt { media_info, repeat })
        })?;
        prompt.ok_or_else(|| node.missing(EXPECTED))
    }
}

impl MediaConfig<'static> {
    /// Reads a media configuration. Without a type, a blob makes it app hosted.
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, BodyError> {
        let blob = node.member("blob");
        let app_hosted = match node.odata_type() {
            None => !blob.is_null(),
            Some(t) if t.eq_ignore_ascii_case("appHostedMediaConfig") => true,
            Some(t) if t.eq_ignore_ascii_case("serviceHostedMediaConfig") => false,
            Some(_) => return Err(node.wrong_type(Self::EXPECTED)),
        };
        if app_hosted {
            return Ok(MediaConfig::AppHosted { blob: blob.text()? });
        }
        let pre_fetch_media = node.member("preFetchMedia").list(MediaInfo::read)?;
        Ok(MediaConfig::ServiceHosted { pre_fetch_media })
    }

    /// Reads a media configuration that must be there.
    pub(crate) fn needed(node: &Node<'_>) -> Result<Self, BodyError> {
        node.object(Self::read)?.ok_or_else(|| node.missing(Self::EXPECTED))
    }

    const EXPECTED: &'static str =
        "an object of type #microsoft.graph.serviceHostedMediaConfig or #microsoft.graph.appHostedMediaConfig";
}
