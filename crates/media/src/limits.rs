//! Every bound of this room: its name, its number, its reason. Nothing here decides; the modules do.

use std::time::Duration;

/// Audio is sent and played in frames of 20 ms, the packet time every G.711 phone expects (RFC 3551 §4.2).
pub const FRAME: Duration = Duration::from_millis(20);

/// The RTP clock of every codec here and of telephone events, in Hz (RFC 3551 §4.5.2, §4.5.14).
pub const RTP_CLOCK: u32 = 8_000;

/// Ticks of the RTP clock in one frame. Every codec here is of 64 kbit/s, so these are also the frame's bytes.
pub const FRAME_TICKS: usize = 160;

/// Samples a second of linear PCM, mono, 16 bits: the rate inside, whatever a leg's codec (design §7).
pub const RATE: u32 = 16_000;

/// Samples of one frame at the rate inside.
pub const FRAME_PCM: usize = 320;

/// Slots a frame is cut into, so that a shard's legs do not all send in one burst.
pub const SLOTS: u64 = 4;

/// One slot: 5 ms.
pub const SLOT: Duration = Duration::from_millis(5);

/// A shard that wakes later than this skips the slots it missed instead of sending them in one burst;
/// 200 ms is more than jitter buffers of phones hold, so what comes later would be thrown away there.
pub const MAX_CATCH_UP: Duration = Duration::from_millis(200);

/// After it has read, a shard rests so long before it reads again, unless a slot is due. With few legs a packet is
/// read the moment it comes; with many they come together, and 1,000 wake-ups a second cost about 1 % of a core where
/// 50,000 would cost a third of it. Also the longest a received tone waits for the shard to read it.
pub const READ_REST: Duration = Duration::from_millis(1);

/// Sockets told ready by one wait; the others are told by the next. A core carries fewer packets than this in
/// [`READ_REST`].
pub const READY_AT_ONCE: usize = 1_024;

/// Packets of strangers read from one leg's socket in one turn, before a packet of the far end, of which one is read: a
/// phone sends one in 20 ms, turns come every [`READ_REST`], and a flood on one leg cannot hold up the others.
pub const STRANGERS_PER_TURN: usize = 32;

/// Bytes of the largest packet read. Ethernet carries 1,500; what is longer is cut.
pub const PACKET_BYTES: usize = 2_048;

/// Bytes of the largest packet that goes through a port: header and frame are 172. What a far end adds (extensions, frames of
/// 60 ms) fits, and what does not is no packet that we negotiated.
pub const PORT_PACKET_BYTES: usize = 512;

/// Packets waiting in a port, each way: 320 ms, as much as a jitter buffer makes use of. More are lost.
pub const PORT_PACKETS: usize = 16;

/// Commands waiting for one shard. It reads them at once; 4,096 is one for each leg it could carry.
pub const COMMANDS: usize = 4_096;

/// Plays waiting or running on one leg. Callers queue few; the rest are refused with [`Busy`](crate::Busy).
pub const PLAYS: usize = 64;

/// Longest silence of a far end that ought to send, before [`TimedOut`](crate::MediaEvent::TimedOut).
/// RTP and RTCP both count as life. 60 s spares a muted phone that suppresses silence and sends no RTCP.
pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of the largest prompt file (design §7): 20 MiB is 10 minutes at 16 kHz.
pub const PROMPT_BYTES: usize = 20 * 1024 * 1024;

/// Sample rates a prompt may have, in Hz. Below is no speech, above is no use.
pub const PROMPT_RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;

/// Time between two RTCP reports before it is randomised (RFC 3550 §6.2: at least 5 s).
pub const RTCP_INTERVAL: Duration = Duration::from_secs(5);

/// A key press whose end packets were all lost is taken as ended after this long without a packet of it.
/// Phones repeat an event every 20 to 50 ms, so 200 ms is at least four lost in a row.
pub const TONE_LOST_END: Duration = Duration::from_millis(200);

/// Ended key presses remembered, so that late copies of their packets are not reported again.
/// Keys come at most about ten a second, and no copy is a second late.
pub const TONES_REMEMBERED: usize = 8;

/// Reports of one key by different ways (RTP events, audio, SIP INFO) within this time are one press, the time that it
/// was held left out. An event and a tone are told at the press's end, an INFO at its beginning or end; a second covers
/// a slow proxy.
pub const SAME_PRESS: Duration = Duration::from_secs(1);

/// Presses remembered, and told, within [`SAME_PRESS`]: fingers press about ten keys a second, dialling machines twenty.
/// A far end that makes up more is not heard, since each key costs its bot a record and a notification.
pub const PRESSES_REMEMBERED: usize = 32;

/// How long a key that we press lasts: above the 40 ms a receiver may ask for (ITU-T Q.24), and above the 70 ms that
/// telephone networks want of a sender.
pub const PRESS: Duration = Duration::from_millis(100);

/// The shortest pause after a key that we press: the time its end is repeated in (RFC 4733 §2.5.1.4), and above the
/// 40 ms a receiver may ask for (ITU-T Q.24).
pub const PAUSE: Duration = Duration::from_millis(60);

/// Delay a fresh jitter buffer starts with, in ticks: 40 ms covers a home network.
pub const JITTER_START: usize = 2 * FRAME_TICKS;

/// Delay above which a calm jitter buffer shrinks by a frame, in ticks: 60 ms.
pub const JITTER_HIGH: usize = 3 * FRAME_TICKS;

/// Frames in a row over [`JITTER_HIGH`] before the buffer shrinks: 2 s, longer than a burst of jitter.
pub const JITTER_CALM: u32 = 100;

/// Ticks, and so bytes, a jitter buffer can hold: 400 ms. Further ahead is a new stream, not jitter.
pub const JITTER_CAPACITY: usize = 20 * FRAME_TICKS;

/// Frames over which the concealment of a gap fades to silence: 60 ms, longer repeats sound like a buzz.
pub const CONCEAL_FRAMES: u32 = 3;

/// Legs in one mixer. They are heard, mixed and encoded in one slot of 5 ms: about 30 µs each.
pub const MIXED_LEGS: usize = 64;

/// Samples of a tape, which holds what a recording's writer has not yet taken: 4 s, longer than a healthy disk ever makes
/// a writer wait. A power of two.
pub const TAPE_SAMPLES: usize = 65_536;

/// The beep before a recording: long enough to be noticed, short enough not to be waited for.
pub const BEEP: Duration = Duration::from_millis(250);

/// Its pitch in Hz, well inside the telephone band.
pub const BEEP_HERTZ: f64 = 1_000.0;

/// What is quieter is nobody's voice, in dB below full scale: speech on a telephone is 20 dB louder, comfort noise is not.
pub const VOICE_LEAST: u8 = 48;

/// How much louder than the noise a voice must be, in dB: steady noise varies by less than 2 dB from frame to frame.
pub const VOICE_ABOVE_NOISE: u8 = 8;

/// Frames the noise is judged by: 5 s, so that nobody speaks through all of them.
pub const NOISE_FRAMES: usize = 250;

/// The share of those frames that is taken to be noise, in percent: pauses take more of any speech, gaps of the network less.
pub const NOISE_SHARE: usize = 10;

/// Frames of digital silence at the beginning that say nothing of the noise: 200 ms, while a jitter buffer fills.
pub const UNHEARD_FRAMES: usize = 10;

/// A voice is there when it is in so many of the last [`VOICE_OF`] frames: 60 ms; a click is shorter.
pub const VOICE_FRAMES: u32 = 3;

/// See [`VOICE_FRAMES`].
pub const VOICE_OF: u32 = 5;
