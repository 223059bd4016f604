//! The facts of a set by what they are about, and the tree of its grants. Whatever has an id gets a
//! number here, so that ids are compared once, when the index is made.

use core::cell::OnceCell;
use core::ops::Range;

use identity::{ActId, EnvelopeId, Form, GrantId, Id, PublicKey};

use super::facts::{AuthorNo, Fact, Facts, What};
use super::held::{At, Held};

/// A grant or invite by its place among the ids of all.
pub(super) type GrantNo = usize;

/// A holder by its place among the ids of all.
pub(super) type MemberNo = usize;

/// The depth of what does not hang below the root.
const NOWHERE: u32 = u32::MAX;

/// A grant or invite of the set. Whether it stands is not asked here.
pub(super) struct Edge {
    pub(super) id: GrantId,
    /// `None` for the root, and where no fact of the set is the parent.
    pub(super) parent: Option<GrantNo>,
    /// `None` for an invite.
    pub(super) holder: Option<MemberNo>,
    pub(super) depth: u32,
    /// The facts that carry it, first ones first, as a part of [`Index::carried`].
    carried: Range<usize>,
}

/// What an author's first envelope says of it.
pub(super) struct Start {
    pub(super) author: AuthorNo,
    /// Its grant, if that hangs below the root.
    pub(super) edge: Option<GrantNo>,
    pub(super) grant: GrantId,
    pub(super) device: PublicKey,
    pub(super) index: u32,
}

/// An act, whoever carries it.
pub(super) struct ActRow {
    pub(super) id: ActId,
    /// By the ids of their envelopes.
    pub(super) carriers: Vec<At>,
    /// Those of them that are believed on what came before the act, once that has been asked.
    pub(super) witnesses: OnceCell<Vec<At>>,
}

/// Where an item comes in the order of all: a total order that every replica computes alike.
type Place = (u64, EnvelopeId, u16);

pub(super) struct Index {
    /// By depth, from 1; within a depth in the order of places.
    pub(super) levels: Vec<Vec<GrantNo>>,
    /// Ascending by id.
    pub(super) edges: Vec<Edge>,
    carried: Vec<At>,
    pub(super) root: GrantNo,
    pub(super) members: Vec<Id>,
    /// The holder of every fact that is a grant.
    holders: Vec<Option<MemberNo>>,
    pub(super) revocations: Groups,
    pub(super) closes: Groups,
    /// Ascending by id.
    pub(super) acts: Vec<ActRow>,
    /// The acts that follow a state of a composition, ascending.
    next: Vec<(MemberNo, ActId, usize)>,
    /// By the act; ascending.
    countersigns: Vec<(ActId, At)>,
    /// Ascending by author.
    pub(super) starts: Vec<Start>,
    /// The authors under a grant.
    pub(super) authors: Groups,
    /// The author of every fact, as a place in `starts`.
    pub(super) by: Vec<Option<usize>>,
    /// Certificates that name branches, by the depth of their author's grant.
    pub(super) choices: Groups,
}

impl Edge {
    /// Whether it hangs below the root.
    pub(super) const fn is_planted(&self) -> bool {
        self.depth != NOWHERE
    }
}

/// Numbers by number: what is under each of `0..n`, in the order in which it came.
pub(super) struct Groups {
    ends: Vec<usize>,
    items: Vec<usize>,
}

impl Groups {
    fn of(count: usize, pairs: &[(usize, usize)]) -> Self {
        // Where each group ends; then where the next item of it goes, from its end backwards.
        let mut ends = vec![0_usize; count];
        for (group, _) in pairs {
            ends[*group] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut items = vec![0; pairs.len()];
        let mut next = ends.clone();
        for (group, item) in pairs.iter().rev() {
            next[*group] -= 1;
            items[next[*group]] = *item;
        }
        Self { ends, items }
    }

    /// What is under this number.
    pub(super) fn get(&self, group: usize) -> &[usize] {
        let start = match group.checked_sub(1) {
            Some(before) => self.ends.get(before).copied(),
            None => Some(0),
        };
        let range = start.zip(self.ends.get(group).copied());
        range.map_or(&[], |(start, end)| &self.items[start..end])
    }
}

/// The first bytes of a grant's id, in its order.
fn head(id: &GrantId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *id.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The same of a holder's id.
fn head_of(id: &Id) -> u64 {
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    u64::from_be_bytes([id.kind() as u8, id.scheme() as u8, a, b, c, d, e, f])
}

/// The places of facts by what they are.
#[derive(Default)]
struct Sorted {
    /// Grants and invites, with the heads of their ids.
    issues: Vec<(u64, At)>,
    revocations: Vec<(GrantId, At)>,
    closes: Vec<(GrantId, At)>,
    acts: Vec<(ActId, At)>,
    countersigns: Vec<(ActId, At)>,
    certificates: Vec<(AuthorNo, At)>,
}

impl Sorted {
    fn of(list: &[&Fact]) -> Self {
        let mut sorted = Self::default();
        for (at, fact) in list.iter().enumerate() {
            match &fact.what {
                What::Grant(_) | What::Invite(_) => sorted.issues.push((head(&fact.item), at)),
                What::Revocation(it) => sorted.revocations.push((it.grant, at)),
                What::Close(it) => sorted.closes.push((it.grant, at)),
                What::Act(it) => sorted.acts.push((it.id, at)),
                What::Certificate(_) => sorted.certificates.push((fact.author, at)),
                What::Countersign(act) => sorted.countersigns.push((*act, at)),
                What::Claim(_) => {}
            }
        }
        sorted
    }
}

fn place(fact: &Fact) -> Place {
    (fact.generation, fact.carrier, fact.index)
}

/// The parent and the holder of a grant or invite.
const fn hangs(fact: &Fact) -> Option<(&GrantId, Option<&Id>)> {
    match &fact.what {
        What::Grant(it) => Some((&it.parent, Some(&it.holder))),
        What::Invite(it) => Some((&it.parent, None)),
        _ => None,
    }
}

impl Index {
    pub(super) fn of(held: &Held<'_>) -> Self {
        let list = &held.list;
        let mut sorted = Sorted::of(list);
        let (members, holders, owners) = members(held, &sorted.issues);
        let (mut edges, carried) = edges(list, &mut sorted.issues, &holders);
        let root = put_root(&mut edges, held.root().grant, owners);
        let heads: Vec<u64> = edges.iter().map(|edge| head(&edge.id)).collect();
        for grant in (0..edges.len()).filter(|grant| *grant != root) {
            let fact = list[carried[edges[grant].carried.start]];
            let parent = hangs(fact).and_then(|it| search(&heads, &edges, it.0));
            edges[grant].parent = parent;
        }
        let levels = plant(list, &mut edges, &carried, root);
        let find = |id: &GrantId| {
            let grant = search(&heads, &edges, id)?;
            edges[grant].is_planted().then_some(grant)
        };
        let ends = |ends: &[(GrantId, At)]| {
            let known = ends.iter().filter_map(|(id, at)| Some((find(id)?, *at)));
            Groups::of(edges.len(), &known.collect::<Vec<_>>())
        };
        let revocations = ends(&sorted.revocations);
        let closes = ends(&sorted.closes);
        let starts = starts(list, sorted.certificates, find);
        let by = list.iter().map(|fact| author(&starts, fact.author));
        let by: Vec<Option<usize>> = by.collect();
        let under = starts.iter().enumerate();
        let under = under.filter_map(|(author, start)| Some((start.edge?, author)));
        let authors = Groups::of(edges.len(), &under.collect::<Vec<_>>());
        let (acts, next) = acts(list, sorted.acts, |id| members.binary_search(id).ok());
        let mut index = Self {
            levels,
            edges,
            carried,
            root,
            members,
            holders,
            revocations,
            closes,
            acts,
            next,
            countersigns: sorted.countersigns,
            starts,
            authors,
            by,
            choices: Groups::of(0, &[]),
        };
        index.countersigns.sort_unstable();
        let choices = list.iter().enumerate().filter_map(|(at, fact)| {
            let chooses = matches!(&fact.what, What::Certificate(it) if !it.branches.is_empty());
            let depth = index.depth(at).filter(|_| chooses)?;
            Some((usize::try_from(depth).ok()?, at))
        });
        let choices: Vec<(usize, At)> = choices.collect();
        index.choices = Groups::of(index.levels.len() + 1, &choices);
        index
    }

    /// The facts that carry a grant, first ones first.
    pub(super) fn carried(&self, grant: GrantNo) -> &[At] {
        &self.carried[self.edges[grant].carried.clone()]
    }

    pub(super) fn member(&self, id: &Id) -> Option<MemberNo> {
        self.members.binary_search(id).ok()
    }

    /// The grant that the carrier of a fact is written under.
    pub(super) fn grant_of(&self, fact: At) -> Option<GrantNo> {
        self.starts[self.by[fact]?].edge
    }

    /// The composition that the author of a fact acts for; `None` under an invite.
    pub(super) fn member_of(&self, fact: At) -> Option<MemberNo> {
        self.edges[self.grant_of(fact)?].holder
    }

    /// The depth of the grant that the carrier of a fact is written under.
    pub(super) fn depth(&self, fact: At) -> Option<u32> {
        Some(self.edges[self.grant_of(fact)?].depth)
    }

    /// Who holds the grants above one, from its parent up. As long as the grant is deep.
    pub(super) fn above(&self, grant: GrantNo) -> impl Iterator<Item = MemberNo> + '_ {
        let up = |grant: &GrantNo| self.edges[*grant].parent;
        let grants = core::iter::successors(up(&grant), up);
        grants.filter_map(|grant| self.edges[grant].holder)
    }

    pub(super) fn is_above(&self, member: MemberNo, grant: GrantNo) -> bool {
        self.above(grant).any(|holder| holder == member)
    }

    /// The acts that follow a state.
    pub(super) fn following(&self, of: MemberNo, state: ActId) -> impl Iterator<Item = &ActRow> {
        let start = self
            .next
            .partition_point(|(a, b, _)| (*a, *b) < (of, state));
        let next = self.next[start..].iter();
        let next = next.take_while(move |(a, b, _)| (*a, *b) == (of, state));
        next.map(|(_, _, act)| &self.acts[*act])
    }

    pub(super) fn act(&self, id: &ActId) -> Option<&ActRow> {
        let found = self.acts.binary_search_by_key(id, |act| act.id);
        self.acts.get(found.ok()?)
    }

    /// The facts that are for an act.
    pub(super) fn countersigns(&self, act: ActId) -> impl Iterator<Item = At> {
        let start = self.countersigns.partition_point(|(id, _)| *id < act);
        let own = self.countersigns[start..].iter();
        own.take_while(move |(id, _)| *id == act).map(|(_, at)| *at)
    }
}

/// The first forms of holders: any grant may tell one, since its hash is the holder's id.
pub(super) fn forms<'a>(held: &'a Held<'a>, index: &Index) -> Vec<Option<&'a Form>> {
    let mut forms = vec![None; index.members.len()];
    if let Some(owners) = index.edges[index.root].holder {
        forms[owners] = Some(&held.root().form);
    }
    for (fact, holder) in held.list.iter().zip(&index.holders) {
        if let What::Grant(it) = &fact.what
            && let Some(form) = &it.form
            && let Some(holder) = holder
            && forms[*holder].is_none()
            && form.member() == it.holder
        {
            forms[*holder] = Some(form);
        }
    }
    forms
}

/// Who holds anything, ascending, with the owners of the root among them; the holder of the grant
/// that each fact is, if it is one; and the owners' number.
fn members(held: &Held<'_>, issues: &[(u64, At)]) -> (Vec<Id>, Vec<Option<MemberNo>>, MemberNo) {
    let named = issues.iter().filter_map(|(_, at)| {
        let holder = hangs(held.list[*at])?.1?;
        Some((head_of(holder), holder, *at))
    });
    let mut named: Vec<(u64, &Id, At)> = named.collect();
    named.sort_unstable();
    let owners = held.root().form.member();
    let mut members: Vec<Id> = Vec::with_capacity(named.len() + 1);
    let mut holders = vec![None; held.list.len()];
    for (_, id, at) in named {
        if members.last() != Some(id) {
            members.push(*id);
        }
        holders[at] = Some(members.len() - 1);
    }
    let found = members.binary_search(&owners);
    let number = found.unwrap_or_else(|place| {
        members.insert(place, owners);
        for holder in holders.iter_mut().flatten().filter(|it| **it >= place) {
            *holder += 1;
        }
        place
    });
    (members, holders, number)
}

/// Grants and invites, ascending by id, and the facts that carry them.
fn edges(
    list: &[&Fact],
    issues: &mut [(u64, At)],
    holders: &[Option<MemberNo>],
) -> (Vec<Edge>, Vec<At>) {
    issues.sort_unstable_by(|(head, one), (other, two)| {
        let (one, two) = (list[*one], list[*two]);
        let ids = || one.item.cmp(&two.item);
        head.cmp(other)
            .then_with(ids)
            .then_with(|| place(one).cmp(&place(two)))
    });
    let carried: Vec<At> = issues.iter().map(|(_, at)| *at).collect();
    let mut edges: Vec<Edge> = Vec::with_capacity(carried.len() + 1);
    for (number, at) in carried.iter().enumerate() {
        let id = list[*at].item;
        match edges.last_mut() {
            Some(edge) if edge.id == id => edge.carried.end = number + 1,
            _ => edges.push(Edge {
                id,
                parent: None,
                holder: holders[*at],
                depth: NOWHERE,
                carried: number..number + 1,
            }),
        }
    }
    (edges, carried)
}

/// The root gets its place. An item that bears its id would be a second root: it has none.
fn put_root(edges: &mut Vec<Edge>, id: GrantId, owners: MemberNo) -> GrantNo {
    let top = Edge {
        id,
        parent: None,
        holder: Some(owners),
        depth: 0,
        carried: 0..0,
    };
    match edges.binary_search_by_key(&id, |edge| edge.id) {
        Ok(at) => {
            edges[at] = top;
            at
        }
        Err(at) => {
            edges.insert(at, top);
            at
        }
    }
}

/// The number of a grant among those that ascend by id. `heads` are those of their ids.
fn search(heads: &[u64], edges: &[Edge], id: &GrantId) -> Option<GrantNo> {
    let head = head(id);
    let first = heads.partition_point(|it| *it < head);
    let same = heads[first..].partition_point(|it| *it == head);
    let found = edges[first..first + same].binary_search_by_key(id, |edge| edge.id);
    Some(first + found.ok()?)
}

/// Puts every grant below its parent: depth and order follow from the items alone. What does not
/// hang below the root stays nowhere, and so does what hangs below an invite.
fn plant(list: &[&Fact], edges: &mut [Edge], carried: &[At], root: GrantNo) -> Vec<Vec<GrantNo>> {
    let below = edges.iter().enumerate();
    let below = below.filter_map(|(grant, edge)| Some((edge.parent?, grant)));
    let children = Groups::of(edges.len(), &below.collect::<Vec<_>>());
    let mut levels: Vec<Vec<GrantNo>> = Vec::new();
    edges[root].depth = 0;
    let mut level = vec![root];
    for depth in 1.. {
        let parents = level.iter().filter(|grant| edges[**grant].holder.is_some());
        let next = parents.flat_map(|grant| children.get(*grant)).copied();
        level = next.collect();
        if level.is_empty() {
            break;
        }
        level.sort_unstable_by_key(|grant| place(list[carried[edges[*grant].carried.start]]));
        for grant in &level {
            edges[*grant].depth = depth;
        }
        levels.push(level.clone());
    }
    levels
}

/// What authors' first envelopes say. A certificate stands there alone.
fn starts(
    list: &[&Fact],
    mut certificates: Vec<(AuthorNo, At)>,
    find: impl Fn(&GrantId) -> Option<GrantNo>,
) -> Vec<Start> {
    certificates.sort_unstable();
    let mut starts: Vec<Start> = Vec::with_capacity(certificates.len());
    for (author, at) in certificates {
        let What::Certificate(it) = &list[at].what else {
            continue;
        };
        if starts.last().is_some_and(|start| start.author == author) {
            starts.pop();
        }
        starts.push(Start {
            author,
            edge: find(&it.grant),
            grant: it.grant,
            device: it.device,
            index: it.index,
        });
    }
    starts
}

/// An author among those that ascend by number. Those have few gaps: the first guess is often right.
fn author(starts: &[Start], author: AuthorNo) -> Option<usize> {
    let first = starts.first()?.author.0;
    let guess = usize::try_from(author.0.checked_sub(first)?).ok()?;
    if starts
        .get(guess)
        .is_some_and(|start| start.author == author)
    {
        return Some(guess);
    }
    let found = starts.binary_search_by_key(&author, |start| start.author);
    found.ok()
}

/// The acts, ascending by id, and which of them follow what.
fn acts(
    list: &[&Fact],
    mut carried: Vec<(ActId, At)>,
    member: impl Fn(&Id) -> Option<MemberNo>,
) -> (Vec<ActRow>, Vec<(MemberNo, ActId, usize)>) {
    carried.sort_unstable_by_key(|(id, at)| (*id, list[*at].carrier, list[*at].index));
    let mut acts: Vec<ActRow> = Vec::new();
    let mut next = Vec::new();
    for (id, at) in carried {
        if let Some(act) = acts.last_mut().filter(|act| act.id == id) {
            act.carriers.push(at);
            continue;
        }
        if let What::Act(it) = &list[at].what
            && let Some(of) = member(&it.composition)
        {
            next.push((of, it.previous, acts.len()));
        }
        acts.push(ActRow {
            id,
            carriers: vec![at],
            witnesses: OnceCell::new(),
        });
    }
    next.sort_unstable();
    (acts, next)
}
