//! What [`eff`](super::eff) reads: control items as plain data, and two questions about the graph.

use core::ops::BitOr;
use std::collections::BTreeSet;

use identity::{ActId, EnvelopeId, Form, GrantId, Id, PublicKey};

/// The local number of a fact. Means nothing at another replica; no rule looks at its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FactNo(pub u32);

/// The local number of an author: an author key as one first envelope of it began its chain. A key
/// whose first envelope was forked is as many authors as it has first envelopes, since each of them
/// may name another grant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AuthorNo(pub u32);

/// Where an envelope stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    /// Whose chain it belongs to.
    pub author: AuthorNo,
    /// Its number on that chain, from 1.
    pub number: u64,
    /// Its id.
    pub envelope: EnvelopeId,
}

/// One control item that rights depend on, in one envelope. The same item in two envelopes is two
/// facts with equal `item`. Every signature inside it has been checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// Its local number.
    pub no: FactNo,
    /// The id of the item, the hash of its bytes.
    pub item: GrantId,
    /// The envelope that carries it.
    pub carrier: EnvelopeId,
    /// Its place among the items of the carrier, from 0.
    pub index: u16,
    /// Whose envelope the carrier is.
    pub author: AuthorNo,
    /// The carrier's number.
    pub number: u64,
    /// The carrier's generation.
    pub generation: u64,
    /// The time that the carrier claims, in milliseconds since 1970. What stands never depends on
    /// it.
    pub created: u64,
    /// What it says.
    pub what: What,
}

impl Fact {
    /// Where its carrier stands.
    pub const fn spot(&self) -> Spot {
        Spot {
            author: self.author,
            number: self.number,
            envelope: self.carrier,
        }
    }

    /// The class that its carrier's bounds are asked in.
    pub const fn class(&self) -> Class {
        match self.what {
            What::Certificate(_) | What::Claim(_) | What::Act(_) => Class::Other,
            What::Grant(_)
            | What::Invite(_)
            | What::Revocation(_)
            | What::Close(_)
            | What::Countersign(_) => Class::Rights,
        }
    }

    /// The composition that signed it jointly, if one did.
    pub const fn joint(&self) -> Option<&Joint> {
        match &self.what {
            What::Grant(Grant { joint, .. }) | What::Revocation(Revocation { joint, .. }) => {
                joint.as_ref()
            }
            _ => None,
        }
    }
}

/// What a fact says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A right is given to a composition.
    Grant(Grant),
    /// A right is given to whoever claims it. Nothing hangs under an invite: who was let in by one
    /// issues nothing before a grant welcomes it.
    Invite(Invite),
    /// A grant ends at a cut.
    Revocation(Revocation),
    /// A grant whose time is over ends at a cut.
    Close(Close),
    /// A composition changes.
    Act(Act),
    /// An author begins. Stands in its first envelope.
    Certificate(Certificate),
    /// A device takes part by an invite. Changes nothing of what stands.
    Claim(Claim),
    /// The carrier's author is for this act and against all that are concurrent with it.
    Countersign(ActId),
}

/// See [`What::Grant`]. Rights, times and budgets are judged when the carrier is admitted, from its
/// past alone; what stands does not depend on them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The grant below which it stands, or the root.
    pub parent: GrantId,
    /// Who holds it.
    pub holder: Id,
    /// The holder's first form, where no grant in the past tells it.
    pub form: Option<Form>,
    /// Present if the composition that holds the parent signed it, and not the carrier's author.
    pub joint: Option<Joint>,
}

/// See [`What::Invite`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invite {
    /// The grant below which it stands, or the root.
    pub parent: GrantId,
}

/// See [`What::Revocation`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// The grant that ends.
    pub grant: GrantId,
    /// What stays: these envelopes and those before them on their chains. An author of the grant of
    /// whom nothing is named here is cut at 0.
    pub cut: Vec<EnvelopeId>,
    /// Whether all grants below end too, at the same cut.
    pub cascade: bool,
    /// Which rights end.
    pub rights: Rights,
    /// Present if a composition signed it, and not the carrier's author.
    pub joint: Option<Joint>,
}

/// See [`What::Close`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Close {
    /// The grant whose time is over.
    pub grant: GrantId,
    /// What stays, as in a [`Revocation`].
    pub cut: Vec<EnvelopeId>,
}

/// See [`What::Act`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    /// Its id.
    pub id: ActId,
    /// Which composition changes.
    pub composition: Id,
    /// From 1; one more than that of the act before.
    pub number: u64,
    /// The act before; the first state of the composition for number 1.
    pub previous: ActId,
    /// The form afterwards.
    pub form: Form,
    /// What stays firmly of devices that the form does not seat any more.
    pub cut: Vec<EnvelopeId>,
    /// Whose signatures it bears, all good.
    pub signers: BTreeSet<PublicKey>,
}

/// See [`What::Certificate`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// The device that certifies the author.
    pub device: PublicKey,
    /// The grant that every envelope of this author names.
    pub grant: GrantId,
    /// Which incarnation of the device it is.
    pub index: u32,
    /// Branches of earlier authors of the device that stand although those authors forked.
    pub branches: Vec<EnvelopeId>,
}

/// See [`What::Claim`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The invite.
    pub invite: GrantId,
    /// The member that the claimer's device makes, alone.
    pub member: Id,
}

/// The signatures of a composition under an item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joint {
    /// The composition. Of a grant it is the parent's holder.
    pub by: Id,
    /// The state that it was signed in: an act, or the composition's first state.
    pub under: ActId,
    /// Whose signatures it bears, all good.
    pub signers: BTreeSet<PublicKey>,
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rights(u8);

impl Rights {
    /// To write content.
    pub const PUBLISH: Self = Self(1);
    /// To be given the keys.
    pub const READ: Self = Self(2);
    /// To issue grants and invites and to end them.
    pub const ADMIT: Self = Self(4);
    /// All three.
    pub const ALL: Self = Self(7);

    /// Whether all of these are among them.
    pub const fn has(self, these: Self) -> bool {
        self.0 & these.0 == these.0
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }
}

/// What an envelope or item is, as far as ends of single rights tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// Needs the right to publish.
    Content,
    /// Grants, invites, revocations, closes, countersignatures: needs the right to admit.
    Rights,
    /// Certificates, claims, sealing keys, leaving: goes on while any right is left.
    Other,
}

impl Class {
    /// Whether the end of these rights ends what is of this class.
    pub const fn ends_with(self, rights: Rights) -> bool {
        rights.has(match self {
            Self::Content => Rights::PUBLISH,
            Self::Rights => Rights::ADMIT,
            Self::Other => Rights::ALL,
        })
    }
}

/// The root of all grants, from the genesis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Root {
    /// The id of the root grant: the topic's id as a grant's.
    pub grant: GrantId,
    /// The first form of the composition that holds it.
    pub form: Form,
}

/// The facts of a topic and the graph behind them. Whoever implements it answers the same at all
/// times for envelopes and facts that it has: both questions are about the past, which never
/// changes.
pub trait Facts {
    /// The root.
    fn root(&self) -> &Root;

    /// The fact with this number. One that is not there is passed over.
    fn fact(&self, no: FactNo) -> Option<&Fact>;

    /// Whether `of` is `end` or one of its ancestors on the chain of the same author. False if
    /// `end` is not known or belongs to somebody else.
    fn on_chain(&self, of: &Spot, end: &EnvelopeId) -> bool;

    /// Whether an envelope carries a fact or has its carrier in its past. False if it is not known.
    fn in_past(&self, fact: FactNo, of: &EnvelopeId) -> bool;
}
