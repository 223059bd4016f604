//! The facts of a lace as [`eff`](crate::eff) reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use identity::{ActId, EnvelopeId, Form, GrantId, Id, Kind, PublicKey, Scheme};
use lace::Set;
use wire::{InviteKind, Item, Right, Role};

use crate::eff::{
    Act, AuthorNo, Certificate, Claim, Close, Fact, FactNo, Facts, Grant, Invite, Joint,
    Revocation, Rights, Root, Spot, What,
};

/// An author whose first envelope is not in the set.
const NOBODY: AuthorNo = AuthorNo(u32::MAX);

/// Some facts of a lace. An author is known by the number of the certificate that begins its
/// chain: a key whose first envelope was forked is several.
pub(super) struct Graph<'a> {
    facts: &'a dyn lace::Facts,
    root: Root,
    /// All of them as the lace has them, ascending: each is looked up once.
    all: Vec<Arc<lace::Fact>>,
    by_no: BTreeMap<FactNo, Fact>,
    /// For each key its certificates, and the envelopes that carry them.
    starts: BTreeMap<lace::AuthorNo, Vec<(AuthorNo, EnvelopeId)>>,
    /// Facts that no rule of `eff` looks at.
    others: Vec<(lace::FactNo, Spot)>,
    /// Every state that the set tells of.
    states: BTreeMap<ActId, State>,
}

/// A state of a composition, as an act or a first form has it.
pub(super) struct State {
    pub(super) composition: Id,
    /// That of the act; 0 for a first form.
    pub(super) number: u64,
    pub(super) form: Form,
}

impl<'a> Graph<'a> {
    /// These facts. What no rule of [`eff`](crate::eff) looks at is left out.
    pub(super) fn of(facts: &'a dyn lace::Facts, set: &Set) -> Self {
        let genesis = facts.genesis();
        let mut graph = Self {
            facts,
            root: Root {
                grant: GrantId::from_bytes(genesis.topic_id().to_bytes()),
                form: genesis.root.clone(),
            },
            all: set.iter().filter_map(|no| facts.fact(no)).collect(),
            by_no: BTreeMap::new(),
            starts: BTreeMap::new(),
            others: Vec::new(),
            states: BTreeMap::new(),
        };
        graph.note_form(&genesis.root);
        let all = core::mem::take(&mut graph.all);
        for fact in &all {
            match &fact.what {
                Item::Grant(wire::Grant {
                    form: Some(form), ..
                }) => graph.note_form(form),
                Item::Act(act) => {
                    let state = State {
                        composition: act.composition,
                        number: act.number,
                        form: act.form.clone(),
                    };
                    graph.states.insert(act.id(), state);
                }
                _ => {}
            }
        }
        let mut before: Option<(EnvelopeId, u16)> = None;
        // Ascending: what an envelope carries follows one another, and comes after its past.
        for fact in &all {
            let index = match before {
                Some((carrier, index)) if carrier == fact.carrier => index.saturating_add(1),
                _ => 0,
            };
            before = Some((fact.carrier, index));
            if matches!(fact.what, Item::Certificate(_)) {
                let starts = graph.starts.entry(fact.author).or_default();
                starts.push((AuthorNo(fact.no.0), fact.carrier));
            }
            let author = graph.author(fact.author, &fact.carrier);
            if let Some(what) = graph.what(fact) {
                let no = FactNo(fact.no.0);
                let fact = Fact {
                    no,
                    item: fact.item,
                    carrier: fact.carrier,
                    index,
                    author,
                    number: fact.number,
                    generation: fact.generation,
                    created: fact.created,
                    what,
                };
                graph.by_no.insert(no, fact);
            } else {
                let spot = Spot {
                    author,
                    number: fact.number,
                    envelope: fact.carrier,
                };
                graph.others.push((fact.no, spot));
            }
        }
        graph.all = all;
        graph
    }

    /// All facts as the lace has them, ascending.
    pub(super) fn told(&self) -> &[Arc<lace::Fact>] {
        &self.all
    }

    fn note_form(&mut self, form: &Form) {
        let state = State {
            composition: form.member(),
            number: 0,
            form: form.clone(),
        };
        self.states.insert(form.first_state(), state);
    }

    /// A state by its name.
    pub(super) fn state(&self, id: &ActId) -> Option<&State> {
        self.states.get(id)
    }

    /// The acts of the set that follow a state of a composition.
    pub(super) fn following(&self, composition: Id, state: ActId) -> BTreeSet<ActId> {
        let acts = self.by_no.values().filter_map(|fact| match &fact.what {
            What::Act(act) => Some(act),
            _ => None,
        });
        let follow = acts.filter(|act| act.composition == composition && act.previous == state);
        follow.map(|act| act.id).collect()
    }

    /// Whether the set has an act.
    pub(super) fn has_act(&self, id: &ActId) -> bool {
        self.states.get(id).is_some_and(|state| state.number > 0)
    }

    /// The numbers of all facts.
    pub(super) fn set(&self) -> Vec<FactNo> {
        self.by_no.keys().copied().collect()
    }

    /// All facts.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.by_no.values()
    }

    /// Facts that no rule of `eff` looks at, and where they are.
    pub(super) fn others(&self) -> &[(lace::FactNo, Spot)] {
        &self.others
    }

    /// For each key its authors, and the envelopes number 1 that begin their chains.
    pub(super) const fn starts(&self) -> &BTreeMap<lace::AuthorNo, Vec<(AuthorNo, EnvelopeId)>> {
        &self.starts
    }

    /// The evidence about keys as evidence about authors.
    pub(super) fn evidence(&self, keys: &BTreeMap<lace::AuthorNo, u64>) -> BTreeMap<AuthorNo, u64> {
        let authors = keys.iter().flat_map(|(key, number)| {
            let starts = self.starts.get(key).into_iter().flatten();
            starts.map(|(author, _)| (*author, *number))
        });
        authors.collect()
    }

    /// Whose envelope this is.
    pub(super) fn author(&self, key: lace::AuthorNo, envelope: &EnvelopeId) -> AuthorNo {
        let starts = self.starts.get(&key).map_or(&[][..], Vec::as_slice);
        let mut on_chain = starts.iter();
        let found = match starts {
            [only] => Some(only),
            _ => on_chain.find(|(_, first)| self.facts.on_chain(first, envelope)),
        };
        found.map_or(NOBODY, |(author, _)| *author)
    }

    fn what(&self, fact: &lace::Fact) -> Option<What> {
        Some(match &fact.what {
            Item::Certificate(it) => What::Certificate(Certificate {
                device: it.device,
                grant: self.facts.under(&fact.carrier)?,
                index: it.index,
                branches: it.branches.clone(),
            }),
            Item::Claim(it) => What::Claim(Claim {
                invite: it.grant,
                member: Form::one(it.device).member(),
            }),
            Item::Invite(it) => match &it.kind {
                InviteKind::WhileAway(gift) | InviteKind::Attended(gift) => What::Invite(Invite {
                    parent: gift.parent,
                }),
                InviteKind::Device => return None,
            },
            Item::Grant(it) => What::Grant(Grant {
                parent: it.parent,
                holder: it.holder,
                form: it.form.clone(),
                joint: self.joint(it.joint.as_ref()),
            }),
            Item::Revocation(it) => What::Revocation(Revocation {
                grant: it.grant,
                cut: it.cut.clone(),
                cascade: it.cascade,
                rights: ended(it),
                joint: self.joint(it.joint.as_ref()),
            }),
            Item::Close(it) => What::Close(Close {
                grant: it.grant,
                cut: it.cut.clone(),
            }),
            Item::Act(it) => What::Act(Act {
                id: it.id(),
                composition: it.composition,
                number: it.number,
                previous: it.previous,
                form: it.form.clone(),
                cut: it.cut.clone(),
                signers: self.signers(it),
            }),
            Item::Countersign(act) => What::Countersign(*act),
            Item::Leave
            | Item::Sealing(_)
            | Item::Profile(_)
            | Item::Cores(_)
            | Item::Title(_)
            | Item::Epoch(_)
            | Item::Boxes(_)
            | Item::Unshare(_) => return None,
        })
    }
}

impl Graph<'_> {
    /// The signatures of a composition. It is the one of the state that they are under.
    fn joint(&self, joint: Option<&wire::Joint>) -> Option<Joint> {
        let joint = joint?;
        let first = || Id::new(Kind::Member, Scheme::Hash, *joint.under.as_bytes());
        let by = self.states.get(&joint.under).map(|state| state.composition);
        Some(Joint {
            by: by.unwrap_or_else(first),
            under: joint.under,
            signers: joint.signers(),
        })
    }

    /// Who has signed an act: whoever decides, and whoever is new. The consent of a device that the
    /// form before has already is no vote.
    fn signers(&self, act: &wire::Act) -> BTreeSet<PublicKey> {
        let before = self.states.get(&act.previous).map(|state| &state.form);
        let new = act.signers(Role::New).into_iter();
        let new = new.filter(|key| before.is_none_or(|form| !form.has(key)));
        new.chain(act.signers(Role::Signer)).collect()
    }
}

/// The rights that a revocation takes back.
fn ended(revocation: &wire::Revocation) -> Rights {
    let of = |right| match right {
        Right::Publish => Rights::PUBLISH,
        Right::Read => Rights::READ,
        Right::Admit => Rights::ADMIT,
    };
    let only = revocation.only.iter().map(|right| of(*right));
    only.reduce(|all, more| all | more).unwrap_or(Rights::ALL)
}

impl Facts for Graph<'_> {
    fn root(&self) -> &Root {
        &self.root
    }

    fn fact(&self, no: FactNo) -> Option<&Fact> {
        self.by_no.get(&no)
    }

    fn on_chain(&self, of: &Spot, end: &EnvelopeId) -> bool {
        self.facts.on_chain(&of.envelope, end)
    }

    fn in_past(&self, fact: FactNo, of: &EnvelopeId) -> bool {
        let named = self.facts.find(of);
        named.is_some_and(|named| self.facts.set(named.view).has(lace::FactNo(fact.0)))
    }
}
