//! Paths as an operator may see them: words of Graph's and of ours. Anything else is the client's own, may be a name, a
//! number or a secret, and is not shown.

use ringback_core::CallId;
use ringback_graph::Action;

/// Words of the paths that are served.
const SERVED: &[&str] = &[
    "v1.0",
    "beta",
    "communications",
    "app",
    "calls",
    "operations",
    "participants",
    "organization",
    "users",
    "onlineMeetings",
    "chats",
    "messages",
    "$metadata",
    "oauth2",
    "v2.0",
    "token",
    "discovery",
    "keys",
    "v1",
    ".well-known",
    "openid-configuration",
    "OpenIdConfiguration",
    "_ringback",
    "metrics",
    "timeline",
    "status",
    "undelivered",
    "unserved",
    "explain",
    "recordings",
    "test",
    "phones",
    "call",
    "wait",
    "press",
    "say",
    "expect",
    "hang-up",
    "heard.wav",
    "findings",
    "apps",
    "first-seen",
    "trials",
    "webhooks",
    "tokens",
    "meetings",
    "faults",
    "notifications",
    "resend",
    "phone",
    "sessions",
    "bots",
    "events",
    "legs",
    "answer",
];

/// Words of Graph's that bots use and this server does not: so that what they asked for can be counted by its shape.
const OTHERS: &[&str] = &[
    "$batch",
    "$count",
    "$ref",
    "$value",
    "addLargeGalleryView",
    "admitAllFromLobby",
    "admitFromLobby",
    "appCatalogs",
    "applications",
    "appRoleAssignments",
    "attendanceReports",
    "audioRoutingGroups",
    "audit",
    "auditLogs",
    "calendar",
    "calendars",
    "calendarView",
    "callRecords",
    "changeScreenSharingRole",
    "channels",
    "children",
    "configureMixer",
    "contacts",
    "content",
    "contentSharingSessions",
    "createOrGet",
    "delta",
    "devices",
    "directory",
    "directoryObjects",
    "directReports",
    "domains",
    "drive",
    "drives",
    "education",
    "events",
    "extensions",
    "findMeetingTimes",
    "getAllMessages",
    "getByIds",
    "getPresencesByUserId",
    "getSchedule",
    "groups",
    "identity",
    "identityGovernance",
    "installedApps",
    "instances",
    "invitations",
    "invite",
    "items",
    "joinedTeams",
    "licenseDetails",
    "lists",
    "logTeleconferenceDeviceQuality",
    "mailFolders",
    "manager",
    "me",
    "memberOf",
    "members",
    "mute",
    "muteAll",
    "owners",
    "photo",
    "photos",
    "places",
    "planner",
    "policies",
    "presence",
    "presences",
    "primaryChannel",
    "recordings",
    "redirect",
    "removeFromLobby",
    "replies",
    "reports",
    "roleManagement",
    "root",
    "rooms",
    "search",
    "security",
    "sendActivityNotification",
    "sendMail",
    "servicePrincipals",
    "sessions",
    "setPresence",
    "sites",
    "solutions",
    "startHoldMusic",
    "startRecording",
    "startTranscription",
    "stopHoldMusic",
    "stopRecording",
    "stopTranscription",
    "subscribedSkus",
    "subscriptions",
    "tabs",
    "tasks",
    "teams",
    "teamsApps",
    "teamwork",
    "todo",
    "transcripts",
    "transfer",
    "unmute",
    "updateRecordingStatus",
    "virtualEvents",
];

/// Segments after which a path is cut.
const DEEPEST: usize = 12;

/// The path of a request: ids and words of what is served. The query is left out.
pub(super) fn shown(target: &str) -> String {
    let key = |segment: &str| key(segment).1.unwrap_or(segment).parse::<CallId>().is_ok();
    segments(target)
        .map(|segment| if key(segment) || is(SERVED, segment) { format!("/{segment}") } else { "/…".into() })
        .collect()
}

/// The shape of a path: its words, and `…` for ids too.
pub(super) fn shape(target: &str) -> String {
    let mut shape = String::new();
    for segment in segments(target) {
        let (name, key) = key(segment);
        shape.push('/');
        shape.push_str(if is(SERVED, name) || is(OTHERS, name) { name } else { "…" });
        shape.push_str(if key.is_some() { "/…" } else { "" });
    }
    shape
}

fn segments(target: &str) -> impl Iterator<Item = &str> {
    let path = target.split('?').next().unwrap_or_default();
    path.split('/').filter(|segment| !segment.is_empty()).take(DEEPEST)
}

/// `calls('ID')` as its name and its key.
fn key(segment: &str) -> (&str, Option<&str>) {
    match segment.strip_suffix("')").and_then(|rest| rest.split_once("('")) {
        Some((name, key)) => (name, Some(key)),
        None => (segment, None),
    }
}

fn is(words: &[&str], segment: &str) -> bool {
    let bare = segment.rsplit_once("graph.").map_or(segment, |(_, name)| name);
    let actions = Action::ALL.iter().map(|action| action.as_str());
    words.iter().copied().chain(actions).any(|word| word.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0a0a0a0a-0000-4000-8000-000000001001";

    #[test]
    fn only_words_and_ids_are_shown() {
        assert_eq!(
            shown(&format!("/v1.0//communications/calls/{ID}/playPrompt?x=+1555")),
            format!("/v1.0/communications/calls/{ID}/playPrompt")
        );
        assert_eq!(
            shown(&format!("/beta/app/calls('{ID}')/microsoft.graph.answer")),
            format!("/beta/app/calls('{ID}')/microsoft.graph.answer")
        );
        assert_eq!(shown("/v1.0/users/ada@one.example/onlineMeetings"), "/v1.0/users/…/onlineMeetings");
        assert_eq!(shown("/v1.0/users('ada@one.example')"), "/v1.0/…");
    }

    #[test]
    fn a_shape_has_no_id_in_it() {
        assert_eq!(shape(&format!("/v1.0/users/{ID}/events/AAMk=?$top=5")), "/v1.0/users/…/events/…");
        assert_eq!(shape("/v1.0/users('ada@one.example')/calendarView"), "/v1.0/users/…/calendarView");
        assert_eq!(
            shape(&format!("/v1.0/communications/calls/{ID}/microsoft.graph.mute")),
            "/v1.0/communications/calls/…/microsoft.graph.mute"
        );
        assert_eq!(shape("/v1.0/ada/ada"), "/v1.0/…/…");
    }
}
