//! Public topics: read by whoever finds them, written by grant.

use crate::giving::{TEA, failure, grant, revoke};
use crate::paired::{members, pair};
use crate::restored::info;
use crate::story::{found, join, send, texts, use_core, wait};
use crate::world::World;
use identity::PublicKey;
use node::LinkId;
use node::command::public::{PublicCommand, PublicReply};
use node::command::{AskedRight, Code, Command, Failure, Reply, Right, TopicInfo, WaitFor};
use std::time::Duration;
use wire::TopicLink;

pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) fn found_public(world: &mut World, node: usize) -> String {
    let name = TEA.to_owned();
    match world.ask(
        node,
        Command::Public(PublicCommand::Create {
            name,
            messages: None,
        }),
    ) {
        Reply::Topic { id, .. } => id.to_string(),
        other => panic!("{other:?}"),
    }
}

fn link(world: &mut World, node: usize, topic: &str) -> String {
    let topic = topic.to_owned();
    match world.ask(node, Command::Public(PublicCommand::Link { topic })) {
        Reply::Public(PublicReply::Link { link, .. }) => link,
        other => panic!("{other:?}"),
    }
}

/// Joins by what may not tell the topic's name.
pub(crate) fn reads(world: &mut World, node: usize, link: &str) {
    let command = Command::Join {
        link: link.to_owned(),
        name: Some(TEA.to_owned()),
        timeout_ms: 30_000,
    };
    let reply = world.ask(node, command);
    assert!(matches!(reply, Reply::Topic { .. }), "{reply:?}");
}

pub(crate) fn tries_to_join(world: &mut World, node: usize, link: &str) -> Failure {
    let command = Command::Join {
        link: link.to_owned(),
        name: None,
        timeout_ms: 20_000,
    };
    failure(world.ask(node, command))
}

fn tries_to_send(world: &mut World, node: usize) -> Failure {
    let command = Command::Send {
        to: TEA.to_owned(),
        messages: vec![b"me too".to_vec()],
        expires: None,
        best_effort: false,
    };
    failure(world.ask(node, command))
}

pub(crate) fn key(info: &TopicInfo) -> String {
    info.device
        .clone()
        .expect("a device that takes part, or reads")
}

/// Alice has founded a public topic, and Rose reads it.
pub(crate) fn alice_and_rose(seed: u8) -> (World, [usize; 2], String) {
    let mut world = World::new(seed);
    let people = ["Alice", "Rose"].map(|name| world.add(name, false));
    let id = found_public(&mut world, people[0]);
    send(&mut world, people[0], TEA, "before");
    let link = link(&mut world, people[0], TEA);
    join(&mut world, people[1], &link);
    world.pass(SOON);
    (world, people, id)
}

#[test]
fn whoever_has_the_link_reads_and_takes_no_part() {
    let (mut world, [alice, rose], id) = alice_and_rose(181);
    assert_eq!(texts(&mut world, rose, TEA), ["before"]);
    let sent = send(&mut world, alice, TEA, "after");
    world.pass(SOON);
    assert_eq!(texts(&mut world, rose, TEA), ["before", "after"]);
    let read = info(&mut world, rose);
    assert_eq!((read.row.role.as_str(), read.public), ("reader", true));
    // She is no member, and nobody waits for her.
    assert_eq!(members(&mut world, alice, TEA).len(), 1);
    assert_eq!(info(&mut world, alice).members.len(), 1);
    let waited = wait(&mut world, alice, &sent, WaitFor::Delivered, Some(1));
    assert_eq!(failure(waited).code, Code::NotYet);
    let refused = tries_to_send(&mut world, rose);
    assert_eq!(refused.code, Code::Refused, "{refused:?}");
    assert!(refused.hint.contains(&key(&read)), "{refused:?}");
    // The topic is recognised again on a later link, and after both were down.
    for node in [alice, rose] {
        world.down(node);
        world.up(node);
    }
    world.pass(SOON);
    send(&mut world, alice, TEA, "again");
    world.pass(SOON);
    assert_eq!(texts(&mut world, rose, TEA).len(), 3);
    // Joining once more changes nothing.
    join(&mut world, rose, &id);
    assert_eq!(info(&mut world, rose).row.role, "reader");
}

#[test]
fn the_id_alone_finds_a_topic_at_whoever_is_linked() {
    let (mut world, [alice, rose], id) = alice_and_rose(182);
    world.down(alice);
    // Sam knows Rose, who has it, and nobody else.
    let sam = world.add("Sam", false);
    let address = world.address(rose);
    world.ask(sam, Command::PeerAdd { address });
    join(&mut world, sam, &id);
    world.pass(SOON);
    assert_eq!(texts(&mut world, sam, TEA), ["before"]);
    // Neither takes the other for a core node.
    for node in [rose, sam] {
        assert_eq!(info(&mut world, node).cores, []);
    }
    world.up(alice);
    world.pass(Duration::from_secs(60));
    send(&mut world, alice, TEA, "news");
    world.pass(SOON);
    assert_eq!(texts(&mut world, sam, TEA), ["before", "news"]);
}

#[test]
fn a_topic_that_nobody_has_is_looked_for_an_hour() {
    let (mut world, [alice, rose], id) = alice_and_rose(183);
    let sam = world.add("Sam", false);
    let missed = tries_to_join(&mut world, sam, &id);
    assert_eq!(missed.code, Code::NotYet);
    // He is still looking when he meets somebody who has it.
    world.pass(Duration::from_secs(1_800));
    world.connect(sam, None, alice);
    world.pass(SOON);
    assert_eq!(texts(&mut world, sam, TEA), ["before"]);
    // Tim gives up before he does.
    let tim = world.add("Tim", false);
    assert_eq!(tries_to_join(&mut world, tim, &id).code, Code::NotYet);
    world.pass(Duration::from_secs(3_700));
    world.connect(tim, None, rose);
    world.pass(SOON);
    let gone = world.ask(tim, Command::TopicInfo { topic: id });
    assert_eq!(failure(gone).code, Code::NotFound);
}

#[test]
fn a_private_topic_is_not_found_by_its_id() {
    let mut world = World::new(184);
    let [alice, rose] = ["Alice", "Rose"].map(|name| world.add(name, false));
    let id = found(&mut world, alice, TEA);
    let topic = TEA.to_owned();
    let none = world.ask(alice, Command::Public(PublicCommand::Link { topic }));
    assert_eq!(failure(none).code, Code::Refused);
    let at = vec![world.address(alice).parse().expect("an address")];
    let topic = id.parse().expect("an id");
    let link = TopicLink { topic, at }.to_text().expect("short enough");
    assert_eq!(tries_to_join(&mut world, rose, &link).code, Code::NotYet);
    let damaged = format!("{}a", &link[..link.len() - 1]);
    assert_eq!(tries_to_join(&mut world, rose, &damaged).code, Code::Usage);
}

/// Rose is given the right to write by her key.
fn let_in(world: &mut World, alice: usize, rose: usize) -> String {
    let rose = key(&info(world, rose));
    match grant(world, alice, &rose, &[Right::Publish]) {
        Reply::Granted { .. } => rose,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reader_is_given_the_right_to_write_and_reads_on_without_it() {
    let (mut world, [alice, rose], _) = alice_and_rose(185);
    let rose_key = let_in(&mut world, alice, rose);
    world.pass(SOON);
    // Being given the right says nothing yet.
    assert_eq!(info(&mut world, alice).members.len(), 1);
    assert_eq!(info(&mut world, rose).row.role, "member");
    let sent = send(&mut world, rose, TEA, "thank you");
    let reached = wait(&mut world, rose, &sent, WaitFor::Delivered, None);
    assert!(
        matches!(reached, Reply::Reached { count: 1, .. }),
        "{reached:?}"
    );
    assert_eq!(texts(&mut world, alice, TEA), ["before", "thank you"]);
    // She acknowledges, as members do.
    let sent = send(&mut world, alice, TEA, "you are welcome");
    let reached = wait(&mut world, alice, &sent, WaitFor::Delivered, None);
    assert!(
        matches!(reached, Reply::Reached { count: 1, .. }),
        "{reached:?}"
    );
    let taken = revoke(&mut world, alice, &rose_key, &[], None);
    assert!(matches!(taken, Reply::Revoked { .. }), "{taken:?}");
    send(&mut world, alice, TEA, "goodbye");
    world.pass(SOON);
    assert_eq!(texts(&mut world, rose, TEA).len(), 4);
    assert_eq!(info(&mut world, rose).row.role, "reader");
    assert_eq!(tries_to_send(&mut world, rose).code, Code::Refused);
    // Also after a restart; and the right may be given again.
    world.down(rose);
    world.up(rose);
    world.pass(SOON);
    assert_eq!(info(&mut world, rose).row.role, "reader");
    let_in(&mut world, alice, rose);
    world.pass(SOON);
    send(&mut world, rose, TEA, "back");
    world.pass(SOON);
    assert_eq!(texts(&mut world, alice, TEA).len(), 5);
    assert_eq!(texts(&mut world, rose, TEA).len(), 5);
}

fn invites(world: &mut World, node: usize, rights: &[Right], while_away: bool) -> Reply {
    let ask = |right: &Right| AskedRight {
        right: *right,
        from: 0,
        until: None,
    };
    let command = Command::Invite {
        topic: TEA.to_owned(),
        rights: rights.iter().map(ask).collect(),
        messages: None,
        uses: 1,
        until: None,
        while_away,
    };
    world.ask(node, command)
}

#[test]
fn a_reader_may_be_invited_to_more() {
    let (mut world, [alice, rose], _) = alice_and_rose(186);
    for while_away in [false, true] {
        let reply = invites(&mut world, alice, &[], while_away);
        let Reply::Invited { link, rights, .. } = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(rights.len(), 1, "to write, and no right to read");
        join(&mut world, rose, &link);
        world.pass(SOON);
        assert_eq!(info(&mut world, rose).row.role, "member");
        let rose_key = key(&info(&mut world, rose));
        send(&mut world, rose, TEA, "invited");
        world.pass(SOON);
        revoke(&mut world, alice, &rose_key, &[], None);
        world.pass(SOON);
        assert_eq!(info(&mut world, rose).row.role, "reader", "{while_away}");
    }
    assert_eq!(
        texts(&mut world, alice, TEA),
        ["before", "invited", "invited"]
    );
}

#[test]
fn nobody_is_given_or_taken_the_right_to_read() {
    let (mut world, [alice, rose], _) = alice_and_rose(187);
    let rose_key = key(&info(&mut world, rose));
    for reply in [
        grant(&mut world, alice, &rose_key, &[Right::Read]),
        grant(&mut world, alice, &rose_key, &[Right::Publish, Right::Read]),
        invites(&mut world, alice, &[Right::Read], true),
    ] {
        assert_eq!(failure(reply).code, Code::Usage);
    }
    let_in(&mut world, alice, rose);
    let reply = revoke(&mut world, alice, &rose_key, &[Right::Read], None);
    assert_eq!(failure(reply).code, Code::Usage);
    // Nor does she give anybody anything.
    let sam = PublicKey::from_bytes([7; 32]).to_string();
    let (mut other, ..) = alice_and_rose(188);
    let reply = grant(&mut other, 1, &sam, &[Right::Publish]);
    assert_eq!(failure(reply).code, Code::Refused);
    let reply = invites(&mut other, 1, &[Right::Publish], true);
    assert_eq!(failure(reply).code, Code::Refused);
}

#[test]
fn a_core_node_carries_a_public_topic_while_its_founder_is_away() {
    let mut world = World::new(189);
    let alice = world.add("Alice", false);
    let core = world.add("Core", true);
    use_core(&mut world, alice, core);
    let id = found_public(&mut world, alice);
    world.pass(SOON);
    send(&mut world, alice, TEA, "before");
    world.pass(SOON);
    let link = link(&mut world, alice, TEA);
    world.down(alice);
    // By a link that names the core node, and by the id where only the core node is known.
    let [rose, sam] = ["Rose", "Sam"].map(|name| world.add(name, false));
    reads(&mut world, rose, &link);
    let address = world.address(core);
    world.ask(sam, Command::PeerAdd { address });
    reads(&mut world, sam, &id);
    world.pass(SOON);
    for node in [rose, sam] {
        assert_eq!(texts(&mut world, node, TEA), ["before"]);
    }
    world.up(alice);
    world.pass(SOON);
    let_in(&mut world, alice, rose);
    world.pass(SOON);
    world.down(alice);
    let sent = send(&mut world, rose, TEA, "she is away");
    let reached = wait(&mut world, rose, &sent, WaitFor::Held, None);
    assert!(
        matches!(reached, Reply::Reached { count: 1, .. }),
        "{reached:?}"
    );
    world.pass(SOON);
    assert_eq!(texts(&mut world, sam, TEA), ["before", "she is away"]);
    world.up(alice);
    world.pass(SOON);
    assert_eq!(texts(&mut world, alice, TEA), ["before", "she is away"]);
}

#[test]
fn a_readers_core_node_carries_the_topic_for_its_client() {
    let mut world = World::new(190);
    let alice = world.add("Alice", false);
    let [hers, roses] = ["Hers", "Roses"].map(|name| world.add(name, true));
    use_core(&mut world, alice, hers);
    found_public(&mut world, alice);
    world.pass(SOON);
    let link = link(&mut world, alice, TEA);
    let rose = world.add("Rose", false);
    use_core(&mut world, rose, roses);
    reads(&mut world, rose, &link);
    world.pass(Duration::from_secs(60));
    // While Rose is away her core node has it from Alice's.
    world.down(rose);
    send(&mut world, alice, TEA, "while you slept");
    world.pass(SOON);
    world.down(alice);
    world.down(hers);
    world.up(rose);
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, rose, TEA), ["while you slept"]);
}

#[test]
fn what_is_read_goes_to_the_persons_other_devices() {
    let (mut world, [alice, rose], _) = alice_and_rose(191);
    let tablet = world.add("Tablet", false);
    pair(&mut world, rose, tablet);
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, tablet, TEA), ["before"]);
    assert_eq!(info(&mut world, tablet).row.role, "reader");
    // And so does the seat that one of them is given.
    let_in(&mut world, alice, rose);
    world.pass(SOON);
    send(&mut world, rose, TEA, "from one");
    world.pass(Duration::from_secs(60));
    send(&mut world, tablet, TEA, "from the other");
    world.pass(SOON);
    assert_eq!(texts(&mut world, alice, TEA).len(), 3);
    assert_eq!(members(&mut world, alice, TEA).len(), 2);
}

#[test]
fn whoever_leaves_is_forgotten_and_may_come_back() {
    let (mut world, [alice, rose], id) = alice_and_rose(192);
    let topic = TEA.to_owned();
    assert_eq!(world.ask(rose, Command::TopicLeave { topic }), Reply::Done);
    send(&mut world, alice, TEA, "unheard");
    world.pass(SOON);
    assert_eq!(texts(&mut world, rose, TEA), ["before"]);
    let topic = TEA.to_owned();
    assert_eq!(world.ask(rose, Command::TopicForget { topic }), Reply::Done);
    let at = vec![world.address(alice).parse().expect("an address")];
    let topic = id.parse().expect("an id");
    let link = TopicLink { topic, at }.to_text().expect("short enough");
    join(&mut world, rose, &link);
    world.pass(SOON);
    assert_eq!(texts(&mut world, rose, TEA), ["before", "unheard"]);
}

/// How many links to a node are up.
fn links_to(world: &World, node: usize) -> usize {
    let links = world.links();
    links.iter().filter(|(_, at, _)| *at == node).count()
}

#[test]
fn a_flood_of_readers_keeps_no_member_out() {
    let (mut world, [alice, rose], _) = alice_and_rose(193);
    let_in(&mut world, alice, rose);
    world.pass(SOON);
    send(&mut world, rose, TEA, "a member now");
    world.pass(SOON);
    let text = link(&mut world, alice, TEA);
    let readers: Vec<usize> = (0..160)
        .map(|n| world.add(&format!("Reader {n}"), false))
        .collect();
    for reader in &readers {
        join(&mut world, *reader, &text);
    }
    world.pass(Duration::from_secs(30));
    // Those beyond are strangers on their way out.
    let most = router::limits::MAX_READERS + router::limits::MAX_STRANGERS;
    assert!(
        links_to(&world, alice) <= most,
        "{}",
        links_to(&world, alice)
    );
    let sent = send(&mut world, rose, TEA, "still here");
    let reached = wait(&mut world, rose, &sent, WaitFor::Delivered, None);
    assert!(
        matches!(reached, Reply::Reached { count: 1, .. }),
        "{reached:?}"
    );
    // Whoever is shown out comes again, and reads.
    world.pass(Duration::from_secs(1_200));
    let read = |world: &mut World, reader: &usize| texts(world, *reader, TEA).len() == 3;
    let all = readers
        .iter()
        .filter(|reader| read(&mut world, reader))
        .count();
    assert!(all > readers.len() / 2, "{all} of {}", readers.len());
}

/// Sends a frame on the link between two nodes, as if the first had said it.
fn says(world: &mut World, from: usize, to: usize, frame: &wire::Frame) {
    let link: LinkId = world.link(from, to).expect("linked");
    world.inject(link, frame.encode());
    world.pass(Duration::from_secs(1));
}

#[test]
fn what_a_reader_says_counts_as_far_as_others_have_signed_it() {
    let (mut world, [alice, rose], id) = alice_and_rose(194);
    let topic: identity::TopicId = id.parse().expect("an id");
    let mut rng = machine::Rng::from_seed([3; 32]);
    let before = info(&mut world, alice);
    for n in 0..40_u64 {
        let stranger = identity::SecretKey::generate(&mut rng);
        let receipt = wire::Receipt {
            topic,
            holder: stranger.public(),
            counter: n + 1,
            kind: if n % 2 == 0 {
                wire::ReceiptKind::Held
            } else {
                wire::ReceiptKind::Delivered
            },
            cut: Vec::new(),
            exceptions: Vec::new(),
            until: if n % 2 == 0 { 1 << 41 } else { 0 },
            time: 1,
            operator: None,
        };
        let Ok(signed) = wire::sign_receipt(receipt, &stranger) else {
            continue;
        };
        let receipts = vec![signed.into_inner().to_raw()];
        let frame = wire::TopicFrame::Receipts { receipts };
        says(
            &mut world,
            rose,
            alice,
            &wire::Frame::Topic { topic, frame },
        );
    }
    let slots = world.disk(alice).clone();
    let rows = crate::liars::rows(&slots);
    let strange = rows
        .keys()
        .filter(|(table, _)| *table == topic::rows::SLOT.id());
    // Alice's own, and none of a stranger's.
    assert!(strange.count() <= 1);
    let after = info(&mut world, alice);
    assert_eq!(after.envelopes, before.envelopes);
    send(&mut world, alice, TEA, "it goes on");
    world.pass(SOON);
    assert_eq!(texts(&mut world, rose, TEA).len(), 2);
}

#[test]
fn whoever_answers_falsely_for_an_id_is_not_believed() {
    let (mut world, [alice, _], id) = alice_and_rose(195);
    let liar = world.add_liar("Liar");
    let sam = world.add("Sam", false);
    assert_eq!(tries_to_join(&mut world, sam, &id).code, Code::NotYet);
    let topic: identity::TopicId = id.parse().expect("an id");
    // The box of another public topic, sealed under what this id gives.
    let mut rng = machine::Rng::from_seed([4; 32]);
    let device = rights::DeviceSecret::generate(&mut rng);
    let parameters = wire::Parameters {
        history_days: 1,
        lifespan: 1_000,
    };
    let other = rights::found_public(&device, world.wall(), parameters, &mut rng).expect("founded");
    let sealed = rights::PublicTopic::seal(
        &wire::plain::PublicContents {
            genesis: other.genesis,
            title: TEA.to_owned(),
            cores: Vec::new(),
        },
        &mut rng,
    );
    let sealed = sealed.expect("short enough");
    let loc = rights::InviteSeed::of_public(topic).locator();
    let link = world.connect(liar, Some(1), sam);
    world.inject(link, crate::liars::hello(&world).encode());
    world.pass(Duration::from_secs(1));
    for sealed in [sealed, vec![7; wire::limits::BOX_LEN]] {
        world.inject(link, wire::Frame::InviteBox { loc, sealed }.encode());
        world.pass(Duration::from_secs(1));
    }
    let topic = id.clone();
    let none = world.ask(sam, Command::TopicInfo { topic });
    assert_eq!(failure(none).code, Code::NotFound);
    // The true one is taken all the same.
    world.connect(sam, None, alice);
    world.pass(SOON);
    assert_eq!(texts(&mut world, sam, TEA), ["before"]);
}

#[test]
fn whoever_looks_for_a_topic_and_comes_by_an_invite_has_it_once() {
    let mut world = World::new(194);
    let [alice, sam] = ["Alice", "Sam"].map(|name| world.add(name, false));
    let id = found_public(&mut world, alice);
    assert_eq!(tries_to_join(&mut world, sam, &id).code, Code::NotYet);
    let command = Command::Invite {
        topic: TEA.to_owned(),
        rights: Vec::new(),
        messages: None,
        uses: 1,
        until: None,
        while_away: true,
    };
    let Reply::Invited { link, .. } = world.ask(alice, command) else {
        panic!("no invite");
    };
    // The link that fetches the invite tells of the topic, too.
    join(&mut world, sam, &link);
    world.pass(Duration::from_secs(300));
    let Reply::Topics(topics) = world.ask(sam, Command::Topics) else {
        panic!("no topics");
    };
    assert_eq!(topics.len(), 1, "{topics:?}");
    world.down(sam);
    world.up(sam);
    world.pass(SOON);
    let sent = send(&mut world, sam, TEA, "as one who was invited");
    let reached = wait(&mut world, sam, &sent, WaitFor::Delivered, None);
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
}
