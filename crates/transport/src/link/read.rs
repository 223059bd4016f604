//! The incoming direction of a link.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    Ended, Wire, code,
    desk::{Place, Teller},
};
use crate::{
    DownReason, Event,
    limits::{MAX_FRAME, READ_CHUNK},
};

/// Bytes of the length before each frame.
const PREFIX: usize = 4;

/// First read after a silence; an idle link needs no more room than this.
const FIRST_READ: usize = 512;

/// Reads frames and hands them over, as long as credit lasts, until the link ends.
pub(super) async fn frames<W: Wire>(
    teller: &Teller,
    place: &Place,
    wire: &W,
    reader: &mut W::Reader,
) -> Ended {
    let link = place.link();
    let mut buffer = Buffer::default();
    loop {
        if !place.may_read() {
            tokio::select! {
                () = place.granted() => {}
                _ = wire.closed() => return Ended::Lost,
            }
        }
        match buffer.frame() {
            Ok(Some(bytes)) => {
                place.spend(bytes.len());
                teller.tell(Event::Frame { link, bytes }).await;
            }
            Ok(None) => match buffer.fill(reader).await {
                Ok(0) | Err(_) => return Ended::Lost,
                Ok(_) => {}
            },
            Err(reason) => {
                let code = match reason {
                    DownReason::Oversized { .. } => code::OVERSIZED,
                    _ => code::MALFORMED,
                };
                return Ended::Fault { reason, code };
            }
        }
    }
}

/// Bytes that were read and not yet handed over: at most one frame and [`READ_CHUNK`].
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    taken: usize,
    /// A frame of more than [`READ_CHUNK`], which is read in place; nothing behind it has been read.
    long: Option<Long>,
}

#[derive(Debug)]
struct Long {
    length: usize,
    bytes: Vec<u8>,
}

impl Long {
    const fn missing(&self) -> usize {
        self.length.saturating_sub(self.bytes.len())
    }
}

impl Buffer {
    fn left(&self) -> &[u8] {
        // `taken` never exceeds the length: it only grows past frames that are whole.
        &self.bytes[self.taken..]
    }

    /// The next whole frame, `None` when more bytes are needed, an error when what is announced
    /// is no frame.
    fn frame(&mut self) -> Result<Option<Vec<u8>>, DownReason> {
        if self.long.is_some() {
            let whole = self.long.take_if(|long| long.missing() == 0);
            return Ok(whole.map(|long| long.bytes));
        }
        let Some(length) = self.announced()? else {
            return Ok(None);
        };
        if let Some(body) = self.left().get(PREFIX..PREFIX + length) {
            let frame = body.to_vec();
            self.taken += PREFIX + length;
            return Ok(Some(frame));
        }
        if length > READ_CHUNK {
            let bytes = self.left()[PREFIX..].to_vec();
            self.long = Some(Long { length, bytes });
            self.bytes.clear();
            self.taken = 0;
        }
        Ok(None)
    }

    fn announced(&self) -> Result<Option<usize>, DownReason> {
        let Some(prefix) = self.left().first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix);
        match usize::try_from(length) {
            Ok(0) => Err(DownReason::Malformed("an empty frame")),
            Ok(bytes) if bytes <= MAX_FRAME => Ok(Some(bytes)),
            _ => Err(DownReason::Oversized { length }),
        }
    }

    /// Reads what there is. Room is made for what has been announced only as bytes come, so an
    /// announcement alone costs next to nothing.
    async fn fill(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
        if let Some(long) = &mut self.long {
            let (have, missing) = (long.bytes.len(), long.missing());
            if long.bytes.capacity() - have < missing.min(READ_CHUNK) {
                let room = READ_CHUNK.max(have.saturating_mul(7));
                long.bytes.reserve_exact(missing.min(room));
            }
            return reader.take(missing as u64).read_buf(&mut long.bytes).await;
        }
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let room = if self.bytes.is_empty() {
            self.bytes = Vec::with_capacity(FIRST_READ);
            FIRST_READ
        } else {
            self.bytes.reserve(READ_CHUNK);
            READ_CHUNK
        };
        // A chunk fits a u64.
        reader.take(room as u64).read_buf(&mut self.bytes).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(mut input: &[u8]) -> (Vec<Vec<u8>>, Option<DownReason>, usize) {
        let mut buffer = Buffer::default();
        let mut frames = Vec::new();
        let mut most = 0;
        loop {
            match buffer.frame() {
                Ok(Some(frame)) => frames.push(frame),
                Err(reason) => return (frames, Some(reason), most),
                Ok(None) => {
                    let read = buffer.fill(&mut input).await.expect("memory can be read");
                    let long = buffer.long.as_ref().map_or(0, |long| long.bytes.capacity());
                    most = most.max(buffer.bytes.capacity() + long);
                    if read == 0 {
                        return (frames, None, most);
                    }
                }
            }
        }
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(body.len())
            .expect("short")
            .to_be_bytes()
            .to_vec();
        bytes.extend_from_slice(body);
        bytes
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in() {
        let bodies: Vec<Vec<u8>> = [1, 2, 511, 512, 513, 16_384, 70_000, MAX_FRAME, 3]
            .iter()
            .map(|length| vec![u8::try_from(length % 251).expect("small"); *length])
            .collect();
        let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        let (frames, fault, _) = all(&stream).await;
        assert_eq!(fault, None);
        assert_eq!(frames, bodies);
    }

    #[tokio::test]
    async fn a_length_over_the_limit_is_refused_before_room_is_made() {
        let mut stream = framed(b"good");
        stream.extend_from_slice(&u32::MAX.to_be_bytes());
        stream.extend_from_slice(&[0; 100]);
        let (frames, fault, most) = all(&stream).await;
        assert_eq!(frames, [b"good".to_vec()]);
        assert_eq!(fault, Some(DownReason::Oversized { length: u32::MAX }));
        assert!(most <= FIRST_READ, "{most} bytes were set aside");
    }

    #[tokio::test]
    async fn an_announcement_alone_makes_no_room() {
        let length = u32::try_from(MAX_FRAME).expect("small");
        let mut stream = length.to_be_bytes().to_vec();
        stream.push(7);
        let (frames, fault, most) = all(&stream).await;
        assert_eq!((frames.len(), fault), (0, None));
        assert!(most <= 2 * READ_CHUNK, "{most} bytes were set aside");
    }

    #[tokio::test]
    async fn an_empty_frame_is_refused() {
        let (_, fault, _) = all(&[0; 4]).await;
        assert!(matches!(fault, Some(DownReason::Malformed(_))));
    }
}
