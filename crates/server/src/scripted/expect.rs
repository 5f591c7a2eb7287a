//! Was a recording heard: looks for it in what comes, until it is there, time is up or the call is over. By correlation,
//! so loudness, codec and what is said before do not matter; a part that is missing does.

use std::sync::Arc;
use std::time::Duration;

use ringback_media::correlate::correlate;
use ringback_signal::phone::PhoneCall;
use tokio::time::{Instant, sleep_until};

/// What is asked of an expectation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How long to listen.
    pub(crate) within: Duration,
    /// How alike it must be: 1 is the same up to loudness, 0 has nothing in common.
    pub(crate) likeness: f64,
}

/// What came of listening.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    /// The sample after it, if it was heard.
    pub(super) end: Option<usize>,
    /// The sample where the best likeness begins.
    pub(super) at: usize,
    /// The best likeness.
    pub(super) likeness: f64,
    /// How long was listened to.
    listened: Duration,
    /// How much of that was sound.
    sound: Duration,
    /// The far end sent something, be it silence.
    packets: bool,
    /// The call is over.
    over: bool,
}

/// Listens for `reference`, at the call's rate, in what is heard from sample `from` on.
pub(super) async fn listen(call: &PhoneCall, reference: Vec<i16>, from: usize, terms: Terms) -> Verdict {
    let rate = call.rate() as usize;
    let reference = Arc::new(reference);
    let deadline = Instant::now() + terms.within;
    // Long recordings cost more to look for, so they are looked for less often.
    let step = (rate / 5).max(reference.len() / 4);
    let (mut seen, mut best) = (from, (0.0, from));
    loop {
        let wanted = (seen + step).max(from + reference.len());
        let is_last = tokio::select! {
            () = call.heard_at_least(wanted) => false,
            _ = call.ended() => true,
            () = sleep_until(deadline) => true,
        };
        // What began before the last look and ended after it is in this one.
        let begin = from.max(seen.saturating_sub(reference.len()));
        let window = call.heard_since(begin);
        seen = begin + window.len();
        if let Some((likeness, lag)) = look(&reference, window, rate, is_last).await {
            let at = begin.saturating_add_signed(lag);
            if likeness > best.0 {
                best = (likeness, at);
            }
            if likeness >= terms.likeness {
                return verdict(call, from, seen, best, Some(at + reference.len()));
            }
        }
        if is_last {
            return verdict(call, from, seen, best, None);
        }
    }
}

/// The best likeness in a window, and where it begins. Before the last look only what fits whole counts: half of a
/// recording is already like the whole.
async fn look(reference: &Arc<Vec<i16>>, window: Vec<i16>, rate: usize, is_last: bool) -> Option<(f64, isize)> {
    let slack = rate / 20;
    let most = if is_last { window.len() } else { (window.len() + slack).saturating_sub(reference.len()) };
    let reference = Arc::clone(reference);
    // Milliseconds of arithmetic for seconds of audio: not for an async thread.
    let found = tokio::task::spawn_blocking(move || correlate(&reference, &window, most)).await;
    found.ok().flatten().map(|found| (found.coefficient, found.lag))
}

fn verdict(call: &PhoneCall, from: usize, seen: usize, (likeness, at): (f64, usize), end: Option<usize>) -> Verdict {
    let rate = f64::from(call.rate());
    Verdict {
        end,
        at,
        likeness,
        listened: Duration::from_secs_f64(seen.saturating_sub(from) as f64 / rate),
        sound: call.sound_since(from),
        packets: call.received() > 0,
        over: call.is_over(),
    }
}

impl Verdict {
    /// Why it was not heard, in words.
    pub(super) fn why(&self, terms: Terms) -> String {
        let (listened, sound) = (self.listened.as_secs_f64(), self.sound.as_secs_f64());
        let then = if self.over { ", then the call was over" } else { "" };
        if !self.packets {
            return format!("no audio came at all{then}");
        }
        if self.sound.is_zero() {
            return format!("heard nothing but silence for {listened:.1} s{then}");
        }
        format!(
            "heard {sound:.1} s of sound in {listened:.1} s{then}, at best {:.2} like it; {:.2} is wanted",
            self.likeness, terms.likeness
        )
    }
}
