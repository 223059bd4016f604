//! Frames from bytes.

use identity::{EnvelopeId, GrantId, NodeId, PublicKey, Secret, Signature, TopicId};

use crate::cbor::{Fields, Malformed, Reader};
use crate::envelope::Raw;
use crate::frame::PairStep;
use crate::frame::{Code, CorePeer, Frame, IdentifyStep, Subject, TopicFrame, TopicUsage};
use crate::item::Claim;
use crate::limits;
use crate::limits::{
    BOX_LEN, IDENTIFY_LEN, MAX_AT_CORE, MAX_CORE_PEERS, MAX_FRAME, MAX_GENESIS,
    MAX_PROOF_ENVELOPES, MAX_SOFTWARE, MAX_TAGS, MAX_TEXT, MAX_USAGE_TOPICS, MIN_TAGS,
};
use crate::signed::RawStatement;
use crate::ticket::Ticket;

impl Frame {
    /// Reads a frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, MAX_FRAME)?;
        let r = &mut reader;
        r.tuple(2, "frame")?;
        let wrong = r.wrong("a frame of unknown type");
        let kind = r.at_most(30, "a frame of unknown type")?;
        let mut f = r.fields("fields of a frame")?;
        let frame = match kind {
            0..=5 => Self::read_link(kind, r, &mut f)?,
            6..=10 => Self::read_proof(kind, r, &mut f)?,
            11..=13 => Self::read_invite(kind, r, &mut f)?,
            14..=20 => Self::read_core(kind, r, &mut f)?,
            21..=24 => Self::read_traffic(kind, r, &mut f)?,
            25 => Self::read_identify(r, &mut f)?,
            26..=28 => Self::read_claim(kind, r, &mut f)?,
            29 => Self::read_usage(r, &mut f)?,
            30 => Self::read_pair(r, &mut f)?,
            _ => return Err(wrong),
        };
        f.end(r)?;
        Ok(frame)
    }

    /// Types 0 to 5.
    fn read_link(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        Ok(match kind {
            0 => {
                f.need(r, 0, "lowest version")?;
                let min = r.u16("lowest version")?;
                f.need(r, 1, "highest version")?;
                let max = r.within(u64::from(min), u64::from(u16::MAX), "highest version")? as u16;
                f.need(r, 2, "clock")?;
                let wall = r.time("clock")?;
                f.need(r, 3, "advert version")?;
                let advert = r.u32("advert version")?;
                f.need(r, 4, "software")?;
                Self::Hello {
                    min,
                    max,
                    wall,
                    advert,
                    software: r.shown(MAX_SOFTWARE, "software")?,
                }
            }
            1 => {
                let (code, text) = read_reason(r, f, 0)?;
                Self::Bye { code, text }
            }
            2 | 3 => {
                f.need(r, 0, "nonce")?;
                let nonce = r.u64("nonce")?;
                if kind == 2 {
                    Self::Ping { nonce }
                } else {
                    Self::Pong { nonce }
                }
            }
            4 => {
                f.need(r, 0, "advert")?;
                Self::Advert(RawStatement::read(r)?)
            }
            _ => Self::AdvertAsk,
        })
    }

    /// Types 6 to 10.
    fn read_proof(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        Ok(match kind {
            6 => read_tags(r, f)?,
            7 => {
                f.need(r, 0, "tag")?;
                let tag = r.array("tag")?;
                f.need(r, 1, "device")?;
                let device = PublicKey::from_bytes(r.array("device")?);
                let grant = read_grant(r, f, 2)?;
                let claim = if f.maybe(r, 3)? {
                    let mut fields = r.fields("claim")?;
                    let claim = Claim::read(r, &mut fields)?;
                    fields.end(r)?;
                    Some(claim)
                } else {
                    None
                };
                f.need(r, 4, "signature")?;
                let signature = Signature::from_bytes(r.array("signature")?);
                Self::Show {
                    tag,
                    device,
                    grant,
                    claim,
                    signature,
                }
            }
            8 => Self::GrantAsk {
                grant: read_grant(r, f, 0)?,
            },
            9 => {
                let grant = read_grant(r, f, 0)?;
                let envelopes = f.list(r, 1, MAX_PROOF_ENVELOPES, "envelopes", Raw::read)?;
                Self::GrantProof { grant, envelopes }
            }
            _ => {
                f.need(r, 0, "token")?;
                let token = r.array("token")?;
                f.need(r, 1, "tag")?;
                let tag = r.array("tag")?;
                f.need(r, 2, "sealed bytes")?;
                Self::AtCore {
                    token,
                    tag,
                    sealed: r.bytes(MAX_AT_CORE, "sealed bytes")?.to_vec(),
                }
            }
        })
    }

    fn read_identify(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "step")?;
        let step = match r.within(0, 1, "step")? {
            0 => IdentifyStep::Question,
            _ => IdentifyStep::Answer,
        };
        f.need(r, 1, "sealed bytes")?;
        let sealed = r.array::<IDENTIFY_LEN>("sealed bytes")?.to_vec();
        Ok(Self::Identify { step, sealed })
    }

    fn read_pair(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "step")?;
        let step = match r.at_most(2, "step")? {
            0 => PairStep::Seed,
            1 => PairStep::Known,
            _ => PairStep::On,
        };
        f.need(r, 1, "sealed bytes")?;
        let sealed = r.bytes(limits::MAX_PAIR, "sealed bytes")?.to_vec();
        Ok(Self::Pair { step, sealed })
    }

    /// Types 11 to 13.
    fn read_invite(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "locator")?;
        let loc = r.array("locator")?;
        Ok(match kind {
            11 => Self::InviteGet { loc },
            12 => Self::InviteBox {
                loc,
                sealed: read_box(r, f)?,
            },
            _ => {
                let sealed = read_box(r, f)?;
                f.need(r, 2, "until")?;
                Self::BoxPut {
                    loc,
                    sealed,
                    until: r.time("until")?,
                }
            }
        })
    }

    /// Types 26 to 28.
    fn read_claim(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "locator")?;
        let loc = r.array("locator")?;
        f.need(r, 1, "claim")?;
        if kind == 26 {
            let mut fields = r.fields("claim")?;
            let claim = Claim::read(r, &mut fields)?;
            fields.end(r)?;
            return Ok(Self::ClaimPut { loc, claim });
        }
        let claim = r.array("claim")?;
        if kind == 28 {
            return Ok(Self::ClaimAsk { loc, claim });
        }
        f.need(r, 2, "sealed answer")?;
        let sealed = r.array::<BOX_LEN>("sealed answer")?.to_vec();
        Ok(Self::ClaimAnswer { loc, claim, sealed })
    }

    /// Types 14 to 20.
    fn read_core(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        Ok(match kind {
            14 => {
                f.need(r, 0, "token")?;
                let token = r.array("token")?;
                f.need(r, 1, "mac")?;
                Self::CoreClaim {
                    token,
                    mac: r.array("mac")?,
                }
            }
            15 => {
                f.need(r, 0, "quota")?;
                let quota = r.u64("quota")?;
                f.need(r, 1, "used")?;
                let used = r.u64("used")?;
                f.need(r, 2, "topics")?;
                let topics = r.u32("topics")?;
                f.need(r, 3, "longest hold")?;
                let max_hold = r.time("longest hold")?;
                let retires = if f.maybe(r, 4)? { read_end(r)? } else { 0 };
                Self::CoreAgreed {
                    quota,
                    used,
                    topics,
                    max_hold,
                    retires,
                }
            }
            16 => {
                let (code, text) = read_reason(r, f, 0)?;
                f.need(r, 2, "retry")?;
                Self::CoreRefused {
                    code,
                    text,
                    retry: r.time("retry")?,
                }
            }
            17 => {
                let topic = read_topic(r, f)?;
                f.need(r, 1, "genesis")?;
                let genesis = r.bytes(MAX_GENESIS, "genesis")?.to_vec();
                f.need(r, 2, "secret")?;
                let secret = Secret::from_bytes(r.array("secret")?);
                f.need(r, 3, "share")?;
                Self::CoreServe {
                    topic,
                    genesis,
                    secret,
                    share: r.u64("share")?,
                }
            }
            18 => Self::CoreServing {
                topic: read_topic(r, f)?,
            },
            19 => Self::CoreUnserve {
                topic: read_topic(r, f)?,
            },
            _ => {
                let topic = read_topic(r, f)?;
                let peers = f.list(r, 1, MAX_CORE_PEERS, "peers", CorePeer::read)?;
                Self::CorePeers { topic, peers }
            }
        })
    }

    /// Types 21 to 24.
    fn read_traffic(kind: u64, r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        Ok(match kind {
            21 => {
                let topic = read_topic(r, f)?;
                f.need(r, 1, "topic frame")?;
                Self::Topic {
                    topic,
                    frame: TopicFrame::read(r)?,
                }
            }
            22 => {
                f.need(r, 0, "envelope")?;
                Self::Mail(Raw::read(r)?)
            }
            23 => {
                f.need(r, 0, "receipt")?;
                Self::MailReceipt(RawStatement::read(r)?)
            }
            _ => {
                f.need(r, 0, "subject")?;
                let subject = Subject::read(r)?;
                let (code, text) = read_reason(r, f, 1)?;
                f.need(r, 3, "retry")?;
                Self::Refused {
                    subject,
                    code,
                    text,
                    retry: r.time("retry")?,
                }
            }
        })
    }
}

impl Frame {
    /// Type 29.
    fn read_usage(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "quota")?;
        let quota = r.u64("quota")?;
        f.need(r, 1, "used")?;
        let used = r.u64("used")?;
        f.need(r, 2, "headers")?;
        let headers = r.u64("headers")?;
        f.need(r, 3, "quota of headers")?;
        let header_quota = r.u64("quota of headers")?;
        let mut last = None;
        let topics = f.list(r, 4, MAX_USAGE_TOPICS, "topics", |r| {
            r.tuple(4, "topic")?;
            let topic = r.ascending(&mut last, "topics are not ascending", |r| {
                Ok(TopicId::from_bytes(r.array("topic")?))
            })?;
            Ok(TopicUsage {
                topic,
                share: r.u64("share")?,
                own: r.u64("own")?,
                guests: r.u64("guests")?,
            })
        })?;
        Ok(Self::CoreUsage {
            quota,
            used,
            headers,
            header_quota,
            topics,
        })
    }
}

fn read_topic(r: &mut Reader<'_>, f: &mut Fields) -> Result<TopicId, Malformed> {
    f.need(r, 0, "topic")?;
    Ok(TopicId::from_bytes(r.array("topic")?))
}

fn read_grant(r: &mut Reader<'_>, f: &mut Fields, key: u64) -> Result<GrantId, Malformed> {
    f.need(r, key, "grant")?;
    Ok(GrantId::from_bytes(r.array("grant")?))
}

/// A box in field 1: always of one length, so that its size says nothing.
pub(crate) fn read_box(r: &mut Reader<'_>, f: &mut Fields) -> Result<Vec<u8>, Malformed> {
    f.need(r, 1, "box")?;
    Ok(r.array::<BOX_LEN>("box")?.to_vec())
}

/// Code and text in two fields from `key` on.
pub(super) fn read_reason(
    r: &mut Reader<'_>,
    f: &mut Fields,
    key: u64,
) -> Result<(Code, String), Malformed> {
    f.need(r, key, "code")?;
    let code = Code(r.u16("code")?);
    f.need(r, key + 1, "text")?;
    Ok((code, r.shown(MAX_TEXT, "text")?))
}

fn read_tags(r: &mut Reader<'_>, f: &mut Fields) -> Result<Frame, Malformed> {
    f.need(r, 0, "round")?;
    let round = r.u32("round")?;
    let wrong = r.wrong("tags");
    let mut last = None;
    let tags = f.list(r, 1, MAX_TAGS, "tags", |r| {
        r.ascending(&mut last, "tags", |r| r.array("tag"))
    })?;
    // A power of two, so that their number says little.
    if tags.len() < MIN_TAGS || !tags.len().is_power_of_two() {
        return Err(wrong);
    }
    Ok(Frame::Tags { round, tags })
}

impl CorePeer {
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(3, "peer")?;
        let node = NodeId::from_bytes(r.array("node")?);
        let uri = r.uri("address")?;
        Ok(Self {
            node,
            uri,
            ticket: Ticket::read(r)?,
        })
    }
}

impl Subject {
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let wrong = r.wrong("subject");
        let len = r.list(2, "subject")?;
        match (len, r.u64("subject")?) {
            (1, 0) => Ok(Self::Link),
            (2, 1) => Ok(Self::Topic(TopicId::from_bytes(r.array("topic")?))),
            (2, 2) => Ok(Self::Box(r.array("locator")?)),
            (2, 3) => Ok(Self::Mail(EnvelopeId::from_bytes(r.array("id")?))),
            _ => Err(wrong),
        }
    }
}

/// A time that is said: not 0, which is left out.
fn read_end(r: &mut Reader<'_>) -> Result<u64, Malformed> {
    let wrong = r.wrong("end");
    match r.time("end")? {
        0 => Err(wrong),
        end => Ok(end),
    }
}
