//! What stands of a set of facts, as a [`Policy`](crate::Policy) says it.

use crate::fact::{AuthorNo, FactNo};
use identity::{EnvelopeId, GrantId, Id, PublicKey};
use std::collections::{BTreeMap, BTreeSet};

/// What stands of a set of facts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Effect {
    /// The grants that stand.
    pub grants: BTreeMap<GrantId, Standing>,
    /// The devices that may act, by holder and device.
    pub devices: BTreeMap<(Id, PublicKey), Seat>,
    /// How far authors stand that are limited. Where several limits are for one chain, the first
    /// counts.
    pub limits: BTreeMap<AuthorNo, Vec<Limit>>,
    /// The epochs that stand, beside that of the genesis.
    pub epochs: Vec<EpochStanding>,
    /// The facts that do not stand. The carriers of all others are kept.
    pub void: BTreeMap<FactNo, Why>,
    /// Facts whose carriers are kept though the facts do not stand.
    pub pinned: BTreeSet<FactNo>,
}

/// A grant that stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The fact that gives it; nothing for the topic's own.
    pub by: Option<FactNo>,
    /// When it begins, milliseconds since 1970.
    pub since: u64,
    /// How far it is from the topic's own, which has 0.
    pub depth: u32,
    /// The composition that holds it; nothing for an invite.
    pub holder: Option<Id>,
    /// What of it has been taken back.
    pub over: Over,
}

/// Rights of a grant that stands, taken back one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Over {
    /// To write content.
    pub publish: bool,
    /// To be given the keys.
    pub read: bool,
    /// To issue grants and invites, and to end them.
    pub admit: bool,
}

/// A device that may act for a holder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// The first fact that seats it; nothing for the founder's device.
    pub by: Option<FactNo>,
    /// Under which grant.
    pub grant: GrantId,
    /// How much of the holder's budget the device may spend, of 256.
    pub share: u16,
}

/// How far an author stands, or one chain of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// The envelope number 1 whose chains are meant; all of the author's without it. An author with
    /// several envelopes number 1 may have a limit for each, since each may name another grant.
    pub first: Option<EnvelopeId>,
    /// What bounds its content.
    pub content: Bounds,
    /// What bounds its control. Items that end earlier than others are void by themselves, see
    /// [`Effect::void`].
    pub control: Bounds,
}

/// The bounds of a chain in one class. What lies outside a hard one is void; else what lies outside
/// a soft one, or from the author's fork on, is loose; all else is firm.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// What lies outside one of them is void, named or not.
    pub hard: Vec<Cut>,
    /// What lies outside one of them is void if it is control, and as content stands only if
    /// something firm has it in its past.
    pub soft: Vec<Cut>,
    /// Whether a cut has taken the place of the rule of forks.
    pub forgiven: bool,
    /// Ends of branches that are not loose for lying beyond the fork.
    pub branches: Vec<EnvelopeId>,
}

/// What is left of chains: these envelopes and those before them on their chains. Ids of other
/// authors may be among them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cut {
    /// The last that are left.
    pub ends: Vec<EnvelopeId>,
    /// The fact that says so, if one does.
    pub by: Option<FactNo>,
}

/// An epoch that stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStanding {
    /// The fact that begins it.
    pub by: FactNo,
    /// Whether nobody who may not read it any more has its secret.
    pub clean: bool,
}

/// Why a fact does not stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// Its carrier lies at or beyond a fork of its author.
    Fork,
    /// The author's certificate, or its grant, is not there.
    Unknown,
    /// This grant does not stand: it, or one above it, was issued outside what its issuer was left.
    Unborn(GrantId),
    /// Outside the cut of this revocation from above.
    Revoked(FactNo),
    /// Outside the cuts of all closes, of which this is one.
    Closed(FactNo),
    /// Outside the cut of this revocation by the holder itself.
    GivenUp(FactNo),
    /// The device has no seat, and this act, if any, took it.
    Unseated(Option<FactNo>),
    /// Whoever says so is neither above the grant nor its holder.
    NotAbove,
    /// Not signed by as many devices as it takes.
    Unsigned,
    /// Another act follows the same state, or the composition holds nothing that stands.
    Passed,
}

impl Effect {
    /// Bytes in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        let cuts = |cuts: &[Cut]| {
            let ends = cuts.iter().map(|cut| cut.ends.len().saturating_add(1));
            ends.fold(0, usize::saturating_add)
        };
        let limits = self.limits.values().flatten().flat_map(|limit| {
            [&limit.content, &limit.control].map(|bounds| {
                cuts(&bounds.hard)
                    .saturating_add(cuts(&bounds.soft))
                    .saturating_add(bounds.branches.len())
            })
        });
        let entries = [
            self.grants.len(),
            self.devices.len(),
            self.limits.len(),
            self.epochs.len(),
            self.void.len(),
            self.pinned.len(),
        ];
        let entries: usize = limits.chain(entries).fold(1, usize::saturating_add);
        entries.saturating_mul(128)
    }
}
