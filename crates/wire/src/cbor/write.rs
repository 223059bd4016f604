//! Writing. The writer makes the shortest heads; that keys ascend and counts are right is the
//! caller's, and every decoder of this crate would refuse the result otherwise.

use minicbor::Encoder;

/// Writes one value into memory.
pub struct Writer {
    encoder: Encoder<Vec<u8>>,
}

/// A vector takes every byte; the encoder has no other reason to fail.
const TAKES_ALL: &str = "writing to a vector does not fail";

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            encoder: Encoder::new(Vec::new()),
        }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.encoder.into_writer()
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: impl Into<u64>) -> &mut Self {
        self.encoder.u64(value.into()).expect(TAKES_ALL);
        self
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.encoder.bytes(bytes).expect(TAKES_ALL);
        self
    }

    /// A byte string, or null.
    pub fn bytes_or_null(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => {
                self.encoder.null().expect(TAKES_ALL);
                self
            }
        }
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.encoder.str(text).expect(TAKES_ALL);
        self
    }

    /// False or true.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.encoder.bool(value).expect(TAKES_ALL);
        self
    }

    /// Opens an array of `len` elements.
    pub fn array(&mut self, len: usize) -> &mut Self {
        self.encoder.array(len as u64).expect(TAKES_ALL);
        self
    }

    /// Opens a map of `len` fields.
    pub fn map(&mut self, len: usize) -> &mut Self {
        self.encoder.map(len as u64).expect(TAKES_ALL);
        self
    }

    /// The key of the next field.
    pub fn key(&mut self, key: u64) -> &mut Self {
        self.uint(key)
    }

    /// A field that holds a list; nothing when it is empty, so count it with [`Writer::present`].
    pub fn list<T>(
        &mut self,
        key: u64,
        elements: &[T],
        mut element: impl FnMut(&mut Self, &T),
    ) -> &mut Self {
        if !elements.is_empty() {
            self.key(key).array(elements.len());
            for each in elements {
                element(self, each);
            }
        }
        self
    }

    /// How many fields a list takes: 0 or 1.
    pub const fn present<T>(elements: &[T]) -> usize {
        if elements.is_empty() { 0 } else { 1 }
    }

    /// An item that is encoded already.
    pub fn encoded(&mut self, item: &[u8]) -> &mut Self {
        self.encoder.writer_mut().extend_from_slice(item);
        self
    }
}
