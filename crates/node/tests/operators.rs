//! Core nodes of one operator count once, wherever what is held is counted.

use crate::mailed::mail;
use crate::story::{found, invite, join, send, use_core, wait};
use crate::world::World;
use identity::OperatorTag;
use node::command::{Code, Command, Core, Reply, WaitFor, Why};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn tag(text: &str) -> Option<OperatorTag> {
    Some(OperatorTag::of(text))
}

/// A core node whose operator has written this.
fn core_of(world: &mut World, name: &str, operator: Option<OperatorTag>) -> usize {
    let core = world.add_down(name, true);
    world.nodes[core].config.custody.operator = operator;
    world.up(core);
    core
}

/// Its operator writes something else, and starts it anew.
fn writes(world: &mut World, core: usize, operator: Option<OperatorTag>) {
    world.down(core);
    world.nodes[core].config.custody.operator = operator;
    world.up(core);
    world.pass(MINUTE);
}

fn why(world: &mut World, node: usize, id: &str) -> Why {
    let id = Some(id.to_owned());
    match world.ask(node, Command::Why { id }) {
        Reply::Why(why) => *why,
        other => panic!("{other:?}"),
    }
}

fn operators(why: &Why) -> Vec<Option<OperatorTag>> {
    let held = why.states.iter().filter(|state| state.state == "held");
    held.map(|state| state.operator).collect()
}

fn core(world: &mut World, node: usize, core: usize) -> Core {
    let id = world.id(core);
    let Reply::Cores(cores) = world.ask(node, Command::CoreList) else {
        panic!("cores")
    };
    cores.into_iter().find(|core| core.id == id).expect("used")
}

fn is_held_by(world: &mut World, node: usize, id: &str, count: u32) {
    let reached = wait(world, node, id, WaitFor::Held, Some(count));
    let Reply::Reached { count: held, .. } = reached else {
        panic!("{reached:?}")
    };
    assert_eq!(held, count);
}

fn has_not_come(reply: &Reply) {
    match reply {
        Reply::Failed(failure) => assert_eq!(failure.code, Code::NotYet, "{failure:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_core_nodes_of_one_operator_are_not_two_custodians() {
    let mut world = World::new(71);
    let one = core_of(&mut world, "one", tag("example.org"));
    let two = core_of(&mut world, "two", tag("example.org"));
    let three = core_of(&mut world, "three", None);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, one);
    use_core(&mut world, alice, two);
    found(&mut world, alice, "tea");
    world.pass(MINUTE);
    let id = send(&mut world, alice, "tea", "hello");
    has_not_come(&wait(&mut world, alice, &id, WaitFor::Held, Some(2)));
    let told = why(&mut world, alice, &id);
    assert_eq!(told.held, 1);
    assert_eq!(operators(&told), [tag("example.org"), tag("example.org")]);
    for of in [one, two] {
        assert_eq!(core(&mut world, alice, of).operator, tag("example.org"));
    }
    // A core node of somebody else makes two.
    use_core(&mut world, alice, three);
    is_held_by(&mut world, alice, &id, 2);
    assert_eq!(core(&mut world, alice, three).operator, None);
    // It is kept, and does not depend on links.
    for of in [alice, one, two, three] {
        world.down(of);
    }
    world.up(alice);
    let told = why(&mut world, alice, &id);
    assert_eq!((told.held, operators(&told).len()), (2, 3));
}

#[test]
fn what_an_operator_writes_anew_counts_from_the_next_receipt_on() {
    let mut world = World::new(72);
    let one = core_of(&mut world, "one", None);
    let two = core_of(&mut world, "two", None);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, one);
    use_core(&mut world, alice, two);
    found(&mut world, alice, "tea");
    world.pass(MINUTE);
    let id = send(&mut world, alice, "tea", "hello");
    is_held_by(&mut world, alice, &id, 2);
    // Nobody writes anything meanwhile.
    writes(&mut world, one, tag("example.org"));
    assert_eq!(why(&mut world, alice, &id).held, 2);
    assert_eq!(core(&mut world, alice, one).operator, tag("example.org"));
    writes(&mut world, two, tag("example.org"));
    assert_eq!(why(&mut world, alice, &id).held, 1);
    writes(&mut world, two, tag("example.net"));
    assert_eq!(why(&mut world, alice, &id).held, 2);
    writes(&mut world, two, None);
    let told = why(&mut world, alice, &id);
    assert_eq!(told.held, 2);
    let mut said = operators(&told);
    said.sort_unstable();
    assert_eq!(said, [None, tag("example.org")]);
}

#[test]
fn a_core_node_is_left_for_another_of_the_same_operator() {
    let mut world = World::new(73);
    let one = core_of(&mut world, "one", tag("example.org"));
    let two = core_of(&mut world, "two", tag("example.org"));
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, one);
    use_core(&mut world, alice, two);
    found(&mut world, alice, "tea");
    world.pass(MINUTE);
    let id = send(&mut world, alice, "tea", "hello");
    is_held_by(&mut world, alice, &id, 1);
    let leave = Command::CoreLeave {
        core: world.id(one).to_string(),
        now: false,
    };
    assert_eq!(world.ask(alice, leave), Reply::Done);
    world.pass(MINUTE * 5);
    let Reply::Cores(cores) = world.ask(alice, Command::CoreList) else {
        panic!("cores")
    };
    assert_eq!(cores.len(), 1, "{cores:?}");
    assert_eq!((cores[0].id, cores[0].topics), (world.id(two), 1));
}

#[test]
fn mail_at_core_nodes_of_one_operator_is_held_once() {
    let mut world = World::new(74);
    let one = core_of(&mut world, "one", tag("example.org"));
    let two = core_of(&mut world, "two", tag("example.org"));
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    for person in [alice, bob] {
        use_core(&mut world, person, one);
        use_core(&mut world, person, two);
    }
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(5));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(MINUTE);
    world.down(bob);
    let id = mail(&mut world, alice, bob, "psst");
    world.pass(MINUTE);
    let told = why(&mut world, alice, &id);
    assert_eq!(operators(&told), [tag("example.org"), tag("example.org")]);
    assert_eq!(told.held, 1);
    is_held_by(&mut world, alice, &id, 1);
    // Two custodians are waited for, until Bob has it himself.
    has_not_come(&wait(&mut world, alice, &id, WaitFor::Held, Some(2)));
    world.up(bob);
    world.pass(MINUTE);
    let reached = wait(&mut world, alice, &id, WaitFor::Held, Some(2));
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
}
