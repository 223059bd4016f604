//! More strangers than a node can have: who is let in, and who must go.

use std::collections::BTreeSet;
use std::time::Duration;

use identity::NodeId;
use router::limits::{CLAIM_BYTES, MAX_CLAIMING, MAX_STRANGERS, MAX_STRANGERS_PER_HOST};
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

/// The links that were closed because there were too many.
fn crowded_out(outputs: &[Output]) -> Vec<LinkId> {
    let out = |output: &Output| match output {
        Output::Close { link, code, .. } if *code == Code::RATE => Some(*link),
        _ => None,
    };
    outputs.iter().filter_map(out).collect()
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
        let (_, out) = arrive(&mut bench, n);
        closed_ones.extend(crowded_out(&out));
    }
    let out = bench.pass(Duration::ZERO);
    closed_ones.extend(crowded_out(&out));
    assert_eq!(closed_ones.len(), 200 - MAX_STRANGERS);
    let (link, out) = bench.up(friend, false);
    assert!(closed(&out).is_none());
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
    assert!(crowded_out(&bench.pass(Duration::ZERO)).is_empty());
    for n in 10..60 {
        let (link, out) = arrive(&mut bench, n);
        assert!(closed(&out).is_none(), "{n}: {out:?}");
        let met = |o: &Output| matches!(o, Output::Met { link: l, .. } if *l == link);
        assert!(out.iter().any(met), "{n}: the node is asked");
        say(&mut bench, stranger(n), Standing::Client);
        let out = bench.pass(Duration::ZERO);
        assert!(crowded_out(&out).is_empty(), "{n}: {out:?}");
    }
}

#[test]
fn the_oldest_stranger_makes_room_for_the_newest() {
    let mut bench = Bench::new();
    let links: Vec<LinkId> = (0..32).map(|n| arrive(&mut bench, 100 + n).0).collect();
    for (n, link) in links.iter().enumerate() {
        let (_, out) = arrive(&mut bench, 10 + n as u8);
        assert!(crowded_out(&out).is_empty(), "before the node could answer");
        let out = bench.pass(Duration::ZERO);
        assert_eq!(crowded_out(&out), [*link]);
        assert!(closed(&out).is_some_and(|(_, text)| text.contains("try again later")));
    }
}

/// One host can crowd out its own strangers alone, however many it makes.
#[test]
fn who_comes_alone_is_not_crowded_out_by_one_host() {
    let mut bench = Bench::new();
    let (alone, _) = arrive(&mut bench, 10);
    let mut gone = BTreeSet::new();
    for n in 0..200 {
        let address = format!("[2001:db8::{n:x}]:{n}");
        let (_, out) = bench.up_from(&address, stranger(n), false);
        gone.extend(crowded_out(&out));
        gone.extend(crowded_out(&bench.pass(Duration::ZERO)));
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
        gone.extend(crowded_out(&say(
            &mut bench,
            stranger(10 + n),
            Standing::Claiming,
        )));
    }
    gone.extend(crowded_out(&bench.pass(Duration::ZERO)));
    let first: Vec<LinkId> = (1..=10).map(LinkId).collect();
    assert_eq!(gone, first, "the oldest of them");
    // All those do not count as strangers.
    for n in 0..MAX_STRANGERS as u8 {
        let (_, out) = arrive(&mut bench, 100 + n);
        assert!(closed(&out).is_none());
    }
    assert!(crowded_out(&bench.pass(Duration::ZERO)).is_empty());
    // One host has no more of them than it may have strangers.
    let mut bench = Bench::new();
    let mut gone = 0;
    for n in 0..30 {
        bench.up(stranger(10 + n), false);
        let out = say(&mut bench, stranger(10 + n), Standing::Claiming);
        gone += crowded_out(&out).len();
    }
    assert_eq!(gone, 30 - MAX_STRANGERS_PER_HOST);
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
        if closed(&bench.frame(link, frame)).is_some() {
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
