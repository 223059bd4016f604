//! What several are to sign together: what is no proposal, and how signatures come together.

use identity::{ActId, SecretKey, TopicId};
use wire::cbor::Writer;
use wire::{Item, Malformed, Proposal, Role};

use crate::rights_samples::{act, grant, owners};
use crate::samples::{self, device, topic};

fn proposed(items: &[Item]) -> Result<Proposal, Malformed> {
    let mut w = Writer::new();
    w.map(2).key(0).uint(samples::NOW);
    w.list(1, items, |w, item| {
        w.encoded(&item.encode());
    });
    Proposal::decode(&w.into_bytes())
}

/// What is proposed together is one thing: whoever has signed some of it has signed all of it.
#[test]
fn proposals_are_an_act_or_what_is_signed_together() {
    let good = samples::jointly();
    assert_eq!(proposed(good.items()).as_ref(), Ok(&good));
    assert_eq!(Proposal::decode(&good.encode()).as_ref(), Ok(&good));
    let act = Item::Act(act());
    assert!(proposed(std::slice::from_ref(&act)).is_ok());
    let [one, two] = good.items() else {
        panic!("two items");
    };
    let mut resigned = two.clone();
    resigned.sign_jointly(topic(), &device());
    let mut elsewhere = two.clone();
    if let Some(joint) = elsewhere.joint_mut() {
        joint.under = ActId::from_bytes([9; 32]);
    }
    let mut alone = grant();
    alone.joint = None;
    let mut both = [one.clone(), elsewhere.clone()];
    both.sort_by_key(Item::id);
    let bad = [
        vec![],
        vec![two.clone(), one.clone()],
        vec![one.clone(), one.clone()],
        vec![one.clone(), resigned],
        both.to_vec(),
        vec![Item::Grant(alone)],
        vec![Item::Leave],
        vec![act.clone(), act],
    ];
    for items in bad {
        assert!(proposed(&items).is_err(), "{items:?}");
    }
    // More than anybody has to check.
    let gift = |fill: u8| {
        let mut grant = grant();
        grant.welcomes = Some([fill; 32]);
        Item::Grant(grant)
    };
    let under = ActId::from_bytes([9; 32]);
    assert!(Proposal::jointly(1, under, (0..9).map(gift).collect()).is_none());
    assert!(Proposal::jointly(1, under, Vec::new()).is_none());
    let mut many = Proposal::jointly(1, under, (0..8).map(gift).collect()).expect("eight");
    for seed in 0..4 {
        let key = SecretKey::from_seed([seed; 32]);
        many.sign(topic(), &key, Role::Signer);
    }
    assert!(many.fits() && Proposal::decode(&many.encode()).is_ok());
    many.sign(topic(), &device(), Role::Signer);
    assert!(!many.fits() && Proposal::decode(&many.encode()).is_err());
}

/// An id is the same whoever has signed; signatures come together, each once, and are checked by topic and item.
#[test]
fn signatures_of_a_proposal_come_together() {
    let good = samples::jointly();
    let [first, second, _] = owners();
    let bare = good.signed_by_those(|_| false);
    assert_eq!(
        (bare.id(), bare.signers(Role::Signer).len()),
        (good.id(), 0)
    );
    let mut one = bare.clone();
    one.sign(topic(), &first, Role::Signer);
    one.sign(topic(), &first, Role::Signer);
    assert_eq!(one.signers(Role::Signer).len(), 1);
    let mut two = bare.clone();
    two.sign(topic(), &second, Role::Signer);
    one.add(&two);
    one.add(&two);
    assert_eq!(one.signers(Role::Signer).len(), 2);
    assert!(one.verify(topic()).is_ok());
    assert!(one.verify(TopicId::from_bytes([9; 32])).is_err());
    // One that somebody has is not replaced by a false one in its name.
    let mut elsewhere = bare;
    elsewhere.sign(TopicId::from_bytes([9; 32]), &first, Role::Signer);
    one.add(&elsewhere);
    assert!(one.verify(topic()).is_ok());
}
