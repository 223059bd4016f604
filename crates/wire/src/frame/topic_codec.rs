//! Frames about a topic to and from bytes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use identity::{EnvelopeId, EpochId, NodeId, PublicKey};

use crate::blocks::{Part, SlotsReader};
use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::cut::{CutReader, Range};
use crate::difference::Difference;
use crate::envelope::{Raw, RawHeader};
use crate::epoch::SealedTo;
use crate::frame::TopicFrame;
use crate::frame::read::read_reason;
use crate::header::Manifest;
use crate::item::Claim;
use crate::limits::{
    MAX_BODIES, MAX_BODY, MAX_CUT_PAGE, MAX_DIFFERENCES, MAX_ENVELOPES, MAX_EVIDENCE, MAX_GENESIS,
    MAX_KEYS_ASKED, MAX_KEYS_SEALED, MAX_NUMBER, MAX_PART, MAX_PARTS, MAX_RANGES, MAX_RECEIPT_ASK,
    MAX_RECEIPTS, MAX_SLOT_PAGE, MAX_SLOT_RANGES,
};
use crate::proposal::Proposal;
use crate::receipt::Slot;
use crate::signed::RawStatement;
use crate::topic_box::TopicBox;
use crate::welcome::Answer;

impl TopicFrame {
    /// The number of its type.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => 0,
            Self::Cut { .. } => 1,
            Self::Want { .. } => 2,
            Self::Envelopes { .. } => 3,
            Self::BodyWant { .. } => 4,
            Self::Bodies { .. } => 5,
            Self::Receipts { .. } => 6,
            Self::Evidence { .. } => 7,
            Self::Box(_) => 8,
            Self::GenesisAsk => 9,
            Self::Genesis { .. } => 10,
            Self::Refused { .. } => 11,
            Self::Slots { .. } => 12,
            Self::Differences { .. } => 13,
            Self::ReceiptAsk { .. } => 14,
            Self::KeysAsk { .. } => 15,
            Self::Keys { .. } => 16,
            Self::Claim(_) => 17,
            Self::Answer(_) => 18,
            Self::Proposal(_) => 20,
            Self::BlocksAsk { .. } => 21,
            Self::BlocksHere { .. } => 22,
            Self::BlockWant { .. } => 23,
            Self::Blocks { .. } => 24,
            Self::Meet { .. } => 25,
            Self::Met { .. } => 26,
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.array(2).uint(self.kind());
        // Each group writes its own types and leaves the others; a test holds that none is left out.
        match self.kind() {
            0..=3 | 12 => self.write_sync(w),
            21..=24 => self.write_blocks(w),
            25..=26 => self.write_meeting(w),
            _ => self.write_other(w),
        }
    }

    /// Types 0 to 3, and 12.
    fn write_sync(&self, w: &mut Writer) {
        match self {
            Self::Hello {
                cut,
                evidence,
                receipts,
                invites,
            } => {
                w.map(4).key(0).bytes(cut).key(1).bytes(evidence);
                w.key(2).bytes(receipts).key(3).bytes(invites);
            }
            Self::Cut {
                entries,
                first,
                last,
            } => {
                w.map(2 + Writer::present(entries))
                    .list(0, entries, |w, entry| entry.write(w));
                w.key(1).bool(*first).key(2).bool(*last);
            }
            Self::Slots { slots, first, last } => {
                w.map(2 + Writer::present(slots))
                    .list(0, slots, |w, slot| slot.write(w));
                w.key(1).bool(*first).key(2).bool(*last);
            }
            Self::Want {
                ranges,
                control_only,
            } => {
                w.map(1 + Writer::present(ranges))
                    .list(0, ranges, |w, range| range.write(w));
                w.key(1).bool(*control_only);
            }
            Self::Envelopes { envelopes, last } => {
                w.map(1 + Writer::present(envelopes));
                w.list(0, envelopes, |w, envelope| envelope.write(w))
                    .key(1)
                    .bool(*last);
            }
            _ => {}
        }
    }

    /// Types 4 to 11, and 13 to 20.
    fn write_other(&self, w: &mut Writer) {
        match self {
            Self::BodyWant { ids } => {
                w.map(Writer::present(ids)).list(0, ids, |w, id| {
                    w.bytes(id.as_bytes());
                });
            }
            Self::Bodies { bodies } => {
                w.map(Writer::present(bodies))
                    .list(0, bodies, |w, (id, body)| {
                        w.array(2)
                            .bytes(id.as_bytes())
                            .bytes_or_null(body.as_deref());
                    });
            }
            Self::Receipts { receipts } => {
                w.map(Writer::present(receipts))
                    .list(0, receipts, |w, receipt| receipt.write(w));
            }
            Self::Differences { receipts } => {
                w.map(Writer::present(receipts))
                    .list(0, receipts, |w, receipt| receipt.write(w));
            }
            Self::ReceiptAsk { slots } => {
                w.map(Writer::present(slots))
                    .list(0, slots, |w, slot| slot.write(w));
            }
            Self::KeysAsk { epochs } => {
                w.map(Writer::present(epochs))
                    .list(0, epochs, |w, (epoch, slices)| {
                        w.array(2).bytes(epoch.as_bytes()).uint(*slices);
                    });
            }
            Self::Keys { keys } => {
                w.map(1).key(0);
                keys.write(w);
            }
            Self::Claim(claim) => {
                w.map(1).key(0);
                claim.write(w);
            }
            Self::Answer(answer) => answer.write(w),
            Self::Proposal(proposal) => proposal.write(w),
            Self::Evidence { pairs } => {
                w.map(Writer::present(pairs)).list(0, pairs, |w, (a, b)| {
                    w.array(2);
                    a.write(w);
                    b.write(w);
                });
            }
            Self::Box(held) => held.write(w),
            Self::GenesisAsk => {
                w.map(0);
            }
            Self::Genesis { bytes } => {
                w.map(1).key(0).bytes(bytes);
            }
            Self::Refused {
                author,
                number,
                code,
                text,
                retry,
            } => {
                w.map(5)
                    .key(0)
                    .bytes(author.as_bytes())
                    .key(1)
                    .uint(*number);
                w.key(2).uint(code.0).key(3).text(text).key(4).uint(*retry);
            }
            _ => {}
        }
    }

    /// Types 21 to 24.
    fn write_blocks(&self, w: &mut Writer) {
        match self {
            Self::BlocksAsk { manifest } => {
                w.map(1).key(0);
                manifest.write(w);
            }
            Self::BlocksHere { manifest, slots } => {
                w.map(1 + Writer::present(slots)).key(0);
                manifest.write(w);
                w.list(1, slots, |w, range| range.write(w));
            }
            Self::BlockWant { manifest, parts } => {
                w.map(1 + Writer::present(parts)).key(0);
                manifest.write(w);
                w.list(1, parts, |w, part| part.write(w));
            }
            Self::Blocks {
                manifest,
                part,
                bytes,
            } => {
                w.map(3).key(0);
                manifest.write(w);
                w.key(1);
                part.write(w);
                w.key(2).bytes(bytes);
            }
            _ => {}
        }
    }

    /// Types 25 and 26.
    fn write_meeting(&self, w: &mut Writer) {
        match self {
            Self::Meet { with } => {
                w.map(1).key(0).bytes(with);
            }
            Self::Met { node, address } => {
                w.map(3).key(0).bytes(node.as_bytes()).key(1);
                match address.ip().to_canonical() {
                    IpAddr::V4(ip) => w.bytes(&ip.octets()),
                    IpAddr::V6(ip) => w.bytes(&ip.octets()),
                };
                w.key(2).uint(address.port());
            }
            _ => {}
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(2, "topic frame")?;
        let wrong = r.wrong("a topic frame of unknown type");
        let kind = r.at_most(26, "a topic frame of unknown type")?;
        if kind == 19 {
            return Err(wrong);
        }
        let mut f = r.fields("fields of a topic frame")?;
        let frame = match kind {
            0..=3 | 12 => Self::read_sync(kind, r, &mut f)?,
            21..=24 => Self::read_blocks(kind, r, &mut f)?,
            25..=26 => Self::read_meeting(kind, r, &mut f)?,
            _ => Self::read_other(kind, r, &mut f)?,
        };
        f.end(r)?;
        Ok(frame)
    }

    /// Types 0 to 3, and 12.
    fn read_sync(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        Ok(match kind {
            0 => {
                f.need(r, 0, "cut")?;
                let cut = r.array("cut")?;
                f.need(r, 1, "evidence")?;
                let evidence = r.array("evidence")?;
                f.need(r, 2, "receipts")?;
                let receipts = r.array("receipts")?;
                f.need(r, 3, "invites")?;
                Self::Hello {
                    cut,
                    evidence,
                    receipts,
                    invites: r.array("invites")?,
                }
            }
            1 => {
                let mut reading = CutReader::default();
                let entries = f.list(r, 0, MAX_CUT_PAGE, "entries", |r| reading.entry(r))?;
                f.need(r, 1, "first")?;
                let first = r.bool("first")?;
                f.need(r, 2, "last")?;
                Self::Cut {
                    entries,
                    first,
                    last: r.bool("last")?,
                }
            }
            2 => {
                let ranges = f.list(r, 0, MAX_RANGES, "ranges", Range::read)?;
                f.need(r, 1, "control only")?;
                Self::Want {
                    ranges,
                    control_only: r.bool("control only")?,
                }
            }
            12 => {
                let mut last = None;
                let slots = f.list(r, 0, MAX_SLOT_PAGE, "slots", |r| {
                    r.ascending(&mut last, "slots", Slot::read)
                })?;
                f.need(r, 1, "first")?;
                let first = r.bool("first")?;
                f.need(r, 2, "last")?;
                Self::Slots {
                    slots,
                    first,
                    last: r.bool("last")?,
                }
            }
            _ => {
                let envelopes = f.list(r, 0, MAX_ENVELOPES, "envelopes", Raw::read)?;
                f.need(r, 1, "last")?;
                Self::Envelopes {
                    envelopes,
                    last: r.bool("last")?,
                }
            }
        })
    }

    /// Types 21 to 24.
    fn read_blocks(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "manifest")?;
        let manifest = Manifest::read(r)?;
        Ok(match kind {
            21 => Self::BlocksAsk { manifest },
            22 => {
                let mut reading = SlotsReader::default();
                let slots = f.list(r, 1, MAX_SLOT_RANGES, "slots", |r| reading.range(r))?;
                Self::BlocksHere { manifest, slots }
            }
            23 => Self::BlockWant {
                manifest,
                parts: f.list(r, 1, MAX_PARTS, "parts", Part::read)?,
            },
            _ => {
                f.need(r, 1, "part")?;
                let part = Part::read(r)?;
                f.need(r, 2, "bytes")?;
                let bytes = r.bytes(MAX_PART, "bytes")?.to_vec();
                Self::Blocks {
                    manifest,
                    part,
                    bytes,
                }
            }
        })
    }

    /// Types 25 and 26.
    fn read_meeting(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "node")?;
        let node = r.array("node")?;
        if kind == 25 {
            return Ok(Self::Meet { with: node });
        }
        let node = NodeId::from_bytes(node);
        f.need(r, 1, "IP address")?;
        let ip = read_ip(r)?;
        f.need(r, 2, "port")?;
        let port = r.within(1, u64::from(u16::MAX), "port")?;
        let port = u16::try_from(port).unwrap_or(u16::MAX);
        let address = SocketAddr::new(ip, port);
        Ok(Self::Met { node, address })
    }

    /// Types 4 to 11, and 13 to 20.
    fn read_other(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        Ok(match kind {
            4 => Self::BodyWant {
                ids: f.list(r, 0, MAX_BODIES, "ids", read_id)?,
            },
            5 => Self::Bodies {
                bodies: f.list(r, 0, MAX_BODIES, "bodies", read_body)?,
            },
            6 => {
                let receipts = f.list(r, 0, MAX_RECEIPTS, "receipts", RawStatement::read)?;
                Self::Receipts { receipts }
            }
            7 => Self::Evidence {
                pairs: f.list(r, 0, MAX_EVIDENCE, "evidence", read_pair)?,
            },
            8 => Self::Box(TopicBox::read(r, f)?),
            9 => Self::GenesisAsk,
            13 => Self::Differences {
                receipts: f.list(r, 0, MAX_DIFFERENCES, "differences", Difference::read)?,
            },
            14 => {
                let mut last = None;
                Self::ReceiptAsk {
                    slots: f.list(r, 0, MAX_RECEIPT_ASK, "slots", |r| {
                        r.ascending(&mut last, "slots", Slot::read)
                    })?,
                }
            }
            15 => Self::KeysAsk {
                epochs: read_asked(r, f)?,
            },
            16 => {
                f.need(r, 0, "keys")?;
                Self::Keys {
                    keys: SealedTo::read_at_most(r, MAX_KEYS_SEALED)?,
                }
            }
            17 => {
                f.need(r, 0, "claim")?;
                let mut fields = r.fields("claim")?;
                let claim = Claim::read(r, &mut fields)?;
                fields.end(r)?;
                Self::Claim(claim)
            }
            18 => Self::Answer(Answer::read(r, f)?),
            20 => Self::Proposal(Proposal::read(r, f)?),
            10 => {
                f.need(r, 0, "genesis")?;
                Self::Genesis {
                    bytes: r.bytes(MAX_GENESIS, "genesis")?.to_vec(),
                }
            }
            _ => {
                f.need(r, 0, "author")?;
                let author = PublicKey::from_bytes(r.array("author")?);
                f.need(r, 1, "number")?;
                let number = r.within(1, MAX_NUMBER, "number")?;
                let (code, text) = read_reason(r, f, 2)?;
                f.need(r, 4, "retry")?;
                Self::Refused {
                    author,
                    number,
                    code,
                    text,
                    retry: r.time("retry")?,
                }
            }
        })
    }
}

/// Epochs and slices, one entry an epoch.
fn read_asked(r: &mut Reader<'_>, f: &mut Fields) -> Result<Vec<(EpochId, u32)>, Malformed> {
    let mut last: Option<EpochId> = None;
    f.list(r, 0, MAX_KEYS_ASKED, "epochs", |r| {
        let wrong = r.wrong("epochs are not ascending");
        r.tuple(2, "epoch")?;
        let epoch = EpochId::from_bytes(r.array("epoch")?);
        if last.replace(epoch).is_some_and(|last| last >= epoch) {
            return Err(wrong);
        }
        Ok((epoch, r.u32("slices")?))
    })
}

/// Four bytes or sixteen; IPv4 inside IPv6 is written as the IPv4 address that it is.
fn read_ip(r: &mut Reader<'_>) -> Result<IpAddr, Malformed> {
    let wrong = r.wrong("an IP address has 4 bytes, or 16 without an IPv4 address in them");
    let bytes = r.bytes(16, "IP address")?;
    let ip = if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        Ipv4Addr::from(four).into()
    } else if let Ok(sixteen) = <[u8; 16]>::try_from(bytes) {
        IpAddr::V6(Ipv6Addr::from(sixteen))
    } else {
        return Err(wrong);
    };
    if ip.to_canonical() != ip {
        return Err(wrong);
    }
    Ok(ip)
}

fn read_id(r: &mut Reader<'_>) -> Result<EnvelopeId, Malformed> {
    Ok(EnvelopeId::from_bytes(r.array("id")?))
}

fn read_body(r: &mut Reader<'_>) -> Result<(EnvelopeId, Option<Vec<u8>>), Malformed> {
    r.tuple(2, "body")?;
    let id = read_id(r)?;
    Ok((id, r.bytes_or_null(MAX_BODY, "body")?.map(<[u8]>::to_vec)))
}

fn read_pair(r: &mut Reader<'_>) -> Result<(RawHeader, RawHeader), Malformed> {
    r.tuple(2, "pair")?;
    Ok((RawHeader::read(r)?, RawHeader::read(r)?))
}
