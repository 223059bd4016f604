//! The owners of a topic: who they are to be, who they are, and what they decide together.

use super::inviting::AskedInvite;
use super::names::one;
use crate::command::owners::{Owner, Owners, OwnersCommand, OwnersReply, Proposal};
use crate::command::{Code, Failure, Problem, Reply};
use crate::limits::MAX_CUT_NAMED;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::proposals::proposed;
use crate::rows::{self, NODE};
use identity::limits::MAX_DEVICES;
use identity::{ActId, EnvelopeId, Form, GrantId, Id, PublicKey};
use minicbor::{CborLen, Decode, Encode};
use rights::{InviteSeed, Member};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Act, JoinLink, Role};

/// First byte of the key of a row with the owners that a topic is to have: `w` ‖ local.
const PLAN: u8 = b'w';

/// Fewest digits that stand for a proposal.
const MIN_ID: usize = 6;

/// The owners that a topic is to have.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
struct Plan {
    /// How many it takes.
    #[n(0)]
    threshold: u8,
    /// The invites of the others: the ids of their grants, one after another.
    #[cbor(n(1), with = "minicbor::bytes")]
    invites: Vec<u8>,
}

impl Plan {
    fn invites(&self) -> impl Iterator<Item = GrantId> + '_ {
        let ids = self.invites.chunks_exact(32);
        ids.filter_map(|id| Some(GrantId::from_bytes(id.try_into().ok()?)))
    }
}

fn plan_key(local: u32) -> Vec<u8> {
    [&[PLAN], local.to_be_bytes().as_slice()].concat()
}

impl Inner {
    /// `way owners …`, and `way topic create --owners`.
    pub(super) fn owners(
        &mut self,
        turn: &mut Turn<'_, '_>,
        command: OwnersCommand,
    ) -> Result<Reply, Failure> {
        let reply = match command {
            OwnersCommand::Create {
                name,
                threshold,
                count,
            } => self.create_owned(turn, &name, (threshold, count))?,
            OwnersCommand::List { topic } => {
                let local = self.find_topic(&topic)?;
                OwnersReply::List(self.list_owners(turn, local)?)
            }
            OwnersCommand::Pending => OwnersReply::Pending(self.pending(turn)),
            OwnersCommand::Sign { id } => OwnersReply::Signed(self.sign_pending(turn, &id)?),
            OwnersCommand::Propose {
                topic,
                add,
                remove,
                threshold,
            } => OwnersReply::Signed(self.propose_owners(
                turn,
                &topic,
                (&add, &remove, threshold),
            )?),
        };
        Ok(Reply::Owners(reply))
    }

    fn create_owned(
        &mut self,
        turn: &mut Turn<'_, '_>,
        name: &str,
        (threshold, count): (u8, u8),
    ) -> Result<OwnersReply, Failure> {
        let most = usize::from(count);
        if !(2..=MAX_DEVICES).contains(&most) || threshold == 0 || threshold > count {
            let text =
                format!("owners are 2 to {MAX_DEVICES}, and at most so many decide together");
            return Err(Failure::new(Code::Usage, text, "such as --owners 2of3"));
        }
        if self.own_addresses().is_empty() && self.mine.list(turn.cx).is_empty() {
            let text = "neither this node nor a core of it has an address that others could reach";
            let hint = "use a core node, or name an address with `way up --public HOST:PORT`";
            return Err(Failure::new(Code::Failed, text, hint));
        }
        let Reply::Topic { id, name } = self.topic_create(turn, name, false)? else {
            return Err(Failure::new(
                Code::Failed,
                "the topic could not be made",
                "",
            ));
        };
        let local = self.find_topic(&name)?;
        let (mut links, mut invites, mut last) = (Vec::new(), Vec::new(), 0);
        for _ in 1..count {
            let asked = AskedInvite {
                rights: Vec::new(),
                messages: None,
                uses: 1,
                until: None,
                // An owner gets its seat by an act; a welcome would give it another one before.
                while_away: true,
            };
            let Reply::Invited { link, expires, .. } = self.invite(turn, &name, &asked)? else {
                continue;
            };
            let seed: Result<JoinLink, _> = link.parse();
            let loc = seed.map(|link| InviteSeed::from_bytes(link.seed).locator());
            let all = rows::invites(&mut turn.cx.store, local);
            let found = all.into_iter().find(|(_, at)| loc == Ok(*at));
            if let Some((grant, _)) = found {
                invites.extend_from_slice(grant.as_bytes());
            }
            links.push(link);
            last = expires;
        }
        let plan = Plan { threshold, invites };
        let store = &mut turn.cx.store;
        store.put(NODE, plan_key(local), rows::encode(&plan));
        Ok(OwnersReply::Created {
            topic: id,
            name,
            links,
            until: last,
        })
    }

    fn plan(&self, turn: &mut Turn<'_, '_>, local: u32) -> Option<Plan> {
        rows::decode(&turn.cx.store.get(NODE, &plan_key(local))?)
    }

    /// Somebody has come: proposes the owners, once all who are to be are there.
    pub(crate) fn plan_owners(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(plan) = self.plan(turn, local) else {
            return;
        };
        let Some((_, member)) = self.owning(turn, local) else {
            return;
        };
        let Some(now) = member.now() else { return };
        let came = self.came_by(turn, local, &plan);
        let all: BTreeSet<PublicKey> = came.values().copied().flatten().collect();
        if all.iter().all(|device| now.form.has(device)) && all.len() == came.len() {
            turn.cx.store.delete(NODE, plan_key(local));
            return;
        }
        if all.len() < came.len() {
            return;
        }
        let own = now.form.devices().iter().map(|it| it.key);
        let keys: BTreeSet<PublicKey> = own.chain(all).collect();
        let Ok(form) = Form::equal(&keys, plan.threshold) else {
            return;
        };
        // What was refused is tried again when the next envelope comes.
        let _proposed = self.propose_form(turn, local, form);
    }

    /// The devices that have come by the invites of a plan.
    fn came_by(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        plan: &Plan,
    ) -> BTreeMap<GrantId, Option<PublicKey>> {
        let invites: Vec<GrantId> = plan.invites().collect();
        look(&mut self.topics, turn.cx, local, |lace, _| {
            let by = |invite: &GrantId| {
                let mut authors = lace.authors();
                let found = authors.find(|author| author.grant() == invite);
                found.map(|author| *author.device())
            };
            invites.iter().map(|invite| (*invite, by(invite))).collect()
        })
        .unwrap_or_default()
    }

    /// The composition that owns a topic, as it stands.
    fn owning(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<(Id, Member)> {
        let id = self.host.keys.topic(local)?.genesis.root.member();
        Some((id, self.member_of(turn, local, id)?))
    }

    fn list_owners(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Result<Owners, Failure> {
        let unknown = || Failure::new(Code::NotYet, "nothing of the topic has come yet", "");
        let (_, member) = self.owning(turn, local).ok_or_else(unknown)?;
        let now = member.now().ok_or_else(unknown)?;
        let keys: Vec<PublicKey> = now.form.devices().iter().map(|it| it.key).collect();
        let devices = self.called(turn, local, keys);
        let missing = self.missing_owners(turn, local);
        let keys = self.host.keys.topic(local).ok_or_else(unknown)?;
        Ok(Owners {
            topic: keys.id,
            name: keys.row.name.clone(),
            threshold: now.form.threshold(),
            devices,
            missing,
        })
    }

    fn called(&mut self, turn: &mut Turn<'_, '_>, local: u32, keys: Vec<PublicKey>) -> Vec<Owner> {
        let names = self.device_names(turn, local, &keys);
        let of = self.host.keys.topic(local);
        let own = of.and_then(|keys| Some(keys.device.as_ref()?.public()));
        let called = keys.into_iter().map(|key| Owner {
            device: key.to_string(),
            name: names.get(&key).cloned().unwrap_or_default(),
            own: Some(key) == own,
        });
        called.collect()
    }

    /// What is missing of the owners that a topic is to have, in sentences.
    fn missing_owners(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<String> {
        let Some(plan) = self.plan(turn, local) else {
            return Vec::new();
        };
        let came = self.came_by(turn, local, &plan);
        let here = came.values().flatten().count();
        let (all, threshold) = (came.len() + 1, plan.threshold);
        if here < came.len() {
            return vec![format!(
                "{here} of the {} others have joined who are to own it with you; until then you are its \
                 only owner",
                came.len()
            )];
        }
        vec![format!(
            "all have joined; they have to agree (`way owners sign`) before {threshold} of {all} own it"
        )]
    }

    /// Topics that do not have the owners yet that they are to have.
    pub(super) fn owner_problems(&mut self, turn: &mut Turn<'_, '_>) -> Vec<Problem> {
        let rows = turn.cx.store.prefix(NODE, &[PLAN], 64);
        let locals = rows
            .iter()
            .filter_map(|(key, _)| Some(u32::from_be_bytes(key.get(1..5)?.try_into().ok()?)));
        let locals: Vec<u32> = locals.collect();
        let mut problems = Vec::new();
        for local in locals {
            let name = self
                .host
                .keys
                .topic(local)
                .map(|keys| keys.row.name.clone());
            let Some(name) = name else { continue };
            for text in self.missing_owners(turn, local) {
                problems.push(Problem {
                    code: "owners".to_owned(),
                    text: format!("the topic {name:?}: {text}"),
                    hint: format!("`way owners list {name}`"),
                });
            }
        }
        problems
    }

    fn pending(&mut self, turn: &mut Turn<'_, '_>) -> Vec<Proposal> {
        let topics = self.host.keys.topics();
        let topics = topics.filter(|(_, keys)| keys.device.is_some());
        let locals: Vec<u32> = topics.map(|(local, _)| local).collect();
        let mut all = Vec::new();
        for local in locals {
            for act in proposed(&mut turn.cx.store, local) {
                all.extend(self.shown(turn, local, &act, false));
            }
        }
        all
    }

    /// A proposal in words.
    fn shown(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        act: &Act,
        done: bool,
    ) -> Option<Proposal> {
        let member = self.member_of(turn, local, act.composition)?;
        let before = member
            .states
            .iter()
            .find(|state| state.id == act.previous)?;
        let form = &before.form;
        let named = |inner: &mut Self, turn: &mut Turn<'_, '_>, keys: Vec<PublicKey>| {
            let called = inner.called(turn, local, keys).into_iter();
            called.map(|one| one.name).collect::<Vec<_>>().join(", ")
        };
        let mut says = Vec::new();
        let new: Vec<PublicKey> = act.form.beyond(form).collect();
        let gone: Vec<PublicKey> = form.beyond(&act.form).collect();
        if !new.is_empty() {
            says.push(format!("adds {}", named(self, turn, new.clone())));
        }
        if !gone.is_empty() {
            says.push(format!("removes {}", named(self, turn, gone)));
        }
        let (takes, of) = (act.form.threshold(), act.form.devices().len());
        says.push(format!("then {takes} of {of} decide"));
        let signers = act.signers(Role::Signer);
        let agreed = act.signers(Role::New);
        let signed: Vec<PublicKey> = signers.union(&agreed).copied().collect();
        let lacks = form.lacks(&signers);
        let missing = new.iter().filter(|key| !agreed.contains(key)).copied();
        let mut waits: Vec<PublicKey> = missing.collect();
        let lacks = lacks.saturating_add(waits.len());
        if form.lacks(&signers) > 0 {
            waits.extend(form.missing(&signers));
        }
        let (signed, waits_for) = (
            self.called(turn, local, signed),
            self.called(turn, local, waits),
        );
        let keys = self.host.keys.topic(local)?;
        Some(Proposal {
            id: act.id().to_string(),
            topic: keys.id,
            name: keys.row.name.clone(),
            text: says.join("; "),
            signed,
            waits_for: if done { Vec::new() } else { waits_for },
            lacks: u32::try_from(lacks).unwrap_or(u32::MAX),
            done,
        })
    }

    fn sign_pending(&mut self, turn: &mut Turn<'_, '_>, text: &str) -> Result<Proposal, Failure> {
        let text = text.to_ascii_lowercase();
        let topics = self.host.keys.topics();
        let topics = topics.filter(|(_, keys)| keys.device.is_some());
        let locals: Vec<u32> = topics.map(|(local, _)| local).collect();
        let mut fits: BTreeMap<ActId, (u32, Act)> = BTreeMap::new();
        for local in locals {
            for act in proposed(&mut turn.cx.store, local) {
                if text.len() >= MIN_ID && act.id().to_string().starts_with(&text) {
                    fits.insert(act.id(), (local, act));
                }
            }
        }
        let ids: Vec<ActId> = fits.keys().copied().collect();
        let shown = ids.iter().map(ToString::to_string).collect();
        let none = format!("nothing waits for signatures that begins with {text:?}");
        let id = one(&ids, shown, &none, "`way owners pending`")?;
        let Some((local, act)) = fits.remove(&id) else {
            return Err(Failure::new(Code::NotFound, none, ""));
        };
        let signed = self
            .signed_by_own(turn, local, act.clone())
            .ok_or_else(|| {
                let text = "this device has signed it, or is none of those who may";
                Failure::new(
                    Code::Refused,
                    text,
                    "`way owners pending` says who is waited for",
                )
            })?;
        self.hand_in(turn, local, signed)
    }

    /// Takes what this device has signed, passes it on, and says how it stands.
    fn hand_in(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        act: Act,
    ) -> Result<Proposal, Failure> {
        let full = || {
            let text = "as many proposals wait for signatures in this topic as there can be";
            Failure::new(Code::Failed, text, "`way owners pending` lists them")
        };
        let (act, done) = self
            .take_proposal(turn, local, act, None)
            .ok_or_else(full)?;
        self.shown(turn, local, &act, done).ok_or_else(full)
    }

    /// Signs another form of the topic's owners, and hands it to the others.
    fn propose_form(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        form: Form,
    ) -> Result<Proposal, Failure> {
        let refused = || {
            Failure::new(
                Code::Refused,
                "this device is none of the topic's owners",
                "",
            )
        };
        let (composition, member) = self.owning(turn, local).ok_or_else(refused)?;
        let now = member.now().ok_or_else(refused)?;
        let keys = self.member(local)?;
        let (topic, device) = (keys.id, keys.device.clone().ok_or_else(refused)?);
        if !now.form.has(&device.public()) {
            return Err(refused());
        }
        let gone: BTreeSet<PublicKey> = now.form.beyond(&form).collect();
        let cut: BTreeSet<EnvelopeId> = look(&mut self.topics, turn.cx, local, |lace, _| {
            let authors = lace.authors().filter(|it| gone.contains(it.device()));
            authors.filter_map(|it| Some(it.tip()?.id)).collect()
        })
        .unwrap_or_default();
        if cut.len() > MAX_CUT_NAMED {
            let text = format!("those who go have written under more than {MAX_CUT_NAMED} keys");
            return Err(Failure::new(Code::Failed, text, ""));
        }
        let mut act = Act {
            composition,
            number: member.next_number(),
            previous: now.id,
            form,
            cut: cut.into_iter().collect(),
            signatures: Vec::new(),
        };
        act.sign(topic, &device, Role::Signer);
        self.hand_in(turn, local, act)
    }

    fn propose_owners(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
        (add, remove, threshold): (&[String], &[String], Option<u8>),
    ) -> Result<Proposal, Failure> {
        let local = self.find_topic(topic)?;
        let unknown = || Failure::new(Code::NotYet, "nothing of the topic has come yet", "");
        let (root, member) = self.owning(turn, local).ok_or_else(unknown)?;
        let now = member.now().ok_or_else(unknown)?.form.clone();
        let mut keys: BTreeSet<PublicKey> = now.devices().iter().map(|it| it.key).collect();
        for text in add {
            let device = self.one_device(turn, local, text, |(holder, _)| *holder != root)?;
            keys.insert(device);
        }
        for text in remove {
            let device = self.one_device(turn, local, text, |(holder, _)| *holder == root)?;
            keys.remove(&device);
        }
        let threshold = threshold.unwrap_or_else(|| now.threshold());
        let form = Form::equal(&keys, threshold)
            .map_err(|why| Failure::new(Code::Usage, why.to_string(), "say --threshold"))?;
        if form == now {
            let text = "that is what the owners are already";
            return Err(Failure::new(Code::Usage, text, "`way owners list`"));
        }
        self.propose_form(turn, local, form)
    }

    /// The one device with a seat that a person means.
    fn one_device(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        text: &str,
        of: impl Fn(&(Id, PublicKey)) -> bool,
    ) -> Result<PublicKey, Failure> {
        let seats = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            effect.devices.keys().copied().collect::<Vec<_>>()
        })
        .unwrap_or_default();
        let seats: BTreeSet<PublicKey> = seats
            .into_iter()
            .filter(of)
            .map(|(_, device)| device)
            .collect();
        let keys: Vec<PublicKey> = seats.into_iter().collect();
        let names = self.device_names(turn, local, &keys);
        let name = |key: &PublicKey| names.get(key).map_or("", String::as_str);
        let key = text.to_ascii_lowercase();
        let fits = |of: &&PublicKey| {
            name(of) == text || (key.len() >= 8 && of.to_string().starts_with(&key))
        };
        let found: Vec<PublicKey> = keys.iter().filter(fits).copied().collect();
        let shown = found.iter().map(|key| format!("{key} {}", name(key)));
        let none = format!("nobody who takes part is called {text:?}");
        one(&found, shown.collect(), &none, "`way members`")
    }
}
