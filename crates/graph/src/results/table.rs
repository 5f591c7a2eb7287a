//! The entries. Meanings are in own words after the sources of `contract §4`, and, where marked A beyond it, after the table
//! of call end responses of Azure Communication Services. Messages are verbatim: bots compare them.

use super::Evidence::{self, Documented, General, Inferred, Ours, Seen, Sister};
use super::{Known, Of};

const fn call(code: u16, subcode: &'static str, evidence: Evidence, meaning: &'static str) -> Known {
    Known { of: Of::Call, code: Some(code), subcode, says: &[], meaning, evidence, given: None }
}

const fn operation(code: u16, subcode: &'static str, evidence: Evidence, meaning: &'static str) -> Known {
    Known { of: Of::Operation, ..call(code, subcode, evidence, meaning) }
}

const fn request(status: u16, code: &'static str, evidence: Evidence, meaning: &'static str) -> Known {
    Known { of: Of::Request, ..call(status, code, evidence, meaning) }
}

/// One of the sister product's, of which no source says with which code it comes.
const fn sister(of: Of, subcode: &'static str, meaning: &'static str) -> Known {
    Known { of, code: None, ..call(0, subcode, Sister, meaning) }
}

impl Known {
    const fn says(self, says: &'static [&'static str]) -> Self {
        Self { says, ..self }
    }

    const fn given(self, given: &'static str) -> Self {
        Self { given: Some(given), ..self }
    }
}

/// Every result that is known, by what it is of, code and subcode.
pub const ALL: &[Known] = &[
    // Ends of calls: documented (contract §4.1).
    call(0, "0", Documented, "Hung up; what older versions of the service told instead of 200."),
    call(0, "7015", Documented, "Transferred.").says(&["GracefulTransferCompleted"]),
    call(200, "4097", Documented, "Ended by the other participant."),
    call(200, "4521", Documented, "Ended by the other participant of a call of two, perhaps by closing the app."),
    call(200, "5000", Documented, "Removed by another participant.")
        .says(&["The call was ended by the operator. DiagCode: 200#5000.@"])
        .given("the operator ended the call: `ringback call hang-up`, or DELETE at the operator's door"),
    call(200, "5001", Documented, "The conversation ended.").says(&["The conversation has ended."]),
    call(200, "5002", Documented, "All others left. The message says 0#5002 where the code is 200.")
        .says(&["The conversation has ended. DiagCode: 0#5002.@"])
        .given("the far end hung up, or a caller gave up before the bot answered"),
    call(200, "5003", Documented, "The conversation ended."),
    call(200, "5007", Documented, "Who began the group call left."),
    call(200, "5010", Documented, "One participant was left, the bot itself."),
    call(200, "5012", Documented, "Nobody is in the roster."),
    call(200, "5013", Documented, "Nobody else joined the group call."),
    call(200, "5014", Documented, "No host could be determined."),
    call(200, "5020", Documented, "Nobody but hidden participants is in the roster."),
    call(200, "5030", Documented, "The time of a breakout room is over."),
    call(200, "5300", Documented, "A participant was removed by another."),
    call(200, "5855", Documented, "The wait in the lobby took too long."),
    call(200, "7000", Documented, "Ended by the bot. With code 500 the same subcode is a failed transfer.")
        .says(&["The call was ended by the bot. DiagCode: 200#7000.@"])
        .given("the bot hung up, or the operator did"),
    call(200, "7015", Documented, "Transferred."),
    call(200, "10550", Documented, "Ended by the bot."),
    call(200, "18503", Documented, "The other participant of a call of two left."),
    call(200, "540000", Documented, "Ended by the other side in the telephone network."),
    call(200, "560000", Documented, "Ended by the other side in the telephone network."),
    call(400, "2203", Seen, "The service could not use what was asked for; nobody has said what.")
        .says(&["Bad Request. DiagCode: 400#2203"]),
    call(403, "0", Inferred, "The bot rejected the call.")
        .says(&["The call was rejected by the bot. DiagCode: 403#0.@"])
        .given("the bot rejected the call"),
    call(408, "1106", Documented, "The acceptance of the call was not acknowledged in time.")
        .says(&["The caller did not acknowledge the answer in time. DiagCode: 408#1106.@"])
        .given("the caller never acknowledged the answer"),
    call(408, "4506", Sister, "The callee did not answer in time."),
    call(408, "8537", Documented, "The bot sent no keepAlive for 45 minutes, and the call was cleaned up.")
        .says(&["The call was not kept alive. DiagCode: 408#8537.@"])
        .given("no keepAlive for 45 minutes"),
    call(408, "8544", Seen, "The bot did not answer in time, or its webhook failed: is it reachable, does it answer within 15 s?")
        .says(&["Callee could not be reached. DiagCode: 408#8544.@", "Callee could not be reached."])
        .given("the bot did not answer within 15 s"),
    call(408, "10057", Documented, "No signalling from the callee's endpoints."),
    call(408, "13025", Seen, "A time-out that nobody has explained.").says(&["Request Timeout"]),
    call(410, "301005", Documented, "Media could not be connected, or broke off.")
        .says(&["No media was received from the other side. DiagCode: 410#301005.@", "Client Media Error. DiagCode: 410#301005.@"])
        .given("no audio came for 60 s"),
    call(480, "10037", Documented, "The callee has no endpoints: no phone or client is signed in.")
        .says(&["The callee could not be reached. DiagCode: 480#10037.@"])
        .given("the phone is not registered, or does not respond"),
    call(480, "10076", Documented, "The callee is not reachable: signed in before, offline now.")
        .says(&["The callee did not answer in time. DiagCode: 480#10076.@"])
        .given("it rang, and nobody answered (that use is inferred)"),
    call(480, "10077", Sister, "The callee is known, and was not online at the time."),
    call(480, "10078", Sister, "The callee is not registered or not reachable."),
    call(480, "10134", Documented, "The call cannot be routed."),
    call(480, "10199", Documented, "Private calling is switched off for the user."),
    call(480, "560480", Sister, "No answer in the telephone network."),
    call(484, "560484", Sister, "The number called is invalid or incomplete."),
    call(486, "0", Ours, "The callee is busy: SIP's own status.")
        .says(&["The callee is busy. DiagCode: 486#0.@"])
        .given("the phone is busy"),
    call(487, "0", Sister, "The caller gave up."),
    call(487, "10003", Sister, "Another endpoint answered."),
    call(487, "10004", Sister, "Nobody accepted or rejected in time."),
    call(487, "10024", Sister, "All endpoints of the callee declined."),
    call(500, "1005", Documented, "The connection to the bot's media failed.")
        .says(&["The server was restarted during the call. DiagCode: 500#1005.@"])
        .given("the call was open when the server died"),
    call(500, "3002", Seen, "The service could not set up media with the bot: mostly media hosted by the app, whose address, port or certificate it could not use.")
        .says(&["Server Internal Error. DiagCode: 500#3002.@"]),
    call(500, "3003", Seen, "The service could not set up media with the bot: as 3002.")
        .says(&["Server Internal Error. DiagCode: 500#3003.@"]),
    call(500, "7000", Documented, "A blind transfer failed."),
    call(500, "7106", Seen, "Media failed: reported with media hosted by the app; the message's own number (3002, 3003) says more.")
        .says(&["Server Internal Error. DiagCode: 3003#7106.@", "Server Internal Error: …. DiagCode: 500#7106.@"])
        .given("signalling or media failed, or the server was stopped"),
    call(500, "7112", Seen, "The service could not connect to the media endpoint of a bot that hosts its own media: wrong port or name, or a certificate that it does not accept.")
        .says(&["Server Internal Error. DiagCode: 500#7112.@"]),
    call(500, "7117", Seen, "The call stays establishing for about a minute and is then ended; reported with media hosted by the app, at times and without a change at the bot. Microsoft has not said why; its neighbour 7112 was a media endpoint that could not be reached.")
        .says(&["Server Internal Error. DiagCode: 500#7117.@"]),
    call(500, "7700", Documented, "A consultative transfer failed."),
    call(500, "10045", Sister, "A fault of the service."),
    call(503, "560503", Sister, "A fault of the telephone network's side of the service."),
    call(603, "0", Ours, "The callee declined: SIP's own status, 603 or another.")
        .says(&["The callee declined. DiagCode: …#0.@"])
        .given("the phone refused; `code` is its SIP status"),
    sister(Of::Call, "8538", "The callee declined."),
    sister(Of::Call, "8539", "The callee is busy."),
    sister(Of::Call, "8540", "The callee is busy everywhere."),
    sister(Of::Call, "8541", "The callee is not available."),
    sister(Of::Call, "8542", "The call was cancelled."),
    sister(Of::Call, "8586", "The bot did not acknowledge an incoming call."),
    sister(Of::Call, "8587", "The bot did not answer an incoming call in time."),
    sister(Of::Call, "8609", "The bot's answer to a participant about to join was not valid."),
    sister(Of::Call, "8610", "The bot did not answer a notification."),
    // Ends of operations (contract §4.2 and §4.3).
    operation(200, "0", Documented, "The action did what was asked.")
        .says(&["Action completed successfully."])
        .given("an operation did what was asked"),
    operation(400, "8508", Documented, "The operation was cancelled.")
        .says(&["Action failed, the operation was cancelled."])
        .given("an operation was cancelled, or its call ended"),
    sister(Of::Operation, "8509", "A pause ended the operation. Ringback says 200/8516."),
    operation(400, "8510", Sister, "Nobody said anything in time.")
        .says(&["Action failed, initial silence timeout reached."])
        .given("recordResponse: nobody said anything; there is no recording"),
    operation(500, "8511", Sister, "The prompt could not be played.")
        .says(&["Action failed, the prompt could not be played: …", "Action failed, the tones could not be sent: …"])
        .given("playPrompt, recordResponse: a fault while playing; sendDtmfTones: a fault while sending (`status` is `completed`, that use is inferred)"),
    operation(500, "8512", Sister, "A fault of the service; one of its tables says: the beep failed.")
        .says(&[
            "Action failed, the recording could not be kept: …",
            "Action failed, the server was restarted while the operation was in flight.",
        ])
        .given("recordResponse: the recording could not be kept, there is none; or an operation was open when the server died"),
    sister(Of::Operation, "8513", "No media was received in time."),
    operation(200, "8514", Sister, "A stop tone was detected.")
        .says(&["Action completed, stop tone detected."])
        .given("recordResponse: a stop tone"),
    operation(200, "8515", Documented, "The recording became as long as it may.")
        .says(&["Action completed, max record duration reached."])
        .given("recordResponse: it became as long as it may"),
    operation(200, "8516", Inferred, "A pause ended the recording: no page of Graph gives it a number. The sister product uses 8516 for calls that are throttled, and 8509 for the pause.")
        .says(&["Action completed, max silence timeout reached."])
        .given("recordResponse: a pause, once something was said"),
    operation(200, "8517", Inferred, "The recording ended early, and what was recorded is kept. At Microsoft a hang-up loses it; the sister product uses 8517 for a call of another tenant.")
        .says(&["Action completed, what was recorded is kept: …"])
        .given("recordResponse: the call ended, the server was restarted, or the disk failed or did not keep up"),
    operation(200, "8531", Sister, "As many digits as asked for were received."),
    operation(400, "8532", Sister, "The pause between two digits was too long."),
    sister(Of::Operation, "8533", "One of the offered tones was pressed."),
    sister(Of::Operation, "8534", "Another tone than those offered was pressed."),
    operation(400, "8535", Sister, "The audio file's format is invalid: WAV, mono, 16-bit PCM, 16 kHz is wanted.")
        .says(&["Action failed, the audio file format is invalid: …"])
        .given("playPrompt, recordResponse: not a WAV that can be played"),
    operation(400, "8536", Sister, "The audio file could not be downloaded: the service must reach its URL.")
        .says(&["Action failed, the audio file could not be downloaded: …"])
        .given("playPrompt, recordResponse: the prompt could not be fetched"),
    sister(Of::Operation, "8545", "Speech that was offered as an option was recognised."),
    sister(Of::Operation, "8547", "Speech matched none of the options."),
    sister(Of::Operation, "8563", "Speech was not recognised."),
    sister(Of::Operation, "8564", "The speech service could not be connected."),
    sister(Of::Operation, "8565", "The speech service failed."),
    sister(Of::Operation, "8582", "The text to be spoken is empty."),
    sister(Of::Operation, "8588", "The recording ended because no media was received in time."),
    sister(Of::Operation, "8589", "Too many recordings: throttled."),
    sister(Of::Operation, "9999", "An error without further words."),
    // Refused requests: the calls service (contract §4.5; 403 and 400 beside it as the sister product has them).
    request(403, "7503", Seen, "The token is good, but its app is not known to the calls service: no calling bot is registered for the app id (Azure Bot, Teams channel, calling enabled), or that has not yet spread.")
        .says(&["Application is not registered in our store."])
        .given("the app of the token is not in the directory (any more)"),
    request(403, "7504", Seen, "The app lacks an application permission, or the tenant's administrator has not consented to it. New consent shows in new tokens only.")
        .says(&["Insufficient enterprise tenant permissions, cannot access this API…"])
        .given("the token lacks the role that the verb wants"),
    request(403, "7505", Seen, "The token was issued in one tenant, and the call or app belongs to another: ask for the token in the tenant of the call (`/{tenant}/oauth2/v2.0/token`, not `/common`).")
        .says(&[
            "Request authorization tenant mismatch.",
            "Mismatch between request authorization tenant and call tenant.",
        ])
        .given("create call's `tenantId` is not the token's; or the app was moved to another tenant since the token was issued"),
    request(403, "7507", Seen, "The call's source is not an identity that the token's app may use: a call to the telephone network needs `source.identity.applicationInstance` with the object id of a resource account of that app.")
        .says(&["Call source identity invalid."])
        .given("create call to the telephone network without `source.identity.applicationInstance`, or in another app's name; where any identity is accepted, the timeline says so instead"),
    request(404, "8522", Seen, "The call does not exist, has ended, or is not this app's.")
        .says(&["Call not found."])
        .given("the call has ended, never was, or is another app's"),
    request(404, "9997", Seen, "As 8522, as it was in 2019.").says(&["Call not found."]),
    request(400, "8523", Sister, "Something in the body is invalid; known for recordResponse without exactly one prompt.")
        .says(&["prompts must hold exactly one prompt; it holds …."])
        .given("recordResponse without exactly one prompt; beta's record may do without"),
    request(500, "9999", Seen, "The service failed; seen for subscribeToTone, and for a create call with a malformed identity.")
        .says(&["InternalServiceError", "Encountered Exception during ToneSubscription"]),
    request(500, "UnknownError", Seen, "The gateway could not read the error inside; the message may be raw text that holds it, such as one with errorCode 7503. The status differs."),
    sister(Of::Request, "7500", "The identity is not one that is supported."),
    sister(Of::Request, "7501", "The token is not valid."),
    sister(Of::Request, "7502", "Access is not enabled."),
    sister(Of::Request, "7506", "A certificate is not trusted."),
    sister(Of::Request, "7508", "An identity of the sister product is not supported."),
    sister(Of::Request, "7509", "The request's signature did not check."),
    request(400, "8500", Sister, "The media mode is wrong: another media operation is active."),
    request(400, "8501", Sister, "The call is not established."),
    sister(Of::Request, "8502", "The bot's participant id is not available."),
    sister(Of::Request, "8503", "The call's audio is inactive: wait for `mediaState.audio` to be active."),
    sister(Of::Request, "8504", "Media streams are not available."),
    sister(Of::Request, "8516", "Calls are throttled."),
    sister(Of::Request, "8517", "The call belongs to another tenant."),
    request(409, "8519", Sister, "Several actions on one resource at once."),
    request(405, "8520", Sister, "Not supported at this time."),
    sister(Of::Request, "8526", "The token to join with is invalid."),
    sister(Of::Request, "8527", "The URL to join with is invalid."),
    request(400, "8528", Sister, "The call has ended."),
    sister(Of::Request, "8529", "Calls are throttled: the month's limit is reached."),
    sister(Of::Request, "8530", "Calls are throttled: too many at once."),
    sister(Of::Request, "8548", "The call is no group call."),
    sister(Of::Request, "8560", "The meeting is locked."),
    sister(Of::Request, "8561", "The meeting id to join with is invalid."),
    request(412, "8583", Sister, "Another media action is queued or running that this one does not go with."),
    request(400, "8585", Sister, "The action is not valid in the call's state: wait until it is established."),
    // Refused requests: Graph's general words (contract §6).
    request(400, "BadRequest", General, "The path is not one of the API's.")
        .given("a path that is not in the contract"),
    request(400, "invalidRequest", Documented, "The request is malformed or wrong; the message says what.")
        .given("a body, an option or a target that cannot be used"),
    request(400, "Request_UnsupportedQuery", General, "The resource cannot be found by that member.")
        .given("users, by a member that they are not found by"),
    request(404, "Request_ResourceNotFound", General, "There is no such user, group or other thing of the directory.")
        .given("a user, organization, online meeting or chat message that is not there"),
    request(401, "InvalidAuthenticationToken", General, "The access token is missing, malformed, expired, for another audience, or not signed by who should.")
        .given("no token, an expired one, or one that this server did not make for this"),
    request(401, "unauthenticated", Documented, "The caller is not authenticated."),
    request(403, "accessDenied", Documented, "The caller may not do this.")
        .given("where any identity is accepted: a client from elsewhere"),
    request(404, "itemNotFound", Documented, "There is no such thing.")
        .given("an operation, a recording or a page that is not there"),
    request(405, "notAllowed", Documented, "The method is not allowed here.").given("the path exists, with other methods"),
    request(406, "notAllowed", Documented, "The answer is not to be had in the form asked for."),
    request(408, "invalidRequest", Ours, "The body was not sent in time.").given("a body that is not sent within 15 s"),
    request(409, "notAllowed", Ours, "The call is not in a state for this.")
        .given("answer, reject, media verbs and DELETE at the wrong time"),
    request(409, "activityLimitReached", Ours, "The conversation has recorded as much as one may.")
        .given("every verb but those that end the call"),
    request(409, "resourceModified", Documented, "Somebody else changed it meanwhile."),
    request(413, "invalidRequest", Ours, "The body is too large.").given("a body over 256 KiB, or a chat message over 64 KiB"),
    request(429, "activityLimitReached", Documented, "Too much at once: wait as long as `Retry-After` says.")
        .given("too many calls of an app, or media operations of a call"),
    request(429, "TooManyRequests", Documented, "Throttled: wait as long as `Retry-After` says.")
        .says(&["Please retry again later."]),
    request(500, "generalException", Documented, "A fault of the service.").given("a fault of the server; the trace says more"),
    request(501, "notSupported", Documented, "Not supported.").given("in the contract or in Graph, and not served here"),
    request(503, "serviceNotAvailable", Documented, "Busy for now: wait as long as `Retry-After` says.")
        .given("a queue or table is full, the disk is full, or the server stops; nothing was done"),
    request(507, "quotaLimitReached", Documented, "The quota is used up.")
        .given("recordResponse, over the app's `max_recording_mib`"),
];
