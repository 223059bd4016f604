//! What a client says to its core nodes, and repeats until it is confirmed.

use custody::limits::{BOX_LEN, MAX_MY_BOXES};
use custody::{
    Agreed, Code, CorePeer, CoreStanding, MyCores, MyCoresOutput, Refusal, ServedBy, Wanted,
};
use identity::{NodeId, Secret, TopicId};
use machine::test::World;
use machine::{Cx, Outbox};
use std::time::Duration;

use crate::desk::{node, topic};

struct Home {
    world: World,
    cores: MyCores,
}

const AGREED: Agreed = Agreed {
    quota: 1000,
    used: 10,
    topics: 1,
    max_topics: 5,
    max_hold_ms: 9,
    retires_ms: None,
};

fn wanted(t: u8) -> Wanted {
    Wanted {
        topic: topic(t),
        genesis: vec![t; 9],
        core_secret: [t; 32],
        share: 0,
    }
}

impl Home {
    fn new() -> Self {
        let mut world = World::new(3);
        let mut out = Outbox::new();
        let cores = world.turn(|cx| MyCores::open(cx, &mut out));
        assert!(out.is_empty());
        Self { world, cores }
    }

    fn run(
        &mut self,
        f: impl FnOnce(&mut MyCores, &mut Cx<'_>, &mut Outbox<MyCoresOutput>),
    ) -> Vec<MyCoresOutput> {
        let mut out = Outbox::new();
        self.world.turn(|cx| f(&mut self.cores, cx, &mut out));
        out.drain().collect()
    }

    fn not_serving(&mut self, core: NodeId, t: u8) -> Vec<MyCoresOutput> {
        let refusal = Refusal {
            code: Code::NotServed,
            text: "not served any more".into(),
            retry: None,
        };
        self.run(|cores, cx, out| cores.not_serving(cx, core, topic(t), &refusal, out))
    }

    fn use_core(&mut self, core: NodeId) -> Vec<MyCoresOutput> {
        let invite = Some(([1; 16], [2; 32]));
        self.run(|cores, cx, out| {
            cores
                .use_core(cx, core, vec!["core:1".into()], invite, out)
                .expect("used");
        })
    }

    fn down(&mut self, core: NodeId) {
        self.run(|cores, cx, _| cores.down(cx, &core));
    }

    fn up(&mut self, core: NodeId) -> Vec<MyCoresOutput> {
        self.run(|cores, cx, out| cores.up(cx, core, out))
    }

    fn agree(&mut self, core: NodeId) -> Vec<MyCoresOutput> {
        self.run(|cores, cx, out| cores.agreed(cx, core, &AGREED, out))
    }

    fn want(&mut self, t: u8) -> Vec<MyCoresOutput> {
        self.run(|cores, cx, out| cores.want(cx, &wanted(t), out).expect("wanted"))
    }

    fn confirm(&mut self, core: NodeId, t: u8) -> Vec<MyCoresOutput> {
        self.run(|cores, cx, out| cores.serving_now(cx, core, topic(t), out))
    }

    fn restart(&mut self) -> Vec<MyCoresOutput> {
        let world = std::mem::replace(&mut self.world, World::new(0));
        self.world = World::over(world.into_base(), 4);
        let mut out = Outbox::new();
        self.cores = self.world.turn(|cx| MyCores::open(cx, &mut out));
        out.drain().collect()
    }

    fn list(&mut self) -> Vec<custody::CoreState> {
        self.world.turn(|cx| self.cores.list(cx))
    }

    fn serving(&mut self, t: u8) -> Vec<NodeId> {
        self.world.turn(|cx| self.cores.serving(cx, &topic(t)))
    }
}

fn served(outputs: &[MyCoresOutput]) -> Vec<TopicId> {
    let topics = outputs.iter().filter_map(|output| match output {
        MyCoresOutput::Serve { wanted, .. } => Some(wanted.topic),
        _ => None,
    });
    topics.collect()
}

#[test]
fn a_core_node_is_claimed_then_asked_for_every_topic_until_it_confirms() {
    let mut home = Home::new();
    home.want(1);
    let out = home.use_core(node(9));
    let keep = MyCoresOutput::Keep {
        core: node(9),
        addresses: vec!["core:1".into()],
    };
    assert_eq!(out, std::slice::from_ref(&keep));
    let claim = MyCoresOutput::Claim {
        core: node(9),
        invite: Some(([1; 16], Secret::from_bytes([2; 32]))),
    };
    assert_eq!(home.up(node(9)), std::slice::from_ref(&claim));
    assert_eq!(home.list()[0].standing, CoreStanding::Asking);
    assert_eq!(served(&home.agree(node(9))), [topic(1)]);
    home.down(node(9));
    assert!(served(&home.want(2)).is_empty(), "there is no link now");
    home.up(node(9));
    assert_eq!(
        served(&home.agree(node(9))),
        [topic(1), topic(2)],
        "neither is confirmed"
    );
    home.confirm(node(9), 1);
    home.confirm(node(9), 2);
    assert_eq!(home.serving(1), [node(9)]);
    home.down(node(9));
    home.up(node(9));
    assert!(served(&home.agree(node(9))).is_empty(), "both are");
    assert_eq!(
        home.restart(),
        std::slice::from_ref(&keep),
        "the link is asked for again"
    );
    assert_eq!(home.up(node(9)), std::slice::from_ref(&claim));
    assert_eq!(
        served(&home.agree(node(9))).len(),
        2,
        "once a life all is said again"
    );
    let list = home.list();
    assert!(list[0].linked && list[0].standing == CoreStanding::Agreed);
    assert_eq!(list[0].agreed, AGREED);
    assert_eq!(list[0].topics[0], (topic(1), ServedBy::Serving));
}

#[test]
fn a_core_node_that_lost_its_home_is_told_everything_again() {
    let mut home = Home::new();
    home.want(1);
    home.use_core(node(9));
    home.up(node(9));
    home.agree(node(9));
    home.confirm(node(9), 1);
    home.down(node(9));
    home.up(node(9));
    let empty = Agreed { used: 0, ..AGREED };
    let out = home.run(|cores, cx, out| cores.agreed(cx, node(9), &empty, out));
    assert_eq!(served(&out), [topic(1)]);
}

#[test]
fn a_core_node_that_was_away_is_told_the_new_secret_of_a_topic() {
    let mut home = Home::new();
    home.want(1);
    home.use_core(node(9));
    home.up(node(9));
    home.agree(node(9));
    home.confirm(node(9), 1);
    home.down(node(9));
    let turned = Wanted {
        core_secret: [8; 32],
        ..wanted(1)
    };
    home.run(|cores, cx, out| cores.want(cx, &turned, out).expect("wanted"));
    assert_eq!(
        home.serving(1),
        [node(9)],
        "it holds the topic all the same"
    );
    home.up(node(9));
    let told = home.agree(node(9));
    let is_new = |output: &MyCoresOutput| matches!(output, MyCoresOutput::Serve { wanted, .. } if *wanted == turned);
    assert!(told.iter().any(is_new), "{told:?}");
}

#[test]
fn a_refusal_is_shown_and_the_claim_made_again_when_it_may() {
    let mut home = Home::new();
    home.use_core(node(9));
    home.up(node(9));
    let lasting = Refusal {
        code: Code::NotClient,
        text: "the invite is used up".into(),
        retry: None,
    };
    home.run(|cores, cx, _| cores.refused(cx, node(9), &lasting));
    let state = home.list().remove(0);
    assert_eq!(state.standing, CoreStanding::Refused);
    assert_eq!(
        state.refusal,
        Some((Code::NotClient, "the invite is used up".into()))
    );
    assert_eq!(home.cores.deadline(), None, "nothing to wait for");
    let passing = Refusal {
        retry: Some(Duration::from_secs(60)),
        ..lasting
    };
    home.run(|cores, cx, _| cores.refused(cx, node(9), &passing));
    let at = home.cores.deadline().expect("to be asked again");
    assert_eq!(at.since(home.world.now), Duration::from_secs(60));
    home.world.pass(Duration::from_secs(60));
    let out = home.run(|cores, cx, out| cores.on_deadline(cx, out));
    assert!(matches!(out[..], [MyCoresOutput::Claim { .. }]));
    home.agree(node(9));
    assert_eq!(home.list()[0].refusal, None);
}

#[test]
fn a_core_node_is_left_only_when_others_hold_what_it_holds() {
    let mut home = Home::new();
    home.want(1);
    for core in [node(8), node(9)] {
        home.use_core(core);
        home.up(core);
        home.agree(core);
        home.confirm(core, 1);
    }
    let out = home.run(|cores, cx, out| cores.leave(cx, node(8), false, out).expect("used"));
    assert!(out.is_empty(), "it still serves");
    let pending = home.world.turn(|cx| home.cores.to_hand_over(cx));
    assert_eq!(pending, [(node(8), topic(1))]);
    assert!(served(&home.want(2)).iter().all(|t| *t == topic(2)));
    assert_eq!(home.list()[0].topics.len(), 1, "nothing new is asked of it");
    let out = home.run(|cores, cx, out| cores.handed_over(cx, node(8), topic(1), out));
    let unserve = MyCoresOutput::Unserve {
        core: node(8),
        topic: topic(1),
    };
    assert_eq!(out, [unserve]);
    assert_eq!(home.list().len(), 2, "it has not confirmed it");
    assert_eq!(
        home.not_serving(node(8), 1),
        [MyCoresOutput::Release { core: node(8) }]
    );
    assert_eq!(home.list().len(), 1);
    assert_eq!(home.serving(1), [node(9)]);
}

#[test]
fn a_core_node_can_be_left_at_once_even_without_a_link() {
    let mut home = Home::new();
    home.want(1);
    home.use_core(node(8));
    home.up(node(8));
    home.agree(node(8));
    home.confirm(node(8), 1);
    home.down(node(8));
    let out = home.run(|cores, cx, out| cores.leave(cx, node(8), true, out).expect("used"));
    assert_eq!(out, [MyCoresOutput::Release { core: node(8) }]);
    assert!(home.list().is_empty() && home.serving(1).is_empty());
}

#[test]
fn a_topic_that_is_left_is_unsaid_on_the_next_link() {
    let mut home = Home::new();
    home.want(1);
    home.use_core(node(9));
    home.up(node(9));
    home.agree(node(9));
    home.confirm(node(9), 1);
    home.down(node(9));
    let out = home.run(|cores, cx, out| cores.unwant(cx, topic(1), out));
    assert!(out.is_empty());
    assert!(home.serving(1).is_empty());
    home.restart();
    home.up(node(9));
    let unserve = MyCoresOutput::Unserve {
        core: node(9),
        topic: topic(1),
    };
    for _ in 0..2 {
        assert!(
            home.agree(node(9)).contains(&unserve),
            "until it is confirmed"
        );
        home.down(node(9));
        home.up(node(9));
    }
    assert!(home.not_serving(node(9), 1).is_empty());
    assert!(!home.agree(node(9)).contains(&unserve), "it is confirmed");
}

#[test]
fn boxes_that_are_over_make_room_for_others() {
    let mut home = Home::new();
    let over = home.world.wall.as_millis() + 1000;
    let put = |home: &mut Home, loc: u8| {
        let mut refused = false;
        home.run(|cores, cx, out| {
            let put = cores.deposit_box(cx, [loc; 32], &vec![1; BOX_LEN], over, out);
            refused = put.is_err();
        });
        !refused
    };
    for loc in 0..MAX_MY_BOXES as u8 {
        assert!(put(&mut home, loc));
    }
    let room = |home: &mut Home| home.world.turn(|cx| home.cores.has_room_for_box(cx));
    home.cores.set_clock(true);
    assert!(!room(&mut home) && !put(&mut home, 200));
    home.world.pass(Duration::from_secs(2));
    home.cores.set_clock(false);
    assert!(!room(&mut home), "nobody knows how late it is");
    home.cores.set_clock(true);
    assert!(room(&mut home) && put(&mut home, 200));
}

#[test]
fn what_is_printed_holds_no_secret() {
    let mut home = Home::new();
    home.want(1);
    home.use_core(node(9));
    let mut said = home.up(node(9));
    said.extend(home.agree(node(9)));
    let text = format!("{said:?} {:?}", wanted(1));
    assert!(
        !text.contains("2, 2, 2")
            && !text.contains("1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1")
    );
}

#[test]
fn boxes_and_peers_are_told_to_every_core_node() {
    let mut home = Home::new();
    home.want(1);
    home.use_core(node(9));
    let until_ms = 77;
    home.run(|cores, cx, out| {
        cores
            .deposit_box(cx, [5; 32], &vec![1; BOX_LEN], until_ms, out)
            .expect("room");
        assert!(
            cores
                .deposit_box(cx, [6; 32], &[1; 5], until_ms, out)
                .is_err()
        );
        let peer = |n| CorePeer {
            node: node(n),
            address: "c:1".into(),
            ticket: vec![n],
        };
        cores.set_peers(cx, topic(1), &[peer(7), peer(9)], out);
    });
    home.up(node(9));
    let out = home.agree(node(9));
    let put = |output: &MyCoresOutput| {
        matches!(output, MyCoresOutput::PutBox { loc, .. }
        if *loc == [5; 32])
    };
    assert!(out.iter().any(put));
    let out = home.confirm(node(9), 1);
    assert!(
        matches!(&out[..], [MyCoresOutput::Peers { peers, .. }]
        if peers.len() == 1 && peers[0].node == node(7)),
        "it is not told about itself"
    );
    let out = home.run(|cores, cx, out| cores.withdraw_box(cx, [5; 32], out));
    assert!(matches!(
        out[..],
        [MyCoresOutput::PutBox { until_ms: 0, .. }]
    ));
    home.down(node(9));
    home.up(node(9));
    assert!(!home.agree(node(9)).iter().any(put));
}

#[test]
fn answers_of_nodes_that_are_no_core_nodes_of_ours_change_nothing() {
    let mut home = Home::new();
    home.want(1);
    assert!(home.up(node(3)).is_empty());
    assert!(home.agree(node(3)).is_empty());
    assert!(home.confirm(node(3), 1).is_empty());
    assert!(home.list().is_empty() && home.serving(1).is_empty());
}
