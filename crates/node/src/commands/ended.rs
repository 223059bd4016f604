//! What others have ended of what this device may do in its topics.

use super::devices::once;
use super::members::{ENDS, ended, named_right};
use crate::command::Problem;
use crate::grants;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::pairing::has_lost_seat;
use identity::{GrantId, PublicKey};
use lace::Lace;
use machine::Staged;
use std::collections::BTreeSet;
use wire::Right;

/// Rights that are over, and who ended them.
struct Over {
    rights: BTreeSet<Right>,
    by: Vec<PublicKey>,
    /// Whether their time is over, and nobody has taken them back.
    by_time: bool,
    /// Whether this device takes part no more.
    all: bool,
}

impl Inner {
    /// In each topic where others have ended rights of this device that nothing else gives it: which,
    /// by whom, and what would help; and where another device of the person has taken it its seat.
    pub(super) fn ended_problems(&mut self, turn: &mut Turn<'_, '_>) -> Vec<Problem> {
        let locals: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        let mut problems = Vec::new();
        for local in locals {
            problems.extend(self.lost_seat(turn, local));
            let Some(over) = self.over(turn, local) else {
                continue;
            };
            let Some(keys) = self.host.keys.topic(local) else {
                continue;
            };
            let name = keys.row.name.clone();
            let names = self.device_names(turn, local, &over.by);
            let by = over.by.iter().map(|by| {
                let name = names.get(by).filter(|name| !name.is_empty());
                name.cloned().unwrap_or_else(|| by.to_string())
            });
            let by = by.collect::<Vec<String>>().join(" and ");
            let (why, whom) = match (by.is_empty(), over.by_time) {
                (_, true) => (
                    "it was given for a time that is over".to_owned(),
                    "whoever gave it",
                ),
                (false, false) => (format!("taken back by {by}"), by.as_str()),
                (true, false) => ("it was taken back".to_owned(), "somebody who may admit"),
            };
            let what = over.rights.iter().map(|right| match right {
                Right::Publish => "write",
                Right::Read => "read what others write from now on",
                Right::Admit => "let others in",
            });
            let what: Vec<&str> = what.collect();
            let text = format!(
                "in the topic {name:?} this device may not {} any more: {why}",
                what.join(", nor ")
            );
            let hint = if over.all {
                format!(
                    "what was read stays; to come back, ask {whom} for a new invite, then `way topic leave` and `way \
                     topic forget` it, and join"
                )
            } else {
                format!("ask {whom} for it (`way grant`); `way members` shows who took back what")
            };
            problems.push(Problem {
                code: "rights-ended".to_owned(),
                text,
                hint,
            });
        }
        problems
    }

    /// Whether this device took part in a topic and does no more.
    pub(super) fn has_ended_here(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        let keys = self.host.keys.topic(local);
        let keys = keys.filter(|keys| !keys.row.left && keys.row.opened);
        let Some(device) = keys.and_then(|keys| Some(keys.device.as_ref()?.public())) else {
            return false;
        };
        let takes_part = look(&mut self.topics, turn.cx, local, |lace, store| {
            lace.has_member(store, &device)
        });
        takes_part == Some(false)
    }

    /// Whether another device has taken this one its seat in a topic, by what stands there now.
    fn lost_seat(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<Problem> {
        let keys = self.host.keys.topic(local).filter(|keys| !keys.row.left)?;
        let (name, present) = (keys.row.name.clone(), GrantId::from_bytes(keys.row.grant));
        let device = keys.device.as_ref()?.public();
        let lost = look(&mut self.topics, turn.cx, local, |lace, store| {
            if lace.has_member(store, &device) {
                return None;
            }
            // Whoever reads a public topic on has no grant any more.
            let was = once(lace, store, &device).map(|own| own.grant);
            let grant =
                was.or_else(|| has_lost_seat(lace, store, &present, &device).then_some(present))?;
            Some(grant.as_bytes() == lace.id().as_bytes())
        });
        let owned = lost.flatten()?;
        let hint = if owned {
            "nobody stands above a topic's owners: if this device was to stay, ask another of theirs to invite it again"
        } else {
            "if that was not you, whoever gave you your rights there can take them back from the other device \
             (`way revoke`)"
        };
        Some(Problem {
            code: "device-removed".to_owned(),
            text: format!("another device has removed this one from the topic {name:?}"),
            hint: hint.to_owned(),
        })
    }

    fn over(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<Over> {
        let now = turn.cx.wall.as_millis();
        let keys = self.host.keys.topic(local)?;
        let takes_part = !keys.row.left && !keys.is_reader() && keys.row.opened;
        let device = keys.device.as_ref().filter(|_| takes_part)?.public();
        let present = GrantId::from_bytes(keys.row.grant);
        let claimed = keys.joined_by().map(|claim| claim.grant);
        look(&mut self.topics, turn.cx, local, |lace, store| {
            over(lace, store, (&device, now), (present, claimed))
        })?
    }
}

fn over(
    lace: &Lace,
    store: &mut Staged<'_>,
    (device, now): (&PublicKey, u64),
    (present, claimed): (GrantId, Option<GrantId>),
) -> Option<Over> {
    let rights = grants::lacks(lace, store, (device, now), (present, claimed));
    // Whoever lost its seat was told that another device took it.
    if rights.is_empty() || has_lost_seat(lace, store, &present, device) {
        return None;
    }
    let effect = lace.held_effect(store);
    let left = grants::left_of(lace, store, &effect, &present);
    let stands = |right: &Right| left.is_some_and(|left| left.rights.get(*right).is_some());
    let by_time = rights.iter().all(stands);
    let ends = lace.ends(store, ENDS);
    let mut by = Vec::new();
    for (who, end) in ended(lace, store, (&effect, &ends), &present) {
        let taken = |right: &Right| end.rights.contains(&named_right(*right));
        if rights.iter().any(taken) && !by.contains(&who) {
            by.push(who);
        }
    }
    let all = !lace.has_member(store, device);
    Some(Over {
        rights,
        by,
        by_time,
        all,
    })
}
