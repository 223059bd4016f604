//! What both ends of a TLS connection say beside the bytes of the link's stream.
//!
//! TCP has one direction of bytes and nothing else. So the stream is cut into chunks, and between
//! those of data stand others: how much more the peer may send (else a reader that rests would hold
//! up whatever stands behind, and a close would not come through), that this end is alive, and how
//! the link ends. One task reads and writes the connection; it always reads, whether or not anybody
//! takes what it has read.

use std::{
    collections::VecDeque,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, split},
    sync::{Notify, watch},
    time::timeout,
};

use super::chunk::{Chunk, Goodbye, HEAD, MAX_DATA};
use crate::{
    DownReason,
    limits::{CLOSE_LINGER, RECEIVE_WINDOW, WRITE_BATCH},
    link::{self, code},
};

/// What the peer may send before the first chunk that allows it more; the most that it may ever
/// be allowed.
const WINDOW: usize = RECEIVE_WINDOW as usize;

/// So much must have been read here before the peer is told that it may send as much again.
const TELL_AT: usize = WINDOW / 4;

/// How often something is sent, as a part of the idle timeout.
const ALIVE: u32 = 3;

/// How many channels are not yet closed.
pub(super) type Count = Arc<watch::Sender<usize>>;

/// One end of a channel; dropping it closes the channel.
#[derive(Debug)]
pub(crate) struct Channel(Arc<Shared>);

/// The bytes that come.
#[derive(Debug)]
pub(crate) struct Reader(Arc<Shared>);

/// The bytes that go.
#[derive(Debug)]
pub(crate) struct Writer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There may be something to write.
    stir: Notify,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Everything up to the writer's end has left for the network.
    sent: bool,
    down: Option<DownReason>,
}

#[derive(Debug)]
struct State {
    /// Came, and not yet read: at most [`WINDOW`].
    inbox: VecDeque<u8>,
    /// What the peer may still send.
    open: usize,
    /// Read here since the peer was told the last time.
    read: usize,
    /// Nobody will read what comes; it is thrown away.
    deaf: bool,
    /// Written here, and not yet sent: at most [`WRITE_BATCH`].
    outbox: VecDeque<u8>,
    /// What the peer still takes.
    room: usize,
    /// Nothing more will be written.
    ended: bool,
    goodbye: Option<Goodbye>,
    /// Nothing more will come or go.
    over: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Opens a channel over a connection; `idle` is how long the peer may be silent.
///
/// Must be called within a tokio runtime, on which its task then runs.
pub(super) fn open<S>(stream: S, idle: Duration, count: &Count) -> (Channel, (Reader, Writer))
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let state = State {
        inbox: VecDeque::new(),
        open: WINDOW,
        read: 0,
        deaf: false,
        outbox: VecDeque::new(),
        room: WINDOW,
        ended: false,
        goodbye: None,
        over: false,
        reader: None,
        writer: None,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        stir: Notify::new(),
        progress: watch::Sender::default(),
    });
    let counted = Counted::new(count);
    let task = Arc::clone(&shared);
    tokio::spawn(async move {
        tend(stream, &task, idle).await;
        drop(counted);
    });
    let (reader, writer) = (Reader(Arc::clone(&shared)), Writer(Arc::clone(&shared)));
    (Channel(shared), (reader, writer))
}

/// Reads and writes one connection until it is over.
async fn tend<S: AsyncRead + AsyncWrite>(stream: S, shared: &Shared, idle: Duration) {
    let (mut reader, mut writer) = split(stream);
    {
        let mut coming = pin!(coming(shared, &mut reader, idle));
        let mut going = pin!(going(shared, &mut writer, idle / ALIVE));
        tokio::select! {
            reason = &mut coming => {
                let fault = matches!(reason, DownReason::Malformed(_));
                if fault {
                    shared.close(code::MALFORMED, &reason.to_string());
                }
                shared.over(reason);
                if fault {
                    let _ = timeout(CLOSE_LINGER, going).await;
                }
            }
            gone = &mut going => {
                if gone.is_ok() {
                    // The peer's own end follows when it has read ours.
                    shared.over(DownReason::Lost("closed here".to_owned()));
                }
                // What is not read would make this system's last word a reset, which destroys what
                // the peer has not read yet. And why writing failed, reading tells.
                let reason = timeout(CLOSE_LINGER, coming).await;
                shared.over(reason.unwrap_or_else(|_| {
                    DownReason::Lost("the connection takes nothing more".to_owned())
                }));
            }
        }
    }
    let _ = timeout(CLOSE_LINGER, writer.shutdown()).await;
}

/// Takes chunks until there are no more, and says why.
async fn coming(
    shared: &Shared,
    reader: &mut (impl AsyncRead + Unpin),
    idle: Duration,
) -> DownReason {
    loop {
        match chunk(reader, idle).await {
            Ok(Chunk::Close(Goodbye { code, text })) => {
                return DownReason::ClosedByPeer { code, text };
            }
            Ok(chunk) => {
                if let Err(reason) = shared.take(chunk) {
                    return reason;
                }
            }
            Err(reason) => return reason,
        }
    }
}

async fn chunk(reader: &mut (impl AsyncRead + Unpin), idle: Duration) -> Result<Chunk, DownReason> {
    let mut head = [0; HEAD];
    fill(reader, &mut head, idle).await?;
    let (kind, length) = Chunk::head(head).map_err(DownReason::Malformed)?;
    let mut body = vec![0; length];
    fill(reader, &mut body, idle).await?;
    Chunk::decode(kind, body).map_err(DownReason::Malformed)
}

async fn fill(
    reader: &mut (impl AsyncRead + Unpin),
    mut left: &mut [u8],
    idle: Duration,
) -> Result<(), DownReason> {
    while !left.is_empty() {
        let lost = |why: &str| Err(DownReason::Lost(why.to_owned()));
        match timeout(idle, reader.read(left)).await {
            Err(_) => return Err(DownReason::Silent),
            Ok(Ok(0)) => return lost("the peer ended it without a word"),
            Ok(Ok(read)) => left = &mut left[read..],
            Ok(Err(error)) => match error.kind() {
                io::ErrorKind::TimedOut => return Err(DownReason::Silent),
                // Whoever is on the way can end TCP, but not TLS.
                io::ErrorKind::UnexpectedEof => return lost("it was cut off"),
                _ => return lost(&error.to_string()),
            },
        }
    }
    Ok(())
}

/// Sends what there is to send, and now and then a sign of life, up to and with the goodbye.
async fn going(
    shared: &Shared,
    writer: &mut (impl AsyncWrite + Unpin),
    every: Duration,
) -> io::Result<()> {
    loop {
        let chunk = timeout(every, shared.next()).await.unwrap_or(Chunk::Alive);
        writer.write_all(&chunk.encode()).await?;
        writer.flush().await?;
        if matches!(chunk, Chunk::Close(_)) {
            return Ok(());
        }
    }
}

impl Shared {
    /// What the peer sent.
    fn take(&self, chunk: Chunk) -> Result<(), DownReason> {
        let mut state = self.lock();
        match chunk {
            Chunk::Data(bytes) => {
                let open = state.open.checked_sub(bytes.len());
                state.open = open.ok_or(DownReason::Malformed("more bytes than were allowed"))?;
                if !state.deaf {
                    state.inbox.extend(&bytes);
                    wake(&mut state.reader);
                }
            }
            Chunk::More(bytes) => {
                state.room = state.room.saturating_add(bytes);
                if state.room > WINDOW {
                    return Err(DownReason::Malformed("more is allowed than may be"));
                }
                self.stir.notify_one();
            }
            Chunk::Alive | Chunk::Close(_) => {}
        }
        Ok(())
    }

    /// The next chunk to send.
    async fn next(&self) -> Chunk {
        loop {
            if let Some(chunk) = self.try_next() {
                return chunk;
            }
            self.stir.notified().await;
        }
    }

    /// Only called when all that it gave before has left.
    fn try_next(&self) -> Option<Chunk> {
        let mut state = self.lock();
        if let Some(goodbye) = &state.goodbye {
            return Some(Chunk::Close(goodbye.clone()));
        }
        if state.read >= TELL_AT {
            let read = std::mem::take(&mut state.read);
            state.open += read;
            return Some(Chunk::More(read));
        }
        let length = state.outbox.len().min(state.room).min(MAX_DATA);
        if length > 0 {
            state.room -= length;
            let bytes = state.outbox.drain(..length).collect();
            settle(&mut state.outbox);
            wake(&mut state.writer);
            return Some(Chunk::Data(bytes));
        }
        if state.ended && state.outbox.is_empty() {
            self.progress.send_modify(|progress| progress.sent = true);
        }
        None
    }

    /// The first goodbye counts.
    fn close(&self, code: u32, text: &str) {
        let text = link::cut(text).to_owned();
        let mut state = self.lock();
        state.goodbye.get_or_insert(Goodbye { code, text });
        self.stir.notify_one();
    }

    /// The first reason counts.
    fn over(&self, reason: DownReason) {
        // Before anybody sees an end of the bytes, so that the reason is there when it is asked.
        self.progress.send_modify(|progress| {
            progress.down.get_or_insert(reason);
        });
        let mut state = self.lock();
        state.over = true;
        wake(&mut state.reader);
        wake(&mut state.writer);
    }

    /// Nothing panics while it holds this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// An idle link keeps no memory for a queue that was once long.
fn settle(queue: &mut VecDeque<u8>) {
    if queue.is_empty() {
        *queue = VecDeque::new();
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.inbox.is_empty() {
            if state.over {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let (front, _) = state.inbox.as_slices();
        let length = front.len().min(buffer.remaining());
        buffer.put_slice(&front[..length]);
        state.inbox.drain(..length);
        settle(&mut state.inbox);
        state.read += length;
        if state.read >= TELL_AT {
            self.0.stir.notify_one();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.deaf = true;
        state.inbox = VecDeque::new();
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        if state.over || state.ended || state.goodbye.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bytes
            .len()
            .min(WRITE_BATCH.saturating_sub(state.outbox.len()));
        if length == 0 && !bytes.is_empty() {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        // `length` is at most the number of bytes.
        state.outbox.extend(&bytes[..length]);
        self.0.stir.notify_one();
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The channel's task does not wait to be asked.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().ended = true;
        self.0.stir.notify_one();
        Poll::Ready(Ok(()))
    }
}

impl link::Wire for Channel {
    type Reader = Reader;
    type Writer = Writer;

    async fn closed(&self) -> DownReason {
        let mut progress = self.0.progress.subscribe();
        let ended = progress.wait_for(|progress| progress.down.is_some()).await;
        // The sender lives in what we hold.
        let reason = ended.ok().and_then(|progress| progress.down.clone());
        reason.unwrap_or_else(|| DownReason::Lost(String::new()))
    }

    async fn delivered(writer: &mut Writer) {
        let mut progress = writer.0.progress.subscribe();
        // What follows, follows in order: when it has left, it is on its way before any goodbye.
        let _ = progress
            .wait_for(|progress| progress.sent || progress.down.is_some())
            .await;
    }

    fn close(&self, code: u32, text: &str) {
        self.0.close(code, text);
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.0.close(code::INTERNAL, "");
    }
}

/// A channel that is not yet closed.
struct Counted(Count);

impl Counted {
    fn new(count: &Count) -> Self {
        count.send_modify(|channels| *channels += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|channels| *channels -= 1);
    }
}
