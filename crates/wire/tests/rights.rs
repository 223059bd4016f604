//! Attacks on what is said about rights: signatures that are moved, stripped and repeated, forms
//! under foreign ids, lists that are too long, room that is taken by something else.

use identity::{ActId, BadSignature, Context, Form, PublicKey, SecretKey, Signature, TopicId};
use wire::{
    Act, Boxes, Certificate, Claim, Frame, Genesis, Grant, Header, Item, Joint, Malformed, Raw,
    Refused, Role, SealedTo, check, decode_header, decode_items, encode_items, limits,
    sign_envelope,
};

use crate::checks::{control_with, forge};
use crate::rights_samples::{
    act, boxes, first_form, grant, joint_items, later_form, owners, replaced, rights_items,
};
use crate::samples::{self, author, claim, control, core, device, topic};

fn other_topic() -> TopicId {
    TopicId::from_bytes([1; 32])
}

fn malformed<T: std::fmt::Debug>(found: Result<T, Refused>) -> &'static str {
    match found {
        Err(Refused::Malformed(Malformed { what, .. })) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_item_about_rights_passes_alone() {
    for item in rights_items() {
        let header = Header {
            count: 1,
            ..control()
        };
        let signed = sign_envelope(header, encode_items(std::slice::from_ref(&item)), &author());
        let raw = signed
            .map(|signed| signed.get().envelope.to_raw(signed.get().body.clone()))
            .unwrap();
        let items = check(raw).unwrap().into_inner().items;
        assert_eq!(items, Some(vec![item]));
    }
}

#[test]
fn a_signature_under_an_act_is_for_its_topic_act_and_role() {
    let good = act();
    assert_eq!(good.verify(topic()), Ok(()));
    assert_eq!(good.verify(other_topic()), Err(BadSignature));
    let form = Form::one(owners()[0].public());
    for changed in [
        Act {
            composition: form.member(),
            previous: form.first_state(),
            ..good.clone()
        },
        Act {
            number: 2,
            previous: ActId::from_bytes([9; 32]),
            ..good.clone()
        },
        Act {
            form: first_form(),
            ..good.clone()
        },
        Act {
            cut: vec![],
            ..good.clone()
        },
    ] {
        assert_eq!(changed.verify(topic()), Err(BadSignature));
    }
    // Every signature counts: none may be of a key that did not sign.
    for at in 0..good.signatures.len() {
        let mut changed = good.clone();
        changed.signatures[at].signature = good.signatures[(at + 1) % 4].signature;
        let found = check(control_with(&[Item::Act(changed)]));
        assert_eq!(found, Err(Refused::InnerSignature));
    }
}

#[test]
fn consent_is_no_vote_and_a_vote_is_no_consent() {
    let good = act();
    assert!(good.is_signed_from(&first_form()));
    for at in 0..good.signatures.len() {
        let mut turned = good.clone();
        let role = &mut turned.signatures[at].role;
        *role = match *role {
            Role::Signer => Role::New,
            Role::New => Role::Signer,
        };
        assert_eq!(turned.verify(topic()), Err(BadSignature));
        assert!(!turned.is_signed_from(&first_form()));
    }
    for at in 0..good.signatures.len() {
        let mut fewer = good.clone();
        fewer.signatures.remove(at);
        // What is left is valid, of the same act, and not enough.
        assert_eq!(fewer.verify(topic()), Ok(()));
        assert_eq!(fewer.id(), good.id());
        assert!(!fewer.is_signed_from(&first_form()), "{at}");
    }
    // The signatures of one form are nothing to another.
    assert!(!good.is_signed_from(&later_form()));
    let mut more = good;
    more.sign(topic(), &core(), Role::Signer);
    assert!(!more.is_signed_from(&first_form()), "a stranger's vote");
}

#[test]
fn two_of_three_decide_and_one_does_not() {
    let [first, second, third] = owners();
    let change = |signers: &[&SecretKey]| {
        let mut act = Act {
            number: 2,
            previous: act().id(),
            form: Form::equal(&[first.public(), second.public()].into(), 1).unwrap(),
            signatures: vec![],
            ..act()
        };
        for signer in signers {
            act.sign(topic(), signer, Role::Signer);
        }
        act
    };
    let before = later_form();
    assert!(change(&[&first, &second]).is_signed_from(&before));
    assert!(change(&[&first, &third]).is_signed_from(&before));
    assert!(!change(&[&first]).is_signed_from(&before));
    // Signing twice replaces; it does not add up.
    let twice = change(&[&first, &first]);
    assert_eq!(twice.signatures.len(), 1);
    assert!(!twice.is_signed_from(&before));
    let ids = [&[&first, &second][..], &[&first, &third]].map(|by| change(by).id());
    assert_eq!(ids[0], ids[1], "whoever signs, it is the same act");
}

#[test]
fn a_signer_twice_is_refused_before_a_signature_is_checked() {
    let mut twice = act();
    let mut second = twice.signatures[0];
    second.signature = Signature::from_bytes([0; 64]);
    twice.signatures.insert(1, second);
    let found = check(control_with(&[Item::Act(twice)]));
    assert_eq!(malformed(found), "signers are not ascending");
    for item in joint_items() {
        let mut item = item;
        let (Item::Grant(Grant { joint, .. }) | Item::Revocation(wire::Revocation { joint, .. })) =
            &mut item
        else {
            panic!("they are signed jointly");
        };
        let joint = joint.as_mut().unwrap();
        joint.signatures.push(joint.signatures[1]);
        let found = check(control_with(&[item]));
        assert_eq!(malformed(found), "signers are not ascending");
    }
}

#[test]
fn a_joint_signature_is_for_its_topic_item_and_state() {
    for item in joint_items() {
        let joint = item.joint().unwrap();
        assert_eq!(joint.signers().len(), 2);
        assert_eq!(joint.verify(topic(), &item.id()), Ok(()));
        assert_eq!(joint.verify(other_topic(), &item.id()), Err(BadSignature));
        let moved = joint.clone();
        // Under an earlier state, in which fewer had to sign.
        let earlier = Joint {
            under: first_form().first_state(),
            ..moved.clone()
        };
        let changed = match item {
            Item::Grant(grant) => [
                Item::Grant(Grant {
                    holder: later_form().member(),
                    form: None,
                    ..grant.clone()
                }),
                Item::Grant(Grant {
                    joint: Some(earlier),
                    ..grant
                }),
            ],
            Item::Revocation(revocation) => [
                Item::Revocation(wire::Revocation {
                    cut: vec![],
                    ..revocation.clone()
                }),
                Item::Revocation(wire::Revocation {
                    joint: Some(earlier),
                    ..revocation
                }),
            ],
            other => panic!("{other:?}"),
        };
        for item in changed {
            let found = check(control_with(&[item]));
            assert_eq!(found, Err(Refused::InnerSignature));
        }
    }
    // From a grant to a revocation.
    let [grant, mut revocation] = joint_items();
    if let Item::Revocation(revocation) = &mut revocation {
        revocation.joint = grant.joint().cloned();
    }
    let found = check(control_with(&[revocation]));
    assert_eq!(found, Err(Refused::InnerSignature));
}

#[test]
fn nobody_makes_a_second_grant_by_leaving_a_signature_out() {
    for item in joint_items() {
        let mut fewer = item.clone();
        if let Item::Grant(Grant { joint, .. }) | Item::Revocation(wire::Revocation { joint, .. }) =
            &mut fewer
        {
            joint.as_mut().unwrap().signatures.pop();
        }
        assert_ne!(fewer.encode(), item.encode());
        assert_eq!(fewer.id(), item.id());
    }
    // Without the composition it is another item, which the author alone answers for.
    let [joint, _] = joint_items();
    assert_ne!(joint.id(), Item::Grant(grant()).id());
    assert_eq!(act().id(), act().id());
}

/// Every signature of an item, tried as one of every other kind over the same bytes.
#[test]
fn no_signature_passes_in_another_context() {
    let [item, _] = joint_items();
    let statement = [&topic().as_bytes()[..], item.id().as_bytes()].concat();
    let owner = owners()[0].clone();
    for context in Context::ALL {
        let mut moved = item.clone();
        if let Item::Grant(Grant {
            joint: Some(joint), ..
        }) = &mut moved
        {
            let signature = owner.sign(context, &statement);
            joint.signatures = vec![wire::DeviceSignature {
                device: owner.public(),
                signature,
            }];
        }
        let passes = check(control_with(&[moved])).is_ok();
        assert_eq!(passes, context == Context::Joint, "{context:?}");
    }
    let act = act();
    let statement = [&topic().as_bytes()[..], act.id().as_bytes(), &[0]].concat();
    for context in Context::ALL {
        let mut moved = act.clone();
        moved.signatures = vec![wire::ActSignature {
            device: device().public(),
            role: Role::Signer,
            signature: device().sign(context, &statement),
        }];
        let passes = check(control_with(&[Item::Act(moved)])).is_ok();
        assert_eq!(passes, context == Context::Act, "{context:?}");
    }
}

#[test]
fn a_form_is_its_holders_or_nobodys() {
    let mut claimed = grant();
    claimed.holder = later_form().member();
    let found = check(control_with(&[Item::Grant(claimed)]));
    assert_eq!(malformed(found), "a form that is not the holder's");
    // Another share or threshold, under the same id.
    let good = Item::Grant(grant()).encode();
    let form = Form::one(core().public()).encode();
    let two = Form::equal(&[core().public(), device().public()].into(), 1).unwrap();
    let changed = replaced(&good, &form, &two.encode());
    assert!(Item::decode(&changed).is_err());
}

#[test]
fn branches_are_part_of_what_a_certificate_signs() {
    let who = (author().public(), 1);
    let branches = vec![samples::id(2), samples::id(1), samples::id(2)];
    let good = Certificate::sign_choosing(topic(), &device(), who, branches);
    assert_eq!(good.branches, [samples::id(1), samples::id(2)]);
    let with = |certificate| check(control_with(&[Item::Certificate(certificate)]));
    assert!(with(good.clone()).is_ok());
    for branches in [
        vec![],
        vec![samples::id(1)],
        vec![samples::id(1), samples::id(3)],
    ] {
        let changed = Certificate {
            branches,
            ..good.clone()
        };
        assert_eq!(with(changed), Err(Refused::InnerSignature));
    }
    let many = (0..9).map(samples::id).collect();
    let many = Certificate::sign_choosing(topic(), &device(), who, many);
    assert_eq!(malformed(with(many)), "branches");
}

#[test]
fn signatures_inside_one_body_are_few() {
    let mut act = act();
    for fill in 0x30..0x3c {
        act.sign(topic(), &SecretKey::from_seed([fill; 32]), Role::Signer);
    }
    assert_eq!(act.signatures.len(), limits::MAX_INNER_SIGNATURES);
    assert!(check(control_with(&[Item::Act(act.clone())])).is_ok());
    let and_claim = [Item::Act(act.clone()), Item::Claim(claim())];
    let found = check(control_with(&and_claim));
    assert_eq!(malformed(found), "too many signatures inside");
    let [joint, _] = joint_items();
    let found = check(control_with(&[joint, Item::Act(act)]));
    assert_eq!(malformed(found), "too many signatures inside");
    // Claims and certificates stay as few as they were.
    let many: Vec<Item> = (0..5)
        .map(|more| {
            Item::Claim(Claim {
                time: claim().time + more,
                ..claim()
            })
        })
        .collect();
    let found = check(control_with(&many));
    assert_eq!(malformed(found), "too many signed items");
}

fn many_boxes(count: u16, len: usize) -> Boxes {
    let sealed = |n: u16| SealedTo {
        hint: [&n.to_be_bytes()[..], &[0; 6]].concat().try_into().unwrap(),
        enc: [0; 32],
        sealed: vec![0; len],
    };
    Boxes {
        devices: (0..count).map(sealed).collect(),
        ..boxes()
    }
}

#[test]
fn boxes_alone_have_more_room() {
    let most = many_boxes(limits::MAX_BOXES as u16, 49);
    let body = encode_items(&[Item::Boxes(most)]);
    assert!(body.len() > limits::MAX_CONTROL_BODY && body.len() <= limits::MAX_BOXES_BODY);
    let header = Header {
        count: 1,
        ..control()
    };
    assert!(check(forge(header.clone(), body)).is_ok());
    let too_many = encode_items(&[Item::Boxes(many_boxes(601, 17))]);
    assert_eq!(malformed(check(forge(header.clone(), too_many))), "boxes");
    let too_long = encode_items(&[Item::Boxes(many_boxes(600, 99))]);
    assert!(too_long.len() > limits::MAX_BOXES_BODY);
    assert!(check(forge(header.clone(), too_long)).is_err());
    // Beside something else, large or small.
    for boxes in [boxes(), many_boxes(400, 49)] {
        for items in [
            [Item::Boxes(boxes.clone()), Item::Leave],
            [Item::Leave, Item::Boxes(boxes.clone())],
        ] {
            let found = decode_items(&encode_items(&items)).unwrap_err().what;
            assert!(found == "boxes beside other items" || found == "control body too long");
        }
    }
}

#[test]
fn nothing_else_has_the_room_of_boxes() {
    let header = Header {
        count: 1,
        body_len: limits::MAX_CONTROL_BODY as u32 + 1,
        ..control()
    };
    // One item may be longer as far as the header knows; what is in it decides.
    assert!(decode_header(&header.encode()).is_ok());
    let two = Header {
        count: 2,
        ..header.clone()
    };
    let found = decode_header(&two.encode()).unwrap_err().what;
    assert_eq!(found, "control body too long");
    // No other item can be so long: the longest are within their own limits.
    let longest = Item::Profile(vec![0; limits::MAX_SEALED_ITEM]);
    let four = encode_items(&vec![longest; 4]);
    assert!(four.len() > limits::MAX_CONTROL_BODY);
    let lying = Header { count: 1, ..header };
    assert_eq!(
        malformed(check(forge(lying, four))),
        "control body too long"
    );
}

#[test]
fn the_longest_revocation_fits_its_body() {
    let cut = (0..limits::MAX_CUT_IDS as u16).map(|n| {
        let mut bytes = [0xff; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        identity::EnvelopeId::from_bytes(bytes)
    });
    let [_, joint] = joint_items();
    let Item::Revocation(mut revocation) = joint else {
        panic!("a revocation")
    };
    revocation.cut = cut.collect();
    let mut item = Item::Revocation(revocation);
    for fill in 0..16 {
        item.sign_jointly(topic(), &SecretKey::from_seed([fill; 32]));
    }
    // The two owners' signatures are over the shorter cut: too many, and not of this item.
    let body = encode_items(std::slice::from_ref(&item));
    assert!(decode_items(&body).is_err());
    if let Item::Revocation(wire::Revocation {
        joint: Some(joint), ..
    }) = &mut item
    {
        let of_owners: Vec<PublicKey> = owners().iter().map(SecretKey::public).collect();
        joint
            .signatures
            .retain(|one| !of_owners.contains(&one.device));
        assert_eq!(joint.signatures.len(), limits::MAX_DEVICES);
    }
    let body = encode_items(std::slice::from_ref(&item));
    assert!(body.len() < limits::MAX_CONTROL_BODY, "{}", body.len());
    assert!(check(control_with(&[item])).is_ok());
}

#[test]
fn geneses_with_other_roots_and_policies_are_other_topics() {
    let good = samples::genesis();
    assert_eq!(good.founder(), device().public());
    let two = Form::equal(&[core().public(), device().public()].into(), 1).unwrap();
    let mut public = good.clone();
    public.policy.public = true;
    let mut limited = good.clone();
    limited.policy.budget.messages = Some(1);
    let shared = Genesis {
        root: two.clone(),
        ..good.clone()
    };
    let all = [good, public, limited, shared];
    for (at, one) in all.iter().enumerate() {
        assert_eq!(Genesis::decode(&one.encode()).as_ref(), Ok(one));
        for other in &all[at + 1..] {
            assert_ne!(one.topic_id(), other.topic_id());
        }
    }
    assert_eq!(all[3].founder(), two.devices()[0].key);
    // A bare key, as nothing else than a form.
    let form = first_form().encode();
    let bare = [&[0x58, 0x20][..], device().public().as_bytes()].concat();
    let bytes = replaced(&all[0].encode(), &form, &bare);
    assert!(Genesis::decode(&bytes).is_err());
    // A policy that says nothing at length.
    let bytes = replaced(
        &all[1].encode(),
        &[0x03, 0xa1, 0x00, 0xf5],
        &[0x03, 0xa1, 0x00, 0xf4],
    );
    assert!(Genesis::decode(&bytes).is_err());
    let bytes = replaced(
        &all[0].encode(),
        &[0x03, 0xa0, 0x04],
        &[0x03, 0xa1, 0x01, 0xa0, 0x04],
    );
    assert!(Genesis::decode(&bytes).is_err());
}

#[test]
fn what_is_answered_before_a_proof_is_always_the_same() {
    let bytes = Frame::refused_stranger().encode();
    assert_eq!(
        bytes,
        [0x82, 0x18, 0x18, 0xa4, 0, 0x81, 0, 1, 4, 2, 0x60, 3, 0]
    );
    let beyond = [0x82, 0x18, 31, 0xa0];
    let found = Frame::decode(&beyond).unwrap_err();
    assert_eq!((found.at, found.what), (1, "a frame of unknown type"));
}

#[test]
fn usage_names_each_topic_once_and_few() {
    let frame = |topics: Vec<u8>| Frame::CoreUsage {
        quota: 1,
        used: 1,
        headers: 1,
        header_quota: 1,
        topics: topics
            .into_iter()
            .map(|fill| wire::frame::TopicUsage {
                topic: TopicId::from_bytes([fill; 32]),
                share: 1,
                own: 1,
                guests: 1,
            })
            .collect(),
    };
    let most = frame((0..16).collect());
    assert_eq!(Frame::decode(&most.encode()), Ok(most));
    for topics in [(0..17).collect(), vec![1, 1], vec![2, 1]] {
        assert!(Frame::decode(&frame(topics).encode()).is_err());
    }
}

/// A body of another item cannot be given to a checked header.
#[test]
fn an_items_envelope_is_checked_as_a_whole() {
    let Raw { header_bytes, .. } = control_with(&[Item::Act(act())]);
    assert!(decode_header(&header_bytes).is_ok());
    let mut raw = control_with(&[Item::Act(act())]);
    raw.body = Some(encode_items(&[Item::Grant(grant())]));
    assert!(check(raw).is_err());
}
