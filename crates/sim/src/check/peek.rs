//! Looks into frames and rows without decoding them as a whole: a checker that sees every frame must
//! not copy every body.
//!
//! Everything here gives nothing when the bytes are not as expected; checkers then look away, since
//! what cannot be read cannot be believed by anybody either.

/// Deterministic CBOR, read from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a>(pub(crate) &'a [u8]);

impl<'a> Walk<'a> {
    fn head(&mut self) -> Option<(u8, u64)> {
        let (first, rest) = self.0.split_first()?;
        let info = first & 31;
        let len = match info {
            0..=23 => 0,
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return None,
        };
        let (argument, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        let value = if len == 0 {
            u64::from(info)
        } else {
            argument
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        Some((first >> 5, value))
    }

    fn of(&mut self, major: u8) -> Option<u64> {
        self.head()
            .filter(|(found, _)| *found == major)
            .map(|(_, value)| value)
    }

    pub(crate) fn uint(&mut self) -> Option<u64> {
        self.of(0)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.of(2)?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn array(&mut self) -> Option<[u8; 32]> {
        self.bytes()?.try_into().ok()
    }

    pub(crate) fn list(&mut self) -> Option<u64> {
        self.of(4)
    }

    pub(crate) fn map(&mut self) -> Option<u64> {
        self.of(5)
    }

    /// A number where there may be nothing.
    pub(crate) fn maybe_uint(&mut self) -> Option<Option<u64>> {
        match self.head()? {
            (0, value) => Some(Some(value)),
            (7, 22) => Some(None),
            _ => None,
        }
    }

    pub(crate) fn skip(&mut self) -> Option<()> {
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            let (major, value) = self.head()?;
            match major {
                2 | 3 => {
                    let (_, rest) = self.0.split_at_checked(usize::try_from(value).ok()?)?;
                    self.0 = rest;
                }
                4 => left = left.checked_add(value)?,
                5 => left = left.checked_add(value.checked_mul(2)?)?,
                6 => left = left.checked_add(1)?,
                _ => {}
            }
        }
        Some(())
    }

    /// The next item as a whole.
    fn item(&mut self) -> Option<Self> {
        let before = self.0;
        self.skip()?;
        let len = before.len() - self.0.len();
        Some(Self(&before[..len]))
    }

    /// The items of the list in field 0 of a map; none when the field is left out.
    fn first_list(mut self) -> Items<'a> {
        let mut read = || {
            if self.map()? == 0 || self.uint()? != 0 {
                return None;
            }
            Some(Items {
                left: self.list()?,
                walk: self,
            })
        };
        read().unwrap_or(Items {
            left: 0,
            walk: Self(&[]),
        })
    }
}

/// The items of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a> {
    left: u64,
    walk: Walk<'a>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Walk<'a>;

    fn next(&mut self) -> Option<Walk<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.walk.item()
    }
}

/// A frame that says something about its sender's store.
#[derive(Debug)]
pub(crate) enum Outline<'a> {
    /// Entries of the sender's cut of a topic.
    Cut([u8; 32], Items<'a>),
    /// Envelopes of a topic.
    Envelopes([u8; 32], Items<'a>),
    /// Receipts about a topic.
    Receipts([u8; 32], Items<'a>),
    /// What has changed in receipts about a topic.
    Differences([u8; 32], Items<'a>),
    /// It holds a topic for a client.
    Serving([u8; 32]),
    /// A unicast envelope: its header.
    Mail(&'a [u8]),
    /// A receipt about unicast envelopes: the statement.
    MailReceipt(&'a [u8]),
}

/// The outline of a frame, if it is of one of the kinds above.
pub(crate) fn outline(frame: &[u8]) -> Option<Outline<'_>> {
    let mut walk = Walk(frame);
    walk.list().filter(|len| *len == 2)?;
    let kind = walk.uint()?;
    match kind {
        18 | 21 => {
            walk.map()?;
            walk.uint().filter(|key| *key == 0)?;
            let topic = walk.array()?;
            if kind == 18 {
                return Some(Outline::Serving(topic));
            }
            walk.uint().filter(|key| *key == 1)?;
            walk.list().filter(|len| *len == 2)?;
            match walk.uint()? {
                1 => Some(Outline::Cut(topic, walk.first_list())),
                3 => Some(Outline::Envelopes(topic, walk.first_list())),
                6 => Some(Outline::Receipts(topic, walk.first_list())),
                13 => Some(Outline::Differences(topic, walk.first_list())),
                _ => None,
            }
        }
        22 | 23 => {
            walk.map()?;
            walk.uint().filter(|key| *key == 0)?;
            walk.list()?;
            let first = walk.bytes()?;
            Some(match kind {
                22 => Outline::Mail(first),
                _ => Outline::MailReceipt(first),
            })
        }
        _ => None,
    }
}

/// Author and number of an envelope as it travels.
pub(crate) fn author_of(mut envelope: Walk<'_>) -> Option<([u8; 32], u64)> {
    envelope.list()?;
    let mut header = Walk(envelope.bytes()?);
    header.map()?;
    let mut author = None;
    loop {
        match header.uint()? {
            2 => author = Some(header.array()?),
            3 => return Some((author?, header.uint()?)),
            key if key > 3 => return None,
            _ => header.skip()?,
        }
    }
}

/// Author and number of an entry of a cut.
pub(crate) fn entry_of(mut entry: Walk<'_>) -> Option<([u8; 32], u64)> {
    entry.list()?;
    Some((entry.array()?, entry.uint()?))
}

/// The head of a receipt that is told as a difference.
pub(crate) fn difference_of(difference: Walk<'_>) -> Option<ReceiptHead<'_>> {
    let statement = difference.0;
    let mut walk = difference;
    walk.map()?;
    let mut field = |key: u64| {
        (walk.uint()? == key).then_some(())?;
        let value = walk;
        walk.skip()?;
        Some(value)
    };
    let holder = field(0)?.array()?;
    let kind = field(1)?.uint()?;
    let counter = field(2)?.uint()?;
    Some(ReceiptHead {
        holder,
        counter,
        kind,
        statement,
    })
}

/// A receipt about a topic, so far as to tell whether it is worth decoding.
#[derive(Debug)]
pub(crate) struct ReceiptHead<'a> {
    pub(crate) holder: [u8; 32],
    pub(crate) counter: u64,
    pub(crate) kind: u64,
    pub(crate) statement: &'a [u8],
}

/// The head of a signed receipt.
pub(crate) fn receipt_of(mut signed: Walk<'_>) -> Option<ReceiptHead<'_>> {
    signed.list()?;
    let statement = signed.bytes()?;
    let mut walk = Walk(statement);
    walk.map()?;
    let mut field = |key: u64| {
        (walk.uint()? == key).then_some(())?;
        let value = walk;
        walk.skip()?;
        Some(value)
    };
    field(0)?;
    field(1)?;
    let holder = field(2)?.array()?;
    let counter = field(3)?.uint()?;
    let kind = field(4)?.uint()?;
    Some(ReceiptHead {
        holder,
        counter,
        kind,
        statement,
    })
}

/// The first eight bytes, which tell keys and ids apart well enough among those of one world.
pub(crate) fn short(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

/// The big-endian number at a place of a key or row.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    Some(u64::from_be_bytes(bytes))
}

/// As [`u64_at`], of four bytes.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// The 32 bytes at a place of a key or row.
pub(crate) fn part(bytes: &[u8], at: usize) -> Option<[u8; 32]> {
    bytes.get(at..at.checked_add(32)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{Outline, author_of, difference_of, entry_of, outline, receipt_of};
    use identity::{EnvelopeId, OperatorTag, PublicKey, SecretKey, TopicId};
    use wire::{
        CutEntry, Difference, Frame, MailReceipt, Raw, Receipt, ReceiptKind, TopicFrame,
        sign_mail_receipt, sign_receipt,
    };

    fn in_topic(frame: TopicFrame) -> Vec<u8> {
        let topic = TopicId::from_bytes([9; 32]);
        Frame::Topic { topic, frame }.encode()
    }

    #[test]
    fn receipts_and_cuts_are_found() {
        let key = SecretKey::from_seed([3; 32]);
        let entry = CutEntry {
            author: PublicKey::from_bytes([4; 32]),
            number: 700,
            id: EnvelopeId::from_bytes([5; 32]),
        };
        let receipt = Receipt {
            topic: TopicId::from_bytes([9; 32]),
            holder: key.public(),
            counter: 77_777,
            kind: ReceiptKind::Held,
            cut: vec![entry],
            exceptions: Vec::new(),
            until: 5,
            time: 4,
            operator: Some(OperatorTag::of("example.org")),
        };
        let signed = sign_receipt(receipt, &key).expect("well formed");
        let receipts = vec![signed.get().to_raw()];
        let bytes = in_topic(TopicFrame::Receipts { receipts });
        let Some(Outline::Receipts(topic, mut items)) = outline(&bytes) else {
            panic!("not found");
        };
        let head = items.next().and_then(receipt_of).expect("a receipt");
        assert_eq!((topic, head.counter, head.kind), ([9; 32], 77_777, 0));
        assert_eq!(head.holder, key.public().to_bytes());
        assert!(Receipt::decode(head.statement).is_ok() && items.next().is_none());

        let difference = {
            let signed = signed.get();
            Difference::of(&signed.value, signed.signature, 5, Vec::new(), |_| true)
        };
        let receipts = vec![difference.clone()];
        let bytes = in_topic(TopicFrame::Differences { receipts });
        let Some(Outline::Differences(topic, mut items)) = outline(&bytes) else {
            panic!("not found");
        };
        let head = items.next().and_then(difference_of).expect("a difference");
        assert_eq!((topic, head.counter, head.kind), ([9; 32], 77_777, 0));
        assert_eq!(head.holder, key.public().to_bytes());
        assert_eq!(Difference::decode(head.statement), Ok(difference));
        assert!(items.next().is_none());

        let bytes = in_topic(TopicFrame::Cut {
            entries: vec![entry],
            first: true,
            last: true,
        });
        let Some(Outline::Cut(_, items)) = outline(&bytes) else {
            panic!("not found");
        };
        let entries: Vec<_> = items.map(entry_of).collect();
        assert_eq!(entries, [Some(([4; 32], 700))]);
        let empty = in_topic(TopicFrame::Cut {
            entries: Vec::new(),
            first: true,
            last: true,
        });
        assert!(matches!(outline(&empty), Some(Outline::Cut(_, items)) if items.count() == 0));
    }

    #[test]
    fn envelopes_and_mail_are_found() {
        let header = super::super::facts::tests::header([4; 32], 300);
        let raw = Raw {
            header_bytes: header.encode(),
            proof: identity::Signature::from_bytes([1; 64]),
            body: Some(vec![7; 500]),
        };
        let bytes = in_topic(TopicFrame::Envelopes {
            envelopes: vec![raw.clone(), raw.clone()],
            last: false,
        });
        let Some(Outline::Envelopes(_, items)) = outline(&bytes) else {
            panic!("not found");
        };
        let authors: Vec<_> = items.map(author_of).collect();
        assert_eq!(authors, [Some(([4; 32], 300)); 2]);
        let bytes = Frame::Mail(raw.clone()).encode();
        assert!(matches!(outline(&bytes), Some(Outline::Mail(found)) if found == raw.header_bytes));

        let key = SecretKey::from_seed([3; 32]);
        let receipt = MailReceipt {
            holder: key.node_id(),
            kind: ReceiptKind::Delivered,
            ids: vec![EnvelopeId::from_bytes([5; 32])],
            until: 0,
            time: 4,
            operator: None,
        };
        let signed = sign_mail_receipt(receipt, &key).expect("well formed");
        let bytes = Frame::MailReceipt(signed.get().to_raw()).encode();
        let Some(Outline::MailReceipt(statement)) = outline(&bytes) else {
            panic!("not found");
        };
        assert!(MailReceipt::decode(statement).is_ok());
        assert!(outline(&Frame::AdvertAsk.encode()).is_none());
        for cut in 0..bytes.len() {
            let _ = outline(&bytes[..cut]);
        }
    }
}
