//! Facts: what control says about rights, numbered as it comes. No opinion about any of it.

use crate::lace::{Lace, Node};
use crate::rows::{self, Bytes, Spot};
use crate::set::Set;
use identity::{EnvelopeId, GrantId, PublicKey};
use machine::Staged;
use std::cell::RefCell;
use std::sync::Arc;
use wire::{Genesis, Item};

/// This node's number of a fact. Facts of an envelope's past have lower ones. Never on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FactNo(pub u32);

/// This node's number of a view; 0 is the empty one. Never on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ViewNo(pub u32);

/// This node's number of an author. Never on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AuthorNo(pub u32);

/// Whether items of a kind are facts: certificates, claims, invites, sealing keys, grants,
/// revocations, closes, acts, epochs, boxes and countersigns. What people call themselves, their
/// core nodes, titles and farewells decide nothing about rights.
#[must_use]
pub const fn is_fact(kind: u8) -> bool {
    matches!(kind, 0..=2 | 4 | 8..=13 | 16)
}

/// A rights item in an admitted control envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// Its number.
    pub no: FactNo,
    /// The item's id.
    pub item: GrantId,
    /// The envelope that carries it.
    pub carrier: EnvelopeId,
    /// The carrier's author.
    pub author: AuthorNo,
    /// The carrier's number on its chain.
    pub number: u64,
    /// The carrier's generation.
    pub generation: u64,
    /// When the carrier claims to have been made, milliseconds since 1970.
    pub created: u64,
    /// The view of the carrier's past, without the carrier itself.
    pub view: ViewNo,
    /// The item.
    pub what: Item,
}

/// An admitted envelope, as others name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named {
    /// Its id.
    pub id: EnvelopeId,
    /// Its author.
    pub author: AuthorNo,
    /// Its number on its chain.
    pub number: u64,
    /// When it claims to have been made, milliseconds since 1970.
    pub created: u64,
    /// The facts of its past, its own included.
    pub view: ViewNo,
}

impl Named {
    pub(crate) const fn of(id: EnvelopeId, node: &Node) -> Self {
        Self {
            id,
            author: AuthorNo(node.author),
            number: node.number,
            created: node.created,
            view: node.view,
        }
    }
}

/// What a [`Policy`](crate::Policy) may ask about what is admitted.
pub trait Facts {
    /// The topic's genesis.
    fn genesis(&self) -> &Genesis;
    /// A fact; nothing for a number that no fact has.
    fn fact(&self, no: FactNo) -> Option<Arc<Fact>>;
    /// The facts that an envelope carries, in the order of its items.
    fn carried(&self, carrier: &EnvelopeId) -> Vec<Arc<Fact>>;
    /// The facts with this grant or invite that are here, one for each envelope that carries it.
    fn issued(&self, grant: &GrantId) -> Vec<Arc<Fact>>;
    /// The grants and invites that are here of an author, on all its branches.
    fn issued_by(&self, author: AuthorNo) -> Vec<Arc<Fact>>;
    /// Whether a set has a fact that takes something away: a revocation, a close or an act.
    fn takes(&self, set: &Set) -> bool;
    /// The facts of a set that take something away.
    fn ends(&self, set: &Set) -> Vec<Arc<Fact>>;
    /// The facts of a view.
    fn set(&self, view: ViewNo) -> Arc<Set>;
    /// An admitted envelope.
    fn find(&self, id: &EnvelopeId) -> Option<Named>;
    /// What an admitted envelope names: its previous one, if it has one, and its deps.
    fn named_by(&self, id: &EnvelopeId) -> Vec<EnvelopeId>;
    /// The grant that an admitted envelope is written under.
    fn under(&self, id: &EnvelopeId) -> Option<GrantId>;
    /// The key of an author.
    fn key(&self, author: AuthorNo) -> Option<PublicKey>;
    /// As [`Lace::on_chain`].
    fn on_chain(&self, of: &EnvelopeId, end: &EnvelopeId) -> bool;
}

/// The facts of a lace.
pub(crate) struct Look<'a, 's> {
    lace: &'a Lace,
    store: RefCell<&'a mut Staged<'s>>,
}

impl<'a, 's> Look<'a, 's> {
    pub(crate) const fn new(lace: &'a Lace, store: &'a mut Staged<'s>) -> Self {
        Self {
            lace,
            store: RefCell::new(store),
        }
    }
}

impl Facts for Look<'_, '_> {
    fn genesis(&self) -> &Genesis {
        &self.lace.genesis
    }

    fn fact(&self, no: FactNo) -> Option<Arc<Fact>> {
        self.lace.fact(&mut self.store.borrow_mut(), no)
    }

    fn carried(&self, carrier: &EnvelopeId) -> Vec<Arc<Fact>> {
        let mut store = self.store.borrow_mut();
        let node = self.lace.node(&mut store, carrier);
        let Some(row) = node.and_then(|node| self.lace.view_row(&mut store, node.view)) else {
            return Vec::new();
        };
        let facts = (0..u32::from(row.count)).filter_map(|at| {
            let no = FactNo(row.first.saturating_add(at));
            self.lace.fact(&mut store, no)
        });
        facts.filter(|fact| fact.carrier == *carrier).collect()
    }

    fn issued(&self, grant: &GrantId) -> Vec<Arc<Fact>> {
        self.lace.issued(&mut self.store.borrow_mut(), grant)
    }

    fn issued_by(&self, author: AuthorNo) -> Vec<Arc<Fact>> {
        self.lace.issued_by(&mut self.store.borrow_mut(), author)
    }

    fn takes(&self, set: &Set) -> bool {
        self.lace.issues.takes(set)
    }

    fn ends(&self, set: &Set) -> Vec<Arc<Fact>> {
        let mut store = self.store.borrow_mut();
        let ends = self.lace.issues.ends_of(set);
        ends.filter_map(|no| self.lace.fact(&mut store, no))
            .collect()
    }

    fn set(&self, view: ViewNo) -> Arc<Set> {
        self.lace.set_of(&mut self.store.borrow_mut(), view)
    }

    fn find(&self, id: &EnvelopeId) -> Option<Named> {
        let node = self.lace.node(&mut self.store.borrow_mut(), id)?;
        Some(Named::of(*id, &node))
    }

    fn named_by(&self, id: &EnvelopeId) -> Vec<EnvelopeId> {
        let mut store = self.store.borrow_mut();
        let node = self.lace.node(&mut store, id);
        let spot = node.map(|node| Spot::new(node.author, node.number, id));
        let Some(stored) = spot.and_then(|spot| self.lace.stored(&mut store, &spot)) else {
            return Vec::new();
        };
        let header = stored.envelope.header;
        let previous = (header.number > 1).then(|| EnvelopeId::from_bytes(header.previous));
        previous.into_iter().chain(header.deps).collect()
    }

    fn under(&self, id: &EnvelopeId) -> Option<GrantId> {
        let mut store = self.store.borrow_mut();
        let node = self.lace.node(&mut store, id)?;
        let root = self.lace.root(&mut store, node.author, node.branch)?;
        Some(root.grant)
    }

    fn key(&self, author: AuthorNo) -> Option<PublicKey> {
        Some(self.lace.by_no(author.0)?.key)
    }

    fn on_chain(&self, of: &EnvelopeId, end: &EnvelopeId) -> bool {
        self.lace.on_chain(&mut self.store.borrow_mut(), of, end)
    }
}

/// The row of the facts that one envelope carries, under the number of the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carrier {
    pub(crate) id: EnvelopeId,
    pub(crate) author: u32,
    pub(crate) number: u64,
    generation: u64,
    created: u64,
    view: u32,
    pub(crate) count: u16,
}

impl Carrier {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(66);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.author.to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.created.to_be_bytes());
        out.extend_from_slice(&self.view.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        Some(Self {
            id: EnvelopeId::from_bytes(bytes.array()?),
            author: bytes.u32()?,
            number: bytes.u64()?,
            generation: bytes.u64()?,
            created: bytes.u64()?,
            view: bytes.u32()?,
            count: u16::from_be_bytes(bytes.array()?),
        })
    }

    /// One of its facts.
    fn fact(&self, no: FactNo, what: Item) -> Fact {
        Fact {
            no,
            item: what.id(),
            carrier: self.id,
            author: AuthorNo(self.author),
            number: self.number,
            generation: self.generation,
            created: self.created,
            view: ViewNo(self.view),
            what,
        }
    }
}

impl Lace {
    /// A fact: from memory, or with all others of its carrier from the rows.
    pub(crate) fn fact(&self, store: &mut Staged<'_>, no: FactNo) -> Option<Arc<Fact>> {
        if let Some(fact) = self.memory.borrow_mut().facts.get(&no.0) {
            return Some(fact);
        }
        let low = fact_key(self.local, 0);
        let mut high = fact_key(self.local, no.0);
        high.push(0);
        let (key, row) = store
            .scan_back(rows::LACE, &low, &high, 1)
            .into_iter()
            .next()?;
        let first = Bytes(key.get(5..)?).u32()?;
        let carrier = Carrier::decode(&row)?;
        let spot = Spot::new(carrier.author, carrier.number, &carrier.id);
        let body = store.get(rows::BODY, &rows::at_spot(self.local, &spot))?;
        let items = wire::decode_items(&body).ok()?;
        let mut found = None;
        let items = items.into_iter().filter(|item| is_fact(item.kind()));
        for (at, item) in (first..).zip(items).take(usize::from(carrier.count)) {
            let fact = Arc::new(carrier.fact(FactNo(at), item));
            self.memory.borrow_mut().keep_fact(&fact);
            if at == no.0 {
                found = Some(fact);
            }
        }
        found
    }

    /// Numbers the facts of a new envelope; gives its view. `past` is that of its past.
    pub(crate) fn number_facts(
        &mut self,
        store: &mut Staged<'_>,
        (id, node): (EnvelopeId, &Node),
        past: ViewNo,
        items: &[Item],
    ) -> ViewNo {
        let facts: Vec<&Item> = items.iter().filter(|item| is_fact(item.kind())).collect();
        // A control body has at most 64 items.
        let count = u16::try_from(facts.len()).unwrap_or(u16::MAX);
        if count == 0 {
            return past;
        }
        let first = self.next_fact;
        self.next_fact = first.saturating_add(u32::from(count));
        let carrier = Carrier {
            id,
            author: node.author,
            number: node.number,
            generation: node.generation,
            created: node.created,
            view: past.0,
            count,
        };
        store.put(rows::LACE, fact_key(self.local, first), carrier.encode());
        self.is_stale(store);
        for (at, item) in (first..).zip(facts) {
            let fact = Arc::new(carrier.fact(FactNo(at), item.clone()));
            self.memory.borrow_mut().keep_fact(&fact);
            self.note_issue(store, &fact);
        }
        self.make_view(store, past, FactNo(first), count)
    }

    /// Forgets the facts of an envelope that is removed.
    pub(crate) fn drop_facts(&mut self, store: &mut Staged<'_>, first: u32, count: u16) {
        store.delete(rows::LACE, fact_key(self.local, first));
        self.is_stale(store);
        for no in (0..u32::from(count)).map(|at| FactNo(first.saturating_add(at))) {
            self.memory.borrow_mut().facts.remove(&no.0);
            self.drop_end(store, no);
        }
    }

    /// All facts that are here.
    pub fn held_set(&self, store: &mut Staged<'_>) -> Set {
        let mut set = Set::default();
        for (key, row) in crate::lace::all_rows(store, self.local, b"f") {
            let first = key.get(5..).and_then(|key| Bytes(key).u32());
            if let (Some(first), Some(carrier)) = (first, Carrier::decode(&row)) {
                set.add_run(FactNo(first), carrier.count);
            }
        }
        set
    }
}

fn fact_key(local: u32, first: u32) -> Vec<u8> {
    rows::key(local, &[b"f", &first.to_be_bytes()])
}
