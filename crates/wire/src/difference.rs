//! Receipts as differences: what a receipt says that an earlier one of its slot does not.
//!
//! A difference is no statement of its own. Whoever has the earlier receipt rebuilds the bytes that
//! the holder has signed, and the signature over them decides, whoever made the difference.

use identity::{OperatorTag, PublicKey, Signature, TopicId};

use crate::cbor::{Malformed, Reader, Writer};
use crate::cut::CutEntry;
use crate::limits::{MAX_DIFFERENCE, MAX_RECEIPT_CUT, MAX_RECEIPT_EXCEPTIONS};
use crate::receipt::{
    Receipt, ReceiptKind, Said, has_operator, read_operator, read_said, read_until, write_operator,
    write_until,
};
use crate::signed::RawStatement;

/// A signed receipt as what has changed since an earlier one of the same topic, holder and kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// 0: whose it is.
    pub holder: PublicKey,
    /// 1: what it says.
    pub kind: ReceiptKind,
    /// 2: its counter, above that of the base.
    pub counter: u64,
    /// 3: nothing else has changed since the receipt of this counter. On the wire it is how far it
    /// lies back.
    pub base: u64,
    /// 4: authors whom the receipt does not name any more, strictly ascending, none of them in
    /// `cut`.
    pub gone: Vec<PublicKey>,
    /// 5: all entries of the authors about whom it says something else, as in the receipt.
    pub cut: Vec<CutEntry>,
    /// 6: (position in this cut, number) of what is excepted of these entries, strictly ascending.
    pub exceptions: Vec<(u16, u64)>,
    /// 7: as in the receipt.
    pub until: u64,
    /// 8: as in the receipt.
    pub time: u64,
    /// 9: the holder's, over the bytes of the receipt.
    pub signature: Signature,
    /// 10: as in the receipt; left out is nothing, and not what the base says.
    pub operator: Option<OperatorTag>,
}

/// The exceptions of one entry, in order.
fn excepted(exceptions: &[(u16, u64)], place: u16) -> impl Iterator<Item = u64> {
    let from = exceptions.partition_point(|(at, _)| *at < place);
    let rest = exceptions.get(from..).unwrap_or_default();
    let own = rest.iter().take_while(move |(at, _)| *at == place);
    own.map(|(_, number)| *number)
}

impl Difference {
    /// What a receipt says about the authors chosen, as a difference from the one with the
    /// counter `base`. It is true if the base names nobody else with other words, beside those
    /// who are gone.
    pub fn of(
        receipt: &Receipt,
        signature: Signature,
        base: u64,
        gone: Vec<PublicKey>,
        mut chosen: impl FnMut(&PublicKey) -> bool,
    ) -> Self {
        let (mut cut, mut exceptions) = (Vec::new(), Vec::new());
        for (place, entry) in (0_u16..).zip(&receipt.cut) {
            if chosen(&entry.author) {
                let own = excepted(&receipt.exceptions, place);
                let at = u16::try_from(cut.len()).unwrap_or(u16::MAX);
                exceptions.extend(own.map(|number| (at, number)));
                cut.push(*entry);
            }
        }
        Self {
            holder: receipt.holder,
            kind: receipt.kind,
            counter: receipt.counter,
            base,
            gone,
            cut,
            exceptions,
            until: receipt.until,
            time: receipt.time,
            signature,
            operator: receipt.operator,
        }
    }

    /// The receipt of a topic with the entries alone that have changed: what is said anew.
    pub fn news(&self, topic: TopicId) -> Receipt {
        Receipt {
            topic,
            holder: self.holder,
            counter: self.counter,
            kind: self.kind,
            cut: self.cut.clone(),
            exceptions: self.exceptions.clone(),
            until: self.until,
            time: self.time,
            operator: self.operator,
        }
    }

    /// Rebuilds the receipt from one of the same slot that is not older than the base, and older
    /// than the result. Nothing when it is not such a one, or the result would exceed a limit. Only
    /// the signature tells whether the result is what the holder has signed.
    pub fn rebuild(&self, held: &Receipt) -> Option<RawStatement> {
        let fits = (held.holder, held.kind) == (self.holder, self.kind)
            && (self.base..self.counter).contains(&held.counter);
        if !fits {
            return None;
        }
        let is_new = |author: &PublicKey| {
            let new = self.cut.binary_search_by(|entry| entry.author.cmp(author));
            new.is_ok() || self.gone.binary_search(author).is_ok()
        };
        let kept = (0_u16..).zip(&held.cut);
        let kept = kept.filter(|(_, entry)| !is_new(&entry.author));
        let kept = kept.map(|(place, entry)| (*entry, place, &held.exceptions));
        let new = (0_u16..).zip(&self.cut);
        let new = new.map(|(place, entry)| (*entry, place, &self.exceptions));
        let mut all: Vec<_> = kept.chain(new).collect();
        all.sort_unstable_by_key(|(entry, ..)| *entry);
        let mut exceptions = Vec::new();
        for (at, (_, place, of)) in (0_u16..).zip(&all) {
            exceptions.extend(excepted(of, *place).map(|number| (at, number)));
        }
        if all.len() > MAX_RECEIPT_CUT || exceptions.len() > MAX_RECEIPT_EXCEPTIONS {
            return None;
        }
        let receipt = Receipt {
            cut: all.into_iter().map(|(entry, ..)| entry).collect(),
            exceptions,
            ..self.news(held.topic)
        };
        Some(RawStatement {
            bytes: receipt.encode(),
            signature: self.signature,
        })
    }

    /// The bytes in a frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads what [`Difference::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(bytes, MAX_DIFFERENCE)?)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let fields = 6
            + Writer::present(&self.gone)
            + Writer::present(&self.cut)
            + Writer::present(&self.exceptions)
            + usize::from(self.kind == ReceiptKind::Held)
            + has_operator(self.kind, self.operator.as_ref());
        w.map(fields).key(0).bytes(self.holder.as_bytes());
        w.key(1).uint(self.kind as u8).key(2).uint(self.counter);
        w.key(3).uint(self.counter.saturating_sub(self.base));
        w.list(4, &self.gone, |w, author| {
            w.bytes(author.as_bytes());
        });
        w.list(5, &self.cut, |w, entry| entry.write(w));
        w.list(6, &self.exceptions, |w, (index, number)| {
            w.array(2).uint(*index).uint(*number);
        });
        write_until(w, 7, self.kind, self.until);
        w.key(8).uint(self.time);
        w.key(9).bytes(self.signature.as_bytes());
        write_operator(w, 10, self.kind, self.operator.as_ref());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("difference")?;
        f.need(r, 0, "holder")?;
        let holder = PublicKey::from_bytes(r.array("holder")?);
        f.need(r, 1, "kind")?;
        let kind = ReceiptKind::read(r)?;
        f.need(r, 2, "counter")?;
        let counter = r.u64("counter")?;
        f.need(r, 3, "base")?;
        let back = r.within(1, counter, "a difference from a later receipt")?;
        let mut last = None;
        let gone = f.list(r, 4, MAX_RECEIPT_CUT, "gone", |r| {
            r.ascending(&mut last, "gone", |r| {
                Ok(PublicKey::from_bytes(r.array("gone")?))
            })
        })?;
        let Said { cut, exceptions } = read_said(r, &mut f, (5, 6))?;
        if cut
            .iter()
            .any(|entry| gone.binary_search(&entry.author).is_ok())
        {
            return Err(r.wrong("an author who is gone and named"));
        }
        let until = read_until(r, &mut f, 7, kind)?;
        f.need(r, 8, "time")?;
        let time = r.time("time")?;
        f.need(r, 9, "signature")?;
        let signature = Signature::from_bytes(r.array("signature")?);
        let operator = read_operator(r, &mut f, 10, kind)?;
        f.end(r)?;
        Ok(Self {
            holder,
            kind,
            counter,
            base: counter.saturating_sub(back),
            gone,
            cut,
            exceptions,
            until,
            time,
            signature,
            operator,
        })
    }
}
