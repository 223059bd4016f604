//! Adverts that came by another way than a link with their node, and which adverts are kept.
//!
//! What a topic told can be told again: it is the first to go when there are too many adverts, and is
//! asked for when it is needed ([`Output::AdvertWanted`]). What no topic tells any more is removed; if
//! it is still needed then, as soon as it is not.

use std::collections::BTreeSet;

use identity::NodeId;
use machine::{Cx, Outbox};
use wire::{SignedAdvert, check_advert};

use crate::event::Output;
use crate::limits::{ADVERTS_LOOKED_AT, MAX_ADVERTS, SWEEP_ROWS};
use crate::router::Router;
use crate::row::{self, ADVERTS, AdvertRow, UNTOLD};

/// What is remembered of the adverts of others as a whole.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// How many are stored; nothing before they were counted.
    count: Option<usize>,
    /// The key from which on one is looked for that can go.
    looked_to: Vec<u8>,
    /// Nodes of whom no topic tells any more, and whose adverts are needed still; as in the store.
    untold: BTreeSet<NodeId>,
}

impl Others {
    pub(crate) fn load(cx: &mut Cx<'_>) -> Self {
        let rows = cx.store.prefix(UNTOLD, &[], MAX_ADVERTS);
        let node = |(key, _): (Vec<u8>, Vec<u8>)| row::part(&key, 0).map(NodeId::from_bytes);
        Self {
            untold: rows.into_iter().filter_map(node).collect(),
            ..Self::default()
        }
    }
}

impl Router {
    /// An advert of another node came by another way than a link with it: a member of a topic named
    /// it as its node's. Stored if it is newer than what is stored. Says whether that node signed it.
    pub fn advert_told(
        &mut self,
        cx: &mut Cx<'_>,
        advert: &SignedAdvert,
        out: &mut Outbox<Output>,
    ) -> bool {
        let node = advert.value.node;
        let raw = advert.to_raw();
        let row: Option<AdvertRow> = row::get(&mut cx.store, ADVERTS, node.as_bytes());
        // What is stored was checked, and most adverts come once for each common topic.
        if row.is_some_and(|row| row.advert == raw.encode()) {
            self.told_again(cx, &node);
            return true;
        }
        match check_advert(raw) {
            Ok(_) if node == self.me => true,
            Ok(advert) => {
                self.told_again(cx, &node);
                self.store_advert(cx, advert, true, out);
                true
            }
            Err(_) => false,
        }
    }

    /// No member of any topic is on this node any more: its advert goes, unless it came from the node
    /// itself. If it is needed to reach the node, or the node is linked, it goes when that is over.
    pub fn forget_told(&mut self, cx: &mut Cx<'_>, node: &NodeId) {
        let row: Option<AdvertRow> = row::get(&mut cx.store, ADVERTS, node.as_bytes());
        if !row.is_some_and(|row| row.told) {
            return;
        }
        if self.needs_advert(node) {
            if self.others.untold.insert(*node) {
                cx.store.put(UNTOLD, *node.as_bytes(), []);
            }
        } else {
            self.remove_advert(cx, node);
        }
    }

    /// Removes adverts of whom no topic tells and which are needed no more; says whether there may be
    /// others.
    pub(crate) fn forget_untold(&mut self, cx: &mut Cx<'_>) -> bool {
        let over = self.others.untold.iter();
        let over = over.filter(|node| !self.needs_advert(node));
        let over: Vec<NodeId> = over.take(SWEEP_ROWS).copied().collect();
        for node in &over {
            self.told_again(cx, node);
            let row: Option<AdvertRow> = row::get(&mut cx.store, ADVERTS, node.as_bytes());
            // Meanwhile the node may have shown one itself.
            if row.is_some_and(|row| row.told) {
                self.remove_advert(cx, node);
            }
        }
        over.len() == SWEEP_ROWS
    }

    /// An advert is needed: if it is not stored, whoever may have it in a topic is asked for it.
    pub(crate) fn want_advert(&self, cx: &mut Cx<'_>, node: NodeId, out: &mut Outbox<Output>) {
        if !cx.store.has(ADVERTS, node.as_bytes()) {
            out.push(Output::AdvertWanted { node });
        }
    }

    fn needs_advert(&self, node: &NodeId) -> bool {
        self.open.contains_key(node)
            || self.targets.trusts(node)
            || self.mail.destinations.contains_key(node)
    }

    fn told_again(&mut self, cx: &mut Cx<'_>, node: &NodeId) {
        if self.others.untold.remove(node) {
            cx.store.delete(UNTOLD, *node.as_bytes());
        }
    }

    fn remove_advert(&mut self, cx: &mut Cx<'_>, node: &NodeId) {
        cx.store.delete(ADVERTS, *node.as_bytes());
        self.others.count = self.others.count.map(|count| count.saturating_sub(1));
    }

    /// Makes room for one more advert, which is counted; says whether there is room. If there are too
    /// many, a few are looked at in turn, and of those that are not needed one goes: one that a topic
    /// told, or else the oldest.
    pub(crate) fn make_room(&mut self, cx: &mut Cx<'_>) -> bool {
        let count = match self.others.count {
            Some(count) => count,
            None => cx.store.prefix(ADVERTS, &[], MAX_ADVERTS).len(),
        };
        self.others.count = Some(count);
        if count >= MAX_ADVERTS {
            let Some(node) = self.dispensable(cx) else {
                return false;
            };
            self.told_again(cx, &node);
            self.remove_advert(cx, &node);
        }
        self.others.count = self.others.count.map(|count| count.saturating_add(1));
        true
    }

    fn dispensable(&mut self, cx: &mut Cx<'_>) -> Option<NodeId> {
        let from = core::mem::take(&mut self.others.looked_to);
        let mut rows = cx
            .store
            .scan(ADVERTS, &from, &[0xff; 33], ADVERTS_LOOKED_AT);
        let left = ADVERTS_LOOKED_AT.saturating_sub(rows.len());
        rows.extend(cx.store.scan(ADVERTS, &[], &from, left));
        if let Some((last, _)) = rows.last() {
            self.others.looked_to = [last.as_slice(), &[0]].concat();
        }
        let node = |(key, value): (Vec<u8>, Vec<u8>)| {
            let node = row::part(&key, 0).map(NodeId::from_bytes)?;
            let row: Option<AdvertRow> = row::decode(&value);
            let (told, stored_ms) = row.map_or((true, 0), |row| (row.told, row.stored_ms));
            (!self.needs_advert(&node)).then_some((!told, stored_ms, node))
        };
        let oldest = rows.into_iter().filter_map(node).min();
        oldest.map(|(_, _, node)| node)
    }
}

#[cfg(test)]
mod tests {
    use identity::SecretKey;
    use identity::seal::hpke::HpkeSecret;
    use machine::test::World;
    use wire::{NodeAdvert, sign_advert};

    use super::*;
    use crate::{Class, Config, Input, Send, Why};

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed([n; 32])
    }

    fn advert(n: u8) -> SignedAdvert {
        let advert = NodeAdvert {
            node: key(n).node_id(),
            addresses: Vec::new(),
            name: String::new(),
            version: 1,
            created: 1,
            sealing: HpkeSecret::from_bytes([n; 32]).public(),
            sealing_before: None,
            cores: Vec::new(),
        };
        sign_advert(advert, &key(n)).expect("legal").into_inner()
    }

    fn open(world: &mut World) -> Router {
        let config = Config::new(key(1), "here", "test 0");
        world.turn(|cx| Router::open(cx, config, &mut Outbox::new()))
    }

    fn tell(world: &mut World, router: &mut Router, n: u8) -> bool {
        let advert = advert(n);
        world.turn(|cx| router.advert_told(cx, &advert, &mut Outbox::new()))
    }

    fn has(world: &mut World, node: &NodeId) -> bool {
        world.turn(|cx| cx.store.has(ADVERTS, node.as_bytes()))
    }

    fn forget(world: &mut World, router: &mut Router, node: &NodeId) {
        world.turn(|cx| router.forget_told(cx, node));
    }

    fn give(world: &mut World, router: &mut Router, input: Input) -> Vec<Output> {
        let mut out = Outbox::new();
        world.turn(|cx| router.handle(cx, input, &mut out));
        out.drain().collect()
    }

    fn count(world: &mut World) -> usize {
        world.turn(|cx| cx.store.prefix(ADVERTS, &[], usize::MAX).len())
    }

    fn wanted(outputs: &[Output]) -> Vec<NodeId> {
        let wanted = |output: &Output| match output {
            Output::AdvertWanted { node } => Some(*node),
            _ => None,
        };
        outputs.iter().filter_map(wanted).collect()
    }

    fn mail(to: NodeId) -> Send {
        Send {
            to,
            engine: "inbox".into(),
            payload: b"hello".to_vec(),
            class: Class::Reliable,
            lifespan: None,
        }
    }

    /// As many adverts as may be, of which every third was told.
    fn fill(world: &mut World) {
        world.turn(|cx| {
            for n in 0..MAX_ADVERTS {
                let mut node = [7; 32];
                node[..8].copy_from_slice(&(n as u64).to_be_bytes());
                let row = AdvertRow {
                    advert: Vec::new(),
                    stored_ms: n as u64,
                    told: n % 3 == 0,
                };
                row::put(&mut cx.store, ADVERTS, &node, &row);
            }
        });
    }

    fn told(world: &mut World) -> usize {
        let rows = world.turn(|cx| cx.store.prefix(ADVERTS, &[], usize::MAX));
        let told =
            |(_, value): &(Vec<u8>, Vec<u8>)| row::decode(value).map(|row: AdvertRow| row.told);
        rows.iter().filter(|row| told(row) == Some(true)).count()
    }

    #[test]
    fn what_can_be_told_again_makes_room_first_and_what_is_needed_never() {
        let mut world = World::new(1);
        let mut router = open(&mut world);
        fill(&mut world);
        let before = told(&mut world);
        // One of the first that would go is dialled.
        let mut kept = [7; 32];
        kept[..8].copy_from_slice(&0_u64.to_be_bytes());
        let kept = NodeId::from_bytes(kept);
        let keep = Input::Keep {
            node: kept,
            why: Why::Member,
            addresses: vec!["peer:1".into()],
        };
        give(&mut world, &mut router, keep);
        for n in 2..200 {
            assert!(tell(&mut world, &mut router, n));
            assert!(has(&mut world, &key(n).node_id()));
            assert_eq!(count(&mut world), MAX_ADVERTS);
        }
        // 198 were told, and 198 of those that were told went.
        assert_eq!(told(&mut world), before);
        assert!(has(&mut world, &kept));
    }

    #[test]
    fn a_missing_advert_is_asked_for_when_mail_or_a_dial_needs_it() {
        let mut world = World::new(2);
        let mut router = open(&mut world);
        let (two, three) = (key(2).node_id(), key(3).node_id());
        let mut out = Outbox::new();
        world
            .turn(|cx| router.send(cx, mail(two), &mut out))
            .expect("queued");
        let outputs: Vec<Output> = out.drain().collect();
        assert_eq!(wanted(&outputs), [two]);
        // It is asked for once, and after a restart once more.
        let mut out = Outbox::new();
        world
            .turn(|cx| router.send(cx, mail(two), &mut out))
            .expect("queued");
        assert!(wanted(&out.drain().collect::<Vec<_>>()).is_empty());
        let mut out = Outbox::new();
        let config = Config::new(key(1), "here", "test 0");
        let mut router = world.turn(|cx| Router::open(cx, config, &mut out));
        assert_eq!(wanted(&out.drain().collect::<Vec<_>>()), [two]);
        let mut out = Outbox::new();
        let best_effort = Send {
            class: Class::BestEffort,
            ..mail(three)
        };
        world
            .turn(|cx| router.send(cx, best_effort, &mut out))
            .expect("taken");
        assert_eq!(wanted(&out.drain().collect::<Vec<_>>()), [three]);
        let four = key(4).node_id();
        let keep = Input::Keep {
            node: four,
            why: Why::Member,
            addresses: Vec::new(),
        };
        give(&mut world, &mut router, keep);
        let mut out = Outbox::new();
        world.turn(|cx| router.on_deadline(cx, &mut out));
        assert!(wanted(&out.drain().collect::<Vec<_>>()).contains(&four));
    }

    #[test]
    fn what_no_topic_tells_any_more_goes_when_it_is_needed_no_more() {
        let mut world = World::new(3);
        let mut router = open(&mut world);
        let (two, three) = (key(2).node_id(), key(3).node_id());
        for n in [2, 3] {
            let node = key(n).node_id();
            let keep = Input::Keep {
                node,
                why: Why::Errand,
                addresses: Vec::new(),
            };
            give(&mut world, &mut router, keep);
            assert!(tell(&mut world, &mut router, n));
            forget(&mut world, &mut router, &node);
            assert!(has(&mut world, &node), "it is dialled");
        }
        // A topic tells of the third again.
        assert!(tell(&mut world, &mut router, 3));
        for node in [two, three] {
            let why = Why::Errand;
            give(&mut world, &mut router, Input::Release { node, why });
        }
        assert!(!has(&mut world, &two));
        assert!(has(&mut world, &three));
        forget(&mut world, &mut router, &three);
        assert!(!has(&mut world, &three));
    }

    #[test]
    fn what_was_to_go_goes_after_a_restart_and_after_a_link() {
        let mut world = World::new(4);
        let mut router = open(&mut world);
        let two = key(2).node_id();
        assert!(tell(&mut world, &mut router, 2));
        let link = crate::LinkId(1);
        let up = Input::Up {
            link,
            node: two,
            dialled: None,
            exporter: [1; 32],
            address: "peer:1".into(),
        };
        give(&mut world, &mut router, up);
        let hello = wire::Frame::Hello {
            min: 0,
            max: 0,
            wall: 1,
            advert: 1,
            software: "peer".into(),
        };
        let frame = |frame| Input::Frame {
            link,
            frame,
            len: 20,
        };
        give(&mut world, &mut router, frame(hello));
        forget(&mut world, &mut router, &two);
        assert!(has(&mut world, &two), "it is linked");
        let base = world.base().clone();
        let reason = "gone".to_owned();
        give(&mut world, &mut router, Input::Down { link, reason });
        assert!(!has(&mut world, &two), "with the link");
        // Had the node stopped instead.
        let mut world = World::over(base, 5);
        let mut router = open(&mut world);
        world.pass(crate::limits::SWEEP_IDLE);
        world.turn(|cx| router.on_deadline(cx, &mut Outbox::new()));
        assert!(!has(&mut world, &two), "after a restart");
        let left = world.turn(|cx| cx.store.prefix(UNTOLD, &[], 9));
        assert!(left.is_empty());
    }
}
