//! `grant`, `revoke`.

use serde::Deserialize;

use super::Context;
use crate::args::{Grant, Revoke};
use crate::failure::{Code, Failure};
use crate::output::Outcome;
use crate::request::{Ask, Right};
use crate::schema;
use crate::when::{When, now_ms};
use crate::{human, plain};

/// What comes of it: where several owners have to sign, a proposal.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given<T> {
    Done(T),
    Proposed(Box<schema::Proposal>),
}

impl<T> Given<T> {
    fn words(&self, done: impl Fn(&T) -> String) -> String {
        match self {
            Self::Done(it) => done(it),
            Self::Proposed(proposal) => human::owners::one(proposal),
        }
    }
}

/// `way grant`.
///
/// # Errors
/// The node's failure.
pub fn grant(context: &mut Context, grant: Grant) -> Outcome {
    let rights = rights([grant.publish, grant.read, grant.admit]);
    let time = |name: &str, when: Option<When>| {
        let time = when.map(|when| when.resolve(now_ms())).transpose();
        time.map_err(|error| Failure::new(Code::Usage, format!("--{name}: {error}"), ""))
    };
    let ask = Ask::Grant {
        topic: grant.topic,
        member: grant.member,
        rights,
        from: time("from", grant.from)?,
        until: time("until", grant.until)?,
        messages: grant.rate.map(|rate| rate.0),
        bytes: grant.bytes.map(|rate| rate.0),
        at: time("at", grant.at)?,
    };
    if grant.at.is_some() {
        return context.one(ask, |later: &schema::Scheduled| {
            let member = plain::line(&later.member);
            format!("{member} is given it at {}", plain::line(&later.at))
        });
    }
    context.one(ask, |given: &Given<schema::Granted>| given.words(granted))
}

fn granted(done: &schema::Granted) -> String {
    let member = human::named(&done.name, &done.member);
    match &done.unused {
        None => format!("granted to {member}"),
        Some(why) => format!(
            "granted to {member}, who will not use it as long as what it writes under stands: {}",
            plain::line(why)
        ),
    }
}

/// `way revoke`.
///
/// # Errors
/// The node's failure.
pub fn revoke(context: &mut Context, revoke: Revoke) -> Outcome {
    let ask = Ask::Revoke {
        topic: revoke.topic,
        member: revoke.member,
        only: rights([revoke.publish, revoke.read, revoke.admit]),
        cut: (revoke.cut != "now").then_some(revoke.cut),
        cascade: revoke.cascade,
    };
    context.one(ask, |given: &Given<schema::Revoked>| given.words(revoked))
}

fn revoked(done: &schema::Revoked) -> String {
    let others = match done.others {
        0 => String::new(),
        1 => "; one other who claimed the same invite has a grant of its own now".to_owned(),
        others => {
            format!("; {others} others who claimed the same invite have grants of their own now")
        }
    };
    format!("taken back from {}{others}", plain::line(&done.member))
}

pub(super) fn rights([publish, read, admit]: [bool; 3]) -> Vec<Right> {
    let all = [
        (publish, Right::Publish),
        (read, Right::Read),
        (admit, Right::Admit),
    ];
    let said = all.into_iter().filter(|(said, _)| *said);
    said.map(|(_, right)| right).collect()
}
