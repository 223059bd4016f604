//! Which way mail goes: to the recipient itself, or to the core nodes that its advert names.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use identity::{Custodian, NodeId, OperatorTag};
use machine::{Cx, Outbox, Time};

use super::lanes::Destination;
use crate::event::{Output, Why};
use crate::limits::{BACKOFF_LONGEST, MAX_HOLDERS, STRANGER_TIME};
use crate::links::Link;
use crate::router::{Router, Timer};
use crate::row::{HeldRow, QueueRow};
use crate::targets::{Cores, Pace, Phase, Target, backoff};

/// How long after its beginning a link shows, by its being there, that the peer takes this node for
/// no stranger.
const NO_STRANGER: Duration = STRANGER_TIME.saturating_add(Duration::from_secs(1));

impl Destination {
    /// Whether mail for it, which has these core nodes, is brought to one of them, or what became of
    /// it is asked there: what nobody holds goes to all, else there is no need but for those that
    /// hold it.
    fn wants(&self, core: &NodeId, cores: &[(NodeId, String)]) -> bool {
        let at_its_core = cores.iter().any(|(core, _)| self.holders.contains(core));
        self.unheld > 0 || !at_its_core || self.holders.contains(core)
    }
}

impl Router {
    /// The advert of a node has changed: its key, addresses or core nodes may be others.
    pub(crate) fn advert_changed(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        advert: &wire::NodeAdvert,
        out: &mut Outbox<Output>,
    ) {
        if let Some(destination) = self.mail.destinations.get_mut(&node) {
            destination.cores = Some(cores_of(advert));
            self.drop_stale_envelopes(cx, &node, advert, out);
            self.wake_lanes(cx, &node);
        }
        self.flush_best_effort(node, cx.now);
        self.sync_mail_targets(cx, out);
    }

    /// Sees to it that recipients are dialled, and while one is out of reach its core nodes too, as
    /// long as mail waits for it: from those that hold it comes its receipt.
    pub(crate) fn sync_mail_targets(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        let mut wanted: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
        let mut lanes = Vec::new();
        let destinations: Vec<NodeId> = self.mail.destinations.keys().copied().collect();
        for to in destinations {
            wanted.entry(to).or_default();
            let unknown = |destination: &Destination| destination.cores.is_none();
            if self.mail.destinations.get(&to).is_some_and(unknown) {
                self.cores_of_recipient(cx, &to);
                self.want_advert(cx, to, out);
            }
            self.dial_sooner(cx, &to);
            if self.is_within_reach(&to) {
                continue;
            }
            let cores = self.cores_of_recipient(cx, &to);
            let Some(destination) = self.mail.destinations.get(&to) else {
                continue;
            };
            for (core, uri) in cores.iter().filter(|(core, _)| *core != self.me) {
                if self.open.contains_key(core) {
                    lanes.push((to, *core));
                }
                if destination.wants(core, &cores) {
                    wanted.entry(*core).or_default().push(uri.clone());
                }
            }
        }
        for to in self.mail.echoes.asked_of() {
            wanted.entry(to).or_default();
        }
        for best_effort in &self.mail.best_effort {
            wanted.entry(best_effort.to).or_default();
        }
        for (to, core) in lanes {
            self.start_lane(cx.now, to, core);
        }
        self.keep_for_mail(cx, wanted, out);
    }

    /// Nodes are kept for mail at these addresses, and no others are.
    fn keep_for_mail(
        &mut self,
        cx: &mut Cx<'_>,
        wanted: BTreeMap<NodeId, Vec<String>>,
        out: &mut Outbox<Output>,
    ) {
        let kept: BTreeMap<NodeId, Vec<String>> = self
            .targets
            .iter()
            .filter_map(|(node, target)| Some((*node, target.whys.get(&Why::Mail)?.clone())))
            .collect();
        for node in kept.keys().filter(|node| !wanted.contains_key(node)) {
            self.targets.release(node, Why::Mail);
        }
        for (node, mut addresses) in wanted {
            let mut seen = BTreeSet::new();
            addresses.retain(|address| seen.insert(address.clone()));
            if kept.get(&node) != Some(&addresses) {
                self.keep(cx, node, Why::Mail, addresses, out);
            }
        }
    }

    /// Whether a recipient is linked, or dialling it has not failed yet.
    fn is_within_reach(&self, to: &NodeId) -> bool {
        if self.open.contains_key(to) {
            return true;
        }
        match self.targets.get(to) {
            Some(target) => !target.is_unreachable(),
            // It is dialled in a moment, if there is room for it.
            None => !self.targets.is_full(),
        }
    }

    /// Mail has come for a recipient that nobody holds: if it was tried rarely, it is tried soon.
    fn dial_sooner(&mut self, cx: &mut Cx<'_>, to: &NodeId) {
        if self.pace(to) != Pace::Soon {
            return;
        }
        let soon = cx.now.after(BACKOFF_LONGEST);
        if let Some(target) = self.targets.get_mut(to)
            && matches!(target.phase, Phase::Waiting(Some(at)) if at > soon)
        {
            target.attempts = 1;
            let at = cx.now.after(backoff(1, cx.rng));
            target.phase = Phase::Waiting(Some(at));
            self.timers.set(Timer::Dial(*to), at);
        }
    }

    /// How soon a node is dialled again. Rarely: a member, or a recipient all of whose mail is held by
    /// core nodes of its own, where it looks first, while a core node is linked here.
    pub(crate) fn pace(&self, node: &NodeId) -> Pace {
        let held = || {
            let destination = self.mail.destinations.get(node);
            destination.is_some_and(|destination| destination.unheld == 0)
        };
        let why = self.targets.get(node).and_then(Target::why);
        match (why, self.cores()) {
            (Some(Why::Shortcut), Cores::Linked) => Pace::Rarely,
            (Some(Why::Mail), Cores::Linked) if held() => Pace::Rarely,
            (Some(Why::Shortcut), Cores::Away) => Pace::Alone,
            _ => Pace::Soon,
        }
    }

    pub(super) fn cores_of_recipient(
        &mut self,
        cx: &mut Cx<'_>,
        to: &NodeId,
    ) -> Vec<(NodeId, String)> {
        let known = self.mail.destinations.get(to).and_then(|d| d.cores.clone());
        if let Some(known) = known {
            return known;
        }
        let cores = self
            .advert(cx, to)
            .map(|advert| cores_of(&advert))
            .unwrap_or_default();
        if let Some(destination) = self.mail.destinations.get_mut(to) {
            destination.cores = Some(cores.clone());
        }
        cores
    }

    /// Whether as many core nodes hold a mail as are asked to, of those where its recipient looks.
    pub(super) fn is_held_enough(&mut self, cx: &mut Cx<'_>, queued: &QueueRow) -> bool {
        let cores = self.cores_of_recipient(cx, &NodeId::from_bytes(queued.to));
        let held = queued.held.iter();
        let held = held.filter(|held| cores.iter().any(|(core, _)| *core.as_bytes() == held.core));
        let custodian = |held: &HeldRow| {
            let operator = held.operator.map(OperatorTag::from_bytes);
            Custodian::of(NodeId::from_bytes(held.core), operator)
        };
        held.map(custodian).collect::<BTreeSet<Custodian>>().len() >= MAX_HOLDERS
    }

    /// When a core node that is linked may be brought mail for a client of its: nothing for now. Of a
    /// stranger it takes none, and no more than a few bytes; this node is none there if it is a
    /// client, has shown a topic, or was not sent away in the time that strangers have.
    pub(super) fn known_there(&self, now: Time, core: &NodeId) -> Option<Time> {
        if self.targets.is(core, Why::Core) {
            return None;
        }
        let link = self.open.get(core).and_then(|link| self.links.get(link))?;
        let known = link.up.after(NO_STRANGER);
        (!link.shown && now < known).then_some(known)
    }

    /// The peer has shown that it knows this node for a member: mail for its clients can go.
    pub(crate) fn is_shown_to(&mut self, now: Time, node: &NodeId) {
        for link in self
            .links
            .values_mut()
            .filter(|link: &&mut Link| link.node == *node)
        {
            link.shown = true;
        }
        for (to, target) in self.mail.lanes.keys().filter(|(_, target)| target == node) {
            self.timers.set_earlier(Timer::Lane(*to, *target), now);
        }
    }
}

fn cores_of(advert: &wire::NodeAdvert) -> Vec<(NodeId, String)> {
    advert
        .cores
        .iter()
        .map(|core| (core.node, core.uri.clone()))
        .collect()
}
