//! The other side: what a member shows of its graph, so that somebody who knows the genesis alone
//! sees that a grant was given.

use std::collections::BTreeSet;
use std::sync::Arc;

use identity::{ActId, EnvelopeId, Form, GrantId, Id, PublicKey};
use lace::{Body, Fact, Lace};
use machine::Staged;
use wire::limits::{MAX_GRANT_DEPTH, MAX_PROOF_ENVELOPES};
use wire::{Act, Item, Raw};

use super::{parent, told};
use crate::limits::{MAX_CHAIN_BYTES, MAX_ENDS_LOOKED_AT, MAX_FIRSTS_LOOKED_AT};

/// The envelopes that prove a grant, as [`Chain::check`](super::Chain::check) takes them: for a device
/// of whoever holds it, or for whoever claims it if it is an invite. The topic's own grant needs none
/// for a device of the genesis.
///
/// Nothing if the grant is not here, the device does not hold it, or the chain is longer than
/// strangers look at.
pub fn gather(
    lace: &Lace,
    store: &mut Staged<'_>,
    grant: &GrantId,
    device: &PublicKey,
) -> Option<Vec<Raw>> {
    let mut graph = Graph { lace, store };
    let links = graph.links(grant)?;
    let mut list = List::new(&lace.genesis().root, &links);
    for link in &links {
        graph.add(&mut list, link)?;
    }
    if let Some(seats) = &list.seats
        && !seats.form.has(device)
    {
        graph.seat(&mut list, |act| act.form.has(device))?;
    }
    if list.ids.len() > MAX_PROOF_ENVELOPES {
        return None;
    }
    let raws: Option<Vec<Raw>> = list.ids.iter().map(|id| graph.raw(id)).collect();
    let raws = raws?;
    let bytes = raws.iter().map(Raw::encoded_len);
    let bytes = bytes.fold(0, usize::saturating_add);
    (bytes <= MAX_CHAIN_BYTES).then_some(raws)
}

/// A grant or an invite on the way down from the topic's own.
struct Link {
    fact: Arc<Fact>,
    /// Number 1 of whoever issued it, and the device that this certifies; nothing where a
    /// composition signed it.
    issuer: Option<(EnvelopeId, PublicKey)>,
}

/// A composition, as far as a chain has told it.
struct Seats {
    of: Id,
    act: ActId,
    form: Form,
}

impl Seats {
    fn first(form: &Form) -> Self {
        Self {
            of: form.member(),
            act: form.first_state(),
            form: form.clone(),
        }
    }
}

/// The envelopes of a chain, so far.
struct List {
    ids: Vec<EnvelopeId>,
    /// How many there were when the present link began: only those of it need no second place.
    begun: usize,
    /// The holder; nothing under an invite.
    seats: Option<Seats>,
    /// First forms that the chain tells, or will.
    forms: Vec<(Id, Form)>,
}

impl List {
    fn new(root: &Form, links: &[Link]) -> Self {
        let told = links.iter().filter_map(|link| told(&link.fact.what));
        let forms = told.map(|(holder, form)| (holder, form.clone()));
        Self {
            ids: Vec::new(),
            begun: 0,
            seats: Some(Seats::first(root)),
            forms: core::iter::once((root.member(), root.clone()))
                .chain(forms)
                .collect(),
        }
    }

    fn push(&mut self, id: EnvelopeId) {
        let here = self.ids.get(self.begun..).unwrap_or_default();
        if here.last() != Some(&id) {
            self.ids.push(id);
        }
    }

    fn form(&self, of: &Id) -> Option<&Form> {
        let mut forms = self.forms.iter();
        forms.find(|(id, _)| id == of).map(|(_, form)| form)
    }
}

/// The graph that is shown from, and its rows.
struct Graph<'a, 'r, 's> {
    lace: &'a Lace,
    store: &'r mut Staged<'s>,
}

impl Graph<'_, '_, '_> {
    /// From the topic's own grant down to this one.
    fn links(&mut self, grant: &GrantId) -> Option<Vec<Link>> {
        let root = *self.lace.genesis().topic_id().as_bytes();
        let mut links: Vec<Link> = Vec::new();
        // Whoever writes under a grant names one envelope with it, of which there may be several.
        let (mut grant, mut named) = (*grant, None);
        while *grant.as_bytes() != root {
            if links.len() >= MAX_GRANT_DEPTH {
                return None;
            }
            let issued = self.lace.facts(self.store, |facts| facts.issued(&grant));
            let carriers = issued.into_iter().filter(|fact| match &named {
                Some(named) => BTreeSet::contains(named, &fact.carrier),
                None => true,
            });
            let fact = carriers.min_by_key(|fact| (fact.created, fact.carrier))?;
            let above = parent(&fact.what)?;
            let issuer = match fact.what.joint() {
                Some(_) => None,
                None => Some(self.issuer(&fact, &above)?),
            };
            named = issuer.as_ref().map(|(first, _)| {
                let named = self.lace.facts(self.store, |facts| facts.named_by(first));
                named.into_iter().collect::<BTreeSet<EnvelopeId>>()
            });
            links.push(Link { fact, issuer });
            grant = above;
        }
        links.reverse();
        Some(links)
    }

    /// Number 1 of the chain that a fact stands on, and whom it certifies.
    fn issuer(&mut self, fact: &Fact, under: &GrantId) -> Option<(EnvelopeId, PublicKey)> {
        let key = self
            .lace
            .facts(self.store, |facts| facts.key(fact.author))?;
        let firsts = self.lace.at(self.store, &key, 1, MAX_FIRSTS_LOOKED_AT);
        self.lace.facts(self.store, |facts| {
            let begins = |first: &EnvelopeId| {
                facts.under(first) == Some(*under) && facts.on_chain(first, &fact.carrier)
            };
            let first = firsts.into_iter().find(begins)?;
            let carried = facts.carried(&first);
            match carried.first().map(|fact| &fact.what) {
                Some(Item::Certificate(certificate)) => Some((first, certificate.device)),
                _ => None,
            }
        })
    }

    /// Adds what a link takes: acts that seat whoever issued it, its number 1, and the grant.
    fn add(&mut self, list: &mut List, link: &Link) -> Option<()> {
        list.begun = list.ids.len();
        match (&link.issuer, link.fact.what.joint()) {
            (Some((_, device)), _) if !list.seats.as_ref()?.form.has(device) => {
                self.seat(list, |act| act.form.has(device))?;
            }
            (None, Some(joint)) if list.seats.as_ref()?.act != joint.under => {
                self.seat(list, |act| act.id() == joint.under)?;
            }
            _ => {}
        }
        let holder = match &link.fact.what {
            Item::Grant(grant) => Some(grant.holder),
            _ => None,
        };
        if let Some(holder) = holder
            && list.form(&holder).is_none()
        {
            let (carrier, form) = self.teller(&holder)?;
            list.push(carrier);
            list.forms.push((holder, form));
        }
        list.push(link.issuer.map_or(link.fact.carrier, |(first, _)| first));
        list.push(link.fact.carrier);
        list.seats = match holder {
            None => None,
            // Of a composition that grants to itself, the newest state is told.
            Some(holder) if list.seats.as_ref().is_some_and(|own| own.of == holder) => {
                list.seats.take()
            }
            Some(holder) => Some(Seats::first(list.form(&holder)?)),
        };
        Some(())
    }

    /// Adds the acts that lead from the state told so far to one as it is wanted: the first of these
    /// in number, of those that follow one another from there.
    fn seat(&mut self, list: &mut List, wanted: impl Fn(&Act) -> bool) -> Option<()> {
        let seats = list.seats.as_mut()?;
        let ends = self.lace.ends(self.store, MAX_ENDS_LOOKED_AT);
        let acts: Vec<(&Fact, &Act, ActId)> = ends
            .iter()
            .filter_map(|fact| match &fact.what {
                Item::Act(act) if act.composition == seats.of => {
                    Some((fact.as_ref(), act, act.id()))
                }
                _ => None,
            })
            .collect();
        let mut goals: Vec<_> = acts.iter().filter(|(_, act, _)| wanted(act)).collect();
        goals.sort_unstable_by_key(|(fact, act, _)| (act.number, fact.no));
        let path = goals.into_iter().find_map(|goal| {
            let mut path = vec![goal];
            while let Some((_, act, _)) = path.last() {
                if act.previous == seats.act {
                    return Some(path);
                }
                if path.len() >= MAX_PROOF_ENVELOPES {
                    return None;
                }
                path.push(acts.iter().find(|(_, _, id)| *id == act.previous)?);
            }
            None
        })?;
        let path: Vec<EnvelopeId> = path
            .into_iter()
            .rev()
            .map(|(fact, act, id)| {
                seats.act = *id;
                seats.form = act.form.clone();
                fact.carrier
            })
            .collect();
        path.into_iter().for_each(|carrier| list.push(carrier));
        Some(())
    }

    /// An envelope that tells the first form of a composition which holds something that stands.
    fn teller(&mut self, holder: &Id) -> Option<(EnvelopeId, Form)> {
        let effect = self.lace.held_effect(self.store);
        let held = effect.grants.values();
        let held = held.filter(|standing| standing.holder == Some(*holder));
        let by: Vec<_> = held.filter_map(|standing| standing.by).collect();
        self.lace.facts(self.store, |facts| {
            by.into_iter().find_map(|no| {
                let fact = facts.fact(no)?;
                let (_, form) = told(&fact.what)?;
                Some((fact.carrier, form.clone()))
            })
        })
    }

    fn raw(&mut self, id: &EnvelopeId) -> Option<Raw> {
        let held = self.lace.envelope(self.store, id)?;
        match held.body {
            Body::Here(body) => Some(held.envelope.to_raw(Some(body))),
            Body::Missing | Body::Gone => None,
        }
    }
}
