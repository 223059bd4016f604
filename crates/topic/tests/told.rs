//! Names, the title and farewells that fall and stand again: the newest that stands, at everybody.

use crate::net::{Net, TOPIC};
use core::time::Duration;
use identity::{EnvelopeId, GrantId, PublicKey, SealingKey, SecretKey};
use lace::{
    Admitted, AuthorNo, Bounds, Cut, Effect, Facts, FoundersPolicy, Lace, Limit, Past, Policy,
    Rule, Set,
};
use machine::Base;
use machine::test::World;
use std::collections::{BTreeMap, BTreeSet};
use topic::{Draft, Input, LineKind, Payload, ReadFrom, Topics, rows};
use wire::plain::{Profile, Title};
use wire::{Close, Genesis, Item, NodeAdvert, Revocation, Verified, sign_advert};

/// A revocation bounds the author key that it names instead of a grant; with `cascade` it forgives
/// what lies within its cut a fork. Who closes the item of a revocation undoes it.
#[derive(Debug)]
struct Law;

impl Policy for Law {
    fn speaks_of(&self, _: &Genesis, _: &Item) -> bool {
        true
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        FoundersPolicy.admit(past, envelope)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        let mut effect = FoundersPolicy.effect(facts, set, evidence);
        let held: Vec<_> = set.iter().filter_map(|no| facts.fact(no)).collect();
        let undone = |id: GrantId| {
            let mut items = held.iter().map(|fact| &fact.what);
            items.any(|item| matches!(item, Item::Close(close) if close.grant == id))
        };
        let authors: BTreeSet<AuthorNo> = held.iter().map(|fact| fact.author).collect();
        for author in authors {
            let key = facts.key(author).map(|key| *key.as_bytes());
            let mut bounds = Bounds::default();
            for fact in &held {
                let Item::Revocation(it) = &fact.what else {
                    continue;
                };
                if Some(*it.grant.as_bytes()) != key || undone(fact.item) {
                    continue;
                }
                bounds.hard.push(Cut {
                    ends: it.cut.clone(),
                    by: Some(fact.no),
                });
                bounds.forgiven |= it.cascade;
            }
            if !bounds.hard.is_empty() {
                let limit = Limit {
                    first: None,
                    content: bounds.clone(),
                    control: bounds,
                };
                effect.limits.insert(author, vec![limit]);
            }
        }
        effect
    }
}

fn under_law(net: &mut Net, node: usize) {
    let node_of = &mut net.nodes[node];
    node_of.topics = node_of.world.turn(Topics::open).ruled_by(&Law);
    net.input(node, Input::Clock { confirmed: true });
}

/// Members who have joined one after the other, all of them with a name in their first envelope.
fn named(seed: u64, count: usize) -> Net {
    let mut net = Net::with_members(seed, count);
    for node in 0..count {
        under_law(&mut net, node);
    }
    for node in 1..count {
        meet(&mut net, 0, node);
        let items = vec![
            net.certificate(node),
            net.claim(node),
            profile(&net, node, &format!("first name of {node}")),
        ];
        net.items(node, items);
        meet(&mut net, 0, node);
    }
    for node in 1..count {
        meet(&mut net, 0, node);
    }
    net
}

fn profile(net: &Net, node: usize, name: &str) -> Item {
    let key = &net.nodes[node].host.node;
    let advert = NodeAdvert {
        node: key.node_id(),
        addresses: Vec::new(),
        name: String::new(),
        version: 1,
        created: 0,
        sealing: SealingKey::from_bytes([9; 32]),
        sealing_before: None,
        cores: Vec::new(),
    };
    let profile = Profile {
        name: name.into(),
        advert: sign_advert(advert, key).unwrap().into_inner(),
    };
    Item::Profile(profile.encode())
}

fn meet(net: &mut Net, a: usize, b: usize) {
    let link = net.link(a, b);
    net.settle();
    net.cut(link);
}

fn author(net: &Net, node: usize) -> PublicKey {
    net.nodes[node].host.author.as_ref().unwrap().public()
}

fn revocation(net: &Net, node: usize, cut: &[EnvelopeId], cascade: bool) -> Item {
    let mut cut = cut.to_vec();
    cut.sort();
    Item::Revocation(Revocation {
        grant: GrantId::from_bytes(author(net, node).to_bytes()),
        cut,
        cascade,
        only: BTreeSet::new(),
        joint: None,
    })
}

fn undo(net: &mut Net, revocation: &Item) {
    let grant = revocation.id();
    let cut = Vec::new();
    net.items(0, vec![Item::Close(Close { grant, cut })]);
}

/// The rows about names, the title, and who is here.
fn told(net: &Net, node: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let base = net.nodes[node].world.base();
    let all = |table| {
        let found = base.scan(table, (&[], &[u8::MAX; 40]), 10_000, false);
        found.expect("memory can be read")
    };
    [all(rows::NAME), all(rows::DEVICE)].concat()
}

/// The name of a member, and whether it has left, as a node shows them.
fn seen(net: &Net, node: usize, of: usize) -> (Option<String>, Option<bool>) {
    let device = net.nodes[of].host.device.as_ref().map(SecretKey::public);
    let key = [
        TOPIC.to_be_bytes().as_slice(),
        device.expect("a member").as_bytes(),
    ]
    .concat();
    let base = net.nodes[node].world.base();
    let name = base.get(rows::NAME, &key).expect("memory can be read");
    let here = base.get(rows::DEVICE, &key).expect("memory can be read");
    let name = name.map(|name| String::from_utf8(name).expect("a name"));
    (name, here.map(|row| row == [1]))
}

fn shown(name: &str, left: bool) -> (Option<String>, Option<bool>) {
    (Some(name.into()), Some(left))
}

#[test]
fn what_is_cut_off_and_given_back_says_again_what_it_said() {
    let mut net = named(41, 4);
    let anna = profile(&net, 1, "Anna");
    let anna = net.items(1, vec![anna]);
    meet(&mut net, 1, 2);
    net.items(1, vec![Item::Leave]);
    meet(&mut net, 1, 2);
    assert_eq!(seen(&net, 2, 1), shown("Anna", true));
    assert_eq!(seen(&net, 3, 1), shown("first name of 1", false));
    let first = net.named(1, &anna.id);
    let first = *first.last().expect("it follows another");
    let steps = [
        (vec![], (None, None)),
        (vec![first], shown("first name of 1", false)),
        (vec![anna.id], shown("Anna", false)),
    ];
    for (cut, expected) in steps {
        let item = revocation(&net, 1, &cut, false);
        net.items(0, vec![item.clone()]);
        // One has heard of what falls, and the other has not.
        meet(&mut net, 0, 2);
        meet(&mut net, 0, 3);
        meet(&mut net, 2, 3);
        for node in [2, 3] {
            assert_eq!(seen(&net, node, 1), expected, "{node}, {cut:?}");
        }
        assert_eq!(told(&net, 2), told(&net, 3), "{cut:?}");
        undo(&mut net, &item);
        for (a, b) in [(0, 3), (2, 3), (0, 2)] {
            meet(&mut net, a, b);
        }
        for node in [0, 2, 3] {
            let expected = shown("Anna", true);
            assert_eq!(seen(&net, node, 1), expected, "{node}, {cut:?}");
            assert_eq!(told(&net, node), told(&net, 0), "{cut:?}");
        }
    }
    // What came while it was void has its lines once it stands, as everything has.
    for node in [2, 3] {
        let page = net.read(node, ReadFrom::Line(1), 1000);
        let left = page.lines.iter().filter(|it| it.kind == LineKind::Leave);
        assert_eq!(left.count(), 1, "{node}: {:?}", page.lines);
    }
}

#[test]
fn what_is_first_heard_while_it_is_void_and_kept_is_told_when_it_stands() {
    let mut net = Net::with_members(42, 3);
    for node in 0..3 {
        under_law(&mut net, node);
    }
    meet(&mut net, 0, 1);
    let items = vec![net.certificate(1), net.claim(1), profile(&net, 1, "Anna")];
    net.items(1, items);
    meet(&mut net, 0, 1);
    let item = revocation(&net, 1, &[], false);
    net.items(0, vec![item.clone()]);
    meet(&mut net, 0, 2);
    assert_eq!(seen(&net, 2, 1), (None, None));
    undo(&mut net, &item);
    meet(&mut net, 0, 2);
    for node in [0, 2] {
        assert_eq!(seen(&net, node, 1), shown("Anna", false), "{node}");
    }
    assert_eq!(told(&net, 0), told(&net, 2));
    let page = net.read(2, ReadFrom::Line(1), 1000);
    let joined = page.lines.iter().filter(|it| it.kind == LineKind::Join);
    assert_eq!(joined.count(), 2, "the founder and Anna: {:?}", page.lines);
}

#[test]
fn a_fork_takes_a_name_and_its_forgiveness_gives_it_back() {
    let mut net = named(43, 4);
    let backup = net.nodes[3].world.base().clone();
    let item = profile(&net, 3, "left");
    let left = net.items(3, vec![item]);
    meet(&mut net, 3, 1);
    net.set_back(3, backup);
    under_law(&mut net, 3);
    let item = profile(&net, 3, "right");
    net.items(3, vec![item]);
    meet(&mut net, 3, 2);
    assert_eq!(seen(&net, 1, 3), shown("left", false));
    assert_eq!(seen(&net, 2, 3), shown("right", false));
    // The founder has heard of the left alone, and says that it is to stand whatever else there is.
    meet(&mut net, 0, 1);
    let item = revocation(&net, 3, &[left.id], true);
    net.items(0, vec![item.clone()]);
    let expect = |net: &Net, nodes: &[usize], name: &str| {
        for node in nodes {
            assert_eq!(seen(net, *node, 3), shown(name, false), "{node}");
            assert_eq!(told(net, *node), told(net, nodes[0]), "{node}");
        }
    };
    meet(&mut net, 1, 2);
    expect(&net, &[1, 2], "first name of 3");
    for (a, b) in [(0, 2), (1, 2), (0, 1), (0, 2)] {
        meet(&mut net, a, b);
    }
    expect(&net, &[0, 1, 2], "left");
    undo(&mut net, &item);
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        meet(&mut net, a, b);
    }
    expect(&net, &[0, 1, 2], "first name of 3");
}

/// Whether a node has an envelope, and it stands there.
fn stands(net: &Net, node: usize, id: &EnvelopeId) -> bool {
    let base = net.nodes[node].world.base().clone();
    World::over(base, 0).turn(|cx| {
        let lace = Lace::open(&mut cx.store, TOPIC).expect("it is here");
        let lace = lace.ruled_by(&Law);
        lace.effective(&mut cx.store, id)
    })
}

/// Says something, unless its author is cut off and knows it.
fn try_say(net: &mut Net, node: usize, item: Item) -> Option<EnvelopeId> {
    let draft = Draft {
        payload: Payload::Items(vec![item]),
        lifespan: None,
        answers: Vec::new(),
        manifest: None,
    };
    net.publish(node, draft).ok().map(|published| published.id)
}

/// Two members rename themselves and leave, the founder titles, cuts off and undoes, and
/// they meet as chance has it.
#[test]
fn replicas_that_hold_the_same_show_the_same_in_whatever_order_they_heard_it() {
    let mut fell = 0;
    for seed in 100..112 {
        let mut net = named(seed, 5);
        let mut said: BTreeMap<usize, Vec<EnvelopeId>> = BTreeMap::new();
        let mut given: Vec<Item> = Vec::new();
        for at in 0..24 {
            let who = 1 + usize::try_from(net.rng.below(2)).unwrap();
            match net.rng.below(8) {
                0 | 1 => {
                    let item = profile(&net, who, &format!("name {at}"));
                    said.entry(who)
                        .or_default()
                        .extend(try_say(&mut net, who, item));
                }
                2 => {
                    let id = try_say(&mut net, who, Item::Leave);
                    said.entry(who).or_default().extend(id);
                }
                3 => {
                    let name = format!("title {at}");
                    net.items(0, vec![Item::Title(Title { name }.encode())]);
                }
                4 => {
                    let mut ids = said.get(&who).cloned().unwrap_or_default();
                    ids.retain(|id| stands(&net, 0, id));
                    let end = net.rng.below(ids.len() as u64 + 1);
                    let end = ids.get(usize::try_from(end).unwrap()).copied();
                    let item = revocation(&net, who, end.as_slice(), false);
                    net.items(0, vec![item.clone()]);
                    given.push(item);
                    fell += 1;
                }
                5 => {
                    if let Some(item) = given.pop() {
                        undo(&mut net, &item);
                    }
                }
                _ => {}
            }
            let (a, b) = (net.rng.below(5), net.rng.below(4));
            let (a, b) = (usize::try_from(a).unwrap(), usize::try_from(b).unwrap());
            meet(&mut net, a, if b < a { b } else { b + 1 });
        }
        for _ in 0..3 {
            net.pass(Duration::from_secs(200));
            for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)] {
                meet(&mut net, a, b);
            }
        }
        assert!(net.agree(), "{seed}");
        for node in 1..5 {
            assert_eq!(told(&net, node), told(&net, 0), "seed {seed}, node {node}");
        }
    }
    assert!(fell > 10, "{fell}");
}

/// Reads of a node's store while a member falls who has said so much about itself.
fn cost_of_a_fall(seed: u64, envelopes: u64, items: usize) -> u64 {
    let mut net = named(seed, 3);
    for _ in 0..envelopes {
        let items = vec![profile(&net, 1, "once more"); items];
        net.items(1, items);
    }
    for _ in 0..3 {
        meet(&mut net, 0, 1);
        meet(&mut net, 0, 2);
    }
    assert_eq!(seen(&net, 2, 1), shown("once more", false));
    let item = revocation(&net, 1, &[], false);
    net.items(0, vec![item]);
    let before = net.nodes[2].world.reads();
    meet(&mut net, 0, 2);
    assert_eq!(seen(&net, 2, 1), (None, None));
    net.nodes[2].world.reads() - before
}

#[test]
fn a_member_who_said_much_falls_at_a_cost_that_grows_with_its_envelopes_alone() {
    let [little, more, many] =
        [(20, 1), (20, 40), (80, 1)].map(|(envelopes, items)| cost_of_a_fall(44, envelopes, items));
    assert!(more <= little + little / 10, "{little}, {more}");
    assert!(many <= little * 6, "{little}, {many}");
}
