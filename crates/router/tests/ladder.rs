//! One router and peers whose every frame the test writes.

use std::collections::BTreeSet;
use std::time::Duration;

use identity::seal::hpke::HpkeSecret;
use identity::{NodeId, SecretKey, Signature};
use machine::Outbox;
use machine::test::World;
use router::limits::{DECIDE_TIME, SORRY_EVERY, STRANGER_BYTES};
use router::{Config, Input, LinkId, Output, Problem, Router, Standing};
use wire::{Code, Frame, NodeAdvert, RawStatement, sign_advert};

/// One router, driven by hand.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) router: Router,
    next_link: u64,
    /// Whether the peers answer pings.
    answers: bool,
    ignored: BTreeSet<LinkId>,
}

pub(crate) fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

pub(crate) fn hello(world: &World) -> Frame {
    greeting(world, 0, 0, 0)
}

fn greeting(world: &World, min: u16, max: u16, advert: u32) -> Frame {
    Frame::Hello {
        min,
        max,
        wall: world.wall.as_millis(),
        advert,
        software: "peer".into(),
    }
}

pub(crate) fn advert_of(secret: &SecretKey, version: u32) -> RawStatement {
    let advert = NodeAdvert {
        node: secret.node_id(),
        addresses: Vec::new(),
        name: "scripted".into(),
        version,
        created: 1,
        sealing: HpkeSecret::from_bytes([9; 32]).public(),
        sealing_before: None,
        cores: Vec::new(),
    };
    sign_advert(advert, secret).expect("legal").get().to_raw()
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut world = World::new(1);
        let mut config = Config::new(key(1), "bench", "test 0");
        config.trusted_clock = true;
        let mut out = Outbox::new();
        let router = world.turn(|cx| Router::open(cx, config, &mut out));
        Self {
            world,
            router,
            next_link: 0,
            answers: true,
            ignored: BTreeSet::new(),
        }
    }

    pub(crate) fn give(&mut self, input: Input) -> Vec<Output> {
        let mut out = Outbox::new();
        self.world
            .turn(|cx| self.router.handle(cx, input, &mut out));
        self.router.check_invariants();
        out.drain().collect()
    }

    pub(crate) fn up(&mut self, node: NodeId, dialled: bool) -> (LinkId, Vec<Output>) {
        self.up_from("peer:1", node, dialled)
    }

    pub(crate) fn up_from(
        &mut self,
        address: &str,
        node: NodeId,
        dialled: bool,
    ) -> (LinkId, Vec<Output>) {
        self.next_link += 1;
        let link = LinkId(self.next_link);
        let mut exporter = [0; 32];
        exporter[..8].copy_from_slice(&self.next_link.to_be_bytes());
        let dialled = dialled.then_some(0);
        let address = address.to_owned();
        let out = self.give(Input::Up {
            link,
            node,
            dialled,
            exporter,
            address,
        });
        (link, out)
    }

    pub(crate) fn frame(&mut self, link: LinkId, frame: Frame) -> Vec<Output> {
        let len = frame.encode().len();
        self.give(Input::Frame { link, frame, len })
    }

    /// Links that the router has begun to close since this was last asked.
    pub(crate) fn newly_ignored(&mut self) -> Vec<LinkId> {
        let all = (1..=self.next_link).map(LinkId);
        let new: Vec<LinkId> = all
            .filter(|link| self.router.ignores(*link) && !self.ignored.contains(link))
            .collect();
        self.ignored.extend(&new);
        new
    }

    pub(crate) fn add(&mut self, n: u8) -> NodeId {
        let node = key(n).node_id();
        let mut out = Outbox::new();
        self.world
            .turn(|cx| self.router.peer_add(cx, node, &[], &mut out))
            .expect("there is room");
        node
    }

    /// A peer that was added, linked and greeted.
    pub(crate) fn friend(&mut self, n: u8) -> LinkId {
        let node = self.add(n);
        let (link, _) = self.up(node, false);
        let greeting = hello(&self.world);
        self.frame(link, greeting);
        link
    }

    pub(crate) fn pass(&mut self, duration: Duration) -> Vec<Output> {
        let end = self.world.now.after(duration);
        let mut outputs = Vec::new();
        while let Some(at) = self.router.deadline().filter(|at| *at <= end) {
            self.world.pass(at.since(self.world.now));
            let mut out = Outbox::new();
            self.world.turn(|cx| self.router.on_deadline(cx, &mut out));
            self.router.check_invariants();
            for output in out.drain() {
                if let Output::Advise {
                    link,
                    frame: Frame::Ping { nonce },
                } = output
                    && self.answers
                {
                    self.frame(link, Frame::Pong { nonce });
                }
                outputs.push(output);
            }
        }
        self.world.pass(end.since(self.world.now));
        outputs
    }

    fn rows(&self) -> usize {
        self.world.base().rows().count()
    }
}

pub(crate) fn closed(outputs: &[Output]) -> Option<(Code, String)> {
    outputs.iter().find_map(|output| match output {
        Output::Close { code, text, .. } => Some((*code, text.clone())),
        _ => None,
    })
}

fn passed(outputs: &[Output]) -> usize {
    outputs
        .iter()
        .filter(|output| matches!(output, Output::Pass { .. }))
        .count()
}

#[test]
fn a_stranger_costs_sixteen_kibibytes_and_no_row() {
    let mut bench = Bench::new();
    let rows = bench.rows();
    let (link, out) = bench.up(key(2).node_id(), false);
    assert!(
        out.iter().any(|o| matches!(o, Output::Met { .. })),
        "the node may know it"
    );
    let greeting = hello(&bench.world);
    bench.frame(link, greeting);
    let mut taken = 0;
    for n in 0..1000 {
        let frame = Frame::AtCore {
            token: [n as u8; 16],
            tag: [0; 16],
            sealed: vec![0; 400],
        };
        let len = frame.encode().len() as u64;
        let out = bench.frame(link, frame);
        if bench.router.ignores(link) {
            assert_eq!(closed(&out), None, "not before its time");
            let (code, text) = closed(&bench.pass(SORRY_EVERY)).expect("closed");
            assert_eq!(code, Code::STRANGER);
            assert!(text.contains("does not know yours"), "{text}");
            break;
        }
        assert_eq!(passed(&out), 1, "others must see the proof of a topic");
        taken += len;
    }
    assert!(
        taken <= STRANGER_BYTES && taken > STRANGER_BYTES - 2000,
        "{taken}"
    );
    let after = bench.frame(link, Frame::AdvertAsk);
    assert!(after.is_empty(), "a closed link is not listened to");
    assert_eq!(bench.rows(), rows, "nothing was stored");
}

#[test]
fn a_stranger_has_ten_seconds() {
    let mut bench = Bench::new();
    let (link, _) = bench.up(key(2).node_id(), false);
    let greeting = hello(&bench.world);
    bench.frame(link, greeting);
    assert!(closed(&bench.pass(Duration::from_secs(9))).is_none());
    let (code, _) = closed(&bench.pass(Duration::from_secs(1))).expect("its time is over");
    assert_eq!(code, Code::STRANGER);
}

#[test]
fn a_stranger_that_shows_a_topic_or_is_a_client_stays() {
    for standing in [Standing::Member, Standing::Client] {
        let mut bench = Bench::new();
        let node = key(2).node_id();
        let (link, _) = bench.up(node, false);
        let greeting = greeting(&bench.world, 0, 0, 3);
        bench.frame(link, greeting);
        let out = bench.give(Input::Standing { node, standing });
        let asks = |o: &Output| {
            matches!(
                o,
                Output::Send {
                    frame: Frame::AdvertAsk,
                    ..
                }
            )
        };
        assert!(out.iter().any(asks), "its advert is asked for now");
        assert!(closed(&bench.pass(Duration::from_secs(15))).is_none());
        for _ in 0..100 {
            let frame = Frame::AtCore {
                token: [0; 16],
                tag: [0; 16],
                sealed: vec![0; 500],
            };
            assert!(closed(&bench.frame(link, frame)).is_none());
        }
    }
}

#[test]
fn taking_up_an_invite_gives_a_minute() {
    let mut bench = Bench::new();
    let node = key(2).node_id();
    let (link, _) = bench.up(node, false);
    let greeting = hello(&bench.world);
    bench.frame(link, greeting);
    bench.give(Input::Standing {
        node,
        standing: Standing::Claiming,
    });
    let early = bench.pass(Duration::from_secs(59));
    assert!(closed(&early).is_none());
    let late = bench.pass(Duration::from_secs(1));
    assert_eq!(closed(&late).map(|(code, _)| code), Some(Code::STRANGER));
}

#[test]
fn versions_that_do_not_meet_are_refused_clearly() {
    let mut bench = Bench::new();
    let node = key(2).node_id();
    let mut out = Outbox::new();
    bench
        .world
        .turn(|cx| bench.router.peer_add(cx, node, &[], &mut out))
        .expect("added");
    let (link, _) = bench.up(node, false);
    let greeting = greeting(&bench.world, 3, 4, 0);
    let out = bench.frame(link, greeting);
    let (code, text) = closed(&out).expect("refused");
    assert_eq!(code, Code::VERSION);
    assert!(text.contains("0 to 0") && text.contains("3 to 4"), "{text}");
    assert!(
        out.iter()
            .any(|o| matches!(o, Output::Problem(Problem::Version { .. })))
    );
    let peers = bench.world.turn(|cx| bench.router.peers(cx));
    assert!(peers[0].last_error.contains("no common version"));
}

#[test]
fn a_newer_peer_that_still_speaks_ours_is_welcome() {
    let mut bench = Bench::new();
    let (link, _) = bench.up(key(2).node_id(), false);
    let greeting = greeting(&bench.world, 0, 9, 0);
    let out = bench.frame(link, greeting);
    assert!(out.iter().any(|o| matches!(o, Output::Opened { .. })));
}

#[test]
fn what_comes_before_or_beside_the_hello_ends_the_link() {
    let mut bench = Bench::new();
    let (link, _) = bench.up(key(2).node_id(), false);
    let out = bench.frame(link, Frame::Ping { nonce: 1 });
    assert!(out.is_empty(), "a ping may overtake the hello: {out:?}");
    let out = bench.frame(link, Frame::AdvertAsk {});
    assert_eq!(
        closed(&out),
        None,
        "a stranger is told later, and no reason"
    );
    let out = bench.pass(SORRY_EVERY);
    assert_eq!(closed(&out).map(|(code, _)| code), Some(Code::STRANGER));
    let link = bench.friend(3);
    let greeting = hello(&bench.world);
    let out = bench.frame(link, greeting);
    assert_eq!(
        closed(&out).map(|(code, _)| code),
        Some(Code::MISBEHAVED),
        "a second hello"
    );
    let (_, _) = bench.up(key(4).node_id(), false);
    let silent = bench.pass(Duration::from_secs(10));
    assert!(closed(&silent).is_some(), "no hello at all");
    let link = bench.friend(5);
    let why = Frame::decode(&[0xff]).expect_err("no frame");
    let out = bench.give(Input::Garbage { link, why });
    assert_eq!(closed(&out).map(|(code, _)| code), Some(Code::MALFORMED));
}

#[test]
fn a_denied_node_is_closed_even_when_it_is_a_peer() {
    let mut bench = Bench::new();
    let _ = bench.friend(2);
    let node = key(2).node_id();
    let out = bench.give(Input::Standing {
        node,
        standing: Standing::Denied,
    });
    assert_eq!(closed(&out).map(|(code, _)| code), Some(Code::DENIED));
    assert!(out.iter().any(|o| matches!(o, Output::Closed { .. })));
}

/// A peer that is killed and starts again at once cannot say that its first link is dead.
#[test]
fn a_peer_that_starts_again_at_once_is_not_kept_waiting_by_its_dead_link() {
    // Whoever dialled the first link: the peer dialled the second.
    for (n, first_is_ours) in [(2, false), (2, true), (3, true), (4, true), (5, true)] {
        for lives in [false, true] {
            let mut bench = Bench::new();
            bench.answers = lives;
            let _ = bench.friend(n);
            let node = key(n).node_id();
            let greeting = hello(&bench.world);
            if first_is_ours {
                // The first link was our own dial.
                bench = Bench::new();
                bench.answers = lives;
                bench.add(n);
                let (first, _) = bench.up(node, true);
                bench.frame(first, greeting.clone());
            }
            let (second, mut out) = bench.up(node, false);
            out.extend(bench.frame(second, greeting));
            let at_once = closed(&out);
            for output in &out {
                if let Output::Advise {
                    link,
                    frame: Frame::Ping { nonce },
                } = output
                    && (lives || *link == second)
                {
                    bench.frame(*link, Frame::Pong { nonce: *nonce });
                }
            }
            out.extend(bench.pass(DECIDE_TIME));
            let open = |o: &Output| matches!(o, Output::Opened { link, .. } if *link == second);
            let opened = out.iter().any(open);
            if !lives || at_once.is_some() {
                assert!(opened, "{n} {first_is_ours} {lives}: {out:?}");
            } else {
                assert!(
                    !opened,
                    "{n} {first_is_ours}: the first lives and stays {out:?}"
                );
            }
            assert_eq!(
                closed(&out).map(|(code, _)| code),
                Some(Code::DUPLICATE_LINK)
            );
        }
    }
}

#[test]
fn a_dead_link_is_closed_after_two_pings() {
    let mut bench = Bench::new();
    let _ = bench.friend(2);
    bench.answers = false;
    let out = bench.pass(Duration::from_secs(25));
    assert_eq!(
        closed(&out).map(|(_, text)| text).as_deref(),
        Some("no answer to pings")
    );
}

#[test]
fn adverts_must_be_signed_newer_and_the_peers_own() {
    let mut bench = Bench::new();
    let link = bench.friend(2);
    let advert = |bench: &mut Bench| {
        let node = key(2).node_id();
        bench
            .world
            .turn(|cx| bench.router.advert(cx, &node))
            .map(|advert| advert.version)
    };
    bench.frame(link, Frame::Advert(advert_of(&key(2), 5)));
    assert_eq!(advert(&mut bench), Some(5));
    bench.frame(link, Frame::Advert(advert_of(&key(2), 4)));
    assert_eq!(advert(&mut bench), Some(5), "an older one changes nothing");
    let rows = bench.rows();
    let out = bench.frame(link, Frame::Advert(advert_of(&key(7), 1)));
    assert!(
        out.is_empty() && bench.rows() == rows,
        "somebody else's is not taken from here"
    );
    let mut forged = advert_of(&key(2), 6);
    forged.signature = Signature::from_bytes([1; 64]);
    let out = bench.frame(link, Frame::Advert(forged));
    assert_eq!(closed(&out).map(|(code, _)| code), Some(Code::MISBEHAVED));
    assert_eq!(advert(&mut bench), Some(5));
}

#[test]
fn the_advert_of_a_stranger_is_not_stored() {
    let mut bench = Bench::new();
    let (link, _) = bench.up(key(2).node_id(), false);
    let greeting = greeting(&bench.world, 0, 0, 7);
    let out = bench.frame(link, greeting);
    assert!(!out.iter().any(|o| matches!(
        o,
        Output::Send {
            frame: Frame::AdvertAsk,
            ..
        }
    )));
    let rows = bench.rows();
    bench.frame(link, Frame::Advert(advert_of(&key(2), 7)));
    assert_eq!(bench.rows(), rows);
    let out = bench.frame(link, Frame::AdvertAsk);
    assert!(out.is_empty(), "and ours is not shown to it");
}

#[test]
fn an_own_advert_that_we_did_not_write_is_a_problem_once() {
    let mut bench = Bench::new();
    let link = bench.friend(2);
    let out = bench.frame(link, Frame::Advert(advert_of(&key(1), 40)));
    let twice = Problem::TwoNodesOneKey { version: 40 };
    assert!(
        out.iter()
            .any(|o| matches!(o, Output::Problem(p) if *p == twice))
    );
    let out = bench.frame(link, Frame::Advert(advert_of(&key(1), 41)));
    assert!(out.is_empty());
}

#[test]
fn a_link_with_oneself_is_closed_and_one_with_a_double_is_told() {
    let mut bench = Bench::new();
    let me = key(1).node_id();
    let (link, _) = bench.up(me, true);
    let greeting = hello(&bench.world);
    let out = bench.frame(link, greeting);
    let twice = |o: &Output| matches!(o, Output::Problem(Problem::TwoNodesOneKey { .. }));
    assert!(out.iter().any(twice), "a link whose other end is not here");
    let up = |link: u64, dialled: Option<u64>| Input::Up {
        link: LinkId(link),
        node: me,
        dialled,
        exporter: [5; 32],
        address: String::new(),
    };
    bench.give(up(100, Some(1)));
    let out = bench.give(up(101, None));
    let closes = out
        .iter()
        .filter(|o| matches!(o, Output::Close { .. }))
        .count();
    assert_eq!(closes, 2, "both ends of one link");
    assert!(!out.iter().any(twice));
}

#[test]
fn mail_from_a_stranger_is_refused_and_unverified_mail_cuts_off() {
    let mut bench = Bench::new();
    let me = bench
        .router
        .own_advert()
        .expect("made at the start")
        .clone();
    let mail = crate::laws::mail_to(&key(2), &me, 1, b"hi");
    let (link, _) = bench.up(key(2).node_id(), false);
    let greeting = hello(&bench.world);
    bench.frame(link, greeting);
    let out = bench.frame(link, Frame::Mail(mail.clone()));
    assert!(out.is_empty(), "whatever is wrong with it: {out:?}");
    let out = bench.pass(SORRY_EVERY);
    let sorry = |o: &Output| {
        matches!(o, Output::Send { frame: Frame::Refused { code, .. }, .. }
            if *code == Code::STRANGER)
    };
    assert!(out.iter().any(sorry), "{out:?}");
    let refused = |code: Code| {
        move |o: &Output| {
            matches!(o, Output::Send { frame: Frame::Refused { code: c, .. }, .. }
            if *c == code)
        }
    };
    // A peer may not bring the mail of others.
    let link = bench.friend(3);
    let out = bench.frame(link, Frame::Mail(mail.clone()));
    assert!(out.iter().any(refused(Code::STRANGER)));
    let link = bench.friend(2);
    let out = bench.frame(link, Frame::Mail(mail.clone()));
    let id = out.iter().find_map(|o| match o {
        Output::Check { id, .. } => Some(*id),
        _ => None,
    });
    let mut forged = mail;
    forged.proof = Signature::from_bytes([3; 64]);
    let result = wire::check(forged);
    assert!(result.is_err());
    let id = id.expect("to be checked");
    let out = bench.give(Input::Checked { link, id, result });
    assert_eq!(closed(&out).map(|(code, _)| code), Some(Code::MISBEHAVED));
    assert!(
        bench
            .world
            .turn(|cx| bench.router.inbox(cx, 0, 10))
            .is_empty()
    );
}

#[test]
fn no_receipt_before_the_mail_is_stored_and_one_for_many() {
    let mut bench = Bench::new();
    let me = bench
        .router
        .own_advert()
        .expect("made at the start")
        .clone();
    let link = bench.friend(2);
    let mut ids = Vec::new();
    for n in 0..5 {
        let mail = crate::laws::mail_to(&key(2), &me, n, b"hi");
        for output in bench.frame(link, Frame::Mail(mail)) {
            if let Output::Check { link, id, raw } = output {
                let out = bench.give(Input::Checked {
                    link,
                    id,
                    result: wire::check(raw),
                });
                assert!(
                    out.iter().all(|o| matches!(o, Output::Mail { .. })),
                    "the receipt is for a later turn"
                );
                ids.push(id);
            }
        }
    }
    ids.sort_unstable();
    let out = bench.pass(Duration::ZERO);
    let receipts: Vec<_> = out
        .into_iter()
        .filter_map(|o| match o {
            Output::Send {
                frame: Frame::MailReceipt(raw),
                ..
            } => Some(raw),
            _ => None,
        })
        .collect();
    assert_eq!(receipts.len(), 1);
    let receipt = wire::check_mail_receipt(receipts[0].clone()).expect("signed");
    assert_eq!(receipt.get().value.ids, ids);
    assert_eq!(receipt.get().value.holder, key(1).node_id());
}
