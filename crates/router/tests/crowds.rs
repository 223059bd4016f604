//! More strangers than a node can have: who is let in, and who must go.

use std::collections::BTreeSet;
use std::time::Duration;

use identity::NodeId;
use router::limits::{
    CLAIM_BYTES, MAX_CLAIMING, MAX_READERS, MAX_STRANGERS, MAX_STRANGERS_PER_HOST, SORRY_EVERY,
};
use router::{Input, LinkId, Output, Standing};
use wire::{Code, Frame};

use crate::ladder::{Bench, closed, hello};

fn stranger(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

/// A stranger from a host of its own.
fn arrive(bench: &mut Bench, n: u8) -> (LinkId, Vec<Output>) {
    bench.up_from(&format!("10.0.0.{n}:4433"), stranger(n), false)
}

/// The links that had to go since this was last asked.
fn crowded_out(bench: &mut Bench) -> Vec<LinkId> {
    bench.newly_ignored()
}

/// The same, when what is due now has been done.
fn crowded_out_soon(bench: &mut Bench) -> Vec<LinkId> {
    bench.pass(Duration::ZERO);
    bench.newly_ignored()
}

fn say(bench: &mut Bench, node: NodeId, standing: Standing) -> Vec<Output> {
    bench.give(Input::Standing { node, standing })
}

#[test]
fn a_flood_of_strangers_is_bounded_and_shuts_no_friend_out() {
    let mut bench = Bench::new();
    let friend = bench.add(2);
    let mut closed_ones = Vec::new();
    for n in 10..210 {
        arrive(&mut bench, n);
        closed_ones.extend(crowded_out(&mut bench));
    }
    closed_ones.extend(crowded_out_soon(&mut bench));
    assert_eq!(closed_ones.len(), 200 - MAX_STRANGERS);
    let (link, _) = bench.up(friend, false);
    assert!(!bench.router.ignores(link));
    let greeting = hello(&bench.world);
    let out = bench.frame(link, greeting);
    let opened = |o: &Output| matches!(o, Output::Opened { known: true, .. });
    assert!(out.iter().any(opened));
}

#[test]
fn a_client_gets_in_past_any_number_of_strangers_and_costs_none_its_place() {
    let mut bench = Bench::new();
    for n in 0..32 {
        arrive(&mut bench, 100 + n);
    }
    assert!(crowded_out_soon(&mut bench).is_empty());
    for n in 10..60 {
        let (link, out) = arrive(&mut bench, n);
        assert!(!bench.router.ignores(link), "{n}: {out:?}");
        let met = |o: &Output| matches!(o, Output::Met { link: l, .. } if *l == link);
        assert!(out.iter().any(met), "{n}: the node is asked");
        say(&mut bench, stranger(n), Standing::Client);
        let out = crowded_out_soon(&mut bench);
        assert!(out.is_empty(), "{n}: {out:?}");
    }
}

#[test]
fn the_oldest_stranger_makes_room_for_the_newest() {
    let mut bench = Bench::new();
    let links: Vec<LinkId> = (0..32).map(|n| arrive(&mut bench, 100 + n).0).collect();
    for (n, link) in links.iter().enumerate() {
        arrive(&mut bench, 10 + n as u8);
        let gone = crowded_out(&mut bench);
        assert!(gone.is_empty(), "before the node could answer");
        assert_eq!(crowded_out_soon(&mut bench), [*link]);
    }
    let out = bench.pass(SORRY_EVERY);
    let byes = out.iter().filter(|o| matches!(o, Output::Close { .. }));
    assert_eq!(byes.count(), links.len());
    assert_eq!(closed(&out).map(|(code, _)| code), Some(Code::STRANGER));
}

/// One host can crowd out its own strangers alone, however many it makes.
#[test]
fn who_comes_alone_is_not_crowded_out_by_one_host() {
    let mut bench = Bench::new();
    let (alone, _) = arrive(&mut bench, 10);
    let mut gone = BTreeSet::new();
    for n in 0..200 {
        let address = format!("[2001:db8::{n:x}]:{n}");
        bench.up_from(&address, stranger(n), false);
        gone.extend(crowded_out(&mut bench));
        gone.extend(crowded_out_soon(&mut bench));
    }
    assert_eq!(gone.len(), 200 - MAX_STRANGERS_PER_HOST);
    assert!(!gone.contains(&alone));
}

#[test]
fn who_takes_up_an_invite_is_counted_apart_and_makes_room_too() {
    let mut bench = Bench::new();
    let mut gone = Vec::new();
    for n in 0..MAX_CLAIMING as u8 + 10 {
        arrive(&mut bench, 10 + n);
        say(&mut bench, stranger(10 + n), Standing::Claiming);
        gone.extend(crowded_out(&mut bench));
    }
    gone.extend(crowded_out_soon(&mut bench));
    let first: Vec<LinkId> = (1..=10).map(LinkId).collect();
    assert_eq!(gone, first, "the oldest of them");
    // All those do not count as strangers.
    for n in 0..MAX_STRANGERS as u8 {
        let (link, _) = arrive(&mut bench, 100 + n);
        assert!(!bench.router.ignores(link));
    }
    assert!(crowded_out_soon(&mut bench).is_empty());
    // One host has no more of them than it may have strangers.
    let mut bench = Bench::new();
    let mut gone = 0;
    for n in 0..30 {
        bench.up(stranger(10 + n), false);
        say(&mut bench, stranger(10 + n), Standing::Claiming);
        gone += crowded_out(&mut bench).len();
    }
    assert_eq!(gone, 30 - MAX_STRANGERS_PER_HOST);
}

#[test]
fn readers_are_counted_apart_and_crowd_nobody_else_out() {
    let mut bench = Bench::new();
    let (member, _) = arrive(&mut bench, 9);
    say(&mut bench, stranger(9), Standing::Reader);
    say(&mut bench, stranger(9), Standing::Member);
    let mut gone = Vec::new();
    for n in 10..MAX_READERS as u8 + 20 {
        // All of one host: many of them may stand behind one address.
        bench.up(stranger(n), false);
        gone.extend(crowded_out_soon(&mut bench));
        say(&mut bench, stranger(n), Standing::Reader);
        gone.extend(crowded_out(&mut bench));
    }
    gone.extend(crowded_out_soon(&mut bench));
    let first: Vec<LinkId> = (2..12).map(LinkId).collect();
    assert_eq!(gone, first, "the oldest of them, and never the member");
    assert!(!bench.router.ignores(member));
    // They are strangers in all but that they stay.
    let last = LinkId(u64::from(MAX_READERS as u8) + 11);
    assert!(!bench.router.ignores(last));
    assert!(!bench.router.is_known(last) && bench.router.is_known(member));
}

#[test]
fn taking_up_an_invite_costs_at_most_sixty_four_kibibytes() {
    let mut bench = Bench::new();
    let (link, _) = arrive(&mut bench, 10);
    let greeting = hello(&bench.world);
    bench.frame(link, greeting);
    say(&mut bench, stranger(10), Standing::Claiming);
    let mut taken = 0;
    loop {
        let frame = Frame::AtCore {
            token: [0; 16],
            tag: [0; 16],
            sealed: vec![0; 400],
        };
        let len = frame.encode().len() as u64;
        bench.frame(link, frame);
        if bench.router.ignores(link) {
            break;
        }
        // To ask again gives nothing more.
        say(&mut bench, stranger(10), Standing::Claiming);
        taken += len;
    }
    assert!(
        taken <= CLAIM_BYTES && taken > CLAIM_BYTES - 2000,
        "{taken}"
    );
}
