//! Releases: what is given at a time that has not come yet.
//!
//! Whoever is to read something only from a moment on is given nothing before it: the device on which that was asked
//! keeps the gift, and makes it when its own clock, confirmed by others, says so. Until then nothing of it leaves this
//! node, so that no clock of whoever it is for, and none of its neighbours, brings the moment forward. If this device
//! is away then, the gift is late; it is never early.

use crate::command::{AskedRight, Code, Failure, Release, Reply, Right};
use crate::limits::{MAX_RELEASES, RELEASE_AGAIN_MS};
use crate::node::{Inner, Turn};
use crate::rows::{NODE, RELEASES, decode, encode, vault_key};
use crate::timer::Timer;
use core::time::Duration;
use identity::{Id, Kind, Scheme};
use machine::Staged;
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeSet;
use wire::Budget;

/// What waits, besides its key: [`RELEASES`] ‖ local ‖ milliseconds since 1970 ‖ hash of the member's id.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
struct GiftRow {
    /// Who it is for, in text, since names may change until then: a member's id, or the key of a device that
    /// only reads a public topic.
    #[n(0)]
    member: String,
    /// Rights, each with its first millisecond and the first after it.
    #[n(1)]
    rights: Vec<(u8, u64, Option<u64>)>,
    /// Messages a minute.
    #[n(2)]
    messages: Option<u32>,
    /// Bytes a minute.
    #[n(3)]
    bytes: Option<u32>,
}

impl GiftRow {
    fn asked(&self) -> Vec<AskedRight> {
        let known = self.rights.iter().filter_map(|(code, from, until)| {
            let right = Right::ALL.into_iter().find(|right| *right as u8 == *code)?;
            Some(AskedRight {
                right,
                from: *from,
                until: *until,
            })
        });
        known.collect()
    }

    const fn budget(&self) -> Budget {
        Budget {
            messages: self.messages,
            bytes: self.bytes,
            largest: None,
            lifespan: None,
            hops: None,
            total_envelopes: None,
            total_bytes: None,
        }
    }
}

/// Where the time stands in a key.
const AT: core::ops::Range<usize> = 5..13;

/// A gift that waits, by its place: the topic, and when.
struct Waiting {
    key: Vec<u8>,
    local: u32,
    at: u64,
    row: GiftRow,
}

impl Waiting {
    /// For which member it is.
    fn holder(&self) -> Option<Id> {
        let bytes = self.key.get(AT.end..)?.try_into().ok()?;
        Some(Id::new(Kind::Member, Scheme::Hash, bytes))
    }

    /// The key of the same gift at another time.
    fn key_at(&self, at: u64) -> Vec<u8> {
        let mut key = self.key.clone();
        if let Some(place) = key.get_mut(AT) {
            place.copy_from_slice(&at.to_be_bytes());
        }
        key
    }
}

/// What waits in all topics, or in one; as it lies there, by topic and time.
fn waiting(store: &mut Staged<'_>, local: Option<u32>) -> Vec<Waiting> {
    let prefix = local.map_or_else(|| vec![RELEASES], |local| vault_key(RELEASES, local));
    let rows = store.prefix(NODE, &prefix, MAX_RELEASES);
    let read = rows.into_iter().filter_map(|(key, row)| {
        let (local, at) = (key.get(1..5)?.try_into().ok()?, key.get(AT)?);
        Some(Waiting {
            local: u32::from_be_bytes(local),
            at: u64::from_be_bytes(at.try_into().ok()?),
            row: decode(&row)?,
            key,
        })
    });
    read.collect()
}

impl Inner {
    /// Keeps what is to be given to a member later.
    pub(crate) fn schedule(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, holder, member): (u32, Id, String),
        (asked, at): (&[AskedRight], u64),
        (messages, bytes): (Option<u32>, Option<u32>),
    ) -> Result<Reply, Failure> {
        let row = GiftRow {
            member,
            rights: asked
                .iter()
                .map(|ask| (ask.right as u8, ask.from, ask.until))
                .collect(),
            messages,
            bytes,
        };
        let place = [at.to_be_bytes().as_slice(), holder.as_bytes()].concat();
        let key = [vault_key(RELEASES, local), place].concat();
        if waiting(&mut turn.cx.store, None).len() >= MAX_RELEASES {
            return Err(Failure::new(
                Code::Failed,
                format!("{MAX_RELEASES} gifts wait for their time on this node already"),
                "`way revoke TOPIC MEMBER` takes back what waits for a member",
            ));
        }
        turn.cx.store.put(NODE, key, encode(&row));
        self.wait_for_releases(turn);
        Ok(Reply::Scheduled {
            member: row.member,
            at,
        })
    }

    /// Takes back what waits for a member: these rights, or all if none is named. Says whether there was any.
    pub(crate) fn take_back_releases(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, member): (u32, &Id),
        only: &[Right],
    ) -> bool {
        let mut taken = false;
        for mut gift in waiting(&mut turn.cx.store, Some(local)) {
            let had = gift.row.rights.len();
            gift.row.rights.retain(|(code, _, _)| {
                !only.is_empty() && only.iter().all(|right| *right as u8 != *code)
            });
            if gift.holder().as_ref() != Some(member) || gift.row.rights.len() == had {
                continue;
            }
            taken = true;
            if gift.row.rights.is_empty() {
                turn.cx.store.delete(NODE, gift.key);
            } else {
                turn.cx.store.put(NODE, gift.key, encode(&gift.row));
            }
        }
        taken
    }

    /// For whom something waits in a topic, by what it is kept under or the beginning of that: also who has no seat
    /// there, or none any more.
    pub(crate) fn waited_for(
        &self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        is_meant: impl Fn(&str) -> bool,
    ) -> BTreeSet<Id> {
        let all = waiting(&mut turn.cx.store, Some(local)).into_iter();
        let meant = all.filter(|gift| is_meant(&gift.row.member));
        meant.filter_map(|gift| gift.holder()).collect()
    }

    /// What waits in a topic, by time.
    pub(crate) fn releases(&self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<Release> {
        let all = waiting(&mut turn.cx.store, Some(local)).into_iter();
        let told = all.map(|gift| Release {
            at: gift.at,
            rights: gift.row.asked(),
            member: gift.row.member,
        });
        told.collect()
    }

    /// A topic is removed, and with it what waits there.
    pub(crate) fn drop_releases(&self, turn: &mut Turn<'_, '_>, local: u32) {
        for gift in waiting(&mut turn.cx.store, Some(local)) {
            turn.cx.store.delete(NODE, gift.key);
        }
    }

    /// Sees to it that this node wakes when the next gift is due. Before the clock is confirmed it does not wait for
    /// anything: it is looked at again then.
    pub(crate) fn wait_for_releases(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.router.clock_confirmed() {
            return;
        }
        let all = waiting(&mut turn.cx.store, None);
        if let Some(next) = all.iter().map(|gift| gift.at).min() {
            let wait = next.saturating_sub(turn.cx.wall.as_millis());
            let at = turn.cx.now.after(Duration::from_millis(wait));
            self.timers.set_earlier(Timer::Releases, at);
        }
    }

    /// Makes a gift whose time has come, one in a turn. One that cannot be made then waits for another time.
    pub(crate) fn make_releases(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.router.clock_confirmed() {
            return;
        }
        let wall = turn.cx.wall.as_millis();
        let mut all = waiting(&mut turn.cx.store, None).into_iter();
        if let Some(gift) = all.find(|gift| gift.at <= wall) {
            turn.cx.store.delete(NODE, gift.key.as_slice());
            let (asked, budget) = (gift.row.asked(), gift.row.budget());
            let topic = self.host.keys.topic(gift.local);
            let topic = topic.map(|keys| keys.id.to_string()).unwrap_or_default();
            if let Err(failure) = self.give(turn, (&topic, &gift.row.member), &asked, budget) {
                let (member, why) = (&gift.row.member, failure.message);
                let text = format!("what was to be given to {member} could not be: {why}");
                let hint = "it is tried again every hour; `way revoke TOPIC MEMBER` takes it back";
                self.problems.note("release", text, hint);
                let again = wall.saturating_add(RELEASE_AGAIN_MS);
                turn.cx
                    .store
                    .put(NODE, gift.key_at(again), encode(&gift.row));
            }
        }
        self.wait_for_releases(turn);
    }
}
