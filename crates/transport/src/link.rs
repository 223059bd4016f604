//! What all transports share: links over any pair of ordered byte streams, with framing and credit.
//!
//! On the stream, both ends first write [`PREAMBLE`]: so a side that dials learns that the other
//! has accepted its key, which the handshake alone does not tell it. Then come frames: a length of
//! four bytes, most significant first, from 1 to [`MAX_FRAME`], and that many bytes.

mod desk;
mod read;
mod write;

use std::future::Future;

use identity::NodeId;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

pub(crate) use desk::{Desk, Place, Refusal, Teller};

use crate::{
    DialToken, DownReason, Event,
    limits::{CLOSE_LINGER, MAX_CLOSE_TEXT},
};

/// Written by both sides at the head of the stream: protocol and version.
pub(crate) const PREAMBLE: &[u8; 8] = b"waylink0";

/// Codes of our own closes; those of the layer above are passed on as they are and should stay
/// below 1,000.
pub(crate) mod code {
    /// The peer announced a frame that is too long.
    pub(crate) const OVERSIZED: u32 = 1_001;
    /// The peer broke the framing.
    pub(crate) const MALFORMED: u32 = 1_002;
    /// Too many links.
    pub(crate) const TOO_MANY: u32 = 1_003;
    /// This node is shutting down.
    pub(crate) const SHUTTING_DOWN: u32 = 1_004;
    /// An error of our own.
    pub(crate) const INTERNAL: u32 = 1_005;
}

/// An authenticated connection as the stack below gives it to us.
pub(crate) trait Wire: Send + Sync + 'static {
    /// Incoming bytes.
    type Reader: AsyncRead + Send + Unpin + 'static;
    /// Outgoing bytes.
    type Writer: AsyncWrite + Send + Unpin + 'static;

    /// Waits until the connection is gone, and says why.
    fn closed(&self) -> impl Future<Output = DownReason> + Send;

    /// Writes these bytes, one after the other.
    fn write(
        writer: &mut Self::Writer,
        bytes: Vec<Vec<u8>>,
    ) -> impl Future<Output = std::io::Result<()>> + Send {
        async move {
            for bytes in &bytes {
                writer.write_all(bytes).await?;
            }
            writer.flush().await
        }
    }

    /// After the writer was shut down: waits until the peer has everything.
    fn delivered(writer: &mut Self::Writer) -> impl Future<Output = ()> + Send;

    /// Closes the connection at once.
    fn close(&self, code: u32, text: &str);
}

/// What is known of a link when it comes up.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) node: NodeId,
    pub(crate) dialled: Option<DialToken>,
    pub(crate) exporter: [u8; 32],
    pub(crate) remote: String,
}

/// Exchanges preambles. The caller bounds the time.
pub(crate) async fn greet<R, W>(reader: &mut R, writer: &mut W) -> Result<(), String>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    writer
        .write_all(PREAMBLE)
        .await
        .map_err(|error| error.to_string())?;
    writer.flush().await.map_err(|error| error.to_string())?;
    let mut theirs = [0; PREAMBLE.len()];
    reader
        .read_exact(&mut theirs)
        .await
        .map_err(|error| error.to_string())?;
    if &theirs == PREAMBLE {
        Ok(())
    } else {
        Err("it speaks another protocol or version".to_owned())
    }
}

/// How the two directions of a link ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// We want to close it, after what is queued.
    Closing {
        reason: DownReason,
        code: u32,
        text: String,
    },
    /// We close it at once.
    Fault { reason: DownReason, code: u32 },
    /// It ended below us or at the other side.
    Lost,
}

/// Runs one link from `Up` to `Down`.
pub(crate) async fn run<W: Wire>(
    place: Place,
    teller: Teller,
    wire: W,
    (mut reader, mut writer): (W::Reader, W::Writer),
    met: Met,
) {
    let link = place.link();
    let Met {
        node,
        dialled,
        exporter,
        remote,
    } = met;
    teller
        .tell(Event::Up {
            link,
            node,
            dialled,
            exporter,
            remote,
        })
        .await;
    let ended = tokio::select! {
        ended = read::frames(&teller, &place, &wire, &mut reader) => ended,
        ended = write::frames::<W>(&teller, &place, &mut writer) => ended,
    };
    let reason = finish(&wire, &mut writer, ended).await;
    // The place is given up first, so that who sees `Down` finds it free.
    drop(place);
    teller.tell(Event::Down { link, reason }).await;
}

/// Closes what is still open, and finds out what a loss was when the peer's own words are on the
/// way.
async fn finish<W: Wire>(wire: &W, writer: &mut W::Writer, ended: Ended) -> DownReason {
    match ended {
        Ended::Closing { reason, code, text } => {
            let goodbye = async {
                if writer.shutdown().await.is_ok() {
                    W::delivered(writer).await;
                }
            };
            let _ = timeout(CLOSE_LINGER, goodbye).await;
            wire.close(code, cut(&text));
            reason
        }
        Ended::Fault { reason, code } => {
            wire.close(code, &reason.to_string());
            reason
        }
        Ended::Lost => match timeout(CLOSE_LINGER, wire.closed()).await {
            Ok(reason) => reason,
            Err(_) => {
                wire.close(code::MALFORMED, "the stream ended, the connection did not");
                DownReason::Malformed("the stream ended, the connection did not")
            }
        },
    }
}

/// At most [`MAX_CLOSE_TEXT`] bytes of a text, whole characters.
pub(crate) fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_CLOSE_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // `end` is on a boundary and no greater than the length.
    &text[..end]
}
