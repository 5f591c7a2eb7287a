//! The catalogue of results: whole, sound, and found by what people write.

use std::collections::HashSet;

use ringback_graph::results::{ALL, Evidence, Of, Question, find};

fn answers(text: &str) -> Vec<String> {
    let question = Question::read(text).unwrap_or_else(|| panic!("{text}"));
    question.answers().iter().map(|known| format!("{known} {:?}", known.of)).collect()
}

fn near(text: &str) -> Vec<String> {
    Question::read(text).unwrap().near().iter().map(|known| known.to_string()).collect()
}

/// Every number of `contract §4.1` to `§4.5`, by hand from there.
#[test]
fn the_catalogue_holds_the_contract() {
    let calls = [
        (
            200,
            "4097 4521 5000 5001 5002 5003 5007 5010 5012 5013 5014 5020 5030 5300 5855 7000 7015 10550 18503 540000 560000",
        ),
        (408, "8537 1106 10057 8544 13025"),
        (410, "301005"),
        (480, "10037 10076 10134 10199"),
        (500, "1005 7000 7700 7106 3002 3003"),
        (400, "2203"),
        (0, "7015"),
    ];
    let operations = [(200, "0 8514 8515 8531"), (400, "8508 8510 8532 8535 8536"), (500, "8511 8512")];
    let requests = [(404, "8522 9997"), (403, "7503 7504 7505 7507"), (500, "9999 UnknownError")];
    for (of, codes) in calls
        .map(|row| (Of::Call, row))
        .into_iter()
        .chain(operations.map(|row| (Of::Operation, row)))
        .chain(requests.map(|row| (Of::Request, row)))
    {
        for subcode in codes.1.split(' ') {
            assert!(find(of, codes.0, subcode).is_some(), "{of:?} {}#{subcode}", codes.0);
        }
    }
    // Those that the contract names without a code.
    for subcode in ["8533", "8534", "8545", "8547", "8563", "8564", "8565", "8582", "9999"] {
        assert!(ALL.iter().any(|known| known.of == Of::Operation && known.subcode == subcode), "{subcode}");
    }
}

#[test]
fn each_entry_stands_once_and_says_something() {
    let mut seen = HashSet::new();
    for known in ALL {
        assert!(seen.insert((known.of, known.code, known.subcode)), "{known} twice");
        let asked = Question::read(known.subcode).map(|question| question.answers());
        assert!(asked.is_some_and(|answers| answers.contains(&known)), "{known} is not found by its subcode");
        assert!(known.meaning.ends_with(['.', '?']) && !known.meaning.contains('|'), "{known}");
        assert!(known.given.is_none_or(|given| !given.is_empty() && !given.contains('|')), "{known}");
        // What is ours is given; else it has no business here.
        assert!(known.evidence != Evidence::Ours || known.given.is_some(), "{known}");
    }
}

#[test]
fn it_is_found_by_what_people_write() {
    for text in ["500#7117", "500/7117", " 7117 ", "500 7117", "Server Internal Error. DiagCode: 500#7117.@"] {
        assert_eq!(answers(text), ["500#7117 Call"], "{text}");
    }
    assert_eq!(answers("7503"), ["403#7503 Request"]);
    assert_eq!(answers("8522"), ["404#8522 Request"]);
    assert_eq!(answers("400/8508"), ["400#8508 Operation"]);
    assert_eq!(answers("notallowed"), ["405#notAllowed Request", "406#notAllowed Request", "409#notAllowed Request"]);
    // A number that means several things is all of them.
    assert_eq!(answers("7000"), ["200#7000 Call", "500#7000 Call"]);
    // A status or code alone.
    assert_eq!(answers("410"), ["410#301005 Call"]);
    for text in ["", "#", "no such words", "x#7117", "500#", "99999999999#1"] {
        assert_eq!(Question::read(text), None, "{text}");
    }
}

#[test]
fn what_is_not_known_has_neighbours() {
    assert_eq!(answers("500#7118"), [""; 0]);
    assert_eq!(near("500#7118"), ["500#7117", "500#7112", "500#7106"]);
    // Real messages have another code than their resultInfo.
    assert_eq!(near("0#5002").first().map(String::as_str), Some("200#5002"));
    assert_eq!(near("invalidArgument").first().map(String::as_str), Some("400#invalidRequest"));
    assert_eq!(near("123456789"), [""; 0]);
}

#[test]
fn a_message_matches_its_pattern() {
    let failed = find(Of::Operation, 500, "8511").unwrap();
    assert!(failed.may_say("Action failed, the prompt could not be played: the leg is busy"));
    assert!(!failed.may_say("Action failed, the prompt"));
    let declined = find(Of::Call, 603, "0").unwrap();
    assert!(declined.may_say("The callee declined. DiagCode: 603#0.@"));
    assert!(!declined.may_say("The callee declined. DiagCode: #1.@"));
}
