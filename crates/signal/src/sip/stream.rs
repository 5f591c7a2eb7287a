//! One TCP or TLS connection from its first byte to its last: what is read is framed, looked at and
//! handed on, what is to be sent is written, and whoever is too slow, too long or silent for too
//! long is let go. Knows bytes and messages, not transactions.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rsipstack::platform::CancellationToken;
use rsipstack::sip::SipMessage;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::flow::Flow;
use super::framing::{Broken, Frame, Framer};
use super::screen::{self, Sight};
use super::streams::Shared;
use crate::limits;

/// A connection's bytes.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// Where a connection leads, on our side.
pub(super) struct Ends {
    pub(super) shared: Arc<Shared>,
    pub(super) channel: ChannelConnection,
    pub(super) flow: Flow,
    pub(super) closed: CancellationToken,
    pub(super) opened_by_us: bool,
}

/// Why a connection is let go, in words for a trace.
type Over = &'static str;

/// Carries a connection to its end.
pub(super) async fn carry<S: Io>(io: S, ends: Ends, to_write: mpsc::UnboundedReceiver<TransportEvent>) {
    let (reader, writer) = tokio::io::split(io);
    let (asked, answers) = mpsc::channel(limits::MAX_ANSWERS_WAITING);
    let closed = ends.closed.clone();
    let over = tokio::select! {
        over = read(reader, &ends, asked) => over,
        over = write(writer, to_write, answers) => over,
        () = closed.cancelled() => "it was closed",
    };
    tracing::debug!(transport = %ends.flow.transport, over, "a SIP connection ended");
}

/// Reads until the far end is done, or is let go.
async fn read<S: Io>(mut reader: ReadHalf<S>, ends: &Ends, answers: mpsc::Sender<Vec<u8>>) -> Over {
    let mut framer = Framer::default();
    let mut bytes = vec![0; limits::STREAM_READ];
    // Somebody who connects and says nothing is not waited for as long as somebody known.
    let mut until = Instant::now() + if ends.opened_by_us { limits::STREAM_IDLE } else { limits::FIRST_MESSAGE };
    let mut begun = false;
    loop {
        let read = tokio::select! {
            read = reader.read(&mut bytes) => read,
            () = sleep_until(until) => return if begun { "a message took too long" } else { "it was silent" },
        };
        match read {
            Ok(0) | Err(_) => return "the far end closed it",
            Ok(length) => framer.push(&bytes[..length]),
        }
        let mut whole = false;
        loop {
            match framer.next() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    whole = true;
                    if let Err(over) = frame_read(frame, ends, &answers).await {
                        return over;
                    }
                }
                Err(broken) => return refused(broken, &mut reader, answers).await,
            }
        }
        // The time a message may take runs from its first byte, however many follow.
        match framer.begun() {
            true if whole || !begun => (begun, until) = (true, Instant::now() + limits::MESSAGE_TIME),
            false if whole || begun => (begun, until) = (false, Instant::now() + limits::STREAM_IDLE),
            _ => {}
        }
    }
}

async fn frame_read(frame: Frame, ends: &Ends, answers: &mpsc::Sender<Vec<u8>>) -> Result<(), Over> {
    let message = match frame {
        Frame::Ping => {
            // Full: the far end does not read, which the writer notices.
            let _ = answers.try_send(b"\r\n".to_vec());
            return Ok(());
        }
        Frame::Message(message) => message,
    };
    match screen::look(&message) {
        Sight::Message => deliver(&message, ends).await,
        Sight::Rewritten(message) => deliver(&message, ends).await,
        Sight::Refused(answer) => answers.send(answer).await.map_err(|_| "it was closed"),
        Sight::Unfit => Ok(()),
        Sight::Noise => Err("it does not speak SIP"),
    }
}

async fn deliver(bytes: &[u8], ends: &Ends) -> Result<(), Over> {
    let Ok(message) = SipMessage::try_from(bytes) else {
        return Ok(());
    };
    let Flow { transport, address } = ends.flow;
    let Ok(message) = SipConnection::update_msg_received(message, address, transport.word()) else {
        return Ok(());
    };
    // While the library is behind, nothing more is read: TCP holds the far end back.
    let room = ends.shared.room.acquire().await.map_err(|_| "the endpoint ended")?;
    room.forget();
    let from = SipAddr::new(transport.word(), address.into());
    ends.shared.deliver(TransportEvent::Incoming(message, SipConnection::Channel(ends.channel.clone()), from));
    Ok(())
}

/// The last words to a far end whose bytes cannot be read any further. What it still sends is read
/// and thrown away for a moment, because closing with bytes unread would take the answer back.
async fn refused<S: Io>(broken: Broken, reader: &mut ReadHalf<S>, answers: mpsc::Sender<Vec<u8>>) -> Over {
    let (answer, over) = match broken {
        Broken::Garbage => (None, "it does not speak SIP"),
        Broken::EndlessHead => (None, "a head without end"),
        Broken::TooLong(head) => (screen::refuse(&head, screen::TOO_LARGE), "a message too long"),
        Broken::NoLength(head) => (screen::refuse(&head, screen::NO_LENGTH), "a message of unknown length"),
    };
    if let Some(answer) = answer
        && answers.send(answer).await.is_ok()
    {
        // Without a sender left, the writer finishes and says so to the far end.
        drop(answers);
        let mut bytes = vec![0; limits::STREAM_READ];
        let rest = async { while reader.read(&mut bytes).await.is_ok_and(|length| length > 0) {} };
        let _ = timeout(limits::LINGER, rest).await;
    }
    over
}

/// What waits to be written.
#[derive(Default)]
struct Unsent {
    pieces: VecDeque<Vec<u8>>,
    /// How much of the first piece is written.
    written: usize,
    bytes: usize,
    /// TLS keeps what the socket did not take; it has to be pushed on.
    unflushed: bool,
}

impl Unsent {
    fn push(&mut self, piece: Vec<u8>) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    /// One step: writes some of what waits, or pushes on what was written. Cancel-safe: bytes count
    /// as written once the writer took them.
    async fn move_on<S: Io>(&mut self, writer: &mut WriteHalf<S>) -> io::Result<()> {
        let Some(piece) = self.pieces.front() else {
            writer.flush().await?;
            self.unflushed = false;
            return Ok(());
        };
        let length = writer.write(&piece[self.written..]).await?;
        if length == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.unflushed = true;
        self.bytes -= length;
        self.written += length;
        if piece.len() == self.written {
            self.pieces.pop_front();
            self.written = 0;
        }
        Ok(())
    }
}

/// Writes until the connection breaks or its reader is too slow. Never lets a sender wait.
async fn write<S: Io>(
    mut writer: WriteHalf<S>,
    mut messages: mpsc::UnboundedReceiver<TransportEvent>,
    mut answers: mpsc::Receiver<Vec<u8>>,
) -> Over {
    let mut unsent = Unsent::default();
    let mut until = Instant::now() + limits::WRITE_STALL;
    let mut finishing = false;
    loop {
        let waiting = unsent.bytes > 0 || unsent.unflushed;
        if finishing && !waiting {
            let _ = writer.shutdown().await;
            return std::future::pending().await;
        }
        tokio::select! {
            Some(event) = messages.recv() => {
                if let TransportEvent::Incoming(message, ..) = event {
                    unsent.push(message.to_bytes());
                }
            }
            answer = answers.recv(), if !finishing => match answer {
                Some(answer) => unsent.push(answer),
                None => finishing = true,
            },
            moved = unsent.move_on(&mut writer), if waiting => match moved {
                Ok(()) => until = Instant::now() + limits::WRITE_STALL,
                Err(_) => return "it broke",
            },
            () = sleep_until(until), if waiting => return "the far end does not read",
        }
        if !waiting {
            until = Instant::now() + limits::WRITE_STALL;
        }
        if unsent.bytes > limits::MAX_UNSENT {
            return "the far end does not read";
        }
    }
}
