//! Figures within their limits, and beyond them.

use super::{BOUNDS, Bounds, LEAKS, Rest};
use crate::check::excuse::Excused;
use crate::check::fixture::{ADA, Town};
use node::Figures;
use transport::limits::INITIAL_CREDIT;

/// What is said of figures while a node works.
fn said(figures: &Figures) -> Vec<String> {
    let town = Town::new();
    let broken = town.at(ADA, |scene| Bounds::default().figures(scene, figures));
    assert!(broken.iter().all(|broken| broken.promise == BOUNDS));
    broken.into_iter().map(|broken| broken.what).collect()
}

/// What is said of figures when all is silent.
fn at_rest(figures: &Figures, rest: Rest) -> Vec<String> {
    let town = Town::new();
    let broken = town.at(ADA, |scene| {
        Bounds::default().at_rest(scene, figures, rest);
    });
    assert!(broken.iter().all(|broken| broken.promise == LEAKS));
    broken.into_iter().map(|broken| broken.what).collect()
}

/// A node with so many links.
fn linked(links: usize) -> Figures {
    let mut figures = Figures::default();
    figures.router.links = links;
    figures
}

#[test]
fn a_node_has_two_links_with_each_other_node() {
    // There are four others in the town.
    assert_eq!(said(&linked(8)), [""; 0]);
    assert_eq!(said(&linked(9)), ["9 links in memory; at most 8"]);
}

#[test]
fn a_link_that_is_not_read_on_is_owed_its_first_window_at_most() {
    let mut figures = linked(2);
    figures.owed_links = 1;
    figures.owed_bytes = INITIAL_CREDIT;
    figures.topics.checking = node::limits::MAX_CHECKING + 1;
    assert_eq!(said(&figures), [""; 0]);
    figures.owed_bytes += 1;
    let broken = said(&figures);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].contains("bytes that are owed"), "{broken:?}");
}

#[test]
fn a_link_is_read_on_while_little_is_out_for_checking() {
    let mut figures = linked(2);
    figures.owed_links = 1;
    figures.topics.checking = node::limits::MAX_CHECKING;
    let broken = said(&figures);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].contains("not read on"), "{broken:?}");
}

#[test]
fn limits_of_every_engine_are_looked_at() {
    let mut figures = linked(1);
    figures.router.queued = router::limits::MAX_QUEUED + 1;
    figures.topics.parked = lace::limits::MAX_PARKED + 1;
    figures.commands = node::limits::MAX_WAITS + 1;
    (figures.topics.peers, figures.topics.loaded) = (1, 1);
    assert_eq!(said(&figures).len(), 4);
}

#[test]
fn only_work_about_what_was_refused_may_be_left() {
    let mut figures = Figures::default();
    figures.topics.parked_in_all = 3;
    let excused = |parked| Rest {
        excused: Excused {
            parked,
            ..Excused::default()
        },
        ..Rest::default()
    };
    assert_eq!(at_rest(&figures, excused(3)), [""; 0]);
    let broken = at_rest(&figures, excused(2));
    assert_eq!(broken, ["1 parked envelopes, though all is silent"]);
    (figures.topics.asked, figures.topics.bodies) = (1, 1);
    assert_eq!(at_rest(&figures, excused(3)).len(), 2);
    figures.topics.busy = 1;
    assert_eq!(at_rest(&figures, excused(3)).len(), 3);
}

#[test]
fn who_still_asks_to_be_let_in_has_no_other_work() {
    let figures = Figures {
        commands: 1,
        owed_links: 1,
        ..linked(1)
    };
    let asks = Rest {
        asks: true,
        ..Rest::default()
    };
    let mut busy = figures;
    busy.topics.checking = node::limits::MAX_CHECKING + 1;
    let town = Town::new();
    let count = |rest: Rest| {
        let broken = town.at(ADA, |scene| Bounds::default().at_rest(scene, &busy, rest));
        broken.len()
    };
    // What is owed, and what is out for checking.
    assert_eq!((count(asks), count(Rest::default())), (2, 3));
}
