//! The rules of admission, one variant each, beyond those that decoding and checking keep already.

use thiserror::Error;

/// A rule that an envelope breaks. Each is a function of the envelope and its causal past, so it
/// is broken at every replica and for ever; whoever offered the envelope together with its past
/// could have known. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Error)]
pub enum Rule {
    /// It is addressed to something else.
    #[error("it is addressed to something else than this topic")]
    Destination,
    /// Live envelopes have no place in the graph.
    #[error("envelopes of class live have no place in the graph")]
    Class,
    /// `previous` is not the author's envelope with the number before.
    #[error("its previous envelope is not the author's with the number before")]
    Previous,
    /// `deps` name `previous`.
    #[error("its deps repeat its previous envelope")]
    Deps,
    /// The generation is not one more than the highest among previous and deps.
    #[error("its generation is not one more than the highest of what it names")]
    Generation,
    /// It claims to be older than the author's previous envelope.
    #[error("it claims to be older than its previous envelope")]
    Created,
    /// The grant differs from that of the previous envelope.
    #[error("its grant is not that of its chain")]
    Grant,
    /// Envelope number 1 must be control.
    #[error("the first envelope of an author must be of class control")]
    FirstClass,
    /// Envelope number 1 must begin with a certificate, and no other item may be one.
    #[error("a certificate must be the first item of an author's first envelope and nowhere else")]
    Certificate,
    /// The incarnation's index is above 16 and the weeks since the grant began.
    #[error("the device has more incarnations than weeks have passed")]
    Index,
    /// The founder's device needs no claim; everybody else must claim in the second item of
    /// envelope number 1, and nowhere else.
    #[error("a claim must be the second item of a guest's first envelope and nowhere else")]
    Claim,
    /// The claim names another device or grant than certificate and header.
    #[error("the claim is for another device or grant")]
    ClaimFor,
    /// None of the deps carries the invite that is claimed.
    #[error("its deps do not name the invite that it claims")]
    NoInvite,
    /// The claim is signed by another key than the invite's.
    #[error("the claim is not signed by the key of the invite")]
    ClaimKey,
    /// It claims an invite after the invite's end.
    #[error("it claims an invite that was over")]
    InviteOver,
    /// Only the topic's owners may write this item.
    #[error("only the topic's owners may write such an item")]
    FounderOnly,
    /// An item is of a kind, or says something, that the rules do not speak of yet.
    #[error("an item says what the rules of this version do not speak of")]
    Unknown,
    /// None of the deps carries the grant that the chain is written under.
    #[error("its deps do not name the grant under which it is written")]
    Chain,
    /// The device has no seat in the composition that holds the grant.
    #[error("its device does not belong to whoever holds the grant")]
    Holder,
    /// A grant or invite is given out of another grant than that of the chain, out of an invite, or
    /// too deep.
    #[error("it gives out of a grant that is not its own, or too far below the topic's")]
    Parent,
    /// A grant or invite gives more than the one that it is given out of.
    #[error("it gives more than it has itself")]
    Within,
    /// The grants and invites of the chain together are more than its share, or too many.
    #[error("its grants together are more than its share")]
    Carve,
    /// The grant gives no right to write this.
    #[error("its grant does not give the right to write such a thing")]
    Right,
    /// It claims a time at which the right has not begun, or has ended.
    #[error("it claims a time for which it does not have the right")]
    Time,
    /// Its body, its lifespan or its hops are beyond those of the grant.
    #[error("its body, lifespan or hops are beyond what its grant allows")]
    Size,
    /// More messages or bytes than the rate allows in the time that the chain claims.
    #[error("more than its rate allows in the time that it claims")]
    Rate,
    /// Its grant, one above it, or the right that it needs has been ended in its past.
    #[error("its grant, or the right that it needs, has been taken back or closed")]
    Ended,
    /// It ends what is no grant of its past, or one of somebody over whom its author, or the
    /// composition that signed it, has no power.
    #[error("it ends what its author stands neither above nor holds")]
    Above,
    /// A cut, or a certificate, names an envelope that neither its carrier names nor one of the 16
    /// before that on the same chain.
    #[error("it cuts at an envelope that its author does not name")]
    Cut,
    /// A cut leaves less than the past has of those whom it cuts.
    #[error("its cut does not leave all that its author knows of those whom it cuts")]
    Reach,
    /// It closes a grant that has no end, or that was over for less than a day.
    #[error("it closes a grant before a day has passed since its end")]
    Early,
    /// An act follows no state of its past, or those have not signed who must; or what is
    /// countersigned is not in the past.
    #[error("an act that follows nothing known, or is not signed by those who must")]
    Act,
    /// An act gives a seat to a device that has one in another composition.
    #[error("it seats a device that belongs to somebody else")]
    Seated,
    /// What several sign together is not signed in the newest state of their composition, or not by
    /// as many devices as it takes.
    #[error("it is not signed by as many devices of its composition as it takes")]
    Joint,
    /// An epoch that its device may not begin, not in this form or not so often, or that is not for
    /// exactly those who are entitled.
    #[error("an epoch that may not begin so, or is not for exactly those who are entitled to it")]
    Epoch,
    /// Boxes that were not announced on their chain, or are for somebody else.
    #[error("boxes that were not announced, or are for somebody who is not entitled")]
    Boxes,
    /// It claims an invite whose claimers are welcomed by a grant, and writes under that.
    #[error("whoever claims this invite writes under the grant that welcomes it")]
    Unwelcome,
    /// With it, the chain is more than its invite allows in all before somebody welcomes its device.
    #[error("more than its invite allows in all until somebody welcomes its device")]
    Total,
}

impl Rule {
    /// The number of the rule, from 64 up, the same in every version. docs/spec/topic.md lists them.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Destination => 64,
            Self::Class => 65,
            Self::Previous => 66,
            Self::Deps => 67,
            Self::Generation => 68,
            Self::Created => 69,
            Self::Grant => 70,
            Self::FirstClass => 71,
            Self::Certificate => 72,
            Self::Index => 73,
            Self::Claim => 74,
            Self::ClaimFor => 75,
            Self::NoInvite => 76,
            Self::ClaimKey => 77,
            Self::InviteOver => 78,
            Self::FounderOnly => 79,
            Self::Unknown => 80,
            Self::Chain => 81,
            Self::Holder => 82,
            Self::Parent => 83,
            Self::Within => 84,
            Self::Carve => 85,
            Self::Right => 86,
            Self::Time => 87,
            Self::Size => 88,
            Self::Rate => 89,
            Self::Ended => 90,
            Self::Above => 91,
            Self::Cut => 92,
            Self::Reach => 93,
            Self::Early => 94,
            Self::Act => 95,
            Self::Seated => 96,
            Self::Joint => 97,
            Self::Epoch => 98,
            Self::Boxes => 99,
            Self::Unwelcome => 100,
            Self::Total => 101,
        }
    }
}
