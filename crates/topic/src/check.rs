//! What the node has checked on other threads, or inline: pure functions of bytes.

use identity::EnvelopeId;
use wire::{
    Checked, CheckedBody, Envelope, Evidence, Raw, RawHeader, RawStatement, Refused, SignedReceipt,
    Verified,
};

/// Something to check. It holds all that is needed, so [`Job::run`] may run anywhere.
#[derive(Debug)]
pub struct Job {
    pub(crate) work: Work,
    pub(crate) bytes: usize,
    pub(crate) last: bool,
}

#[derive(Debug)]
pub(crate) enum Work {
    Envelopes(Vec<Raw>),
    Bodies(Vec<(Envelope, Vec<u8>)>),
    Receipts(Vec<RawStatement>),
    Evidence(Vec<(RawHeader, RawHeader)>),
}

/// The results of a [`Job`]; only [`Job::run`] makes one. Results of one link are best brought back
/// in the order of their jobs; another order costs time, nothing else.
#[derive(Debug)]
pub struct Done {
    pub(crate) results: Results,
    pub(crate) bytes: usize,
    pub(crate) last: bool,
}

#[derive(Debug)]
pub(crate) enum Results {
    Envelopes(Vec<Result<Checked<Verified>, Refused>>),
    Bodies(Vec<Result<Checked<CheckedBody>, (EnvelopeId, Refused)>>),
    Receipts(Vec<Result<Checked<SignedReceipt>, Refused>>),
    Evidence(Vec<Result<Checked<Evidence>, Refused>>),
}

impl Job {
    pub(crate) const fn new(work: Work, bytes: usize, last: bool) -> Self {
        Self { work, bytes, last }
    }

    /// Bytes to be checked, for sharing work among threads.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Checks: encodings, hashes, strict signatures. Pure.
    #[must_use]
    pub fn run(self) -> Done {
        let results = match self.work {
            Work::Envelopes(raws) => {
                Results::Envelopes(raws.into_iter().map(wire::check).collect())
            }
            Work::Bodies(bodies) => Results::Bodies(
                bodies
                    .into_iter()
                    .map(|(envelope, body)| {
                        wire::check_body(&envelope, body).map_err(|refused| (envelope.id, refused))
                    })
                    .collect(),
            ),
            Work::Receipts(raws) => {
                Results::Receipts(raws.into_iter().map(wire::check_receipt).collect())
            }
            Work::Evidence(pairs) => Results::Evidence(
                pairs
                    .into_iter()
                    .map(|(a, b)| wire::check_evidence(a, b))
                    .collect(),
            ),
        };
        Done {
            results,
            bytes: self.bytes,
            last: self.last,
        }
    }
}
