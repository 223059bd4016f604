//! The owners of a topic: who they are to be, who they are, and what they decide together.

use super::inviting::AskedInvite;
use super::names::one;
use super::topics::nowhere_to_go;
use crate::command::owners::{Owner, Owners, OwnersCommand, OwnersReply, Proposal};
use crate::command::{Code, Failure, Problem, Reply};
use crate::limits::MAX_CUT_NAMED;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::{self, NODE};
use identity::limits::MAX_DEVICES;
use identity::{EnvelopeId, Form, GrantId, Id, PublicKey};
use minicbor::{CborLen, Decode, Encode};
use rights::InviteSeed;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Act, JoinLink};

/// First byte of the key of a row with the owners that a topic is to have: `w` ‖ local.
const PLAN: u8 = b'w';

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
                public,
                messages,
            } => self.create_owned(turn, &name, (threshold, count), (public, messages))?,
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
        policy: (bool, Option<u32>),
    ) -> Result<OwnersReply, Failure> {
        let most = usize::from(count);
        if !(2..=MAX_DEVICES).contains(&most) || threshold == 0 || threshold > count {
            let text =
                format!("owners are 2 to {MAX_DEVICES}, and at most so many decide together");
            return Err(Failure::new(Code::Usage, text, "such as --owners 2of3"));
        }
        if self.own_addresses().is_empty() && self.mine.list(turn.cx).is_empty() {
            let text = "neither this node nor a core of it has an address that others could reach";
            let hint = nowhere_to_go(self.router.reach());
            return Err(Failure::new(Code::Failed, text, hint));
        }
        let Reply::Topic { id, name } = self.topic_create(turn, name, policy)? else {
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
                counts: false,
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

    /// Acts have come: forgets what was planned once it is so.
    pub(crate) fn plan_owners(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(plan) = self.plan(turn, local) else {
            return;
        };
        let Some((_, member)) = self.owning(turn, local) else {
            return;
        };
        let came = self.came_by(turn, local, &plan);
        let form = member.now().map(|now| &now.form);
        let owns = |key: &PublicKey| form.is_some_and(|form| form.has(key));
        if came.values().all(|devices| devices.iter().any(owns)) {
            turn.cx.store.delete(NODE, plan_key(local));
        }
    }

    /// The act that makes those owners who have come by the links that were meant for them, for the founder to
    /// sign. Nothing as long as somebody is missing, and where more have come by a link than one: only people know
    /// who was meant.
    pub(super) fn planned(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Option<wire::Proposal> {
        let plan = self.plan(turn, local)?;
        let came = self.came_by(turn, local, &plan);
        let (_, member) = self.owning(turn, local)?;
        let mut keys = keys_of(&member.now()?.form);
        for devices in came.values() {
            let mut devices = devices.iter();
            keys.insert(*devices.next()?);
            if devices.next().is_some() {
                return None;
            }
        }
        let form = Form::equal(&keys, plan.threshold).ok()?;
        let act = self.act_to(turn, local, form).ok()?;
        Some(wire::Proposal::act(self.router.time(turn.cx), act))
    }

    /// The devices that have come by the invites of a plan.
    fn came_by(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        plan: &Plan,
    ) -> BTreeMap<GrantId, BTreeSet<PublicKey>> {
        let invites: Vec<GrantId> = plan.invites().collect();
        look(&mut self.topics, turn.cx, local, |lace, _| {
            let by = |invite: &GrantId| {
                let authors = lace.authors();
                let found = authors.filter(|author| author.grant() == invite);
                found.map(|author| *author.device()).collect()
            };
            invites.iter().map(|invite| (*invite, by(invite))).collect()
        })
        .unwrap_or_default()
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

    pub(super) fn called(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        keys: Vec<PublicKey>,
    ) -> Vec<Owner> {
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
        let here = came.values().filter(|devices| !devices.is_empty()).count();
        let (all, threshold) = (came.len() + 1, plan.threshold);
        let mut says = Vec::new();
        for devices in came.values().filter(|devices| devices.len() > 1) {
            let called = self.told_apart(turn, local, devices.iter().copied().collect());
            says.push(format!(
                "more than one have come by the link that was meant for one owner: {called}; name those who are \
                 meant (`way owners propose --add`)"
            ));
        }
        if here < came.len() {
            says.push(format!(
                "{here} of the {} others have joined who are to own it with you; until then you are its \
                 only owner",
                came.len()
            ));
        } else if says.is_empty() {
            let devices = came.into_values().flatten().collect();
            let called = self.told_apart(turn, local, devices);
            says.push(format!(
                "all have joined: {called}; if these are they, sign (`way owners pending`), and they have to \
                 agree, before {threshold} of {all} own it"
            ));
        }
        says
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

    /// Signs another form of the topic's owners, and hands it to the others.
    fn propose_form(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        form: Form,
    ) -> Result<Proposal, Failure> {
        let act = self.act_to(turn, local, form)?;
        let proposal = wire::Proposal::act(self.router.time(turn.cx), act);
        let refused = || Failure::new(Code::Refused, "the owners have just changed", "try again");
        let signed = self.signed_by_own(turn, local, proposal);
        self.hand_in(turn, local, signed.ok_or_else(refused)?)
    }

    /// The act that gives the topic's owners another form, which nobody has signed.
    fn act_to(&mut self, turn: &mut Turn<'_, '_>, local: u32, form: Form) -> Result<Act, Failure> {
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
        let device = keys.device.as_ref().ok_or_else(refused)?.public();
        if !now.form.has(&device) {
            return Err(refused());
        }
        let new: BTreeSet<PublicKey> = form.beyond(&now.form).collect();
        let elsewhere = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let held = |grant: &GrantId| effect.grants.get(grant).and_then(|it| it.holder);
            let mut seats = effect.devices.iter();
            seats.any(|((holder, key), seat)| {
                new.contains(key) && *holder != composition && held(&seat.grant).is_some()
            })
        });
        if elsewhere == Some(true) {
            let text = "who becomes an owner takes part by a grant of its own, and no device is part of two members";
            let hint = "take that back first (`way revoke`), or invite another device of theirs";
            return Err(Failure::new(Code::Refused, text, hint));
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
        Ok(Act {
            composition,
            number: member.next_number(),
            previous: now.id,
            form,
            cut: cut.into_iter().collect(),
            signatures: Vec::new(),
        })
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
        let mut keys = keys_of(&now);
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

pub(super) fn keys_of(form: &Form) -> BTreeSet<PublicKey> {
    form.devices().iter().map(|it| it.key).collect()
}
