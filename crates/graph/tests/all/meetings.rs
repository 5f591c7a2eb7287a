//! The names of meetings, and meetings in calls.

use ringback_graph::{
    Call, CallForm, ChatInfo, CreateCall, IdentityKind, IdentitySet, Links, MeetingInfo, MeetingName, Version,
};

const THREAD: &str = "19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNWY2NmNkYTFm@thread.v2";

fn thread(message: Option<&str>, organizer: Option<&str>, tenant: Option<&str>, reply: Option<&str>) -> MeetingName {
    MeetingName::Thread {
        chat: ChatInfo {
            thread_id: Some(THREAD.into()),
            message_id: message.map(|text| text.to_owned().into()),
            reply_chain_message_id: reply.map(|text| text.to_owned().into()),
        },
        organizer: organizer.map(str::to_owned),
        tenant: tenant.map(str::to_owned),
    }
}

#[test]
fn a_join_url_holds_thread_organizer_and_tenant() {
    let encoded = THREAD.replace(':', "%3a").replace('@', "%40");
    let context = "%7b%22Tid%22%3a%22t-1%22%2c%22Oid%22%3a%22o-1%22%7d";
    let whole = thread(Some("0"), Some("o-1"), Some("t-1"), None);
    for url in [
        format!("https://teams.microsoft.com/l/meetup-join/{encoded}/0?context={context}"),
        format!("https://teams.microsoft.com/l/meetup-join/{encoded}/0?anon=true&context={context}"),
        format!(
            "  https://gov.teams.microsoft.us/l/meetup-join/{THREAD}/0?context={{\"Tid\":\"t-1\",\"Oid\":\"o-1\"}} "
        ),
        // Copied out of another URL.
        format!(
            "https://teams.microsoft.com/l/meetup-join/{}/0?context={}",
            encoded.replace('%', "%25"),
            context.replace('%', "%25")
        ),
    ] {
        assert_eq!(MeetingName::parse(&url), Some(whole.clone()), "{url}");
    }
    let channel = format!(
        "https://teams.microsoft.com/l/meetup-join/{encoded}/1700?context=%7b%22Tid%22%3a%22t%22%2c%22Oid%22%3a%22o%22%2c%22MessageId%22%3a%2217%22%7d"
    );
    assert_eq!(MeetingName::parse(&channel), Some(thread(Some("1700"), Some("o"), Some("t"), Some("17"))));
    let bare = format!("https://teams.microsoft.com/l/meetup-join/{encoded}");
    assert_eq!(MeetingName::parse(&bare), Some(thread(None, None, None, None)));
}

#[test]
fn other_names_are_a_thread_and_digits() {
    assert_eq!(MeetingName::parse(THREAD), Some(thread(None, None, None, None)));
    assert_eq!(MeetingName::parse(&THREAD.replace(':', "%3A")), Some(thread(None, None, None, None)));
    for text in ["1234567", "123 456 7", "123-4567", "https://teams.microsoft.com/meet/1234567?p=secret"] {
        assert_eq!(MeetingName::parse(text), Some(MeetingName::JoinMeetingId("1234567".to_owned())), "{text}");
    }
    let long = "1".repeat(3_000);
    for text in ["", " ", "19:", "hello", "https://teams.microsoft.com/", "https://x/l/meetup-join/", "httpé", &long] {
        assert_eq!(MeetingName::parse(text), None, "{text}");
    }
}

#[test]
fn every_meeting_info_is_read_with_its_type_or_without() {
    let body = |member: &str| format!(r#"{{"callbackUri":"https://b","mediaConfig":{{}},{member}}}"#);
    let read = |member: &str| CreateCall::parse(body(member).as_bytes(), Version::V1).expect(member);
    let organizer = MeetingInfo::Organizer { organizer: IdentitySet::of(IdentityKind::User, "o") };
    let id = |passcode: Option<&'static str>| MeetingInfo::JoinMeetingId {
        join_meeting_id: "12".into(),
        passcode: passcode.map(Into::into),
    };
    for (member, info) in [
        (
            r##""meetingInfo":{"@odata.type":"#microsoft.graph.organizerMeetingInfo","organizer":{"user":{"id":"o"}},"allowConversationWithoutHost":true}"##,
            Some(organizer.clone()),
        ),
        (r#""meetingInfo":{"organizer":{"user":{"id":"o"}}}"#, Some(organizer)),
        (r#""meetingInfo":{"token":"t"}"#, Some(MeetingInfo::Token { token: "t".into() })),
        (r#""meetingInfo":{"joinMeetingId":"12","passcode":null}"#, Some(id(None))),
        (
            r##""meetingInfo":{"@odata.type":"#microsoft.graph.joinMeetingIdMeetingInfo","joinMeetingId":"12","passcode":"p"}"##,
            Some(id(Some("p"))),
        ),
        (r#""meetingInfo":{},"chatInfo":{}"#, None),
    ] {
        let create = read(member);
        assert_eq!(create.meeting_info, info, "{member}");
        assert!(create.joins_meeting(), "{member}");
        let again = CreateCall::parse(&create.print(), Version::V1).expect(member);
        assert_eq!(again, create, "{member}");
    }
    assert!(!read(r#""meetingInfo":null,"chatInfo":null"#).joins_meeting());
    // A join URL by a name that bots made up, where nobody is called.
    assert!(read(r#""joinUrl":"https://x/meet/1""#).joins_meeting());
    assert!(!read(r#""joinUrl":"https://x/meet/1","targets":[{"identity":{"user":{"id":"u"}}}]"#).joins_meeting());
}

#[test]
fn a_call_shows_its_meeting_and_is_read_back() {
    let call = Call {
        chat_info: Some(ChatInfo {
            thread_id: Some(THREAD.into()),
            message_id: Some("0".into()),
            ..ChatInfo::default()
        }),
        meeting_info: Some(MeetingInfo::JoinMeetingId { join_meeting_id: "12".into(), passcode: None }),
        ..Call::default()
    };
    let links = Links { public_url: "https://graph.microsoft.com", version: Version::V1 };
    let printed = call.print(&links, CallForm::Read);
    let text = std::str::from_utf8(&printed).expect("text");
    let chat = format!(
        r##""chatInfo":{{"@odata.type":"#microsoft.graph.chatInfo","threadId":"{THREAD}","messageId":"0","replyChainMessageId":null}}"##
    );
    assert!(text.contains(&chat), "{text}");
    let meeting = r##""meetingInfo":{"@odata.type":"#microsoft.graph.joinMeetingIdMeetingInfo","joinMeetingId":"12","passcode":null}"##;
    assert!(text.contains(meeting), "{text}");
    assert_eq!(Call::parse(&printed), Ok(call));
}
