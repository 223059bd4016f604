//! Showing: a device proves on a link that it takes part in a topic.
//!
//! ```text
//! show = tag ‖ device key ‖ grant id ‖ claim or none ‖ signature
//! signature: by the device key, context "waystation/show/v1", over L ‖ topic id ‖ role u8
//! ```
//!
//! A device whose first envelope the peer may not have yet carries its claim beside: the invite's
//! key has certified the device in it, so that the device alone can show with it. (A show signed by
//! the invite's key would let every holder of a link pass for every other.)

use identity::{Context, GrantId, PublicKey, SecretKey, Signature, TopicId};
use wire::{Claim, Frame, Item};

use crate::link::{LinkSecret, Role};
use crate::tags::{Match, Round, Tag};

/// Who shows: a device of this node in one topic.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The device key in the topic.
    pub device: SecretKey,
    /// What it writes under: the id of its invite's item, or the topic id's bytes if it founded it.
    pub grant: GrantId,
    /// Its claim, unless the device founded the topic.
    pub claim: Option<Claim>,
}

impl Standing {
    /// The statement of a show as bytes, for what carries it sealed: device key 32 ‖ grant id 32 ‖
    /// signature 64 ‖ claim item or nothing.
    pub(crate) fn prove(&self, context: Context, link: &LinkSecret, topic: TopicId) -> Vec<u8> {
        let claim = self.claim.as_ref().map(Claim::encode);
        [
            self.device.public().as_bytes().as_slice(),
            self.grant.as_bytes(),
            sign(context, link, topic, &self.device).as_bytes(),
            &claim.unwrap_or_default(),
        ]
        .concat()
    }
}

/// What is sent for a topic that both ends know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Show {
    /// The shower's own tag in the round: names the topic to whoever knows it.
    pub tag: Tag,
    /// The device key.
    pub device: PublicKey,
    /// What the device writes under.
    pub grant: GrantId,
    /// Its claim, for a peer that has not seen its first envelope.
    pub claim: Option<Claim>,
    /// By the device key.
    pub signature: Signature,
}

/// What a valid show proves. Whether the grant is known here, is the claim's, and stands unrevoked,
/// is for the caller to look up in the topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The topic.
    pub topic: TopicId,
    /// The device at the other end.
    pub device: PublicKey,
    /// The grant that it names.
    pub grant: GrantId,
    /// Its claim, if it carried one: signed by the invite key that the claim names, for this
    /// device, this grant and this topic.
    pub claim: Option<Claim>,
}

/// Why a proof was refused. The peer's fault, a function of the bytes it sent on this link; no topic
/// frame may flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShowRefused {
    /// The tag stands for no topic that may be shared on this link: forged, reflected, replayed, of
    /// another round, or of a topic left meanwhile.
    #[error("a proof whose tag stands for no topic on this link")]
    UnknownTag,
    /// Not the device's signature over this link, topic and role.
    #[error("a proof that the device did not sign for this link and topic")]
    Signature,
    /// The claim is not signed by its invite's key, or is of another device, grant or topic.
    #[error("a proof with a claim that is not for this device, grant and topic")]
    ClaimForeign,
    /// Authenticator or encryption do not fit the topic's core secret on this link.
    #[error("a proof that was not made with the topic's core secret for this link")]
    NotAuthentic,
    /// Decrypted, but not a show and not a ticket.
    #[error("a proof whose contents cannot be read")]
    Malformed,
    /// The ticket's time is over, or runs longer than one may.
    #[error("a ticket whose time is over or too long")]
    TicketTime,
    /// The ticket is for another core node, another topic, or not signed by its device.
    #[error("a ticket that is not for this core node and topic")]
    TicketForeign,
}

impl Show {
    /// The show for a match.
    #[must_use]
    pub fn build(link: &LinkSecret, of: &Match, standing: &Standing) -> Self {
        Self {
            tag: of.tag,
            device: standing.device.public(),
            grant: standing.grant,
            claim: standing.claim,
            signature: sign(Context::Show, link, of.topic, &standing.device),
        }
    }

    /// The frame that carries it.
    #[must_use]
    pub const fn to_frame(&self) -> Frame {
        Frame::Show {
            tag: self.tag,
            device: self.device,
            grant: self.grant,
            claim: self.claim,
            signature: self.signature,
        }
    }

    /// Judges a show that came over the link, in a round begun here.
    pub fn verify(&self, link: &LinkSecret, round: &Round) -> Result<Shown, ShowRefused> {
        // More than one topic stands under a tag only if a founder copied another topic's epoch;
        // the signature tells which is meant.
        let mut refused = ShowRefused::UnknownTag;
        for topic in round.topics_of(&self.tag) {
            let proof = Proof {
                device: self.device,
                grant: self.grant,
                claim: self.claim,
                signature: self.signature,
            };
            match proof.verify(Context::Show, link, *topic) {
                Ok(shown) => return Ok(shown),
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }
}

/// The device's statement, as it stands in a show, and sealed to a core node or to who holds an older
/// secret.
pub(crate) struct Proof {
    pub(crate) device: PublicKey,
    pub(crate) grant: GrantId,
    pub(crate) claim: Option<Claim>,
    pub(crate) signature: Signature,
}

impl Proof {
    /// Reads the bytes of [`Standing::prove`].
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (device, rest) = bytes.split_first_chunk()?;
        let (grant, rest) = rest.split_first_chunk()?;
        let (signature, claim) = rest.split_first_chunk()?;
        let claim = match claim {
            [] => None,
            bytes => match Item::decode(bytes).ok()? {
                Item::Claim(claim) => Some(claim),
                _ => return None,
            },
        };
        Some(Self {
            device: PublicKey::from_bytes(*device),
            grant: GrantId::from_bytes(*grant),
            claim,
            signature: Signature::from_bytes(*signature),
        })
    }

    /// Judges the statement of the peer at the other end.
    pub(crate) fn verify(
        &self,
        context: Context,
        link: &LinkSecret,
        topic: TopicId,
    ) -> Result<Shown, ShowRefused> {
        let signed = signed_bytes(link, topic, link.role().other());
        self.device
            .verify(context, &signed, &self.signature)
            .map_err(|_| ShowRefused::Signature)?;
        if let Some(claim) = &self.claim {
            let own = claim.device == self.device && claim.grant == self.grant;
            if !own || claim.verify(topic).is_err() {
                return Err(ShowRefused::ClaimForeign);
            }
        }
        Ok(Shown {
            topic,
            device: self.device,
            grant: self.grant,
            claim: self.claim,
        })
    }
}

/// The device's signature over the link, the topic and its own role.
fn sign(context: Context, link: &LinkSecret, topic: TopicId, device: &SecretKey) -> Signature {
    device.sign(context, &signed_bytes(link, topic, link.role()))
}

fn signed_bytes(link: &LinkSecret, topic: TopicId, role: Role) -> Vec<u8> {
    [link.bytes().as_slice(), topic.as_bytes(), &[role.byte()]].concat()
}
