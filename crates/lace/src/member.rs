//! Who belongs to the topic, and how that is proved to somebody who does not hold the graph.

use crate::founders::founder;
use crate::lace::{Lace, Stored};
use crate::rows;
use identity::{GrantId, PublicKey};
use machine::Staged;
use std::collections::BTreeSet;
use wire::{Checked, Claim, Envelope, Genesis, Invite, Item, Raw, Verified};

impl Lace {
    /// Whether a device may take part under a grant: it is the founder's, one of its authors is
    /// here, or it shows a claim of an invite that is here.
    #[must_use]
    pub fn is_member(&self, device: &PublicKey, grant: &GrantId, claim: Option<&Claim>) -> bool {
        if *device == founder(&self.genesis) && grant.as_bytes() == self.id.as_bytes() {
            return true;
        }
        let writes = |author: &crate::Author| author.device() == device && author.grant() == grant;
        if self.authors.iter().any(writes) {
            return true;
        }
        let Some(claim) = claim else {
            return false;
        };
        claim.device == *device
            && claim.grant == *grant
            && self
                .invites_of(grant)
                .any(|invite| invite.key == claim.invite && claim.time <= invite.until)
            && claim.verify(self.id).is_ok()
    }

    /// The envelopes that prove a grant to whoever knows the genesis alone, in causal order: the
    /// founder's first, the one that carries the invite, and with a device that of its authors
    /// that is here. Nothing when the grant is not here. See [`proves`].
    pub fn proof(
        &self,
        store: &mut Staged<'_>,
        grant: &GrantId,
        device: Option<&PublicKey>,
    ) -> Vec<Raw> {
        let mut proof = Vec::new();
        let writes =
            |author: &&crate::Author| author.grant() == grant && Some(author.device()) == device;
        let first = self.authors.iter().find(writes).map(|author| author.no);
        if grant.as_bytes() != self.id.as_bytes() {
            let Some(invite) = self.invites_of(grant).min_by_key(|invite| invite.began) else {
                return proof;
            };
            let Some(node) = self.node(store, &invite.carrier) else {
                return proof;
            };
            proof.extend(self.first_of(store, node.author));
            let spot = rows::Spot::new(node.author, node.number, &invite.carrier);
            if node.number > 1
                && let Some(stored) = self.stored(store, &spot)
            {
                proof.push(self.with_body(store, &spot, &stored.envelope));
            }
        }
        if let Some(no) = first {
            proof.extend(self.first_of(store, no));
        }
        proof
    }

    fn first_of(&self, store: &mut Staged<'_>, no: u32) -> Option<Raw> {
        let low = rows::from_number(self.local, no, 1);
        let high = rows::after_number(self.local, no, 1);
        let (_, row) = store
            .scan(rows::HEADER, &low, &high, 1)
            .into_iter()
            .next()?;
        let envelope = Stored::decode(&row)?.envelope;
        let spot = self.spot_of(no, &envelope);
        Some(self.with_body(store, &spot, &envelope))
    }

    fn with_body(&self, store: &mut Staged<'_>, spot: &rows::Spot, envelope: &Envelope) -> Raw {
        envelope.to_raw(store.get(rows::BODY, &rows::at_spot(self.local, spot)))
    }
}

/// Whether these envelopes, as [`Lace::proof`] gives them, prove that a device may take part under
/// a grant, to whoever knows the genesis alone. A device that has not written yet shows its claim.
/// It does not prove that the device is still welcome: no envelope could.
#[must_use]
pub fn proves(
    genesis: &Genesis,
    (device, grant): (&PublicKey, &GrantId),
    claim: Option<&Claim>,
    proof: &[Checked<Verified>],
) -> bool {
    let topic = genesis.topic_id();
    if *device == founder(genesis) && grant.as_bytes() == topic.as_bytes() {
        return true;
    }
    let mut founders: BTreeSet<PublicKey> = BTreeSet::new();
    let mut invites: Vec<&Invite> = Vec::new();
    let mut claims: Vec<&Claim> = Vec::new();
    if let Some(claim) = claim
        && claim.verify(topic).is_ok()
    {
        claims.push(claim);
    }
    for verified in proof.iter().map(Checked::get) {
        let header = &verified.envelope.header;
        if header.topic() != Some(topic) {
            continue;
        }
        for item in verified.items.iter().flatten() {
            match item {
                Item::Certificate(certificate) if certificate.device == founder(genesis) => {
                    founders.insert(certificate.author);
                }
                Item::Invite(invite)
                    if founders.contains(&header.author) && item.id() == *grant =>
                {
                    invites.push(invite);
                }
                Item::Claim(claim) => claims.push(claim),
                _ => {}
            }
        }
    }
    claims.iter().any(|claim| {
        let stands = |invite: &&Invite| invite.key == claim.invite && claim.time <= invite.until;
        claim.device == *device && claim.grant == *grant && invites.iter().any(stands)
    })
}
