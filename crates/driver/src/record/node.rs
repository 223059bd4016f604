//! The program's own node can be recorded.

use node::{Advisory, Held, Input, Verbatim, record};

use super::{Digest, Recordable};

impl Recordable for Input {
    fn encode(&self, bytes: &mut Vec<u8>) {
        record::encode(self, bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        record::decode(bytes).ok()
    }
}

impl Digest for Held {
    fn digest(&self, into: &mut dyn FnMut(&[u8])) {
        record::digest_held(self, into);
    }
}

impl Digest for Verbatim {
    fn digest(&self, into: &mut dyn FnMut(&[u8])) {
        record::digest_verbatim(self, into);
    }
}

impl Digest for Advisory {
    fn digest(&self, into: &mut dyn FnMut(&[u8])) {
        record::digest_advisory(self, into);
    }
}
