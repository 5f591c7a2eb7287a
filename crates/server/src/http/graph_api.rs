//! Graph's cloud communications API: a route and a body in, an input to the engine, an answer out.
//!
//! It must not know what a call may do (core), nor how things are recorded or told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use ringback_core::{self as core, CallId, Input, OperationId, Refusal};
use ringback_graph::{self as graph, Action, CallForm, Links, OperationForm, Page, Resource, Route};

use super::answer::{ODATA, Reply};
use super::claims;
use super::permissions;
use super::recordings;
use super::refusals::Refused;
use crate::auth::{Auth, Caller};
use crate::chats::Chats;
use crate::directory::{APP_ID, App, Destination, SharedDirectory, SipHome};
use crate::engine::{CallView, Done, Engine, Parties, fresh_id};
use crate::limits;
use crate::meetings::Meetings;
use crate::recordings::Recordings;
use crate::trace::{About, Rule, Trace};
use crate::wire;

/// What the API serves with.
pub(crate) struct GraphApi {
    pub(crate) engine: Engine,
    pub(crate) directory: SharedDirectory,
    pub(crate) home: SipHome,
    pub(crate) auth: Arc<Auth>,
    pub(crate) recordings: Recordings,
    pub(crate) meetings: Meetings,
    pub(crate) chats: Chats,
    pub(crate) trace: Trace,
}

impl GraphApi {
    /// Who asks, as far as this call goes. Where any identity is accepted, a call is offered before its bot has shown who
    /// it is: as the development app's, or in the tenant that the app had then. It is that bot's all the same.
    pub(crate) async fn owner_for(&self, caller: Arc<Caller>, call: Option<CallId>) -> Arc<Caller> {
        let is_anothers = |call: &CallId| !self.engine.is_of(&caller.app, &caller.tenant, *call);
        let Some(call) = call.filter(is_anothers).filter(|_| self.is_free(&caller)) else { return caller };
        match self.engine.owner(call).await {
            Ok(Some((app, tenant))) if app == caller.app || app.as_str() == APP_ID => {
                Arc::new(Caller { app, tenant, roles: caller.roles.clone() })
            }
            _ => caller,
        }
    }

    /// Carries out what a route asks for. `base`: what links in the answer begin with.
    pub(crate) async fn serve(
        &self,
        caller: &Caller,
        base: &str,
        route: Route<'_>,
        body: &Bytes,
    ) -> Result<Reply, Refused> {
        let links = Links { public_url: base, version: route.version };
        match route.resource {
            Resource::CreateCall => self.create(caller, &links, body).await,
            Resource::ListCalls { page } => self.list_calls(caller, &links, &page).await,
            Resource::GetCall { call } => {
                let view = self.engine.call(&caller.app, &caller.tenant, call_id(&call)?).await?;
                self.reads(&view);
                Ok(json(wire::call(&view).print(&links, CallForm::Read)))
            }
            Resource::HangUp { call } => {
                let call = call_id(&call)?;
                let done = self.act(caller, call, Input::HangUp { call }).await?;
                Ok(Reply::empty(StatusCode::NO_CONTENT).about(About::Call(call)).holding(done.hold))
            }
            Resource::Neighbour { neighbour, query } => self.neighbour(caller, &links, neighbour, &query, body).await,
            Resource::Act { call, action } => self.action(caller, &links, call_id(&call)?, action, body).await,
            Resource::ListOperations { call, page } => self.list_operations(caller, &links, &call, &page).await,
            Resource::ListParticipants { call } => {
                let view = self.engine.call(&caller.app, &caller.tenant, call_id(&call)?).await?;
                Ok(json(graph::print_participants(&links, &call, &wire::participants(&view.roster))))
            }
            Resource::GetParticipant { call, participant } => {
                let view = self.engine.call(&caller.app, &caller.tenant, call_id(&call)?).await?;
                let roster = wire::participants(&view.roster);
                let found = roster.iter().find(|one| one.id == participant);
                let found = found.ok_or_else(Refused::participant_not_found)?;
                Ok(json(found.print(&links, &call)))
            }
            Resource::GetOperation { call, operation } => {
                let id: OperationId = operation.parse().map_err(|_| Refused::operation_not_found())?;
                let found = self.engine.operation(&caller.app, &caller.tenant, call_id(&call)?, id).await?;
                let found = found.ok_or_else(Refused::operation_not_found)?;
                Ok(json(wire::operation(&found, Some(&self.auth)).print(&links, OperationForm::Read { call: &call })))
            }
        }
    }

    /// A bot that reads of its audio need not wait to be told.
    fn reads(&self, view: &CallView) {
        if let core::CallState::Established { audio: true } = view.call.state {
            self.trace.telling_of_audio(view.call.id());
        }
    }

    async fn act(&self, caller: &Caller, call: CallId, input: Input) -> Result<Done, Refused> {
        Ok(self.engine.act(&caller.app, &caller.tenant, call, input).await?)
    }

    async fn action(
        &self,
        caller: &Caller,
        links: &Links<'_>,
        call: CallId,
        action: Action,
        body: &Bytes,
    ) -> Result<Reply, Refused> {
        permissions::of_action(caller, action)?;
        let operation = OperationId(fresh_id());
        let input = match action {
            Action::Answer => {
                let answer = graph::Answer::parse(body)?;
                service_hosted(&answer.media_config)?;
                with_audio("acceptedModalities", &answer.accepted_modalities)?;
                Input::Answer { call, callback: answer.callback_uri.map(|uri| uri.into_owned()) }
            }
            Action::Reject => {
                let reject = graph::Reject::parse(body)?;
                Input::Reject {
                    call,
                    reason: reason(reject.reason),
                    callback: reject.callback_uri.map(|uri| uri.into_owned()),
                }
            }
            Action::KeepAlive => Input::KeepAlive { call },
            Action::PlayPrompt => {
                let play = graph::PlayPrompt::parse(body, links.version)?;
                Input::PlayPrompt(play_prompt(call, operation, play))
            }
            Action::RecordResponse | Action::Record => {
                let record = graph::RecordResponse::parse(body, links.version)?;
                self.check_room(caller, &record)?;
                let location = recordings::location(links.public_url, operation);
                let optional = action == Action::Record;
                Input::RecordResponse(record_response(call, operation, record, optional, location))
            }
            Action::SendDtmfTones => {
                let send = graph::SendDtmfTones::parse(body)?;
                Input::SendDtmfTones(core::SendDtmfTones {
                    call,
                    operation,
                    client_context: send.client_context.map(|text| text.into_owned()),
                    tones: send.tones.into_iter().map(wire::core_tone).collect(),
                    delay: send.delay_between_tones_ms,
                })
            }
            Action::SubscribeToTone => {
                let client_context = context(body)?;
                Input::SubscribeToTone { call, operation, client_context }
            }
            Action::CancelMediaProcessing => {
                let client_context = context(body)?;
                Input::CancelMediaProcessing { call, operation, client_context }
            }
        };
        let done = self.act(caller, call, input).await?;
        let reply = match (action, &done.operation) {
            (Action::Answer | Action::Reject, _) => Reply::empty(StatusCode::ACCEPTED),
            (_, Some(operation)) => {
                let location = links.operation(&call.to_string(), &operation.id.to_string());
                json(wire::operation(operation, Some(&self.auth)).print(links, OperationForm::Action))
                    .with("location", location)
            }
            (_, None) => Reply::empty(StatusCode::OK),
        };
        let about = match &done.operation {
            Some(operation) => About::Operation(operation.id.0, call),
            None => About::Call(call),
        };
        Ok(reply.about(about).holding(done.hold))
    }

    /// The app may keep a recording as long as this one may become.
    fn check_room(&self, caller: &Caller, record: &graph::RecordResponse<'_>) -> Result<(), Refused> {
        let app = self.app(caller)?;
        let seconds = record.max_record_duration_in_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let most = core::limits::RECORD_SECONDS.end().unsigned_abs().into();
        let length = Duration::from_secs(seconds.unwrap_or(core::limits::RECORD_SECONDS_DEFAULT.into()).min(most));
        let room = self.recordings.has_room(&caller.app, app.recording_bytes(), length);
        if room { Ok(()) } else { Err(Refused::no_room_for_recordings(app.max_recording_mib)) }
    }

    async fn create(&self, caller: &Caller, links: &Links<'_>, body: &Bytes) -> Result<Reply, Refused> {
        let create = graph::CreateCall::parse(body, links.version)?;
        if !self.is_assumed(caller) {
            claims::check_tenant(caller, &create)?;
        }
        permissions::of_create(caller, &create)?;
        if create.joins_meeting() {
            return self.join(caller, links, create).await;
        }
        service_hosted(&create.media_config)?;
        with_audio("requestedModalities", &create.requested_modalities)?;
        let target = match create.targets.as_slice() {
            [] => return Err(invalid("targets must hold one participant to call.")),
            [target] => target,
            [_, _, ..] => return Err(Refused::not_served("Calling more than one target")),
        };
        let app = self.app(caller)?;
        let target = self.target(caller, &app, &create, target)?;
        let parties = Parties {
            app: caller.app.clone(),
            tenant: caller.tenant.clone(),
            callback: create.callback_uri.into_owned(),
            source: app.identity(),
            target,
            subject: create.subject.map(|subject| subject.into_owned()),
            max_calls: app.max_calls as usize,
        };
        let ring = create.ringing_timeout_in_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let done = self.engine.place_call(parties, ring.filter(|s| *s > 0).map(Duration::from_secs)).await?;
        self.created(links, done)
    }

    /// The answer that carries a new call.
    pub(super) fn created(&self, links: &Links<'_>, done: Done) -> Result<Reply, Refused> {
        let view = done.call.ok_or_else(Refused::call_not_found)?;
        let id = view.call.id().to_string();
        let reply = Reply::body(StatusCode::CREATED, ODATA, wire::call(&view).print(links, CallForm::Created));
        Ok(reply.with("location", links.call(&id)).about(About::NewCall(view.call.id())).holding(done.hold))
    }

    /// The target of a call, if it can be reached at all: refused before anything is recorded.
    fn target(
        &self,
        caller: &Caller,
        app: &App,
        create: &graph::CreateCall<'_>,
        target: &graph::InvitationParticipantInfo<'_>,
    ) -> Result<core::Identity, Refused> {
        let (kind, identity) =
            target.identity.first().ok_or_else(|| invalid("targets[0].identity must hold an identity."))?;
        let id = identity.id.as_deref().unwrap_or_default();
        let kind = wire::core_identity_kind(kind);
        let directory = self.directory.current();
        let resolved = directory.resolve_target(app, kind, id, &self.home);
        let destination = resolved.map_err(|error| invalid(format!("targets[0]: {error}.")))?;
        if let Destination::Trunk { .. } = destination
            && let Err(refused) = claims::check_source(caller, create)
        {
            // Who develops a bot need not have a resource account yet: it is said.
            if !directory.is_open() {
                return Err(refused);
            }
            self.trace.found(Some(&caller.app), Rule::SourceIdentity, "");
        }
        Ok(core::Identity {
            kind,
            id: id.to_owned(),
            display_name: identity.display_name.as_deref().map(str::to_owned),
            tenant: identity.tenant_id.as_deref().map(str::to_owned),
        })
    }

    /// Nobody named the tenant of this token: an open directory gave the one it has, since the bot asked an endpoint that
    /// all tenants share.
    fn is_assumed(&self, caller: &Caller) -> bool {
        self.is_free(caller) && caller.tenant == self.directory.current().home()
    }

    /// Whether any identity is accepted, and no configuration names this one.
    fn is_free(&self, caller: &Caller) -> bool {
        let directory = self.directory.current();
        directory.is_open() && directory.app(&caller.app).is_some_and(|app| !app.configured)
    }

    pub(super) fn app(&self, caller: &Caller) -> Result<Arc<App>, Refused> {
        self.directory.current().app(&caller.app).cloned().ok_or_else(Refused::not_registered)
    }

    async fn list_calls(&self, caller: &Caller, links: &Links<'_>, page: &Page<'_>) -> Result<Reply, Refused> {
        let top = top(page);
        let after = page.skip_token.as_deref().map(call_id).transpose()?;
        let (views, next) = self.engine.calls(&caller.app, &caller.tenant, after, top).await;
        views.iter().for_each(|view| self.reads(view));
        let next = next.map(|last| links.calls(&Page { top: page.top, skip_token: Some(last.to_string().into()) }));
        let calls: Vec<_> = views.iter().map(wire::call).collect();
        Ok(json(graph::print_calls(links, &calls, next.as_deref())))
    }

    async fn list_operations(
        &self,
        caller: &Caller,
        links: &Links<'_>,
        call: &str,
        page: &Page<'_>,
    ) -> Result<Reply, Refused> {
        let top = top(page);
        let operations = self.engine.operations(&caller.app, &caller.tenant, call_id(call)?).await?;
        let start = match page.skip_token.as_deref() {
            None => 0,
            Some(token) => operations
                .iter()
                .position(|operation| operation.id.to_string() == token)
                .map(|at| at + 1)
                .ok_or_else(|| invalid("$skiptoken is not one that this server gave."))?,
        };
        let shown: Vec<_> = operations.iter().skip(start).take(top).collect();
        let next = (start + shown.len() < operations.len())
            .then(|| shown.last())
            .flatten()
            .map(|last| links.operations(call, &Page { top: page.top, skip_token: Some(last.id.to_string().into()) }));
        let printed: Vec<_> = shown.into_iter().map(|operation| wire::operation(operation, Some(&self.auth))).collect();
        Ok(json(graph::print_operations(links, call, &printed, next.as_deref())))
    }
}

/// A call's id; one that is no id is no call.
pub(crate) fn call_id(text: &str) -> Result<CallId, Refused> {
    text.parse().map_err(|_| Refused::from(Refusal::CallNotFound))
}

/// A call's JSON on the operator's door: the same resource.
pub(crate) fn print_views(public_url: &str, views: &[CallView]) -> Vec<u8> {
    let links = Links { public_url, version: graph::Version::Beta };
    let calls: Vec<_> = views.iter().map(wire::call).collect();
    graph::print_calls(&links, &calls, None)
}

/// Operations' JSON on the operator's door: the same resource, without the tokens of recordings.
pub(crate) fn print_operations(public_url: &str, call: CallId, operations: &[core::Operation]) -> Vec<u8> {
    let links = Links { public_url, version: graph::Version::Beta };
    let printed: Vec<_> = operations.iter().map(|operation| wire::operation(operation, None)).collect();
    graph::print_operations(&links, &call.to_string(), &printed, None)
}

fn json(bytes: Vec<u8>) -> Reply {
    Reply::body(StatusCode::OK, ODATA, bytes)
}

pub(super) fn invalid(message: impl Into<String>) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, "invalidRequest", message)
}

fn top(page: &Page<'_>) -> usize {
    page.top.map_or(limits::LIST_PAGE, |top| top as usize).min(limits::LIST_PAGE)
}

fn context(body: &Bytes) -> Result<Option<String>, Refused> {
    Ok(graph::ContextOnly::parse(body)?.client_context.map(|text| text.into_owned()))
}

fn reason(reason: Option<graph::RejectReason>) -> core::RejectReason {
    match reason {
        None | Some(graph::RejectReason::None) => core::RejectReason::None,
        Some(graph::RejectReason::Busy) => core::RejectReason::Busy,
        Some(graph::RejectReason::Forbidden) => core::RejectReason::Forbidden,
    }
}

fn prompts(prompts: Vec<graph::MediaPrompt<'_>>) -> Vec<core::Prompt> {
    let prompt = |prompt: graph::MediaPrompt<'_>| core::Prompt {
        uri: prompt.media_info.uri.into_owned(),
        resource_id: prompt.media_info.resource_id.map(|id| id.into_owned()),
        times: prompt.repeat.unwrap_or(1),
    };
    prompts.into_iter().map(prompt).collect()
}

fn record_response(
    call: CallId,
    operation: OperationId,
    record: graph::RecordResponse<'_>,
    prompt_optional: bool,
    location: String,
) -> core::RecordResponse {
    core::RecordResponse {
        call,
        operation,
        client_context: record.client_context.map(|text| text.into_owned()),
        prompts: prompts(record.prompts),
        prompt_optional,
        barge_in: record.barge_in_allowed.unwrap_or(false),
        beep: record.play_beep.unwrap_or(true),
        initial_silence: record.initial_silence_timeout_in_seconds,
        max_silence: record.max_silence_timeout_in_seconds,
        max_duration: record.max_record_duration_in_seconds,
        stop_tones: record.stop_tones.into_iter().map(wire::core_tone).collect(),
        location,
    }
}

fn play_prompt(call: CallId, operation: OperationId, play: graph::PlayPrompt<'_>) -> core::PlayPrompt {
    core::PlayPrompt {
        call,
        operation,
        client_context: play.client_context.map(|text| text.into_owned()),
        prompts: prompts(play.prompts),
        repeat: if play.repeat_forever { core::Repeat::Forever } else { core::Repeat::Once },
    }
}

/// Audio is what calls carry here. Whoever asks for video beside it gets the call, which says that it is of audio.
pub(super) fn with_audio(member: &str, asked: &[graph::Modality]) -> Result<(), Refused> {
    if asked.is_empty() || asked.contains(&graph::Modality::Audio) {
        return Ok(());
    }
    Err(invalid(format!("{member} must hold audio: calls carry nothing else here.")))
}

pub(super) fn service_hosted(config: &graph::MediaConfig<'_>) -> Result<(), Refused> {
    match config {
        graph::MediaConfig::ServiceHosted { .. } => Ok(()),
        graph::MediaConfig::AppHosted { .. } => {
            let refused =
                Refused::not_served("Media hosted by the app (appHostedMediaConfig, the Windows media platform)");
            Err(Refused { finding: Some(Rule::AppHostedMedia), ..refused })
        }
    }
}
