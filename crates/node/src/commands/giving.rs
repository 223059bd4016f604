//! Giving rights to members of a topic, and taking them back.
//!
//! What may be given and taken is for the law of the topic to say. Here it is found out who is
//! meant, what they hold, and which of their envelopes a cut leaves.

use super::inviting::no_epoch_left;
use super::names::{is_prefix, one};
use super::topics::from_publish;
use crate::command::owners::OwnersReply;
use crate::command::{AskedRight, Code, Failure, Reply, Right as Named};
use crate::grants::{self, is_below, parent};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::reading::{all_read, reads_only};
use crate::welcoming::Unwelcomed;
use identity::{ActId, EnvelopeId, Form, GrantId, Id, Kind, PublicKey, Scheme};
use lace::{Author, Effect, Lace, Over};
use machine::Staged;
use std::collections::BTreeSet;
use topic::{Draft, Payload};
use wire::{Budget, Grant, Interval, Item, Joint, Revocation, Right, Rights, Terms};

/// Envelopes that one control envelope names for a cut. Its other deps are for heads.
const NAMED_AT_ONCE: usize = 12;

/// Most envelopes that a cut names: as many as a carrier and its envelopes before can name. A
/// member who has written under more keys is revoked by somebody else's shorter cut, or in steps.
const MAX_NAMED: usize = NAMED_AT_ONCE * 8;

/// Most others who have claimed the same invite and get a grant of their own when it is taken back.
/// An invite that more have claimed is not taken back.
const MAX_OTHERS: usize = 24;

/// Fewest digits that stand for the key of a device.
const MIN_KEY: usize = 8;

/// How often the same may be given and taken back. After that it is given with other bounds.
const MAX_GIVEN_AGAIN: u64 = 1_024;

/// Somebody who takes part.
struct Target {
    holder: Id,
    devices: BTreeSet<PublicKey>,
    /// Its first form. Nothing for the owners of the topic, and where an invite alone is meant.
    form: Option<Form>,
    held: Vec<Holding>,
}

/// A grant that somebody holds, or an invite that it has claimed.
struct Holding {
    grant: GrantId,
    /// What is left of it; nothing for the topic's own.
    terms: Option<Terms>,
    /// Whether it is the topic's own.
    is_root: bool,
    /// Whether the one who revokes gave it, or something above it.
    is_below: bool,
    /// An invite that the member gave and somebody may still claim, which ends with its own rights.
    is_given: bool,
    chains: Vec<Chain>,
    /// Devices that write under it and hold no grant that gives as much.
    users: BTreeSet<PublicKey>,
}

/// An author under a grant.
#[derive(Clone, Copy)]
struct Chain {
    author: PublicKey,
    device: PublicKey,
    index: u32,
    /// Its newest envelope that stands.
    end: EnvelopeId,
}

/// What a cut leaves of a member.
#[derive(Clone, Copy)]
enum Leaves {
    All,
    /// This envelope and what its device wrote before.
    UpTo(Chain),
}

impl Inner {
    /// `way grant`.
    pub(crate) fn give(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (topic, member): (&str, &str),
        asked: &[AskedRight],
        budget: Budget,
    ) -> Result<Reply, Failure> {
        let (local, own) = self.giver(topic)?;
        let rights = rights_of(asked)?;
        if rights.read.is_some() && self.is_public(local) {
            return Err(all_read());
        }
        if let Some(open) = self.claimant(turn, local, member) {
            let grant = self.welcome(turn, local, &open, Terms { rights, budget });
            return Ok(Reply::Granted {
                grant: grant.map_err(from_publish)?.to_string(),
                member: Form::one(open.claim.device).member().to_string(),
                name: self.name_of(turn, local, &BTreeSet::from([open.claim.device])),
                unused: None,
            });
        }
        let together = self.deciding_together(turn, local);
        let own = together.map_or(own, |(root, _)| root);
        let target = self.receiver(turn, (local, own), member)?;
        let Some(form) = target.form else {
            return Err(Failure::new(
                Code::Refused,
                "this member owns the topic: there is nothing that it has not got",
                "",
            ));
        };
        let under = together.map(|(_, under)| under);
        let give = |terms| given(own, form.clone(), terms, under);
        let item = self.unlike_before(turn, local, Terms { rights, budget }, give);
        if let Some((_, under)) = together {
            let proposed = self.propose_items(turn, local, (under, vec![item]))?;
            return Ok(Reply::Owners(OwnersReply::Signed(proposed)));
        }
        let grant = item.id().to_string();
        let now = turn.cx.wall.as_millis();
        let unused = look(&mut self.topics, turn.cx, local, |lace, store| {
            let gift = Terms { rights, budget };
            grants::unused_gift(lace, store, (&target.devices, now), &gift)
        });
        if !self.can_align(turn, local, &rights) {
            return Err(no_epoch_left());
        }
        self.say_items(turn, local, vec![item], &BTreeSet::new())?;
        self.align_epoch(turn, local, &rights);
        Ok(Reply::Granted {
            grant,
            member: target.holder.to_string(),
            name: self.name_of(turn, local, &target.devices),
            unused: unused.flatten(),
        })
    }

    /// What a member calls itself: the first of its devices that says anything.
    fn name_of(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        devices: &BTreeSet<PublicKey>,
    ) -> String {
        let devices: Vec<PublicKey> = devices.iter().copied().collect();
        let mut names = self.device_names(turn, local, &devices);
        let mut called = devices.iter().filter_map(|device| names.remove(device));
        called.find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// `way grant --at`. Where several decide it becomes a proposal then, and nobody hears of it before.
    pub(super) fn give_later(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (topic, member): (&str, &str),
        (asked, at): (&[AskedRight], u64),
        budget: (Option<u32>, Option<u32>),
    ) -> Result<Reply, Failure> {
        let (local, own) = self.giver(topic)?;
        if rights_of(asked)?.read.is_some() && self.is_public(local) {
            return Err(all_read());
        }
        let (holder, member) = match self.reader_named(turn, local, member) {
            // Its key is all that is known of it, and what it is found by then.
            Some(device) => (Form::one(device).member(), device.to_string()),
            None => {
                let holder = self.target(turn, (local, own), member)?.holder;
                (holder, holder.to_string())
            }
        };
        self.schedule(turn, (local, holder, member), (asked, at), budget)
    }

    /// `way revoke`.
    pub(super) fn revoke(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (topic, member): (&str, &str),
        only: &[Named],
        (cut, cascade): (Option<&str>, bool),
    ) -> Result<Reply, Failure> {
        let (local, own) = self.giver(topic)?;
        let mut together = self.deciding_together(turn, local);
        let own = together.map_or(own, |(root, _)| root);
        let target = match self.invite_named(turn, (local, own), member) {
            Some(invite) => {
                // What it gave alone it takes back alone, as soon as it sees that somebody else has the link.
                together = together.filter(|_| !self.gave(turn, local, &invite));
                invite
            }
            None => match self.target(turn, (local, own), member) {
                Err(none) if none.code == Code::NotFound => {
                    self.waiting_target(turn, local, member).ok_or(none)?
                }
                found => found?,
            },
        };
        let leaves = match cut {
            Some(id) => Leaves::UpTo(self.last_of(turn, local, &target, id)?),
            None => Leaves::All,
        };
        let asked = only;
        let only: BTreeSet<Right> = asked.iter().copied().map(right).collect();
        if only.contains(&Right::Read) && self.is_public(local) {
            return Err(all_read());
        }
        let (mut items, mut named) = (Vec::new(), BTreeSet::new());
        let (mut revoked, mut others) = (Vec::new(), 0);
        if target.held.iter().any(|holding| holding.is_root) {
            return Err(Failure::new(
                Code::Refused,
                "this member owns the topic: no grant is above its own",
                "",
            ));
        }
        let ends_admission = only.is_empty() || only.contains(&Right::Admit);
        let ends = |holding: &&Holding| holding.is_below && (!holding.is_given || ends_admission);
        for holding in target.held.iter().filter(ends) {
            let beside = holding.users.difference(&target.devices);
            // Who came by what the member gave ends with it, if that was said.
            let beside = beside.filter(|_| !(cascade && holding.is_given));
            let beside: Vec<&PublicKey> = beside.collect();
            if beside.len() > MAX_OTHERS {
                let text = format!(
                    "{} others have claimed the same invite, and at most {MAX_OTHERS} can be given \
                     grants of their own",
                    beside.len()
                );
                return Err(Failure::new(Code::Failed, text, ""));
            }
            if let Some(terms) = holding.terms {
                others += beside.len();
                let give = |device: &PublicKey| given(own, Form::one(*device), terms, None);
                items.extend(beside.into_iter().map(give));
            }
            let mut chains = holding.chains.clone();
            if cascade {
                // The cut counts for all below as well: what they wrote so far stands, too.
                chains.extend(self.chains_below(turn, local, &holding.grant));
            }
            let left = cut_of(&target, &chains, leaves);
            named.extend(left.iter().copied());
            revoked.push(holding.grant.to_string());
            items.push(Item::Revocation(Revocation {
                grant: holding.grant,
                cut: left.into_iter().collect(),
                cascade,
                only: if holding.is_given {
                    BTreeSet::new()
                } else {
                    only.clone()
                },
                joint: None,
            }));
        }
        // What waits for its time is taken back with what stands, or by itself.
        let waiting = (local, &target.holder);
        if revoked.is_empty() && self.take_back_releases(turn, waiting, asked) {
            return Ok(Reply::Revoked {
                grants: revoked,
                member: target.holder.to_string(),
                others: 0,
            });
        }
        if revoked.is_empty() {
            return Err(Failure::new(
                Code::Refused,
                "nothing stands of what this device, or whoever it gave to, has given this member",
                "`way members` shows who holds what, and by whom",
            ));
        }
        if named.len() > MAX_NAMED {
            let (and, hint) = if cascade {
                let hint = "without --cascade it ends alone; take back from each of the others what it gave";
                (" or by what they gave", hint)
            } else {
                ("", "")
            };
            let text = format!(
                "this member, and whoever came by the same invites{and}, have written under more than \
                 {MAX_NAMED} keys"
            );
            return Err(Failure::new(Code::Failed, text, hint));
        }
        if let Some((_, under)) = together {
            let proposed = self.propose_items(turn, local, (under, items))?;
            self.take_back_releases(turn, waiting, asked);
            return Ok(Reply::Owners(OwnersReply::Signed(proposed)));
        }
        self.say_items(turn, local, items, &named)?;
        self.take_back_releases(turn, waiting, asked);
        // Whoever hears of it hears of keys that the member has not, too.
        self.renew_epoch(turn, local);
        let member = match revoked.as_slice() {
            // Of an invite that is taken back by itself.
            [invite] if target.devices.is_empty() => invite.clone(),
            _ => target.holder.to_string(),
        };
        Ok(Reply::Revoked {
            grants: revoked,
            member,
            others: u32::try_from(others).unwrap_or(u32::MAX),
        })
    }

    /// The chains under all that was given out of a grant, whether it stands or has ended by itself: a cut
    /// that counts for them leaves nothing of whom it does not name.
    fn chains_below(&mut self, turn: &mut Turn<'_, '_>, local: u32, grant: &GrantId) -> Vec<Chain> {
        let below = look(&mut self.topics, turn.cx, local, |lace, store| {
            let from = BTreeSet::from([*grant]);
            let under: BTreeSet<GrantId> = lace.authors().map(|author| *author.grant()).collect();
            let below = under.into_iter();
            let below = below.filter(|under| is_below(lace, store, *under, &from));
            let below: BTreeSet<GrantId> = below.collect();
            let authors = lace.authors();
            let authors = authors.filter(|author| below.contains(author.grant()));
            authors.filter_map(chain_of).collect()
        });
        below.unwrap_or_default()
    }

    /// Whether this device has given all that is held, by itself.
    fn gave(&mut self, turn: &mut Turn<'_, '_>, local: u32, target: &Target) -> bool {
        let keys = self.host.keys.topic(local);
        let own = keys.and_then(|keys| Some(keys.device.as_ref()?.public()));
        let gave = look(&mut self.topics, turn.cx, local, |lace, store| {
            let mut held = target.held.iter();
            held.all(|holding| issued_by(lace, store, &holding.grant, |key| Some(*key) == own))
        });
        gave.unwrap_or(false)
    }

    /// What is given, so that it is not the very grant that was once taken back: that is called by what it gives,
    /// and stays taken back. One that begins a millisecond later is another.
    fn unlike_before(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        terms: Terms,
        give: impl Fn(Terms) -> Item,
    ) -> Item {
        let unlike = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let later = |by: u64| {
                give(Terms {
                    rights: later(&terms.rights, by),
                    ..terms
                })
            };
            let mut all = (0..MAX_GIVEN_AGAIN).map(later);
            all.find(|item| {
                let id = item.id();
                let whole = effect.grants.get(&id).map(|it| it.over == Over::default());
                whole.unwrap_or_else(|| lace.facts(store, |facts| facts.issued(&id)).is_empty())
            })
        });
        unlike.flatten().unwrap_or_else(|| give(terms))
    }

    /// The topic, and the grant out of which this device gives.
    fn giver(&self, topic: &str) -> Result<(u32, GrantId), Failure> {
        let local = self.find_topic(topic)?;
        let keys = self.member(local)?;
        if keys.row.left {
            return Err(Failure::new(
                Code::Refused,
                "this node has left the topic",
                "",
            ));
        }
        if keys.is_reader() {
            return Err(reads_only(keys));
        }
        Ok((local, GrantId::from_bytes(keys.row.grant)))
    }

    /// Who has claimed an invite and waits, by the key of its device or a prefix of it that fits
    /// nobody else who waits.
    fn claimant(&mut self, turn: &mut Turn<'_, '_>, local: u32, text: &str) -> Option<Unwelcomed> {
        let key = text.to_ascii_lowercase();
        let fits = |open: &Unwelcomed| {
            key.len() >= MIN_KEY && open.claim.device.to_string().starts_with(&key)
        };
        let mut found = self.unwelcomed(turn, local);
        found.retain(fits);
        // Of one device's claims the newest: it has the key to that.
        found.sort_by_key(|open| open.claim.time);
        let last = found.pop()?;
        let others = found
            .iter()
            .any(|open| open.claim.device != last.claim.device);
        (!others).then_some(last)
    }

    /// Whoever is to be given something: a member, or somebody who only reads a public topic.
    fn receiver(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, own): (u32, GrantId),
        text: &str,
    ) -> Result<Target, Failure> {
        let Some(device) = self.reader_named(turn, local, text) else {
            return self.target(turn, (local, own), text);
        };
        let form = Form::one(device);
        Ok(Target {
            holder: form.member(),
            devices: BTreeSet::from([device]),
            form: Some(form),
            held: Vec::new(),
        })
    }

    /// The device of somebody who only reads a public topic, by its whole key: nobody else says that
    /// there is such a device, so a typing error would let nobody in.
    fn reader_named(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        text: &str,
    ) -> Option<PublicKey> {
        let device: PublicKey = text.trim().to_ascii_lowercase().parse().ok()?;
        if !self.is_public(local) {
            return None;
        }
        let seated = look(&mut self.topics, turn.cx, local, |lace, store| {
            lace.has_member(store, &device)
        });
        (seated == Some(false)).then_some(device)
    }

    /// Somebody without a seat for whom something waits for its time.
    fn waiting_target(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        text: &str,
    ) -> Option<Target> {
        let key = text.trim().to_ascii_lowercase();
        let is_meant = |member: &str| match member.parse::<PublicKey>() {
            Ok(_) => key.len() >= MIN_KEY && member.starts_with(&key),
            Err(_) => is_prefix(text, &member),
        };
        let found = self.waited_for(turn, local, is_meant);
        let holder = *found.first().filter(|_| found.len() == 1)?;
        Some(Target {
            holder,
            devices: BTreeSet::new(),
            form: None,
            held: Vec::new(),
        })
    }

    /// The member that a person means: by its id, the key of a device, a unique prefix of one, or a
    /// name.
    fn target(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, own): (u32, GrantId),
        text: &str,
    ) -> Result<Target, Failure> {
        let seats = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            effect.devices.keys().copied().collect::<Vec<_>>()
        })
        .unwrap_or_default();
        let holder = self.find_member(turn, local, &seats, text)?;
        let devices = seats.iter().filter(|(of, _)| *of == holder);
        let devices: BTreeSet<PublicKey> = devices.map(|(_, device)| *device).collect();
        let seen = look(&mut self.topics, turn.cx, local, |lace, store| {
            let held = holdings(lace, store, own, (holder, &devices));
            (held, first_form(lace, store, (holder, &devices)))
        });
        let (held, form) = seen.unwrap_or_default();
        Ok(Target {
            holder,
            form,
            held,
            devices,
        })
    }

    /// An invite that nobody holds, by its id or a prefix of that: what is taken back with it.
    fn invite_named(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, own): (u32, GrantId),
        text: &str,
    ) -> Option<Target> {
        let key = text.to_ascii_lowercase();
        let fits = |grant: &GrantId| key.len() >= MIN_KEY && grant.to_string().starts_with(&key);
        let held = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let invites = effect.grants.iter().filter(|(_, it)| it.holder.is_none());
            let mut found = invites.map(|(grant, _)| *grant).filter(fits);
            let invite = found.next().filter(|_| found.next().is_none())?;
            Some(holding(lace, store, &effect, (own, invite)))
        });
        let held = held.flatten()?;
        Some(Target {
            holder: Id::new(Kind::Member, Scheme::Hash, *held.grant.as_bytes()),
            devices: BTreeSet::new(),
            form: None,
            held: vec![held],
        })
    }

    fn find_member(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        seats: &[(Id, PublicKey)],
        text: &str,
    ) -> Result<Id, Failure> {
        let devices: Vec<PublicKey> = seats.iter().map(|(_, device)| *device).collect();
        let names = self.device_names(turn, local, &devices);
        let called = |fits: &dyn Fn(&str) -> bool| -> BTreeSet<Id> {
            let named = seats.iter().filter(|(_, device)| {
                let name = names.get(device).map_or("", String::as_str);
                !name.is_empty() && fits(name)
            });
            named.map(|(holder, _)| *holder).collect()
        };
        let key = text.to_ascii_lowercase();
        let fits = |(holder, device): &&(Id, PublicKey)| {
            is_prefix(text, holder)
                || (key.len() >= MIN_KEY && device.to_string().starts_with(&key))
        };
        let by_key = seats.iter().filter(fits).map(|(holder, _)| *holder);
        // People choose their names: one that reads like another's key makes that ambiguous.
        let mut found: BTreeSet<Id> = by_key.collect();
        found.extend(called(&|name| name == text));
        if found.is_empty() {
            // As it was given, before a piece of the key was added to tell it from others.
            let given = |name: &str| {
                name.rsplit_once('·')
                    .is_some_and(|(given, _)| given == text)
            };
            found = called(&given);
        }
        let found: Vec<Id> = found.into_iter().collect();
        let shown = found.iter().map(|holder| {
            let devices = seats.iter().filter(|(of, _)| of == holder);
            let names = devices.filter_map(|(_, device)| names.get(device).cloned());
            format!("{holder} {}", names.collect::<Vec<_>>().join(" "))
        });
        one(
            &found,
            shown.collect(),
            &format!("nobody who takes part is called {text:?}"),
            "`way members`",
        )
    }

    /// The chain of the message up to which a member's stand, ending there.
    fn last_of(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        target: &Target,
        text: &str,
    ) -> Result<Chain, Failure> {
        let (message, of) = self.find_message(turn, text)?;
        let id = message.envelope;
        let found = look(&mut self.topics, turn.cx, local, |lace, store| {
            let envelope = lace.header(store, &id).filter(|_| of == Some(local))?;
            let author = lace.author(&envelope.header.author)?;
            Some(Chain {
                author: envelope.header.author,
                device: *author.device(),
                index: author.index(),
                end: id,
            })
        });
        let found = found.flatten();
        found
            .filter(|chain| target.devices.contains(&chain.device))
            .ok_or_else(|| {
                Failure::new(
                    Code::NotFound,
                    "that message is none of this member's in this topic",
                    "`way read --json` shows ids and authors",
                )
            })
    }

    /// Publishes items in one envelope, which names these for a cut; before it, if they are many,
    /// envelopes that name the rest.
    pub(crate) fn say_items(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        items: Vec<Item>,
        named: &BTreeSet<EnvelopeId>,
    ) -> Result<(), Failure> {
        self.open_author(turn, local).map_err(from_publish)?;
        let named: Vec<EnvelopeId> = named.iter().copied().collect();
        let mut parts: Vec<Vec<EnvelopeId>> =
            named.chunks(NAMED_AT_ONCE).map(<[_]>::to_vec).collect();
        let last = parts.pop().unwrap_or_default();
        let sealing = self.host.keys.topic(local);
        let sealing = sealing.and_then(|keys| Some(keys.sealing.as_ref()?.public()));
        for answers in parts {
            // It says nothing new: it is there for what it names.
            let again = sealing.map(Item::Sealing).into_iter().collect();
            self.say(turn, local, again, answers)?;
        }
        self.say(turn, local, items, last)
    }

    fn say(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        items: Vec<Item>,
        answers: Vec<EnvelopeId>,
    ) -> Result<(), Failure> {
        let draft = Draft {
            payload: Payload::Items(items),
            lifespan: None,
            answers,
            manifest: None,
        };
        self.with_topics(turn, |topics, env| topics.publish(env, local, draft))
            .map_err(from_publish)?;
        self.note_queued(turn, local);
        Ok(())
    }
}

/// What a member holds of what stands, the invites that it gave, and who else writes under the
/// same.
fn holdings(
    lace: &Lace,
    store: &mut Staged<'_>,
    own: GrantId,
    (holder, devices): (Id, &BTreeSet<PublicKey>),
) -> Vec<Holding> {
    let effect = lace.held_effect(store);
    let mut grants: BTreeSet<GrantId> = BTreeSet::new();
    let held = effect.grants.iter();
    let held = held.filter(|(_, it)| it.holder == Some(holder));
    grants.extend(held.map(|(id, _)| *id));
    let seats = effect.devices.iter();
    let seats = seats.filter(|((of, _), _)| *of == holder);
    grants.extend(seats.map(|(_, seat)| seat.grant));
    let under = lace.authors();
    let under = under.filter(|author| devices.contains(author.device()));
    grants.extend(under.map(|author| *author.grant()));
    // Whoever gave an invite knows its link, and could come back by it.
    let invites = effect.grants.iter().filter(|(_, it)| it.holder.is_none());
    let given = invites
        .filter(|(grant, _)| issued_by(lace, store, grant, |device| devices.contains(device)));
    let given: BTreeSet<GrantId> = given.map(|(grant, _)| *grant).collect();
    let all = grants.union(&given).copied();
    let all = all.filter(|grant| effect.grants.contains_key(grant));
    all.map(|grant| Holding {
        is_given: !grants.contains(&grant),
        ..holding(lace, store, &effect, (own, grant))
    })
    .collect()
}

/// Whether one of these devices wrote an envelope that carries a grant or an invite.
fn issued_by(
    lace: &Lace,
    store: &mut Staged<'_>,
    grant: &GrantId,
    is_one: impl Fn(&PublicKey) -> bool,
) -> bool {
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let mut carriers = issued
        .iter()
        .filter_map(|fact| lace.header(store, &fact.carrier));
    carriers.any(|carrier| {
        let author = lace.author(&carrier.header.author);
        author.is_some_and(|author| is_one(author.device()))
    })
}

fn holding(
    lace: &Lace,
    store: &mut Staged<'_>,
    effect: &Effect,
    (own, grant): (GrantId, GrantId),
) -> Holding {
    let authors = lace.authors().filter(|author| *author.grant() == grant);
    let authors: Vec<&Author> = authors.collect();
    let chains = authors.iter().filter_map(|author| chain_of(author));
    // What is counted in all ends with an invite.
    let terms = grants::left_of(lace, store, effect, &grant).map(|terms| Terms {
        budget: terms.budget.without_totals(),
        ..terms
    });
    // Who has a grant that gives as much needs no other, if it was given out of the same as the new
    // one would be: another may end with whom it is that is revoked.
    let is_served = |device: &PublicKey, store: &mut Staged<'_>| {
        let member = Form::one(*device).member();
        let held = effect.grants.iter();
        let mut held = held.filter(|(other, it)| it.holder == Some(member) && **other != grant);
        held.any(|(other, _)| {
            if parent(lace, store, other) != Some(own) {
                return false;
            }
            let has = grants::left_of(lace, store, effect, other);
            has.zip(terms).is_some_and(|(has, terms)| has == terms)
        })
    };
    let users: BTreeSet<PublicKey> = authors.iter().map(|author| *author.device()).collect();
    let seated = |device: &PublicKey| effect.devices.keys().any(|(_, seated)| seated == device);
    let users = users.into_iter().filter(|device| seated(device));
    let users: Vec<PublicKey> = users.collect();
    let users = users.into_iter().filter(|device| !is_served(device, store));
    Holding {
        grant,
        users: users.collect(),
        chains: chains.collect(),
        is_root: grant.as_bytes() == lace.id().as_bytes(),
        is_below: is_below(lace, store, grant, &BTreeSet::from([own])),
        is_given: false,
        terms,
    }
}

/// What an author has written, if anything of it stands.
fn chain_of(author: &Author) -> Option<Chain> {
    Some(Chain {
        author: *author.key(),
        device: *author.device(),
        index: author.index(),
        end: author.tip()?.id,
    })
}

/// What is left of the chains under a grant, and of those below where it is taken back with these: all of
/// others', and of the member's own what is to be.
fn cut_of(target: &Target, chains: &[Chain], leaves: Leaves) -> BTreeSet<EnvelopeId> {
    let left = chains.iter().filter_map(|chain| match leaves {
        Leaves::UpTo(last) if target.devices.contains(&chain.device) => {
            if chain.author == last.author {
                Some(last.end)
            } else {
                // What the device wrote under later keys came after.
                (chain.device != last.device || chain.index < last.index).then_some(chain.end)
            }
        }
        _ => Some(chain.end),
    });
    left.collect()
}

/// A grant to the member of this first form; by a composition in a state, if there is one.
fn given(parent: GrantId, form: Form, terms: Terms, under: Option<ActId>) -> Item {
    Item::Grant(Grant {
        parent,
        holder: form.member(),
        rights: terms.rights,
        budget: terms.budget,
        welcomes: None,
        form: Some(form),
        joint: under.map(Joint::new),
    })
}

/// The first form of a member, of which its id is the hash: as a grant to it says, or the only device of one that
/// came by an invite.
fn first_form(
    lace: &Lace,
    store: &mut Staged<'_>,
    (holder, devices): (Id, &BTreeSet<PublicKey>),
) -> Option<Form> {
    let effect = lace.held_effect(store);
    let held = effect.grants.iter();
    let mut held = held.filter(|(_, it)| it.holder == Some(holder));
    let said = held.find_map(|(grant, _)| {
        let issued = lace.facts(store, |facts| facts.issued(grant));
        issued.iter().find_map(|fact| match &fact.what {
            Item::Grant(item) => item.form.clone(),
            _ => None,
        })
    });
    let one = devices.first().copied().map(Form::one);
    said.or(one).filter(|form| form.member() == holder)
}

/// The same, each beginning so many milliseconds later.
fn later(rights: &Rights, by: u64) -> Rights {
    let later = |interval: Option<Interval>| {
        interval.map(|interval| Interval {
            from: interval.from.saturating_add(by),
            ..interval
        })
    };
    Rights {
        publish: later(rights.publish),
        read: later(rights.read),
        admit: later(rights.admit),
    }
}

const fn right(named: Named) -> Right {
    match named {
        Named::Publish => Right::Publish,
        Named::Read => Right::Read,
        Named::Admit => Right::Admit,
    }
}

fn rights_of(asked: &[AskedRight]) -> Result<Rights, Failure> {
    let mut rights = Rights::default();
    for ask in asked {
        if ask.until.is_some_and(|until| until <= ask.from) {
            return Err(Failure::new(
                Code::Usage,
                "a right that ends before it begins",
                "give an --until after its --from",
            ));
        }
        let interval = Some(Interval {
            from: ask.from,
            until: ask.until,
        });
        match ask.right {
            Named::Publish => rights.publish = interval,
            Named::Read => rights.read = interval,
            Named::Admit => rights.admit = interval,
        }
    }
    if rights == Rights::default() {
        return Err(Failure::new(
            Code::Usage,
            "a grant gives at least one right",
            "say --publish, --read or --admit",
        ));
    }
    Ok(rights)
}
