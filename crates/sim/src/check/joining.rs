//! Whoever was invited gets in: everybody whom the plan lets join a topic, and who has a way to
//! somebody who can let them in, takes part when everybody has had the time to converge.
//!
//! Who can let somebody in is asked of the invite itself, as people have told it to one another: the
//! nodes that it names, where they are now, and the core nodes of who joins. The inviter always can;
//! anybody else can who holds the topic and the box of the invite.

use super::facts::TopicFacts;
use super::mirror::is_over;
use super::readers::reads;
use super::replicas::Overview;
use super::{Broken, Everybody, Glance, Scene};
use crate::plan::{Act, NodeNo, Role, TopicNo};
use machine::{Base, Table};
use node::command::Reply;
use rights::InviteSeed;
use std::fmt::Write as _;
use wire::JoinLink;

/// The name of the promise.
pub(crate) const PROMISE: &str = "joining";

/// Boxes of invites at a core node, by where they are looked for.
const CORE_BOXES: Table = Table::new(104, "custody_boxes");
/// People that a report names.
const NAMED: usize = 5;

/// An invite, as people have told it to one another.
struct Invite {
    /// Where its box is looked for.
    locator: [u8; 32],
    /// Whom it names, and where: `host:port`.
    ways: Vec<(NodeNo, String)>,
}

impl Invite {
    fn read(everybody: &Everybody<'_>, topic: TopicNo, no: NodeNo) -> Option<Self> {
        let link: JoinLink = everybody.invites.of(topic, no)?.parse().ok()?;
        let ways = link.at.iter().filter_map(|way| {
            let no = everybody.facts.node_no(&way.node)?;
            Some((no, way.authority()))
        });
        Some(Self {
            locator: InviteSeed::from_bytes(link.seed).locator(),
            ways: ways.collect(),
        })
    }

    /// Whether a node has the invite's box.
    fn lies_at(&self, node: &Glance<'_>) -> bool {
        let tables = [CORE_BOXES, topic::rows::BOX];
        let has = |table| matches!(node.disk.get(table, &self.locator), Ok(Some(_)));
        tables.into_iter().any(has)
    }
}

/// An application gets the answer to what it asked: the world notes until when an invite stands.
pub(crate) fn answered(scene: &Scene<'_>, reply: &Reply) {
    if let Reply::Invited { topic, expires, .. } = reply
        && let Some(no) = scene.facts.topic_no(topic)
    {
        let change = |topic: &mut TopicFacts| topic.invited_until = *expires;
        scene.facts.change_topic(no, change);
    }
}

/// Whether everybody who was invited to a topic and could get in has got in.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Option<Broken> {
    let everybody = overview.everybody;
    // Whoever reads needs no invite.
    let invited = |no: &&NodeNo| !reads(everybody.plan, **no, topic);
    let joins: Vec<NodeNo> = overview
        .joins(topic)
        .iter()
        .filter(invited)
        .copied()
        .collect();
    let mut absent = joins
        .iter()
        .filter(|no| is_absent(overview, topic, **no))
        .peekable();
    absent.peek()?;
    // One that was made by a clock far behind is over from the beginning.
    let until = everybody.facts.topic(topic, |topic| topic.invited_until);
    if is_over(everybody.wall, until) {
        return None;
    }
    let absent = absent.filter_map(|no| {
        let at = *overview.places.get(no)?;
        // Without an invite there is nothing to come by: its founder has not got as far.
        let invite = Invite::read(everybody, topic, *no)?;
        let door = door(overview, topic, (at, &invite))?;
        Some((at, door))
    });
    let absent: Vec<(usize, usize)> = absent.collect();
    let (first, _) = absent.first()?;
    let (count, all) = (absent.len(), joins.len());
    let name = overview.topic_name(topic);
    let mut what = format!("{count} of {all} who were invited to {name} have never joined it:");
    for (at, door) in absent.iter().take(NAMED) {
        let (who, by) = (overview.name(*at), overview.name(*door));
        let _infallible = write!(what, "\n  {who}, who could be let in by {by}");
        if let Some(waits) = &overview.node(*at).waits {
            let _infallible = write!(what, "; its next deadline is for {waits}");
        }
    }
    Some(Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(overview.node(*first).no),
        what,
    })
}

/// Whether somebody who may join, and is there, does not take part. Whoever has left wants no more,
/// and what is promised to no liar is not asked for.
fn is_absent(overview: &Overview<'_>, topic: TopicNo, no: NodeNo) -> bool {
    let Some(at) = overview.places.get(&no) else {
        return false;
    };
    let node = overview.node(*at);
    let (joined, left) = overview.everybody.facts.topic(topic, |topic| {
        (topic.members.contains_key(&no), topic.left.contains(&no))
    });
    let everybody = overview.everybody;
    // Whom the founder has taken rights from is told no new invite.
    let out = everybody.facts.is_revoked(everybody.plan, topic, no);
    let is_in = joined && overview.replica(topic, *at).is_some();
    let wants = node.up && node.plan.role == Role::Person && node.plan.is_honest() && !left && !out;
    wants && !is_in
}

/// Somebody who could let a person in.
fn door(overview: &Overview<'_>, topic: TopicNo, (at, invite): (usize, &Invite)) -> Option<usize> {
    let node = overview.node(at);
    let named = invite.ways.iter().filter(|(no, address)| {
        let there = overview.places.get(no).map(|at| overview.node(*at));
        // A link that is there leads to whoever has moved since.
        let known = there.is_some_and(|there| there.address == *address);
        known && (overview.everybody.reaches)(node.no, *no) || node.linked.contains(no)
    });
    let own = overview
        .uses(node.no)
        .iter()
        .filter(|no| node.linked.contains(no));
    let mut ways = named.map(|(no, _)| *no).chain(own.copied());
    let founder = overview.everybody.plan.topics[topic as usize].founder;
    ways.find_map(|no| {
        let door = *overview.places.get(&no)?;
        let there = overview.node(door);
        let holds = there.up && overview.replica(topic, door).is_some();
        // What it has refused may be the envelope that carries the invite.
        let whole = overview.refused_by(topic, door).next().is_none();
        let can = no == founder || (whole && invite.lies_at(there));
        (holds && can).then_some(door)
    })
}

/// Of whom the plan lets join something until now, how many never did, and how many they are.
pub(crate) fn counted(everybody: &Everybody<'_>) -> (u64, u64) {
    let until = everybody.now.as_micros() / 1_000;
    let joins = everybody
        .plan
        .steps
        .iter()
        .filter_map(|step| match step.act {
            Act::Join { node, topic } if step.at_ms <= until => Some((node, topic)),
            _ => None,
        });
    let joined = |(node, topic): (NodeNo, TopicNo)| {
        let facts = everybody.facts;
        facts.topic(topic, |topic| {
            topic.members.contains_key(&node) || topic.readers.contains(&node)
        })
    };
    let (mut never, mut all) = (0, 0);
    for join in joins {
        all += 1;
        never += u64::from(!joined(join));
    }
    (never, all)
}

#[cfg(test)]
mod tests;
