//! Frames to bytes.

use crate::cbor::Writer;
use crate::frame::{CorePeer, Frame, Subject, TopicUsage};

impl Frame {
    /// The frame's bytes. The caller keeps to the limits; what exceeds them the other side refuses.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.array(2).uint(self.kind());
        // Each group writes its own types and leaves the others; a test holds that none is left out.
        match self.kind() {
            0..=5 => self.write_link(&mut w),
            6..=13 | 25..=28 => self.write_proof(&mut w),
            14..=20 | 29 => self.write_core(&mut w),
            _ => self.write_traffic(&mut w),
        }
        w.into_bytes()
    }

    /// Types 0 to 5.
    fn write_link(&self, w: &mut Writer) {
        match self {
            Self::Hello {
                min,
                max,
                wall,
                advert,
                software,
            } => {
                w.map(5)
                    .key(0)
                    .uint(*min)
                    .key(1)
                    .uint(*max)
                    .key(2)
                    .uint(*wall);
                w.key(3).uint(*advert).key(4).text(software);
            }
            Self::Bye { code, text } => {
                w.map(2).key(0).uint(code.0).key(1).text(text);
            }
            Self::Ping { nonce } | Self::Pong { nonce } => {
                w.map(1).key(0).uint(*nonce);
            }
            Self::Advert(statement) => {
                w.map(1).key(0);
                statement.write(w);
            }
            Self::AdvertAsk => {
                w.map(0);
            }
            _ => {}
        }
    }

    /// Types 6 to 13, and 25 to 28: proofs and invites.
    fn write_proof(&self, w: &mut Writer) {
        match self {
            Self::Tags { round, tags } => {
                w.map(1 + Writer::present(tags))
                    .key(0)
                    .uint(*round)
                    .list(1, tags, |w, tag| {
                        w.bytes(tag);
                    });
            }
            Self::Show {
                tag,
                device,
                grant,
                claim,
                signature,
            } => {
                w.map(4 + usize::from(claim.is_some())).key(0).bytes(tag);
                w.key(1)
                    .bytes(device.as_bytes())
                    .key(2)
                    .bytes(grant.as_bytes());
                if let Some(claim) = claim {
                    w.key(3);
                    claim.write(w);
                }
                w.key(4).bytes(signature.as_bytes());
            }
            Self::GrantAsk { grant } => {
                w.map(1).key(0).bytes(grant.as_bytes());
            }
            Self::GrantProof { grant, envelopes } => {
                w.map(1 + Writer::present(envelopes))
                    .key(0)
                    .bytes(grant.as_bytes());
                w.list(1, envelopes, |w, envelope| envelope.write(w));
            }
            Self::AtCore { token, tag, sealed } => {
                w.map(3)
                    .key(0)
                    .bytes(token)
                    .key(1)
                    .bytes(tag)
                    .key(2)
                    .bytes(sealed);
            }
            Self::Identify { step, sealed } => {
                w.map(2).key(0).uint(step.byte()).key(1).bytes(sealed);
            }
            Self::ClaimPut { loc, claim } => {
                w.map(2).key(0).bytes(loc).key(1);
                claim.write(w);
            }
            Self::ClaimAnswer { loc, claim, sealed } => {
                w.map(3).key(0).bytes(loc).key(1).bytes(claim);
                w.key(2).bytes(sealed);
            }
            Self::ClaimAsk { loc, claim } => {
                w.map(2).key(0).bytes(loc).key(1).bytes(claim);
            }
            Self::InviteGet { loc } => {
                w.map(1).key(0).bytes(loc);
            }
            Self::InviteBox { loc, sealed } => {
                w.map(2).key(0).bytes(loc).key(1).bytes(sealed);
            }
            Self::BoxPut { loc, sealed, until } => {
                w.map(3)
                    .key(0)
                    .bytes(loc)
                    .key(1)
                    .bytes(sealed)
                    .key(2)
                    .uint(*until);
            }
            _ => {}
        }
    }

    /// Types 14 to 20 and 29: between a client and its core node.
    fn write_core(&self, w: &mut Writer) {
        match self {
            Self::CoreClaim { token, mac } => {
                w.map(2).key(0).bytes(token).key(1).bytes(mac);
            }
            Self::CoreAgreed {
                quota,
                used,
                topics,
                max_hold,
                retires,
            } => {
                let fields = 4 + usize::from(*retires > 0);
                w.map(fields).key(0).uint(*quota).key(1).uint(*used);
                w.key(2).uint(*topics).key(3).uint(*max_hold);
                if *retires > 0 {
                    w.key(4).uint(*retires);
                }
            }
            Self::CoreRefused { code, text, retry } => {
                w.map(3)
                    .key(0)
                    .uint(code.0)
                    .key(1)
                    .text(text)
                    .key(2)
                    .uint(*retry);
            }
            Self::CoreServe {
                topic,
                genesis,
                secret,
                share,
            } => {
                w.map(4)
                    .key(0)
                    .bytes(topic.as_bytes())
                    .key(1)
                    .bytes(genesis);
                w.key(2).bytes(secret.as_bytes()).key(3).uint(*share);
            }
            Self::CoreServing { topic } | Self::CoreUnserve { topic } => {
                w.map(1).key(0).bytes(topic.as_bytes());
            }
            Self::CorePeers { topic, peers } => {
                w.map(1 + Writer::present(peers))
                    .key(0)
                    .bytes(topic.as_bytes());
                w.list(1, peers, |w, peer| peer.write(w));
            }
            Self::CoreUsage {
                quota,
                used,
                headers,
                header_quota,
                topics,
            } => {
                w.map(4 + Writer::present(topics)).key(0).uint(*quota);
                w.key(1).uint(*used).key(2).uint(*headers);
                w.key(3).uint(*header_quota);
                w.list(4, topics, |w, usage| usage.write(w));
            }
            _ => {}
        }
    }

    /// Types 21 to 24, and 30.
    fn write_traffic(&self, w: &mut Writer) {
        match self {
            Self::Topic { topic, frame } => {
                w.map(2).key(0).bytes(topic.as_bytes()).key(1);
                frame.write(w);
            }
            Self::Mail(envelope) => {
                w.map(1).key(0);
                envelope.write(w);
            }
            Self::MailReceipt(statement) => {
                w.map(1).key(0);
                statement.write(w);
            }
            Self::Pair { step, sealed } => {
                w.map(2).key(0).uint(*step as u8).key(1).bytes(sealed);
            }
            Self::Refused {
                subject,
                code,
                text,
                retry,
            } => {
                w.map(4).key(0);
                subject.write(w);
                w.key(1).uint(code.0).key(2).text(text).key(3).uint(*retry);
            }
            _ => {}
        }
    }
}

impl CorePeer {
    fn write(&self, w: &mut Writer) {
        w.array(3).bytes(self.node.as_bytes()).text(&self.uri);
        self.ticket.write(w);
    }
}

impl TopicUsage {
    fn write(&self, w: &mut Writer) {
        w.array(4)
            .bytes(self.topic.as_bytes())
            .uint(self.share)
            .uint(self.own)
            .uint(self.guests);
    }
}

impl Subject {
    fn write(&self, w: &mut Writer) {
        match self {
            Self::Link => w.array(1).uint(0_u8),
            Self::Topic(topic) => w.array(2).uint(1_u8).bytes(topic.as_bytes()),
            Self::Box(loc) => w.array(2).uint(2_u8).bytes(loc),
            Self::Mail(id) => w.array(2).uint(3_u8).bytes(id.as_bytes()),
        };
    }
}
