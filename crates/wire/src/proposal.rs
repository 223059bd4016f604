//! What several devices of a composition have to sign, on its way from node to node.

use std::collections::BTreeSet;

use identity::{ActId, BadSignature, GrantId, ProposalId, PublicKey, SecretKey, TopicId, seal};

use crate::act::{Act, Role};
use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::item::Item;
use crate::joint::Joint;
use crate::limits::{MAX_PROPOSAL, MAX_PROPOSAL_SIGNATURES, MAX_PROPOSED};

/// An act alone; or grants and revocations that one composition gives in one of its states, each signed by
/// itself and all by the same devices.
///
/// It is no statement of its own: what counts are the items, once they are in an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// 0: since when it waits, milliseconds since 1970, as whoever told it says.
    pub since: u64,
    /// 1: strictly ascending by id, at most [`MAX_PROPOSED`].
    items: Vec<Item>,
}

impl Proposal {
    /// That an act be signed.
    pub fn act(since: u64, act: Act) -> Self {
        let items = vec![Item::Act(act)];
        Self { since, items }
    }

    /// That grants and revocations be signed for a composition in a state. Nothing of other items, of none, or
    /// of too many.
    pub fn jointly(since: u64, under: ActId, mut items: Vec<Item>) -> Option<Self> {
        for item in &mut items {
            match item {
                Item::Grant(grant) => grant.joint = Some(Joint::new(under)),
                Item::Revocation(revocation) => revocation.joint = Some(Joint::new(under)),
                _ => return None,
            }
        }
        items.sort_by_key(Item::id);
        items.dedup_by_key(|item| item.id());
        let fits = (1..=MAX_PROPOSED).contains(&items.len());
        fits.then_some(Self { since, items })
    }

    /// What it is about.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The act, if it is one.
    pub fn as_act(&self) -> Option<&Act> {
        match self.items.as_slice() {
            [Item::Act(act)] => Some(act),
            _ => None,
        }
    }

    /// The state of a composition which it follows, or in which that gives or takes.
    pub fn under(&self) -> Option<ActId> {
        match self.items.first()? {
            Item::Act(act) => Some(act.previous),
            item => Some(item.joint()?.under),
        }
    }

    /// kdf("proposal", the ids of the items): the same whoever has signed, and since whenever.
    pub fn id(&self) -> ProposalId {
        let ids: Vec<[u8; 32]> = self.items.iter().map(id_of).collect();
        ProposalId::from_bytes(seal::kdf("proposal", &[&ids.concat()]))
    }

    /// Who has signed in a role. Nobody is new to a grant or a revocation.
    pub fn signers(&self, role: Role) -> BTreeSet<PublicKey> {
        match (self.items.first(), role) {
            (Some(Item::Act(act)), role) => act.signers(role),
            (Some(item), Role::Signer) => item.joint().map(Joint::signers).unwrap_or_default(),
            _ => BTreeSet::new(),
        }
    }

    /// Whether somebody has signed, in whatever role.
    pub fn is_signed_by(&self, device: &PublicKey) -> bool {
        let roles = [Role::Signer, Role::New];
        roles
            .iter()
            .any(|role| self.signers(*role).contains(device))
    }

    /// Signs all of it.
    pub fn sign(&mut self, topic: TopicId, device: &SecretKey, role: Role) {
        for item in &mut self.items {
            match item {
                Item::Act(act) => act.sign(topic, device, role),
                item => item.sign_jointly(topic, device),
            }
        }
    }

    /// Whether every signature in it is over its item in this topic. Whether the signers are the
    /// composition's, and enough, is seen in the topic. At most [`MAX_PROPOSAL_SIGNATURES`] are checked.
    pub fn verify(&self, topic: TopicId) -> Result<(), BadSignature> {
        self.items.iter().try_for_each(|item| match item {
            Item::Act(act) => act.verify(topic),
            item => item
                .joint()
                .map_or(Ok(()), |joint| joint.verify(topic, &item.id())),
        })
    }

    /// The same with the signatures of those alone of whom this is so.
    pub fn signed_by_those(&self, keep: impl Fn(&PublicKey) -> bool) -> Self {
        let mut of = self.clone();
        for item in &mut of.items {
            match item {
                Item::Act(act) => act.signatures.retain(|one| keep(&one.device)),
                item => {
                    if let Some(joint) = item.joint_mut() {
                        joint.signatures.retain(|one| keep(&one.device));
                    }
                }
            }
        }
        of
    }

    /// Takes up the signatures of the same proposal of those who have not signed this one.
    pub fn add(&mut self, more: &Self) {
        for (item, other) in self.items.iter_mut().zip(&more.items) {
            match (item, other) {
                (Item::Act(act), Item::Act(other)) => {
                    let has = act.signatures.clone();
                    let lacks = |one: &PublicKey| has.iter().all(|has| has.device != *one);
                    let more = other.signatures.iter().filter(|one| lacks(&one.device));
                    act.signatures.extend(more);
                    act.signatures.sort_unstable_by_key(|one| one.device);
                }
                (item, other) => {
                    let (Some(joint), Some(other)) = (item.joint_mut(), other.joint()) else {
                        continue;
                    };
                    let has = joint.signers();
                    for one in other
                        .signatures
                        .iter()
                        .filter(|one| !has.contains(&one.device))
                    {
                        joint.add(*one);
                    }
                }
            }
        }
    }

    /// Whether it can be told: a composition of many does not sign much together.
    pub fn fits(&self) -> bool {
        self.is_whole() && self.encode().len() <= MAX_PROPOSAL
    }

    /// The fields of the frame that tells it.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads what [`Proposal::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes, MAX_PROPOSAL)?;
        let mut f = r.fields("proposal")?;
        let proposal = Self::read(&mut r, &mut f)?;
        f.end(&mut r)?;
        Ok(proposal)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(2).key(0).uint(self.since);
        w.list(1, &self.items, |w, item| item.write(w));
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "since")?;
        let since = r.time("since")?;
        let wrong = r.wrong("what nobody signs together");
        let start = r.at();
        let mut last: Option<[u8; 32]> = None;
        let items = f.list(r, 1, MAX_PROPOSED, "items", |r| {
            let item = Item::read(r)?;
            let wrong = r.wrong("items are not ascending");
            if last.replace(id_of(&item)) >= Some(id_of(&item)) {
                return Err(wrong);
            }
            Ok(item)
        })?;
        let proposal = Self { since, items };
        let size = r.at().saturating_sub(start);
        if proposal.is_whole() && size <= MAX_PROPOSAL {
            Ok(proposal)
        } else {
            Err(wrong)
        }
    }

    /// Whether it is one thing: an act, or items of one state that the same devices have signed.
    fn is_whole(&self) -> bool {
        let signed: usize = self.items.iter().map(Item::signatures).sum();
        if self.as_act().is_some() {
            return true;
        }
        let Some(first) = self.items.first().and_then(Item::joint) else {
            return false;
        };
        let mut joints = self.items.iter().map(Item::joint);
        signed <= MAX_PROPOSAL_SIGNATURES
            && joints.all(|joint| {
                joint.is_some_and(|it| it.under == first.under && it.signers() == first.signers())
            })
    }
}

/// What an item is called, whoever has signed it.
fn id_of(item: &Item) -> [u8; 32] {
    match item {
        Item::Act(act) => *act.id().as_bytes(),
        item => {
            let id: GrantId = item.id();
            *id.as_bytes()
        }
    }
}
