//! A bot in a meeting: it is there alone, phones come and go, and what ends it.

use expect_test::expect;
use ringback_core::limits::MEETING_PHONES;
use ringback_core::{
    EndCause, Identity, IdentityKind, Input, LegId, ParticipantId, PlayOutcome, RecordOutcome, Refusal, Tone,
};
use uuid::Uuid;

use crate::world::*;

#[test]
fn a_bot_takes_its_seat() {
    check(
        nothing(),
        joins(),
        expect![[r#"
        event   callPlaced until 60s in 19:meeting@thread.v2
        effect  takeSeat
        notice  https://bot/calls < establishing in 19:meeting@thread.v2
        now     establishing; leg placing; deadline 60s
    "#]],
    );
}

#[test]
fn it_is_established_by_itself() {
    check(
        nothing().then([joins()]),
        leg_answered(),
        expect![[r#"
        event   legAnswered dialog
        event   callEstablished
        event   audioChanged active true
        notice  https://bot/calls < established Outgoing in 19:meeting@thread.v2
        notice  https://bot/calls < established Outgoing, audio true in 19:meeting@thread.v2
        notice  https://bot/calls < roster Application:app in 19:meeting@thread.v2
        now     established; leg up; deadline 2701s
    "#]],
    );
}

#[test]
fn a_phone_is_let_in_where_there_is_a_meeting() {
    check(
        every_state(),
        phone_joins(2),
        expect![[r#"
        [nothing, incoming, accepting, placing, established, placed and up, held, playing, one queued, recording, one queued, ending, releasing, over]
        refused CallNotFound: Call not found.

        [in a meeting]
        event   legAdmitted phone3 User:1003
        effect  admit phone3
        now     established; leg up; leg phone3 accepting; deadline 2701s

        [met by two phones]
        event   legAdmitted phone3 User:1003
        effect  admit phone3
        now     established; leg up; leg phone1 up; leg phone2 up; leg phone3 accepting; deadline 2701s
    "#]],
    );
}

#[test]
fn who_is_there_is_told_when_a_phone_is_up_and_when_it_has_left() {
    check(
        in_meeting().then([phone_joins(0)]),
        phone_answered(0),
        expect![[r#"
        event   legAnswered phone1 dialog1
        event   rosterChanged
        notice  https://bot/calls < roster Application:app User:1001 in 19:meeting@thread.v2
        now     established; leg up; leg phone1 up; deadline 2701s
    "#]],
    );
    check(
        met(),
        phone_ended(0, EndCause::FarHangUp),
        expect![[r#"
        event   legEnded phone1 FarHangUp
        event   rosterChanged
        notice  https://bot/calls < roster Application:app User:1002 in 19:meeting@thread.v2
        now     established; leg up; leg phone2 up; deadline 2701s
    "#]],
    );
    // It never came in.
    check(
        in_meeting().then([phone_joins(0)]),
        phone_ended(0, EndCause::Cancelled),
        expect![[r#"
        event   legEnded phone1 Cancelled
        now     established; leg up; deadline 2701s
    "#]],
    );
}

/// The meeting goes on without phones, until the bot leaves (docs/MEETINGS.md).
#[test]
fn a_meeting_outlives_its_phones() {
    check(
        in_meeting().then([phone_joins(0), phone_answered(0)]),
        phone_ended(0, EndCause::FarHangUp),
        expect![[r#"
            event   legEnded phone1 FarHangUp
            event   rosterChanged
            notice  https://bot/calls < roster Application:app in 19:meeting@thread.v2
            now     established; leg up; deadline 2701s
        "#]],
    );
}

#[test]
fn a_phone_on_hold_says_nothing_of_the_call() {
    check(
        met(),
        Input::LegHeld { leg: PHONES[0], held: true },
        expect![[r#"
        nothing
    "#]],
    );
}

#[test]
fn keys_of_all_phones_are_told_and_counted_together() {
    let pressed = |n: usize| Input::ToneHeard { leg: PHONES[n], tone: Tone::Star };
    check(
        met().then([subscribe(1), pressed(0).into()]),
        pressed(1),
        expect![[r#"
        event   toneHeard 2 Star
        notice  https://bot/calls < tone 2 Star in 19:meeting@thread.v2
        now     established; leg up; leg phone1 up; leg phone2 up; deadline 2701s
    "#]],
    );
}

#[test]
fn what_is_played_and_recorded_is_the_seats() {
    check(
        [in_meeting(), met()],
        play(1),
        expect![[r#"
        [in a meeting]
        event   operationStarted op1 playPrompt https://bot/1.wav running
        effect  play op1 https://bot/1.wav
        now     established, op1 running; leg up; deadline 2701s

        [met by two phones]
        event   operationStarted op1 playPrompt https://bot/1.wav running
        effect  play op1 https://bot/1.wav
        now     established, op1 running; leg up; leg phone1 up; leg phone2 up; deadline 2701s
    "#]],
    );
    check(
        met(),
        record(1),
        expect![[r#"
        event   operationStarted op1 recordResponse https://bot/1.wav beep 5/5/5 s running
        effect  record op1 https://bot/1.wav beep 5/5/5 s
        now     established, op1 running; leg up; leg phone1 up; leg phone2 up; deadline 2701s
    "#]],
    );
    check(
        met().then([play(1)]),
        cancel(2),
        expect![[r#"
        event   operationStarted op2 cancelMediaProcessing completed 200/0 "Action completed successfully."
        event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
        effect  stop op1
        notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled in 19:meeting@thread.v2
        now     established; leg up; leg phone1 up; leg phone2 up; deadline 2701s
    "#]],
    );
    check(
        met().then([play(1)]),
        finished(1, PlayOutcome::Played),
        expect![[r#"
        event   operationEnded op1 completed 200/0 "Action completed successfully."
        notice  https://bot/calls < op1 playPrompt https://bot/1.wav completed 200/0 "Action completed successfully." CompletedSuccessfully in 19:meeting@thread.v2
        now     established; leg up; leg phone1 up; leg phone2 up; deadline 2701s
    "#]],
    );
}

#[test]
fn when_the_bot_leaves_its_phones_are_hung_up() {
    check(
        met().then([play(1), phone_joins(2)]),
        hang_up(),
        expect![[r#"
        event   callTerminating
        event   operationEnded op1 failed 400/8508 "Action failed, the operation was cancelled."
        event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
        event   legReleased
        event   legReleased phone1
        event   legReleased phone2
        event   legReleased phone3
        effect  stop op1
        effect  hangUp dialog
        effect  hangUp phone1 dialog1
        effect  hangUp phone2 dialog2
        effect  hangUp phone3
        notice  https://bot/calls < terminating in 19:meeting@thread.v2
        notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 400/8508 "Action failed, the operation was cancelled." MediaOperationCanceled in 19:meeting@thread.v2
        notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@" in 19:meeting@thread.v2
        now     terminated; leg releasing; leg phone1 releasing; leg phone2 releasing; leg phone3 releasing
    "#]],
    );
    let recorded = met().then([record(1)]);
    check(
        recorded.clone(),
        hang_up(),
        expect![[r#"
        event   callTerminating
        event   callEnding 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@" until 18s
        event   legReleased
        event   legReleased phone1
        event   legReleased phone2
        effect  keep op1
        effect  hangUp dialog
        effect  hangUp phone1 dialog1
        effect  hangUp phone2 dialog2
        notice  https://bot/calls < terminating in 19:meeting@thread.v2
        now     ending, op1 running; leg releasing; leg phone1 releasing; leg phone2 releasing; deadline 18s
    "#]],
    );
    check(
        recorded.then([hang_up()]),
        Input::RecordFinished {
            operation: operation(1),
            outcome: RecordOutcome::CutShort("the call ended".to_owned()),
        },
        expect![[r#"
            event   operationEnded op1 completed 200/8517 "Action completed, what was recorded is kept: the call ended."
            event   callTerminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@"
            notice  https://bot/calls < op1 recordResponse https://bot/1.wav beep 5/5/5 s completed 200/8517 "Action completed, what was recorded is kept: the call ended." MediaReceiveTimeout at "https://ringback/recordings/1" in 19:meeting@thread.v2
            notice  https://bot/calls < terminated 200/7000 "The call was ended by the bot. DiagCode: 200#7000.@" in 19:meeting@thread.v2
            now     terminated; leg releasing; leg phone1 releasing; leg phone2 releasing
        "#]],
    );
}

/// Also where it was not the bot's will.
#[test]
fn when_its_seat_is_lost_its_phones_are_hung_up() {
    check(
        met(),
        leg_ended(EndCause::Failed("the server was stopped".to_owned())),
        expect![[r#"
        event   legEnded Failed("the server was stopped")
        event   callTerminated 500/7106 "Server Internal Error: the server was stopped. DiagCode: 500#7106.@"
        event   legReleased phone1
        event   legReleased phone2
        effect  hangUp phone1 dialog1
        effect  hangUp phone2 dialog2
        notice  https://bot/calls < terminated 500/7106 "Server Internal Error: the server was stopped. DiagCode: 500#7106.@" in 19:meeting@thread.v2
        now     terminated; leg ended; leg phone1 releasing; leg phone2 releasing
    "#]],
    );
}

#[test]
fn after_a_crash_the_phones_are_hung_up_by_their_dialogs() {
    check(
        met().then([play(1), phone_joins(2)]),
        adopt(2),
        expect![[r#"
        event   adopted by epoch 2
        event   operationEnded op1 failed 500/8512 "Action failed, the server was restarted while the operation was in flight."
        event   callTerminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@"
        event   legReleased
        event   legReleased phone1
        event   legReleased phone2
        event   legEnded phone3 Failed("restart")
        effect  hangUp dialog
        effect  hangUp phone1 dialog1
        effect  hangUp phone2 dialog2
        notice  https://bot/calls < op1 playPrompt https://bot/1.wav failed 500/8512 "Action failed, the server was restarted while the operation was in flight." Unknown in 19:meeting@thread.v2
        notice  https://bot/calls < terminated 500/1005 "The server was restarted during the call. DiagCode: 500#1005.@" in 19:meeting@thread.v2
        now     terminated; leg releasing; leg phone1 releasing; leg phone2 releasing
    "#]],
    );
}

#[test]
fn phones_come_and_go_and_leave_nothing_behind() {
    let comings = (0..200).flat_map(|_| [phone_joins(0), phone_answered(0), phone_ended(0, EndCause::FarHangUp)]);
    let (conversation, _) = in_meeting().then(comings).conversation();
    assert_eq!(conversation.legs().count(), 1, "the seat");
    assert_eq!(conversation.roster().len(), 1);
}

#[test]
fn a_meeting_is_full_at_some_time() {
    let phone = |n: usize| Input::PhoneJoins {
        leg: LegId(Uuid::from_u128(0x5000 + n as u128)),
        participant: ParticipantId(Uuid::from_u128(0x6000 + n as u128)),
        identity: Identity { kind: IdentityKind::User, id: n.to_string(), display_name: None, tenant: None },
    };
    let full = in_meeting().then((0..MEETING_PHONES).map(|n| phone(n).into()));
    assert_eq!(decided(&full, phone(MEETING_PHONES)), Err(Refusal::MeetingFull));
    let (leg, cause) = (LegId(Uuid::from_u128(0x5000)), EndCause::FarHangUp);
    let left = full.then([Input::LegEnded { leg, cause }.into()]);
    assert!(decided(&left, phone(MEETING_PHONES)).is_ok());
}
