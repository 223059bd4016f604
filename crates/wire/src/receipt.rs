//! Receipts: signed statements of what happened to envelopes.

use identity::{EnvelopeId, NodeId, PublicKey, SecretKey, TopicId};

use crate::checked::{Checked, Refused};
use crate::cut::CutEntry;
use crate::signed::{RawStatement, Signed};

/// What a receipt says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum ReceiptKind {
    /// A custodian keeps it until a time: a promise.
    Held = 0,
    /// A carrier has taken it along, without a promise.
    Carried = 1,
    /// It is durable, with its body, at a member's device.
    Delivered = 2,
    /// A person has seen it.
    Read = 3,
}

/// A receipt about a topic: every envelope on these authors' chains up to the cut, less the
/// exceptions, is durable with its body at the holder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// 1: the topic.
    pub topic: TopicId,
    /// 2: who says so and signs: an author key for delivered and read, a node's for held and
    /// carried.
    pub holder: PublicKey,
    /// 3: of two receipts of one holder and kind the greater counter stands.
    pub counter: u64,
    /// 4: what it says.
    pub kind: ReceiptKind,
    /// 5: how far, strictly ascending, at most 8 ids an author.
    pub cut: Vec<CutEntry>,
    /// 6: (position in the cut, number) of envelopes whose body is not there, strictly ascending.
    pub exceptions: Vec<(u16, u64)>,
    /// 7: for held, until when, milliseconds since 1970; 0 for the other kinds.
    pub until: u64,
    /// 8: when it was made, milliseconds since 1970, as the holder claims.
    pub time: u64,
}

/// A signed [`Receipt`].
pub type SignedReceipt = Signed<Receipt>;

/// A receipt about unicast envelopes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailReceipt {
    /// 1: who says so and signs.
    pub holder: NodeId,
    /// 2: what it says.
    pub kind: ReceiptKind,
    /// 3: of which envelopes, strictly ascending, 1 to 64.
    pub ids: Vec<EnvelopeId>,
    /// 4: for held, until when, milliseconds since 1970; 0 for the other kinds.
    pub until: u64,
    /// 5: when it was made, milliseconds since 1970, as the holder claims.
    pub time: u64,
}

/// A signed [`MailReceipt`].
pub type SignedMailReceipt = Signed<MailReceipt>;

impl Receipt {
    /// Whether it speaks for this author's envelope with this number (of any branch).
    pub fn covers(&self, author: PublicKey, number: u64) -> bool {
        let _ = (author, number);
        todo!()
    }
}

impl Signed<Receipt> {
    /// Decodes a receipt whose signature was checked before it was stored.
    pub fn from_stored(raw: RawStatement) -> Result<Self, crate::Malformed> {
        let _ = raw;
        todo!()
    }
}

/// Verifies a receipt from outside. Whether the holder is who one thinks is the caller's to decide.
pub fn check_receipt(raw: RawStatement) -> Result<Checked<SignedReceipt>, Refused> {
    let _ = raw;
    todo!()
}

/// Signs a receipt; the holder is the key's owner. Sorts cut and exceptions are the caller's.
pub fn sign_receipt(receipt: Receipt, key: &SecretKey) -> Result<Checked<SignedReceipt>, Refused> {
    let _ = (receipt, key);
    todo!()
}

/// Verifies a receipt about unicast from outside.
pub fn check_mail_receipt(raw: RawStatement) -> Result<Checked<SignedMailReceipt>, Refused> {
    let _ = raw;
    todo!()
}

/// Signs a receipt about unicast; the holder is the key's owner.
pub fn sign_mail_receipt(
    receipt: MailReceipt,
    key: &SecretKey,
) -> Result<Checked<SignedMailReceipt>, Refused> {
    let _ = (receipt, key);
    todo!()
}
