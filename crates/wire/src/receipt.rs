//! Receipts: signed statements of what happened to envelopes.

use identity::{Context, EnvelopeId, NodeId, OperatorTag, PublicKey, SecretKey, TopicId};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::checked::{Checked, Refused};
use crate::cut::{CutEntry, CutReader};
use crate::limits::{
    FORMAT, MAX_MAIL_RECEIPT, MAX_MAIL_RECEIPT_IDS, MAX_RECEIPT, MAX_RECEIPT_CUT,
    MAX_RECEIPT_EXCEPTIONS,
};
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
    /// 9: for held, whose core node the holder is, if its operator has said so; nothing for the
    /// other kinds.
    pub operator: Option<OperatorTag>,
}

/// Which receipt somebody has of a holder: an entry in a list of receipts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot {
    /// Whose it is.
    pub holder: PublicKey,
    /// What it says.
    pub kind: ReceiptKind,
    /// The counter of the one that stands.
    pub counter: u64,
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
    /// 6: for held, whose core node the holder is, if its operator has said so; nothing for the
    /// other kinds.
    pub operator: Option<OperatorTag>,
}

/// A signed [`MailReceipt`].
pub type SignedMailReceipt = Signed<MailReceipt>;

impl Receipt {
    /// Whether it speaks for this author's envelope with this number (of any branch).
    pub fn covers(&self, author: PublicKey, number: u64) -> bool {
        let excepted = |index: usize| {
            u16::try_from(index)
                .is_ok_and(|index| self.exceptions.binary_search(&(index, number)).is_ok())
        };
        number > 0
            && self.cut.iter().enumerate().any(|(index, entry)| {
                entry.author == author && number <= entry.number && !excepted(index)
            })
    }

    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let fields = 6
            + Writer::present(&self.cut)
            + Writer::present(&self.exceptions)
            + usize::from(self.kind == ReceiptKind::Held)
            + has_operator(self.kind, self.operator.as_ref());
        let mut w = Writer::new();
        w.map(fields)
            .key(0)
            .uint(FORMAT)
            .key(1)
            .bytes(self.topic.as_bytes());
        w.key(2)
            .bytes(self.holder.as_bytes())
            .key(3)
            .uint(self.counter);
        w.key(4).uint(self.kind as u8);
        w.list(5, &self.cut, |w, entry| entry.write(w));
        w.list(6, &self.exceptions, |w, (index, number)| {
            w.array(2).uint(*index).uint(*number);
        });
        write_until(&mut w, 7, self.kind, self.until);
        w.key(8).uint(self.time);
        write_operator(&mut w, 9, self.kind, self.operator.as_ref());
        w.into_bytes()
    }

    /// Reads a receipt whose signature is checked elsewhere.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, MAX_RECEIPT)?;
        let r = &mut reader;
        let mut f = r.fields("receipt")?;
        f.need(r, 0, "format")?;
        r.format()?;
        f.need(r, 1, "topic")?;
        let topic = TopicId::from_bytes(r.array("topic")?);
        f.need(r, 2, "holder")?;
        let holder = PublicKey::from_bytes(r.array("holder")?);
        f.need(r, 3, "counter")?;
        let counter = r.u64("counter")?;
        f.need(r, 4, "kind")?;
        let kind = ReceiptKind::read(r)?;
        let Said { cut, exceptions } = read_said(r, &mut f, (5, 6))?;
        let until = read_until(r, &mut f, 7, kind)?;
        f.need(r, 8, "time")?;
        let time = r.time("time")?;
        let operator = read_operator(r, &mut f, 9, kind)?;
        f.end(r)?;
        Ok(Self {
            topic,
            holder,
            counter,
            kind,
            cut,
            exceptions,
            until,
            time,
            operator,
        })
    }
}

/// A cut and what is excepted of it.
pub(crate) struct Said {
    pub(crate) cut: Vec<CutEntry>,
    pub(crate) exceptions: Vec<(u16, u64)>,
}

/// Reads a cut and its exceptions, in the fields with these keys.
pub(crate) fn read_said(
    r: &mut Reader<'_>,
    f: &mut Fields,
    keys: (u64, u64),
) -> Result<Said, Malformed> {
    let mut reading = CutReader::default();
    let cut = f.list(r, keys.0, MAX_RECEIPT_CUT, "cut", |r| reading.entry(r))?;
    let mut last = None;
    let exceptions = f.list(r, keys.1, MAX_RECEIPT_EXCEPTIONS, "exceptions", |r| {
        r.ascending(&mut last, "exceptions", |r| read_exception(r, &cut))
    })?;
    Ok(Said { cut, exceptions })
}

/// An exception lies on the chain of an entry of the cut, not beyond it.
fn read_exception(r: &mut Reader<'_>, cut: &[CutEntry]) -> Result<(u16, u64), Malformed> {
    let wrong = r.wrong("exception outside the cut");
    r.tuple(2, "exception")?;
    let index = r.u16("exception")?;
    let entry = cut.get(usize::from(index)).ok_or(wrong)?;
    Ok((index, r.within(1, entry.number, "exception")?))
}

impl Slot {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(3).bytes(self.holder.as_bytes());
        w.uint(self.kind as u8).uint(self.counter);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(3, "slot")?;
        Ok(Self {
            holder: PublicKey::from_bytes(r.array("holder")?),
            kind: ReceiptKind::read(r)?,
            counter: r.u64("counter")?,
        })
    }
}

impl ReceiptKind {
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match r.at_most(3, "kind of receipt")? {
            0 => Self::Held,
            1 => Self::Carried,
            2 => Self::Delivered,
            _ => Self::Read,
        })
    }
}

/// A held receipt says until when; no other does.
pub(crate) fn write_until(w: &mut Writer, key: u64, kind: ReceiptKind, until: u64) {
    if kind == ReceiptKind::Held {
        w.key(key).uint(until);
    }
}

pub(crate) fn read_until(
    r: &mut Reader<'_>,
    f: &mut Fields,
    key: u64,
    kind: ReceiptKind,
) -> Result<u64, Malformed> {
    if kind != ReceiptKind::Held {
        return Ok(0);
    }
    f.need(r, key, "until")?;
    r.time("until")
}

/// How many fields an operator's tag takes.
pub(crate) fn has_operator(kind: ReceiptKind, operator: Option<&OperatorTag>) -> usize {
    usize::from(kind == ReceiptKind::Held && operator.is_some())
}

/// A held receipt may say whose core node the holder is; no other does, since nothing is counted by
/// it there.
pub(crate) fn write_operator(
    w: &mut Writer,
    key: u64,
    kind: ReceiptKind,
    operator: Option<&OperatorTag>,
) {
    if let Some(operator) = operator.filter(|_| kind == ReceiptKind::Held) {
        w.key(key).bytes(operator.as_bytes());
    }
}

/// Where the kind has none the field is unknown, and refused as such.
pub(crate) fn read_operator(
    r: &mut Reader<'_>,
    f: &mut Fields,
    key: u64,
    kind: ReceiptKind,
) -> Result<Option<OperatorTag>, Malformed> {
    if kind != ReceiptKind::Held || !f.maybe(r, key)? {
        return Ok(None);
    }
    Ok(Some(OperatorTag::from_bytes(r.array("operator")?)))
}

impl MailReceipt {
    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let fields = 4
            + Writer::present(&self.ids)
            + usize::from(self.kind == ReceiptKind::Held)
            + has_operator(self.kind, self.operator.as_ref());
        let mut w = Writer::new();
        w.map(fields)
            .key(0)
            .uint(FORMAT)
            .key(1)
            .bytes(self.holder.as_bytes());
        w.key(2).uint(self.kind as u8);
        w.list(3, &self.ids, |w, id| {
            w.bytes(id.as_bytes());
        });
        write_until(&mut w, 4, self.kind, self.until);
        w.key(5).uint(self.time);
        write_operator(&mut w, 6, self.kind, self.operator.as_ref());
        w.into_bytes()
    }

    /// Reads a receipt whose signature is checked elsewhere.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, MAX_MAIL_RECEIPT)?;
        let r = &mut reader;
        let mut f = r.fields("receipt")?;
        f.need(r, 0, "format")?;
        r.format()?;
        f.need(r, 1, "holder")?;
        let holder = NodeId::from_bytes(r.array("holder")?);
        f.need(r, 2, "kind")?;
        let kind = ReceiptKind::read(r)?;
        let wrong = r.wrong("ids");
        let mut last = None;
        let ids = f.list(r, 3, MAX_MAIL_RECEIPT_IDS, "ids", |r| {
            r.ascending(&mut last, "ids", |r| {
                Ok(EnvelopeId::from_bytes(r.array("id")?))
            })
        })?;
        if ids.is_empty() {
            return Err(wrong);
        }
        let until = read_until(r, &mut f, 4, kind)?;
        f.need(r, 5, "time")?;
        let time = r.time("time")?;
        let operator = read_operator(r, &mut f, 6, kind)?;
        f.end(r)?;
        Ok(Self {
            holder,
            kind,
            ids,
            until,
            time,
            operator,
        })
    }
}

impl Signed<Receipt> {
    /// Decodes a receipt whose signature was checked before it was stored.
    pub fn from_stored(raw: RawStatement) -> Result<Self, Malformed> {
        let value = Receipt::decode(&raw.bytes)?;
        Ok(Self {
            value,
            bytes: raw.bytes.into(),
            signature: raw.signature,
        })
    }
}

impl Signed<MailReceipt> {
    /// Decodes a receipt whose signature was checked before it was stored.
    pub fn from_stored(raw: RawStatement) -> Result<Self, Malformed> {
        let value = MailReceipt::decode(&raw.bytes)?;
        Ok(Self {
            value,
            bytes: raw.bytes.into(),
            signature: raw.signature,
        })
    }
}

/// Verifies a receipt from outside. Whether the holder is who one thinks is the caller's to decide.
pub fn check_receipt(raw: RawStatement) -> Result<Checked<SignedReceipt>, Refused> {
    let signed = SignedReceipt::from_stored(raw)?;
    signed
        .value
        .holder
        .verify(Context::Receipt, &signed.bytes, &signed.signature)?;
    Ok(Checked::new(signed))
}

/// Signs a receipt; the holder is the key's owner. Cut and exceptions must be in order.
pub fn sign_receipt(
    mut receipt: Receipt,
    key: &SecretKey,
) -> Result<Checked<SignedReceipt>, Refused> {
    receipt.holder = key.public();
    let bytes = receipt.encode();
    let signature = key.sign(Context::Receipt, &bytes);
    // What others would refuse is refused here first.
    Ok(Checked::new(SignedReceipt::from_stored(RawStatement {
        bytes,
        signature,
    })?))
}

/// Verifies a receipt about unicast from outside.
pub fn check_mail_receipt(raw: RawStatement) -> Result<Checked<SignedMailReceipt>, Refused> {
    let signed = SignedMailReceipt::from_stored(raw)?;
    let key = signed.value.holder.public_key();
    key.verify(Context::MailReceipt, &signed.bytes, &signed.signature)?;
    Ok(Checked::new(signed))
}

/// Signs a receipt about unicast; the holder is the key's owner.
pub fn sign_mail_receipt(
    mut receipt: MailReceipt,
    key: &SecretKey,
) -> Result<Checked<SignedMailReceipt>, Refused> {
    receipt.holder = key.node_id();
    receipt.ids.sort_unstable();
    receipt.ids.dedup();
    let bytes = receipt.encode();
    let signature = key.sign(Context::MailReceipt, &bytes);
    // What others would refuse is refused here first.
    Ok(Checked::new(SignedMailReceipt::from_stored(
        RawStatement { bytes, signature },
    )?))
}
