//! Out of which grant a device lets people in, and what it gives them.

use super::topics::from_publish;
use crate::command::{AskedRight, Code, Failure, Reply, Right as Named};
use crate::grants::{bounded, unused_admit};
use crate::limits::{DEFAULT_INVITE_MS, GUEST_BYTES, GUEST_ENVELOPES, MAX_INVITE_MS};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::reading::{all_read, reads_only};
use crate::rows;
use identity::{EnvelopeId, EpochId, GrantId};
use lace::Lace;
use machine::Staged;
use rights::{InviteSeed, handed_to_guest};
use topic::{Draft, Payload};
use wire::limits::DAY_MS;
use wire::plain::{BoxContents, CoreEntry};
use wire::{Budget, Gift, Interval, InviteKind, Item, JoinLink, Right, Rights, Terms, TopicBox};

/// Which part of a rate that it has itself a device gives with one invite: one that may write a
/// hundred messages a minute can invite a handful and still write.
const INVITE_PART: u32 = 16;

/// Most devices that an attended invite is for: so many claims of one are kept.
const MAX_ATTENDED_USES: u32 = 256;

// No claim that an invite has a use for is left out.
const _: () = assert!(MAX_ATTENDED_USES as usize <= topic::limits::MAX_CLAIMED_USES);

/// What whoever owns the topic may do.
const EVERYTHING: Rights = Rights {
    publish: Some(Interval::ALWAYS),
    read: Some(Interval::ALWAYS),
    admit: Some(Interval::ALWAYS),
};

/// What `way invite` asks for.
#[derive(Debug)]
pub(super) struct AskedInvite {
    /// None: to write and to read, as far as this device may itself.
    pub(super) rights: Vec<AskedRight>,
    pub(super) messages: Option<u32>,
    pub(super) uses: u32,
    pub(super) until: Option<u64>,
    pub(super) while_away: bool,
    /// Whether what a device writes under it is counted in all, until somebody welcomes it.
    pub(super) counts: bool,
}

impl Inner {
    pub(super) fn invite(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
        asked: &AskedInvite,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        if self.member(local)?.row.left {
            return Err(Failure::new(
                Code::Refused,
                "this node has left the topic",
                "",
            ));
        }
        if self.member(local)?.is_reader() {
            return Err(reads_only(self.member(local)?));
        }
        let until = open_until(turn.cx.wall.as_millis(), asked)?;
        if !self.mine.has_room_for_box(turn.cx) {
            return Err(Failure::new(
                Code::Failed,
                "this node keeps as many invites open as its core nodes take",
                "wait until one is over; shorter ones end sooner (--until +1d)",
            ));
        }
        self.open_author(turn, local).map_err(from_publish)?;
        let gift = self.gift(turn, local, asked)?;
        if !self.can_align(turn, local, &gift.terms.rights) {
            return Err(no_epoch_left());
        }
        let kind = if asked.while_away {
            InviteKind::WhileAway(gift)
        } else {
            InviteKind::Attended(gift)
        };
        let (at, entries) = self.ways(turn, local)?;
        let seed = InviteSeed::generate(turn.cx.rng);
        let item = seed.item_of(kind, asked.uses, until);
        let draft = Draft {
            payload: Payload::Items(vec![Item::Invite(item)]),
            lifespan: None,
            answers: Vec::new(),
            manifest: None,
        };
        let published = self
            .with_topics(turn, |topics, env| topics.publish(env, local, draft))
            .map_err(from_publish)?;
        // Who comes by it may read from then on: what is written from then on is sealed apart.
        let newest = self.newest_epoch(local);
        self.align_epoch(turn, local, &gift.terms.rights);
        if asked.while_away && self.newest_epoch(local) == newest {
            self.seal_to_invite(turn, local);
        }
        let sealed = self.invite_box(turn, local, &seed, (item, published.id), entries)?;
        let loc = seed.locator();
        let keys = self.member(local)?;
        let device = keys.device.as_ref().ok_or_else(no_key)?;
        let (id, grant) = (keys.id, item.grant());
        let budget = keys.genesis.policy.budget_of(gift.terms.budget);
        let held = TopicBox::sign(id, device, loc, sealed.clone(), until, grant);
        self.with_topics(turn, |topics, env| topics.put_box(env, local, held))
            .map_err(|why| Failure::new(Code::Failed, why.to_string(), ""))?;
        self.mine
            .deposit_box(turn.cx, loc, &sealed, until, &mut turn.mine)
            .map_err(|refusal| Failure::new(Code::Failed, refusal.text, ""))?;
        self.note_invite(turn, local, &grant, &loc);
        let link = JoinLink {
            seed: *seed.as_bytes(),
            at,
        };
        let link = link
            .to_text()
            .map_err(|why| Failure::new(Code::Failed, why.to_string(), ""))?;
        Ok(Reply::Invited {
            link,
            topic: id,
            uses: asked.uses,
            expires: until,
            rights: shown(&gift.terms.rights),
            messages: budget.messages,
            bytes: budget.bytes,
            attended: !asked.while_away,
        })
    }

    /// The epoch under which this device writes.
    fn newest_epoch(&self, local: u32) -> Option<EpochId> {
        let newest = self.host.keys.topic(local)?.ring.newest_clean()?;
        Some(newest.epoch().id())
    }

    /// What an invite of this device gives, out of the grant under which it writes: what was asked
    /// for, as long as this device may itself; or to write and to read, as far as it may.
    fn gift(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        asked: &AskedInvite,
    ) -> Result<Gift, Failure> {
        let keys = self.member(local)?;
        let parent = GrantId::from_bytes(keys.row.grant);
        let public = keys.is_public();
        // An owner of the topic, whether it founded it or became one.
        let own = if parent.as_bytes() == keys.id.as_bytes() {
            Terms {
                rights: EVERYTHING,
                budget: Budget::default(),
            }
        } else {
            let own = look(&mut self.topics, turn.cx, local, |lace, store| {
                terms_of(lace, store, &parent)
            });
            let own = own.flatten().filter(|own| own.rights.admit.is_some());
            match own {
                Some(own) => own,
                None => return Err(self.lets_nobody_in(turn, local)),
            }
        };
        if public && asked.rights.iter().any(|ask| ask.right == Named::Read) {
            return Err(all_read());
        }
        let rights = if asked.rights.is_empty() {
            Rights {
                admit: None,
                read: own.rights.read.filter(|_| !public),
                ..own.rights
            }
        } else {
            within(&own.rights, &asked.rights)?
        };
        if !public && rights.read.is_none() && rights.publish.is_none() {
            // Nobody would seal keys to it, and none would be taken from it.
            let text =
                "who may neither write nor read takes no part in a topic, and lets nobody in";
            return Err(Failure::new(
                Code::Usage,
                text,
                "give --publish or --read too",
            ));
        }
        let now = turn.cx.wall.as_millis();
        whole_days(now, &rights)?;
        let begins = own
            .rights
            .read
            .is_some_and(|read| read.from <= now && read.until.is_none());
        if asked.while_away && !public && rights.read.is_some() && !begins {
            return Err(opens_nothing());
        }
        // Of what is limited an invite takes a part, so that there is something left for others.
        let part = |rate: Option<u32>| rate.map(|rate| (rate / INVITE_PART).max(1));
        let messages = part(own.budget.messages);
        if let (Some(most), Some(asked)) = (messages, asked.messages)
            && asked > most
        {
            let text = format!(
                "this device can give {most} messages a minute at most with an invite: the {INVITE_PART}th part \
                 of what it may write itself"
            );
            let hint = format!("give --rate {most}/min, or no rate for as much as it can");
            return Err(Failure::new(Code::Refused, text, hint));
        }
        let all = |most: u64| asked.counts.then_some(most);
        let budget = Budget {
            messages: least(messages, asked.messages),
            bytes: part(own.budget.bytes),
            total_envelopes: all(GUEST_ENVELOPES),
            total_bytes: all(GUEST_BYTES),
            ..own.budget
        };
        let terms = Terms { rights, budget };
        Ok(Gift { terms, parent })
    }

    /// What this device writes under gives no right to admit; something else that it holds may, and
    /// nothing is given but out of the grant that one writes under.
    fn lets_nobody_in(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Failure {
        let now = turn.cx.wall.as_millis();
        let keys = self.host.keys.topic(local);
        let own = keys.and_then(|keys| {
            let present = GrantId::from_bytes(keys.row.grant);
            let claimed = keys.joined_by().map(|claim| claim.grant);
            Some((keys.device.as_ref()?.public(), present, claimed))
        });
        let unused = own.and_then(|(device, present, claimed)| {
            let of = (present, claimed);
            look(&mut self.topics, turn.cx, local, |lace, store| {
                unused_admit(lace, store, (&device, now), of)
            })
        });
        let hint = match unused.flatten() {
            Some(why) => format!(
                "it holds a grant with --admit that it does not write under: {why}; ask for one that gives no less \
                 than it has"
            ),
            None => "ask somebody who may for an invite, or for a grant with --admit".to_owned(),
        };
        let text = "this device may not let anybody into the topic";
        Failure::new(Code::Refused, text, hint)
    }

    /// Notes which box is that of an invite of this device, so that it goes when the invite is
    /// taken back.
    fn note_invite(&self, turn: &mut Turn<'_, '_>, local: u32, grant: &GrantId, loc: &[u8; 32]) {
        let key = rows::invite_key(local, grant);
        turn.cx.store.put(rows::NODE, key, loc.to_vec());
    }

    /// Withdraws the boxes of invites of this device that stand no more from its core nodes.
    pub(crate) fn withdraw_ended(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let own = rows::invites(&mut turn.cx.store, local);
        if own.is_empty() {
            return;
        }
        let ended = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let ended = own.into_iter();
            ended
                .filter(|(grant, _)| !effect.grants.contains_key(grant))
                .collect::<Vec<_>>()
        });
        for (grant, loc) in ended.unwrap_or_default() {
            self.mine.withdraw_box(turn.cx, loc, &mut turn.mine);
            turn.cx
                .store
                .delete(rows::NODE, rows::invite_key(local, &grant));
        }
    }

    fn invite_box(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        seed: &InviteSeed,
        (item, carrier): (wire::Invite, EnvelopeId),
        cores: Vec<CoreEntry>,
    ) -> Result<Vec<u8>, Failure> {
        let inviter = self.router.name().to_owned();
        let keys = self.member(local)?;
        let handed = if matches!(item.kind, InviteKind::WhileAway(_)) {
            let handed = handed_to_guest(&keys.ring, &keys.genesis, &item);
            let (epoch, access) = handed.ok_or_else(|| {
                let text = "this device holds no key of the topic's beginning, which a link for while nobody \
                            is there has to bring";
                let hint = "leave out --while-away: whoever comes is welcomed by a member";
                Failure::new(Code::Refused, text, hint)
            })?;
            Some((epoch, *access))
        } else {
            None
        };
        let device = keys.device.as_ref().ok_or_else(no_key)?;
        let mut contents = BoxContents {
            genesis: keys.genesis.clone(),
            invite: item,
            invite_at: carrier,
            title: keys.row.name.clone(),
            inviter,
            cores,
            handed,
            device: device.public(),
            signature: identity::Signature::from_bytes([0; 64]),
        };
        loop {
            contents.sign(device);
            match seed.seal_box(&contents, turn.cx.rng) {
                Ok(sealed) => return Ok(sealed),
                // Too long for a box: with fewer addresses it fits.
                Err(_) if contents.cores.iter().any(|core| core.addresses.len() > 1) => {
                    for core in &mut contents.cores {
                        core.addresses.truncate(1);
                    }
                }
                Err(_) if contents.cores.pop().is_some() => {}
                Err(why) => return Err(Failure::new(Code::Failed, why.to_string(), "")),
            }
        }
    }
}

/// A right to read that begins or ends at some moment takes a key epoch, of which the last of a day are kept.
pub(super) fn no_epoch_left() -> Failure {
    let text = "this device has begun as many key epochs of the topic within a day as it may, but for those that it \
                keeps for removals, and a right to read for a time takes another one";
    let hint = "give a time at which somebody's right begins or ends already, or a whole number of days from it; try \
                again tomorrow; or ask another one who may admit";
    Failure::new(Code::NotYet, text, hint)
}

/// What a link of the kind while away opens beyond the topic's first epoch is sealed to it with an epoch, which is
/// begun by who reads without end.
fn opens_nothing() -> Failure {
    let text = "this device reads the topic for a time only, and so can begin no key epoch: a link for while nobody is \
                there would open nothing until somebody is";
    let hint = "leave out --while-away: whoever comes is welcomed by a member; or let somebody invite who may read \
                without end";
    Failure::new(Code::Refused, text, hint)
}

fn no_key() -> Failure {
    Failure::new(Code::Failed, "this device cannot read the topic", "")
}

/// Until when an invite stands.
fn open_until(now: u64, asked: &AskedInvite) -> Result<u64, Failure> {
    let until = asked.until;
    let until = until.unwrap_or_else(|| now.saturating_add(DEFAULT_INVITE_MS));
    if until <= now || until - now > MAX_INVITE_MS {
        return Err(Failure::new(
            Code::Usage,
            "an invite stands until a time that is to come, at most a year away",
            "give --until a time such as +2d",
        ));
    }
    let most = if asked.while_away {
        wire::limits::MAX_INVITE_USES
    } else {
        MAX_ATTENDED_USES
    };
    if asked.uses == 0 || asked.uses > most {
        let text = format!("an invite of this kind is for 1 to {most} devices");
        return Err(Failure::new(Code::Usage, text, "give several invites"));
    }
    Ok(until)
}

/// What of a device's own rights was asked for, as long as it has them itself.
fn within(own: &Rights, asked: &[AskedRight]) -> Result<Rights, Failure> {
    let mut rights = Rights::default();
    for ask in asked {
        let right = match ask.right {
            Named::Publish => Right::Publish,
            Named::Read => Right::Read,
            Named::Admit => Right::Admit,
        };
        let has = own.get(right).ok_or_else(|| {
            let text = "this device does not have itself what the invite is to give";
            Failure::new(Code::Refused, text, "`way members` shows who may do what")
        })?;
        let from = ask.from.max(has.from);
        let until = least(ask.until, has.until);
        if until.is_some_and(|until| until <= from) {
            return Err(Failure::new(
                Code::Usage,
                "a right that ends before it begins",
                "give an end after the beginning",
            ));
        }
        let interval = Some(Interval { from, until });
        match right {
            Right::Publish => rights.publish = interval,
            Right::Read => rights.read = interval,
            Right::Admit => rights.admit = interval,
        }
    }
    Ok(rights)
}

/// Keys are for whole days: a right to read that is shorter opens nothing.
fn whole_days(now: u64, rights: &Rights) -> Result<(), Failure> {
    let Some(Interval {
        from,
        until: Some(until),
    }) = rights.read
    else {
        return Ok(());
    };
    if until.saturating_sub(from.max(now)) < DAY_MS {
        return Err(Failure::new(
            Code::Usage,
            "a right to read is for a day at least: keys are for whole days",
            "give a later --read-until",
        ));
    }
    Ok(())
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Rights as they are shown.
fn shown(rights: &Rights) -> Vec<AskedRight> {
    let each = rights.iter().map(|(right, interval)| AskedRight {
        right: match right {
            Right::Publish => Named::Publish,
            Right::Read => Named::Read,
            Right::Admit => Named::Admit,
        },
        from: interval.from,
        until: interval.until,
    });
    each.collect()
}

/// What a grant gives, if it stands and its holder may still admit. An invite lets nobody give.
fn terms_of(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> Option<Terms> {
    let effect = lace.held_effect(store);
    let standing = effect.grants.get(grant)?;
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let terms = issued.first().and_then(|fact| match &fact.what {
        Item::Grant(item) => Some(bounded(
            lace,
            Terms {
                rights: item.rights,
                budget: item.budget,
            },
        )),
        _ => None,
    });
    terms.filter(|_| !standing.over.admit)
}
