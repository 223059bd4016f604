//! Several devices of one person: the other ones are given what the person has, as far as it is the person's
//! to give. What they hold and are shown then is looked at as that of members, and once they are removed as
//! that of those whose rights were taken.

use super::joining::PROMISE;
use super::members::is_tainted;
use super::readers::reads;
use super::replicas::Overview;
use super::{Broken, Glance};
use crate::plan::{Act, NodeNo, TopicNo};

/// Whether all devices that can reach their person's first have a topic that this may give: which it founded,
/// or reads. Who was let in by an invite alone has nothing yet to give.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Option<Broken> {
    let everybody = overview.everybody;
    let plan = everybody.plan;
    let nodes = everybody.nodes.iter().enumerate();
    let lacks = |(at, node): &(usize, &Glance<'_>)| {
        let first = node
            .plan
            .device_of
            .filter(|_| is_given(overview, node, topic))?;
        let from = *overview.places.get(&first)?;
        let gives = plan.topics[topic as usize].founder == first || reads(plan, first, topic);
        let has = |at| {
            let replica = overview.replica(topic, at);
            replica.is_some_and(|replica| replica.placed.1 > 0)
        };
        let sound = is_sound(overview, (node, overview.node(from)), topic);
        (gives && sound && has(from) && !has(*at)).then_some((*at, from))
    };
    let (at, from) = nodes.into_iter().find_map(|node| lacks(&node))?;
    let (who, first, name) = (
        overview.name(at),
        overview.name(from),
        overview.topic_name(topic),
    );
    Some(Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(everybody.nodes[at].no),
        what: format!("{who} is a device of {first}, can reach it, and was not given {name}"),
    })
}

/// Whether a node is another device of its person, and nobody has removed it.
fn is_given(overview: &Overview<'_>, node: &Glance<'_>, topic: TopicNo) -> bool {
    let everybody = overview.everybody;
    let removed = |step: &u32| {
        let act = everybody
            .plan
            .steps
            .get(*step as usize)
            .map(|step| &step.act);
        matches!(act, Some(Act::Unpair { device, .. }) if *device == node.no)
    };
    let facts = everybody.facts;
    facts.is_device(node.no) && !facts.topic(topic, |topic| topic.rights.iter().any(removed))
}

/// Whether both are there, honest, never set back, and have always known where the other is.
fn is_sound(
    overview: &Overview<'_>,
    (one, two): (&Glance<'_>, &Glance<'_>),
    topic: TopicNo,
) -> bool {
    let everybody = overview.everybody;
    let left = |no: &NodeNo| {
        everybody
            .facts
            .topic(topic, |topic| topic.left.contains(no))
    };
    let sound = |node: &Glance<'_>| {
        let whole = !is_tainted(everybody.plan, everybody.facts, node.no);
        node.up && whole && !node.watch.holdings.was_set_back && !left(&node.no)
    };
    let moves =
        |act: &Act| matches!(act, Act::Move { node, .. } if [one.no, two.no].contains(node));
    let stay = !everybody.plan.steps.iter().any(|step| moves(&step.act));
    let reaches = &everybody.reaches;
    let reach = reaches(one.no, two.no) || reaches(two.no, one.no);
    sound(one) && sound(two) && (one.linked.contains(&two.no) || (stay && reach))
}

#[cfg(test)]
mod tests;
