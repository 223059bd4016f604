//! What two devices say to one another.

use identity::{EnvelopeId, GrantId, PublicKey};
use proptest::prelude::*;
use wire::plain::{CoreEntry, CoreList};
use wire::{
    DeviceLink, JoinLink, Link, LinkError, PairEpoch, PairMessage, PairOffer, PairPass, limits,
};

use crate::rights_samples::{act, next_epoch};
use crate::samples::{self, address, core, join_link, named_address};

fn messages() -> Vec<PairMessage> {
    let topic = samples::topic();
    let epochs = [Some(next_epoch()), None].map(|item| PairEpoch {
        item,
        generation: 7,
        access: vec![1; 33],
    });
    let device = PublicKey::from_bytes([3; 32]);
    let given = |epochs| PairMessage::Given {
        topic,
        at: EnvelopeId::from_bytes([4; 32]),
        by: device,
        epochs,
    };
    let core = CoreEntry {
        node: core().node_id(),
        addresses: vec![address().uri()],
        name: String::new(),
    };
    let hello = |addresses| PairMessage::Hello {
        name: "Laptop".to_owned(),
        addresses,
    };
    vec![
        hello(Vec::new()),
        hello(vec![address().uri()]),
        PairMessage::Offer(Box::new(PairOffer {
            genesis: samples::genesis(),
            name: "tea".to_owned(),
            grant: GrantId::from_bytes([5; 32]),
            cores: CoreList { cores: vec![core] },
        })),
        PairMessage::Take { topic, device },
        PairMessage::Pass {
            topic,
            why: PairPass::Has,
        },
        PairMessage::Pass {
            topic,
            why: PairPass::No,
        },
        PairMessage::Propose {
            topic,
            act: Box::new(act()),
        },
        PairMessage::Consent {
            topic,
            act: Box::new(act()),
        },
        given(Vec::new()),
        given(epochs.to_vec()),
        PairMessage::Done,
    ]
}

#[test]
fn what_was_said_is_what_is_heard() {
    for message in messages() {
        let bytes = message.encode();
        assert_eq!(PairMessage::decode(&bytes), Ok(message.clone()));
        for len in 0..bytes.len() {
            assert!(PairMessage::decode(&bytes[..len]).is_err(), "{message:?}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(PairMessage::decode(&longer).is_err(), "{message:?}");
        // Whatever a changed byte makes of it has one encoding alone.
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x41;
            if let Ok(message) = PairMessage::decode(&other) {
                assert_eq!(message.encode(), other);
            }
        }
    }
}

#[test]
fn what_is_too_long_or_too_many_is_refused() {
    let epoch = PairEpoch {
        item: None,
        generation: 0,
        access: vec![1; limits::MAX_PAIR_ACCESS],
    };
    let given = |count: usize, epoch: &PairEpoch| PairMessage::Given {
        topic: samples::topic(),
        at: EnvelopeId::from_bytes([4; 32]),
        by: PublicKey::from_bytes([3; 32]),
        epochs: vec![epoch.clone(); count],
    };
    let most = limits::MAX_PAIR_EPOCHS;
    assert!(PairMessage::decode(&given(most, &epoch).encode()).is_ok());
    assert!(PairMessage::decode(&given(most + 1, &epoch).encode()).is_err());
    let mut long = epoch;
    long.access.push(1);
    assert!(PairMessage::decode(&given(1, &long).encode()).is_err());
    let name = "x".repeat(limits::MAX_NAME + 1);
    let addresses = Vec::new();
    let hello = PairMessage::Hello { name, addresses };
    assert!(PairMessage::decode(&hello.encode()).is_err());
    assert!(PairMessage::decode(&vec![0; limits::MAX_PAIR_PLAIN + 1]).is_err());
}

#[test]
fn an_access_is_not_printed() {
    let shown = format!("{:?}", messages());
    assert!(!shown.contains("1, 1, 1"), "{shown}");
}

fn device_link() -> DeviceLink {
    DeviceLink {
        seed: [0xd1; 16],
        at: vec![address()],
    }
}

#[test]
fn a_device_link_is_no_other_link() {
    let text = device_link().to_text().unwrap();
    assert!(text.starts_with("way:device/"));
    assert_eq!(text.parse(), Ok(device_link()));
    assert_eq!(text.to_uppercase().parse(), Ok(device_link()));
    assert_eq!(text.parse(), Ok(Link::Device(device_link())));
    assert_eq!(text.parse::<JoinLink>(), Err(LinkError::Prefix));
    let join = join_link().to_text().unwrap();
    assert_eq!(join.parse::<DeviceLink>(), Err(LinkError::Prefix));
    // The checksum covers the kind: a link of one cannot be passed off as the other.
    let passed_off = join.replacen("way:join/", "way:device/", 1);
    assert_eq!(passed_off.parse::<DeviceLink>(), Err(LinkError::Checksum));
    // One device made it.
    let mut two = device_link();
    two.at.push(named_address());
    assert_ne!(two.at[0].node, two.at[1].node);
    assert_eq!(two.to_text(), Err(LinkError::Address));
    two.at = vec![named_address(), named_address()];
    let text = two.to_text().unwrap();
    assert_eq!(text.parse(), Ok(two));
    let shown = format!("{:?}", device_link());
    assert!(!shown.contains("209") && !shown.contains("d1d1"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = PairMessage::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}
