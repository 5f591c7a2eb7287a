//! No input may panic a parser: valid inputs are cut, flipped and spliced, byte by byte.

use ringback_graph::path::Version::{Beta, V1};
use ringback_graph::*;

use crate::samples::{CALL, call, ended_prompt, links};

/// A small generator (xorshift64*): the same inputs in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        (mixed >> 33) as usize % bound.max(1)
    }
}

fn read_everything(bytes: &[u8]) {
    let results = [
        CreateCall::parse(bytes, V1).err(),
        CreateCall::parse(bytes, Beta).err(),
        Answer::parse(bytes).err(),
        Reject::parse(bytes).err(),
        PlayPrompt::parse(bytes, V1).err(),
        PlayPrompt::parse(bytes, Beta).err(),
        RecordResponse::parse(bytes, Beta).err(),
        SendDtmfTones::parse(bytes).err(),
        ContextOnly::parse(bytes).err(),
        Call::parse(bytes).err(),
        Call::parse_list(bytes).err(),
        CommsOperation::parse(bytes).err(),
        CommsOperation::parse_list(bytes).err(),
        Notification::parse(bytes).err(),
        ErrorBody::parse(bytes).err(),
    ];
    for error in results.into_iter().flatten() {
        assert!(!error.to_string().is_empty());
    }
}

fn route(bytes: &[u8]) {
    let target = String::from_utf8_lossy(bytes);
    for method in ["GET", "POST", "DELETE", "PATCH", ""] {
        if let Err(error) = path::parse(method, &target) {
            assert!(error.to_string().len() < 400, "{error}");
        }
    }
}

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
            2 => {
                const TOKENS: [&[u8]; 12] = [
                    b"null",
                    b"[",
                    b"{",
                    b"]",
                    b"}",
                    b"\"",
                    b"%",
                    b"/",
                    b"1e999",
                    b"('",
                    b"\xF0\x9F",
                    b"-9223372036854775808",
                ];
                let token = TOKENS[random.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            3 => {
                let end = (at + random.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                bytes.extend_from_slice(&other[random.below(other.len())..]);
            }
        }
    }
    bytes
}

#[test]
fn no_body_panics_a_reader() {
    let play = PlayPrompt {
        prompts: vec![MediaPrompt::of("https://x/y.wav")],
        repeat_forever: true,
        client_context: Some("\u{1F600}\\".into()),
    };
    let error = ErrorBody::new("8522", "no", time::Utc(0), "r", "c");
    let mut seeds = vec![
        call().print(&links(V1), CallForm::Created),
        ended_prompt().print(&links(Beta), OperationForm::Read { call: CALL }),
        print_calls(&links(V1), &[call()], Some("next")),
        Notification::incoming(CALL, call()).print(),
        Notification::operation_ended(CALL, ended_prompt()).print(),
        play.print(),
        error.print(),
        SendDtmfTones { tones: vec![Tone::Star], delay_between_tones_ms: Some(5), client_context: None }.print(),
        b"[]".to_vec(),
    ];
    let deep = "[".repeat(100_000);
    seeds.push(format!("{{\"targets\":{deep}").into_bytes());
    for seed in &seeds[..seeds.len() - 1] {
        for end in 0..=seed.len() {
            read_everything(&seed[..end]);
        }
    }
    read_everything(seeds.last().expect("the deep one"));
    seeds.pop();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..20_000 {
        read_everything(&mutate(&mut random, &seeds));
    }
}

#[test]
fn no_target_panics_the_router() {
    let seeds: Vec<Vec<u8>> = [
        "/v1.0/communications/calls/57DAB8B1894C409AB240BD8BEAE78896/microsoft.graph.answer",
        "/beta//app/calls('57dab8b1-894c-409a-b240-bd8beae78896')/operations('x')?%24top=5&$skiptoken=%20",
        "/v1.0/communications/calls/%F0%9F%98%80/participants/x/mute",
        "/v1.0/communications/calls/ääääääääääääääää/microsoft.grapħ.x",
    ]
    .iter()
    .map(|s| s.as_bytes().to_vec())
    .collect();
    for seed in &seeds {
        for end in 0..=seed.len() {
            route(&seed[..end]);
        }
    }
    let mut random = Random(42);
    for _ in 0..50_000 {
        route(&mutate(&mut random, &seeds));
    }
}
