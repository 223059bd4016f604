//! What stands of a set of facts, as a [`Policy`](crate::Policy) says it.

use crate::fact::{AuthorNo, FactNo};
use identity::{EnvelopeId, GrantId, Id, PublicKey};
use std::collections::BTreeMap;

/// What stands of a set of facts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Effect {
    /// The grants that stand.
    pub grants: BTreeMap<GrantId, Standing>,
    /// The devices that may act, by holder and device.
    pub devices: BTreeMap<(Id, PublicKey), Seat>,
    /// How far authors stand that are limited.
    pub limits: BTreeMap<AuthorNo, Limit>,
    /// The epochs that stand, beside that of the genesis.
    pub epochs: Vec<EpochStanding>,
    /// The facts that do not stand.
    pub void: BTreeMap<FactNo, Why>,
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

/// How far an author stands. Lists of ids are ends of branches: what is on their chains stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What lies outside is void, named or not.
    pub hard: Option<Vec<EnvelopeId>>,
    /// What lies outside stands if something that is kept names it.
    pub soft: Option<Vec<EnvelopeId>>,
    /// The branches that stand beyond a fork.
    pub branches: Option<Vec<EnvelopeId>>,
    /// The fact that says so.
    pub by: FactNo,
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
}

impl Effect {
    /// Bytes in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        let ids = |ids: &Option<Vec<EnvelopeId>>| ids.as_ref().map_or(0, Vec::len);
        let limits = self.limits.values().map(|limit| {
            ids(&limit.hard)
                .saturating_add(ids(&limit.soft))
                .saturating_add(ids(&limit.branches))
        });
        let entries = [
            self.grants.len(),
            self.devices.len(),
            self.limits.len(),
            self.epochs.len(),
            self.void.len(),
        ];
        let entries: usize = limits.chain(entries).fold(1, usize::saturating_add);
        entries.saturating_mul(128)
    }
}
