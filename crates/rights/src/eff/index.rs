//! The facts of a set by what they are about, and the tree of its grants.

use std::collections::{BTreeMap, BTreeSet};

use identity::{ActId, EnvelopeId, Form, GrantId, Id, PublicKey};

use super::facts::{AuthorNo, Fact, FactNo, Facts, What};

/// A grant or invite of the set. Whether it stands is not asked here.
pub(super) struct Edge {
    pub(super) parent: GrantId,
    /// `None` for an invite.
    pub(super) holder: Option<Id>,
    pub(super) depth: u32,
    /// Who holds the grants above it.
    pub(super) above: BTreeSet<Id>,
    /// The facts that carry it, first ones first.
    pub(super) carried: Vec<FactNo>,
}

/// What an author's first envelope says of it.
pub(super) struct Start {
    pub(super) grant: GrantId,
    pub(super) device: PublicKey,
    pub(super) index: u32,
}

/// Where an item comes in the order of all: a total order that every replica computes alike.
type Place = (u64, EnvelopeId, u16);

pub(super) struct Index<'a> {
    pub(super) set: Vec<&'a Fact>,
    /// By depth, from 1; within a depth in the order of places.
    pub(super) levels: Vec<Vec<GrantId>>,
    pub(super) edges: BTreeMap<GrantId, Edge>,
    pub(super) revocations: BTreeMap<GrantId, Vec<&'a Fact>>,
    pub(super) closes: BTreeMap<GrantId, Vec<&'a Fact>>,
    /// The carriers of every act.
    pub(super) acts: BTreeMap<ActId, Vec<&'a Fact>>,
    /// The acts that follow a state of a composition.
    pub(super) next: BTreeMap<(Id, ActId), BTreeSet<ActId>>,
    pub(super) countersigns: BTreeMap<ActId, Vec<&'a Fact>>,
    pub(super) starts: BTreeMap<AuthorNo, Start>,
    /// Certificates that name branches.
    pub(super) choices: Vec<&'a Fact>,
    pub(super) forms: BTreeMap<Id, &'a Form>,
}

impl<'a> Index<'a> {
    pub(super) fn of(facts: &'a dyn Facts, set: &[FactNo]) -> Self {
        let numbers: BTreeSet<FactNo> = set.iter().copied().collect();
        let mut index = Self {
            set: numbers.iter().filter_map(|no| facts.fact(*no)).collect(),
            levels: Vec::new(),
            edges: BTreeMap::new(),
            revocations: BTreeMap::new(),
            closes: BTreeMap::new(),
            acts: BTreeMap::new(),
            next: BTreeMap::new(),
            countersigns: BTreeMap::new(),
            starts: BTreeMap::new(),
            choices: Vec::new(),
            forms: BTreeMap::new(),
        };
        let root = facts.root();
        let owners = root.form.member();
        index.forms.insert(owners, &root.form);
        let mut parents = BTreeMap::new();
        for fact in index.set.clone() {
            index.note(fact, &mut parents);
        }
        index.plant(root.grant, owners, parents);
        index
    }

    fn note(&mut self, fact: &'a Fact, parents: &mut BTreeMap<GrantId, (GrantId, Option<Id>)>) {
        match &fact.what {
            What::Grant(grant) => {
                parents.insert(fact.item, (grant.parent, Some(grant.holder)));
                if let Some(form) = &grant.form
                    && !self.forms.contains_key(&grant.holder)
                    && form.member() == grant.holder
                {
                    self.forms.insert(grant.holder, form);
                }
            }
            What::Invite(invite) => {
                parents.insert(fact.item, (invite.parent, None));
            }
            What::Revocation(it) => self.revocations.entry(it.grant).or_default().push(fact),
            What::Close(it) => self.closes.entry(it.grant).or_default().push(fact),
            What::Act(act) => {
                self.acts.entry(act.id).or_default().push(fact);
                let key = (act.composition, act.previous);
                self.next.entry(key).or_default().insert(act.id);
            }
            What::Certificate(it) => {
                let start = Start {
                    grant: it.grant,
                    device: it.device,
                    index: it.index,
                };
                self.starts.insert(fact.author, start);
                if !it.branches.is_empty() {
                    self.choices.push(fact);
                }
            }
            What::Countersign(act) => self.countersigns.entry(*act).or_default().push(fact),
            What::Claim(_) => {}
        }
    }

    /// Breadth first from the root: depth and order follow from the items alone.
    fn plant(
        &mut self,
        root: GrantId,
        owners: Id,
        parents: BTreeMap<GrantId, (GrantId, Option<Id>)>,
    ) {
        let mut carried: BTreeMap<GrantId, BTreeMap<Place, FactNo>> = BTreeMap::new();
        for fact in &self.set {
            if matches!(fact.what, What::Grant(_) | What::Invite(_)) {
                let place = (fact.generation, fact.carrier, fact.index);
                carried.entry(fact.item).or_default().insert(place, fact.no);
            }
        }
        let mut children: BTreeMap<GrantId, BTreeMap<Place, GrantId>> = BTreeMap::new();
        for (item, (parent, _)) in &parents {
            let first = carried
                .get(item)
                .and_then(|facts| facts.keys().next().copied());
            if let Some(place) = first {
                children.entry(*parent).or_default().insert(place, *item);
            }
        }
        let top = Edge {
            parent: root,
            holder: Some(owners),
            depth: 0,
            above: BTreeSet::new(),
            carried: Vec::new(),
        };
        self.edges.insert(root, top);
        let mut level = vec![root];
        for depth in 1.. {
            let mut next: BTreeMap<Place, GrantId> = BTreeMap::new();
            for parent in &level {
                let Some(edge) = self.edges.get(parent) else {
                    continue;
                };
                // Nothing hangs under an invite.
                let Some(holder) = edge.holder else { continue };
                let mut above = edge.above.clone();
                above.insert(holder);
                for (place, child) in children.remove(parent).unwrap_or_default() {
                    let Some((_, holder)) = parents.get(&child) else {
                        continue;
                    };
                    let facts = carried.remove(&child).unwrap_or_default();
                    let edge = Edge {
                        parent: *parent,
                        holder: *holder,
                        depth,
                        above: above.clone(),
                        carried: facts.into_values().collect(),
                    };
                    // An item that bears the root's id would be a second root: it has no place.
                    if self.edges.contains_key(&child) {
                        continue;
                    }
                    self.edges.insert(child, edge);
                    next.insert(place, child);
                }
            }
            if next.is_empty() {
                break;
            }
            level = next.into_values().collect();
            self.levels.push(level.clone());
        }
    }

    pub(super) fn edge(&self, grant: &GrantId) -> Option<&Edge> {
        self.edges.get(grant)
    }

    /// The composition that an author acts for; `None` under an invite.
    pub(super) fn member(&self, author: AuthorNo) -> Option<Id> {
        self.edge(&self.starts.get(&author)?.grant)?.holder
    }

    /// The depth of an author's grant.
    pub(super) fn depth(&self, author: AuthorNo) -> Option<u32> {
        Some(self.edge(&self.starts.get(&author)?.grant)?.depth)
    }
}
