//! Members without a common newest secret find together, and nobody else learns anything.

use crate::support::{flips, founded, founder, link, link_between, node, rng};
use identity::{SealingKey, TopicId};
use rights::{Identified, Identity, LinkSecret, MeetingSecret, identified, identify};
use wire::IdentifyStep::{self, Answer, Question};
use wire::limits::IDENTIFY_LEN;
use wire::{Claim, Frame, Item};

fn meeting(n: u8) -> MeetingSecret {
    MeetingSecret::from_bytes([n; 32])
}

fn topic(n: u8) -> TopicId {
    TopicId::from_bytes([n; 32])
}

/// Someone who takes part in topic `n` and holds these secrets of it.
fn member(n: u8, secrets: &[u8]) -> Identity {
    Identity {
        topic: topic(n),
        secrets: secrets.iter().map(|one| meeting(*one)).collect(),
        standing: founder(&founded(n)),
    }
}

fn sent(link: &LinkSecret, step: IdentifyStep, of: &[Identity], seed: u8) -> Vec<u8> {
    match identify(link, step, of, &mut rng(seed)) {
        Frame::Identify { step: said, sealed } if said == step => sealed,
        other => panic!("{other:?}"),
    }
}

fn known(of: &[(u8, u8)]) -> Vec<(TopicId, MeetingSecret)> {
    of.iter().map(|(n, m)| (topic(*n), meeting(*m))).collect()
}

fn heard(link: &LinkSecret, step: IdentifyStep, sealed: &[u8], of: &[(u8, u8)]) -> Vec<Identified> {
    identified(link, step, sealed, &known(of))
}

#[test]
fn any_common_secret_is_enough_and_the_answer_goes_back_under_it() {
    let (one, two) = link(1);
    let asked = sent(&one, Question, &[member(1, &[7, 6, 5]), member(2, &[9])], 1);
    assert_eq!(asked.len(), IDENTIFY_LEN);
    let found = heard(&two, Question, &asked, &[(1, 8), (1, 6), (1, 5), (3, 9)]);
    assert_eq!(found.len(), 1, "topic 2 is not known by its secret");
    assert_eq!(found[0].shown.topic, topic(1));
    assert_eq!(
        found[0].shown.device,
        member(1, &[]).standing.device.public()
    );
    // Under whichever of the common secrets: the holder of one alone can open it.
    let under = *found[0].under.as_bytes();
    assert!(under == [6; 32] || under == [5; 32]);
    let back = sent(&two, Answer, &[member(1, &[under[0]])], 2);
    let found = heard(&one, Answer, &back, &[(1, 7), (1, 6), (1, 5)]);
    assert_eq!(found.len(), 1);
    assert_eq!(*found[0].under.as_bytes(), under);
}

#[test]
fn eight_secrets_of_four_topics_are_told_and_no_more() {
    let (one, two) = link(1);
    let all: Vec<Identity> = (1..=5)
        .map(|n| member(n, &[1, 2, 3, 4, 5, 6, 7, 8, 9]))
        .collect();
    let asked = sent(&one, Question, &all, 1);
    assert_eq!(asked.len(), IDENTIFY_LEN);
    for m in 1..=8 {
        let of: Vec<(u8, u8)> = (1..=5).map(|n| (n, m)).collect();
        let found = heard(&two, Question, &asked, &of);
        let mut topics: Vec<TopicId> = found.iter().map(|one| one.shown.topic).collect();
        topics.sort();
        assert_eq!(topics, (1..=4).map(topic).collect::<Vec<_>>(), "secret {m}");
    }
    assert!(heard(&two, Question, &asked, &[(1, 9)]).is_empty());
}

#[test]
fn a_question_is_worth_nothing_elsewhere_nor_sent_back_nor_as_an_answer() {
    let (one, two) = link(1);
    let asked = sent(&one, Question, &[member(1, &[5])], 1);
    assert_eq!(heard(&two, Question, &asked, &[(1, 5)]).len(), 1);
    assert!(
        heard(&two, Answer, &asked, &[(1, 5)]).is_empty(),
        "as an answer"
    );
    assert!(
        heard(&one, Question, &asked, &[(1, 5)]).is_empty(),
        "reflected"
    );
    let (_, other) = link(2);
    assert!(
        heard(&other, Question, &asked, &[(1, 5)]).is_empty(),
        "on another link"
    );
    let (_, other) = link_between(1, node(1), node(9));
    assert!(
        heard(&other, Question, &asked, &[(1, 5)]).is_empty(),
        "of another node"
    );
    assert!(
        heard(&two, Question, &asked, &[(2, 5)]).is_empty(),
        "of another topic"
    );
}

#[test]
fn whoever_is_nobody_sends_as_many_bytes_and_none_of_them_repeats() {
    let (one, two) = link(1);
    let nobody = sent(&one, Answer, &[], 1);
    let somebody = sent(&one, Answer, &[member(1, &[5])], 1);
    assert_eq!(nobody.len(), somebody.len());
    assert!(heard(&two, Answer, &nobody, &[(1, 5)]).is_empty());
    let again = sent(&one, Answer, &[member(1, &[5])], 2);
    let chunks = |bytes: &[u8]| -> Vec<[u8; 16]> { bytes.as_chunks::<16>().0.to_vec() };
    assert!(
        chunks(&somebody)
            .iter()
            .all(|chunk| !chunks(&again).contains(chunk))
    );
}

#[test]
fn bits_that_were_turned_prove_nothing_and_end_nothing() {
    let (one, two) = link(1);
    let asked = sent(&one, Question, &[member(1, &[5])], 1);
    let device = member(1, &[]).standing.device.public();
    let mut void = 0;
    for (_, changed) in flips(&asked).step_by(7) {
        let found = heard(&two, Question, &changed, &[(1, 5)]);
        assert!(found.len() <= 1);
        assert!(found.iter().all(|one| one.shown.device == device));
        void += usize::from(found.is_empty());
    }
    assert!(void > 0, "the proof is covered");
    for length in [0, 1, 24, IDENTIFY_LEN - 1] {
        let cut = asked.get(..length).unwrap();
        assert!(heard(&two, Question, cut, &[(1, 5)]).is_empty());
    }
    let longer = [asked.as_slice(), &[0]].concat();
    assert!(heard(&two, Question, &longer, &[(1, 5)]).is_empty());
}

#[test]
fn one_secret_that_was_announced_for_two_epochs_does_not_show() {
    let (one, two) = link(1);
    let asked = sent(&one, Question, &[member(1, &[5, 5, 6, 5])], 1);
    let mut records = asked[24..].as_chunks::<16>().0.to_vec();
    records.sort_unstable();
    assert!(
        records.is_sorted_by(|one, next| one < next),
        "two are alike"
    );
    assert_eq!(heard(&two, Question, &asked, &[(1, 5)]).len(), 1);
}

#[test]
fn a_statement_made_for_a_show_is_none_here() {
    // Who holds the secret, and a show of somebody's from the same link, cannot pass it on as a question.
    let (one, two) = link(1);
    let standing = founder(&founded(1));
    let secret = MeetingSecret::from_bytes([5; 32]);
    let (round, _) = rights::Round::begin(0, &one, &[(topic(1), secret)], 0, &mut rng(1)).unwrap();
    let tag = round.own_tag(topic(1)).unwrap();
    let of = rights::Match {
        topic: topic(1),
        tag,
    };
    let show = rights::Show::build(&one, &of, &standing);
    let asked = sent(&one, Question, &[member(1, &[5])], 1);
    let found = heard(&two, Question, &asked, &[(1, 5)]);
    assert_eq!(found[0].shown.device, show.device);
    assert!(
        standing
            .device
            .public()
            .verify(identity::Context::Identify, &[], &show.signature,)
            .is_err()
    );
}

#[test]
fn the_longest_claim_fits() {
    let (one, two) = link(1);
    let mut with = member(1, &[5]);
    let invite = identity::SecretKey::from_seed([3; 32]);
    let grant = identity::GrantId::from_bytes([4; 32]);
    let device = with.standing.device.public();
    let sealing = SealingKey::from_bytes([6; 32]);
    let time = wire::limits::MAX_TIME_MS;
    let claim = Claim::sign(topic(1), &invite, grant, device, sealing, time);
    with.standing.grant = grant;
    with.standing.claim = Some(claim);
    assert!(Item::Claim(claim).encode().len() <= 239);
    let asked = sent(&one, Question, &[with], 1);
    let found = heard(&two, Question, &asked, &[(1, 5)]);
    assert_eq!(found[0].shown.claim, Some(claim));
}
