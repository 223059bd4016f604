//! Policies: what they are given, and what is kept of what they say.

use crate::world::{LOCAL, Pair, Replica, control, follow, id_of, join, rng};
use identity::{GrantId, SecretKey};
use lace::{
    Admission, Admitted, AuthorNo, Effect, Facts, FoundersPolicy, Lace, Past, Policy, Rule, Set,
    Why,
};
use machine::test::World;
use std::collections::BTreeMap;
use wire::{Genesis, Item, Verified};

/// As the founder's rules, but a chain may have three messages, and a grant counts only when it is
/// in the effect of the past.
#[derive(Debug)]
struct Three;

impl Policy for Three {
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool {
        FoundersPolicy.speaks_of(genesis, item)
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        let mut admitted = FoundersPolicy.admit(past, envelope)?;
        let header = &envelope.envelope.header;
        assert_eq!(past.previous.is_some(), header.number > 1);
        assert_eq!(past.deps.len(), header.deps.len());
        let (set, effect) = (past.set(), past.effect());
        assert_eq!(*effect, self.effect(past.facts, &set, &BTreeMap::new()));
        assert_eq!(effect, past.effect());
        if !effect.grants.contains_key(&admitted.grant) {
            return Err(Rule::NoInvite);
        }
        if let Some(previous) = past.previous {
            assert_eq!(previous.number + 1, header.number);
            assert!(past.facts.on_chain(&previous.id, &previous.id));
        }
        if envelope.items.is_none() {
            let so_far = &mut admitted.buckets.content;
            so_far.messages += 1;
            so_far.bytes += u64::from(header.body_len);
            if so_far.messages > 3 {
                return Err(Rule::Class);
            }
        } else {
            admitted.buckets.control.messages += 1;
        }
        Ok(admitted)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        FoundersPolicy.effect(facts, set, evidence)
    }
}

fn under_three(pair: &Pair) -> Replica {
    let mut world = World::new(1);
    let lace = world.turn(|cx| Lace::create(&mut cx.store, LOCAL, &pair.topic.genesis));
    let lace = lace.ruled_by(&Three);
    let mut replica = Replica { world, lace };
    for verified in [&pair.first, &pair.invited, &pair.joined] {
        replica.admitted(verified);
    }
    replica
}

fn again(replica: Replica) -> Replica {
    let Replica { world, lace } = replica.reopen();
    Replica {
        world,
        lace: lace.ruled_by(&Three),
    }
}

#[test]
fn buckets_go_with_the_branch_and_last() {
    let pair = Pair::new(350);
    let mut replica = under_three(&pair);
    let mut chain = vec![pair.joined.clone()];
    for at in 0..3 {
        let next = pair.says(&chain[at], &[&pair.invited], &at.to_string());
        replica.admitted(&next);
        chain.push(next);
        if at == 1 {
            replica = again(replica);
        }
    }
    let four = pair.says(&chain[3], &[], "four");
    assert_eq!(replica.verdict(&four), Admission::Refused(Rule::Class));
    // Another branch has what was left where it parts; the chain that was there first is not
    // charged for it, nor the other way round.
    let twin = pair.says(&chain[2], &[], "a third one too");
    assert_eq!(replica.verdict(&twin), Admission::Void);
    let mut replica = again(replica);
    let over = pair.says(&twin, &[], "four");
    assert_eq!(replica.verdict(&over), Admission::Refused(Rule::Class));
    assert_eq!(replica.verdict(&four), Admission::Refused(Rule::Class));
    // The tip below the fork has its own again.
    let beside = pair.says(&chain[2], &[], "again a third one");
    assert_eq!(replica.verdict(&beside), Admission::Void);
}

#[test]
fn an_effect_is_that_of_the_past_and_not_of_what_is_held() {
    let pair = Pair::new(351);
    let mut replica = under_three(&pair);
    // Joined views, whose effect is computed before they have a number.
    let mut source = rng(3510);
    let mut tips = Vec::new();
    for _ in 0..4 {
        let keys = [(); 2].map(|()| SecretKey::generate(&mut source));
        let first = join(&pair.topic, &keys[0], &keys[1], 0, &[&pair.invited]);
        replica.admitted(&first);
        tips.push(first);
    }
    let all: Vec<_> = tips.iter().collect();
    let said = pair.says(&pair.joined, &all, "all");
    replica.admitted(&said);
    let set = replica.run(|lace, store| lace.view_of(store, &id_of(&said)));
    // The founder's certificate, the invite, and for each guest a certificate and a claim.
    assert_eq!(set.expect("here").len(), 2 + 5 * 2);
    assert!(replica.lace.view_load().effects > 0);
}

#[test]
fn what_is_held_is_judged_with_forks_and_membership_without() {
    let pair = Pair::new(352);
    let mut replica = pair.replica(1);
    let own = GrantId::from_bytes(*pair.topic.id.as_bytes());
    let before = replica.run(|lace, store| lace.held_effect(store));
    assert_eq!(before.grants.keys().len(), 2);
    assert_eq!(before.grants[&own].by, None);
    assert!(before.grants[&pair.topic.grant].by.is_some());
    assert_eq!(before.devices.len(), 2);
    assert!(before.void.is_empty() && before.limits.is_empty() && before.epochs.is_empty());
    assert_eq!(before, replica.run(|lace, store| lace.held_effect(store)));
    // The founder forks where it invited.
    let header = follow(pair.topic.header(own), Some(&pair.first), &[]);
    let twin = control(header, &[Item::Leave], &pair.author);
    replica.take(&twin);
    let mut replica = replica.reopen();
    let after = replica.run(|lace, store| lace.held_effect(store));
    assert_eq!(
        (&after.grants, &after.devices),
        (&before.grants, &before.devices)
    );
    let void: Vec<_> = after.void.iter().collect();
    let [(no, why)] = void.as_slice() else {
        panic!("one fact is void: {void:?}");
    };
    assert_eq!(**why, Why::Fork);
    let carrier = replica
        .run(|lace, store| lace.facts(store, |facts| facts.fact(**no).map(|fact| fact.carrier)));
    assert_eq!(carrier, Some(id_of(&pair.invited)));
    assert!(!replica.effective(&id_of(&pair.invited)));
    // A new fact is heard of.
    let mut source = rng(3520);
    let keys = [(); 2].map(|()| SecretKey::generate(&mut source));
    replica.admitted(&join(&pair.topic, &keys[0], &keys[1], 0, &[&pair.invited]));
    let later = replica.run(|lace, store| lace.held_effect(store));
    assert_eq!(later.devices.len(), 3);
}

#[test]
fn a_store_with_another_layout_is_not_opened() {
    let pair = Pair::new(353);
    let replica = pair.replica(1);
    let mut base = replica.world.into_base();
    let key = [&LOCAL.to_be_bytes()[..], b"g"].concat();
    let row = machine::Base::get(&base, lace::rows::LACE, &key);
    let mut row = row.expect("memory can be read").expect("a topic");
    assert_eq!(row[0], 2);
    for layout in [0, 1, 255] {
        row[0] = layout;
        base.load(lace::rows::LACE.id(), key.clone(), row.clone());
        let mut world = World::over(base.clone(), 1);
        assert!(world.turn(|cx| Lace::open(&mut cx.store, LOCAL)).is_none());
    }
}
