//! Reading validated bytes. All of it is validated first, so what a read can still find wrong is a
//! type, a range or a missing field.

use minicbor::Decoder;
use minicbor::data::Type;

use identity::Id;

use crate::cbor::{Malformed, validate};
use crate::limits::{FORMAT, MAX_TIME_MS, MAX_URI};
use crate::text::is_shown_text;

/// Reads the parts of one value in order.
pub struct Reader<'b> {
    decoder: Decoder<'b>,
}

/// The fields of a map that is being read, in ascending order of their keys.
#[must_use = "a map must be read to its end, or unknown fields would pass"]
pub struct Fields {
    left: u64,
    /// A key that was read and is not of the field that was asked for.
    peeked: Option<u64>,
}

impl<'b> Reader<'b> {
    /// Validates `bytes` as one value of at most `max` bytes.
    pub fn new(bytes: &'b [u8], max: usize) -> Result<Self, Malformed> {
        if bytes.len() > max {
            return Err(Malformed {
                at: max,
                what: "it is longer than the limit",
            });
        }
        validate(bytes)?;
        Ok(Self {
            decoder: Decoder::new(bytes),
        })
    }

    /// Reads a value whose bytes have been validated, with others after it.
    pub(crate) fn validated(bytes: &'b [u8]) -> Self {
        Self {
            decoder: Decoder::new(bytes),
        }
    }

    /// Offset of the next item.
    pub fn at(&self) -> usize {
        self.decoder.position()
    }

    /// An error at the present place.
    pub fn wrong(&self, what: &'static str) -> Malformed {
        Malformed {
            at: self.at(),
            what,
        }
    }

    /// An unsigned integer.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let wrong = self.wrong(what);
        self.decoder.u64().map_err(|_| wrong)
    }

    /// An unsigned integer of at most `max`.
    pub fn at_most(&mut self, max: u64, what: &'static str) -> Result<u64, Malformed> {
        let wrong = self.wrong(what);
        let value = self.u64(what)?;
        if value > max { Err(wrong) } else { Ok(value) }
    }

    /// An unsigned integer below 2³².
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        let wrong = self.wrong(what);
        self.decoder.u32().map_err(|_| wrong)
    }

    /// An unsigned integer below 2¹⁶.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        let wrong = self.wrong(what);
        self.decoder.u16().map_err(|_| wrong)
    }

    /// An unsigned integer below 2⁸.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        let wrong = self.wrong(what);
        self.decoder.u8().map_err(|_| wrong)
    }

    /// False or true.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, Malformed> {
        let wrong = self.wrong(what);
        self.decoder.bool().map_err(|_| wrong)
    }

    /// A byte string of at most `max` bytes.
    pub fn bytes(&mut self, max: usize, what: &'static str) -> Result<&'b [u8], Malformed> {
        let wrong = self.wrong(what);
        let bytes = self.decoder.bytes().map_err(|_| wrong)?;
        if bytes.len() > max {
            Err(wrong)
        } else {
            Ok(bytes)
        }
    }

    /// A byte string of exactly `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let wrong = self.wrong(what);
        self.bytes(N, what)?.try_into().map_err(|_| wrong)
    }

    /// A byte string of at most `max` bytes, or null.
    pub fn bytes_or_null(
        &mut self,
        max: usize,
        what: &'static str,
    ) -> Result<Option<&'b [u8]>, Malformed> {
        if self
            .decoder
            .datatype()
            .is_ok_and(|found| found == Type::Null)
        {
            let wrong = self.wrong(what);
            self.decoder.null().map_err(|_| wrong)?;
            return Ok(None);
        }
        self.bytes(max, what).map(Some)
    }

    /// A text of at most `max` bytes.
    pub fn text(&mut self, max: usize, what: &'static str) -> Result<&'b str, Malformed> {
        let wrong = self.wrong(what);
        let text = self.decoder.str().map_err(|_| wrong)?;
        if text.len() > max {
            Err(wrong)
        } else {
            Ok(text)
        }
    }

    /// Opens an array of at most `max` elements; gives their number.
    pub fn list(&mut self, max: usize, what: &'static str) -> Result<usize, Malformed> {
        let wrong = self.wrong(what);
        let len = self.decoder.array().map_err(|_| wrong)?.ok_or(wrong)?;
        usize::try_from(len)
            .ok()
            .filter(|len| *len <= max)
            .ok_or(wrong)
    }

    /// Opens an array of exactly `len` elements.
    pub fn tuple(&mut self, len: usize, what: &'static str) -> Result<(), Malformed> {
        let wrong = self.wrong(what);
        if self.list(len, what)? == len {
            Ok(())
        } else {
            Err(wrong)
        }
    }

    /// Opens a map.
    pub fn fields(&mut self, what: &'static str) -> Result<Fields, Malformed> {
        let wrong = self.wrong(what);
        let left = self.decoder.map().map_err(|_| wrong)?.ok_or(wrong)?;
        Ok(Fields { left, peeked: None })
    }

    /// An unsigned integer from `min` to `max`.
    pub fn within(&mut self, min: u64, max: u64, what: &'static str) -> Result<u64, Malformed> {
        let wrong = self.wrong(what);
        let value = self.at_most(max, what)?;
        if value < min { Err(wrong) } else { Ok(value) }
    }

    /// The format number, which must be the one that this code speaks.
    pub fn format(&mut self) -> Result<(), Malformed> {
        self.within(FORMAT, FORMAT, "another format").map(|_| ())
    }

    /// Milliseconds since 1970.
    pub fn time(&mut self, what: &'static str) -> Result<u64, Malformed> {
        self.at_most(MAX_TIME_MS, what)
    }

    /// An id of 34 bytes.
    pub fn id(&mut self, what: &'static str) -> Result<Id, Malformed> {
        let wrong = self.wrong(what);
        Id::from_wire(&self.array(what)?).map_err(|_| wrong)
    }

    /// A text for people, of at most `max` bytes (see [`is_shown_text`]).
    pub fn shown(&mut self, max: usize, what: &'static str) -> Result<String, Malformed> {
        let wrong = self.wrong(what);
        let text = self.text(max, what)?;
        if is_shown_text(text) {
            Ok(text.to_owned())
        } else {
            Err(wrong)
        }
    }

    /// The text of a URI: visible ASCII, not empty.
    pub fn uri(&mut self, what: &'static str) -> Result<String, Malformed> {
        let wrong = self.wrong(what);
        let text = self.text(MAX_URI, what)?;
        let legal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if legal {
            Ok(text.to_owned())
        } else {
            Err(wrong)
        }
    }

    /// An element that must be greater than the one before.
    pub fn ascending<T: Ord + Clone>(
        &mut self,
        last: &mut Option<T>,
        what: &'static str,
        element: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let wrong = self.wrong(what);
        let value = element(self)?;
        if last.as_ref().is_some_and(|last| *last >= value) {
            return Err(wrong);
        }
        *last = Some(value.clone());
        Ok(value)
    }

    /// The bytes of the next item, whatever it is.
    pub fn any(&mut self, what: &'static str) -> Result<&'b [u8], Malformed> {
        let wrong = self.wrong(what);
        let start = self.at();
        self.decoder.skip().map_err(|_| wrong)?;
        self.decoder.input().get(start..self.at()).ok_or(wrong)
    }
}

impl Fields {
    /// The next field must be this one; its value is read next.
    pub fn need(
        &mut self,
        reader: &mut Reader<'_>,
        key: u64,
        what: &'static str,
    ) -> Result<(), Malformed> {
        if self.maybe(reader, key)? {
            Ok(())
        } else {
            Err(reader.wrong(what))
        }
    }

    /// Whether the next field is this one; then its value is read next.
    pub fn maybe(&mut self, reader: &mut Reader<'_>, key: u64) -> Result<bool, Malformed> {
        if self.peek(reader)? == Some(key) {
            self.peeked = None;
            return Ok(true);
        }
        Ok(false)
    }

    /// The next field's key, whatever it is, if it is at most `max`; then its value is read next.
    pub fn next_to(&mut self, reader: &mut Reader<'_>, max: u64) -> Result<Option<u64>, Malformed> {
        match self.peek(reader)? {
            Some(key) if key <= max => {
                self.peeked = None;
                Ok(Some(key))
            }
            _ => Ok(None),
        }
    }

    /// A field that holds a list: absent when it is empty.
    pub fn list<T>(
        &mut self,
        reader: &mut Reader<'_>,
        key: u64,
        max: usize,
        what: &'static str,
        mut element: impl FnMut(&mut Reader<'_>) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        if !self.maybe(reader, key)? {
            return Ok(Vec::new());
        }
        let wrong = reader.wrong(what);
        let len = reader.list(max, what)?;
        if len == 0 {
            return Err(wrong);
        }
        (0..len).map(|_| element(reader)).collect()
    }

    /// No field may be left.
    pub fn end(mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        match self.peek(reader)? {
            None => Ok(()),
            Some(_) => Err(reader.wrong("an unknown field")),
        }
    }

    fn peek(&mut self, reader: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
        if self.peeked.is_none() && self.left > 0 {
            self.peeked = Some(reader.u64("key")?);
            self.left -= 1;
        }
        Ok(self.peeked)
    }
}
