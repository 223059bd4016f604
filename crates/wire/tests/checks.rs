//! What the checks let through and what not: forged, replaced and misplaced signatures.

use identity::{BadSignature, GrantId, OperatorTag, Signature, TopicId};
use wire::{
    Answer, Certificate, Claim, Class, Difference, Envelope, Header, InviteKind, Item, MailReceipt,
    Raw, RawHeader, RawStatement, Receipt, ReceiptKind, Refused, Ticket, TopicBox, check,
    check_advert, check_answer, check_body, check_box, check_claim, check_evidence, check_header,
    check_mail_receipt, check_receipt, encode_items, limits, sign_advert, sign_envelope,
    sign_receipt,
};

use crate::samples::{
    self, advert, author, claim, content, control, core, device, invite_key, items, live, raw,
    receipt, topic, unicast,
};

fn body() -> Vec<u8> {
    vec![0x81; 300]
}

pub(crate) fn control_with(items: &[Item]) -> Raw {
    let header = Header {
        count: items.len() as u16,
        ..control()
    };
    // Signed without looking inside, as an attacker would.
    forge(header, encode_items(items))
}

/// Signs whatever the header says, without any rule.
pub(crate) fn forge(mut header: Header, body: Vec<u8>) -> Raw {
    header.author = author().public();
    header.body_len = body.len() as u32;
    header.body_hash = identity::seal::hash(&[&body]);
    let header_bytes = header.encode();
    let id = Header::id_of(&header_bytes);
    let proof = author().sign(identity::Context::Envelope, id.as_bytes());
    Raw {
        header_bytes,
        proof,
        body: Some(body),
    }
}

#[test]
fn own_envelopes_pass() {
    for (name, header, body) in samples::headers() {
        let signed = sign_envelope(header, body, &author()).unwrap();
        let verified = signed.get().clone();
        let checked = check(verified.envelope.to_raw(verified.body.clone())).unwrap();
        assert_eq!(checked, signed, "{name}");
        assert_eq!(
            verified.items.is_some(),
            verified.envelope.header.class == Class::Control
        );
        let stored = Envelope::from_stored(
            verified.envelope.header_bytes.to_vec(),
            verified.envelope.proof,
        );
        assert_eq!(stored, Ok(verified.envelope));
    }
}

#[test]
fn signing_fills_in_and_sorts() {
    let mut header = content();
    header.author = device().public();
    header.deps = vec![samples::id(9), samples::id(1), samples::id(9)];
    let signed = sign_envelope(header, body(), &author())
        .unwrap()
        .into_inner();
    assert_eq!(signed.envelope.header.author, author().public());
    assert_eq!(
        signed.envelope.header.deps,
        [samples::id(1), samples::id(9)]
    );
    assert_eq!(signed.envelope.header.body_len, 300);
}

#[test]
fn signing_refuses_what_others_would() {
    let too_long = sign_envelope(content(), vec![0; 65_537], &author());
    assert!(matches!(too_long, Err(Refused::Malformed(_))));
    let empty = sign_envelope(content(), vec![], &author());
    assert!(matches!(empty, Err(Refused::Malformed(_))));
    let no_items = sign_envelope(control(), vec![0xff], &author());
    assert!(matches!(no_items, Err(Refused::Malformed(_))));
    let other_count = Header {
        count: 1,
        ..control()
    };
    let signed = sign_envelope(other_count, encode_items(&items()), &author());
    assert_eq!(signed, Err(Refused::Count));
}

#[test]
fn a_body_must_be_the_headers() {
    let good = raw(content(), body());
    let mut changed = good.clone();
    changed.body.as_mut().unwrap()[7] ^= 1;
    assert_eq!(check(changed), Err(Refused::BodyHash));
    let mut shorter = good.clone();
    shorter.body.as_mut().unwrap().pop();
    assert_eq!(check(shorter), Err(Refused::BodyLength));
    let envelope = check(Raw {
        body: None,
        ..good.clone()
    })
    .unwrap()
    .into_inner()
    .envelope;
    assert_eq!(check_body(&envelope, vec![0; 300]), Err(Refused::BodyHash));
    assert_eq!(check_body(&envelope, vec![]), Err(Refused::BodyLength));
    let checked = check_body(&envelope, body()).unwrap();
    assert_eq!(
        (checked.get().id, &checked.get().body),
        (envelope.id, &body())
    );
}

#[test]
fn content_may_come_without_its_body_and_control_may_not() {
    let without = Raw {
        body: None,
        ..raw(content(), body())
    };
    assert!(check(without).unwrap().get().body.is_none());
    let without = Raw {
        body: None,
        ..raw(control(), encode_items(&items()))
    };
    assert_eq!(check(without.clone()), Err(Refused::NoBody));
    // As evidence the header alone is enough.
    assert!(check_header(without.to_header()).is_ok());
}

#[test]
fn every_changed_header_bit_is_noticed() {
    let good = raw(content(), body());
    for bit in 0..good.header_bytes.len() * 8 {
        let mut changed = good.clone();
        changed.header_bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(check(changed).is_err(), "bit {bit}");
    }
}

#[test]
fn nobody_signs_for_another() {
    let mut header = content();
    header.author = device().public();
    header.body_len = 300;
    header.body_hash = identity::seal::hash(&[&body()]);
    let header_bytes = header.encode();
    let id = Header::id_of(&header_bytes);
    let proof = author().sign(identity::Context::Envelope, id.as_bytes());
    let forged = Raw {
        header_bytes,
        proof,
        body: Some(body()),
    };
    assert_eq!(check(forged), Err(Refused::Signature(BadSignature)));
}

#[test]
fn a_signature_of_another_kind_does_not_pass_for_a_proof() {
    let good = raw(content(), body());
    let id = Header::id_of(&good.header_bytes);
    for context in identity::Context::ALL {
        let proof = author().sign(context, id.as_bytes());
        let passes = check(Raw {
            proof,
            ..good.clone()
        })
        .is_ok();
        assert_eq!(passes, context == identity::Context::Envelope);
    }
}

#[test]
fn certificates_are_for_their_topic_author_and_index() {
    let good = Certificate::sign(topic(), &device(), author().public(), 3);
    let with = |certificate| check(control_with(&[Item::Certificate(certificate)]));
    assert!(with(good.clone()).is_ok());
    let changed = Certificate {
        index: 4,
        ..good.clone()
    };
    assert_eq!(with(changed), Err(Refused::InnerSignature));
    let choosing = Certificate {
        branches: vec![samples::id(1)],
        ..good.clone()
    };
    assert_eq!(with(choosing), Err(Refused::InnerSignature));
    let other = Certificate {
        device: core().public(),
        ..good.clone()
    };
    assert_eq!(with(other), Err(Refused::InnerSignature));
    let other_topic = Certificate::sign(
        TopicId::from_bytes([1; 32]),
        &device(),
        author().public(),
        3,
    );
    assert_eq!(with(other_topic), Err(Refused::InnerSignature));
    // Someone else's certificate, replayed in one's own envelope.
    let replayed = Certificate::sign(topic(), &device(), core().public(), 3);
    assert_eq!(with(replayed), Err(Refused::OtherAuthor));
}

#[test]
fn claims_are_for_their_topic_invite_and_device() {
    let with = |claim| check(control_with(&[Item::Claim(claim)]));
    let good = claim();
    assert!(with(good).is_ok());
    for changed in [
        Claim {
            device: core().public(),
            ..good
        },
        Claim {
            time: good.time + 1,
            ..good
        },
        Claim {
            grant: GrantId::from_bytes([1; 32]),
            ..good
        },
        Claim {
            sealing: identity::SealingKey::from_bytes([1; 32]),
            ..good
        },
        Claim {
            invite: device().public(),
            ..good
        },
        Claim::sign(
            TopicId::from_bytes([1; 32]),
            &invite_key(),
            good.grant,
            good.device,
            good.sealing,
            good.time,
        ),
    ] {
        assert_eq!(with(changed), Err(Refused::InnerSignature));
    }
}

#[test]
fn a_box_is_for_its_topic_locator_end_and_bytes() {
    let good = samples::topic_box();
    let home = samples::genesis().topic_id();
    assert!(check_box(home, good.clone()).is_ok());
    let mut sealed = good.sealed.clone();
    sealed[2047] ^= 1;
    let mut signature = good.signature.to_bytes();
    signature[3] ^= 1;
    for changed in [
        TopicBox {
            loc: [7; 32],
            ..good.clone()
        },
        TopicBox {
            until: good.until + 1,
            ..good.clone()
        },
        TopicBox {
            sealed,
            ..good.clone()
        },
        TopicBox {
            signature: Signature::from_bytes(signature),
            ..good.clone()
        },
        // Another device poses as the one that invites, or takes its box for its own.
        TopicBox {
            device: device().public(),
            ..TopicBox::sign(
                home,
                &core(),
                good.loc,
                good.sealed.clone(),
                good.until,
                good.grant,
            )
        },
        TopicBox {
            device: core().public(),
            ..good.clone()
        },
        // The inviter's box of another topic.
        TopicBox::sign(
            TopicId::from_bytes([1; 32]),
            &device(),
            good.loc,
            good.sealed.clone(),
            good.until,
            good.grant,
        ),
        // A box that goes, or stays, with another invite.
        TopicBox {
            grant: GrantId::from_bytes([4; 32]),
            ..good.clone()
        },
    ] {
        let found = check_box(home, changed);
        assert_eq!(found, Err(Refused::Signature(BadSignature)));
    }
    assert_eq!(TopicBox::decode(&good.encode()), Ok(good));
}

#[test]
fn an_answer_is_for_its_topic_claim_device_and_bytes() {
    let good = samples::answer();
    let home = samples::genesis().topic_id();
    assert!(check_answer(home, good.clone()).is_ok());
    let mut sealed = good.sealed.clone();
    sealed[0] ^= 1;
    let bytes = good.sealed.clone();
    for changed in [
        Answer {
            claim: [1; 32],
            ..good.clone()
        },
        Answer {
            sealed,
            ..good.clone()
        },
        Answer {
            device: core().public(),
            ..good.clone()
        },
        Answer::sign(TopicId::from_bytes([1; 32]), &device(), good.claim, bytes),
    ] {
        let found = check_answer(home, changed);
        assert_eq!(found, Err(Refused::Signature(BadSignature)));
    }
    assert_eq!(Answer::decode(&good.encode()), Ok(good));
    let claim = claim();
    assert!(check_claim(home, claim).is_ok());
    let other = Claim {
        device: core().public(),
        ..claim
    };
    assert!(
        check_claim(home, other).is_err(),
        "replayed for another device"
    );
}

#[test]
fn no_box_says_more_or_less_than_its_kind_of_invite() {
    let attended = |handed| {
        let mut contents = samples::box_contents();
        let gift = *contents.invite.gift().unwrap();
        contents.invite.kind = InviteKind::Attended(gift);
        contents.handed = handed;
        contents.sign(&device());
        contents.encode()
    };
    assert!(attended(None).is_ok());
    let handed = samples::box_contents().handed;
    assert!(attended(handed).is_err(), "a secret that nobody is to find");
    let mut contents = samples::box_contents();
    contents.handed = None;
    contents.sign(&device());
    assert!(contents.encode().is_err());
}

#[test]
fn many_inner_signatures_are_refused_before_one_is_checked() {
    let many = vec![Item::Claim(claim()); 5];
    let Err(Refused::Malformed(error)) = check(control_with(&many)) else {
        panic!("it passed");
    };
    assert_eq!(error.what, "too many signed items");
}

#[test]
fn items_that_are_not_counted_or_not_known_are_refused() {
    let miscounted = forge(
        Header {
            count: 2,
            ..control()
        },
        encode_items(&[Item::Leave]),
    );
    assert_eq!(check(miscounted), Err(Refused::Count));
    // [[14, {}]]: a kind of a later format.
    let unknown = forge(
        Header {
            count: 1,
            ..control()
        },
        vec![0x81, 0x82, 0x0e, 0xa0],
    );
    let Err(Refused::Malformed(error)) = check(unknown) else {
        panic!("it passed")
    };
    assert_eq!((error.at, error.what), (2, "an item of unknown kind"));
}

#[test]
fn evidence_is_two_headers_of_one_place() {
    let header = |raw: Raw| raw.to_header();
    let a = header(raw(content(), body()));
    let b = header(raw(content(), vec![1; 9]));
    let found = check_evidence(a.clone(), b.clone()).unwrap().into_inner();
    assert!(found.first.id < found.second.id);
    assert_eq!(
        check_evidence(b.clone(), a.clone()).unwrap().into_inner(),
        found
    );
    assert_eq!(
        check_evidence(a.clone(), a.clone()),
        Err(Refused::NoContradiction)
    );
    let next = Header {
        number: 3,
        ..content()
    };
    let other_number = header(raw(next, body()));
    assert_eq!(
        check_evidence(a.clone(), other_number),
        Err(Refused::NoContradiction)
    );
    let mail = [
        header(raw(unicast(), vec![1])),
        header(raw(unicast(), vec![2])),
    ];
    let [c, d] = mail;
    assert_eq!(check_evidence(c, d), Err(Refused::NoContradiction));
    let [c, d] = [header(raw(live(), vec![1])), header(raw(live(), vec![2]))];
    assert_eq!(check_evidence(c, d), Err(Refused::NoContradiction));
    let unsigned = RawHeader {
        proof: Signature::from_bytes([1; 64]),
        ..b
    };
    assert_eq!(
        check_evidence(a, unsigned),
        Err(Refused::Signature(BadSignature))
    );
}

#[test]
fn receipts_are_their_holders() {
    let signed = sign_receipt(receipt(ReceiptKind::Held), &core()).unwrap();
    assert_eq!(signed.get().value.holder, core().public());
    let good = signed.get().to_raw();
    assert_eq!(check_receipt(good.clone()), Ok(signed));
    for bit in 0..good.bytes.len() * 8 {
        let mut changed = good.clone();
        changed.bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(check_receipt(changed).is_err());
    }
    // A receipt about mail is none about a topic, nor an advert, whoever signed it.
    assert!(check_mail_receipt(good.clone()).is_err());
    assert!(check_advert(good).is_err());
}

#[test]
fn receipts_out_of_order_or_beyond_the_cut_are_refused() {
    let base = || receipt(ReceiptKind::Delivered);
    let mut reversed = base();
    reversed.cut.reverse();
    let mut twice = base();
    twice.cut[1] = twice.cut[0];
    let mut outside = base();
    outside.exceptions = vec![(3, 1)];
    let mut beyond = base();
    beyond.exceptions = vec![(0, beyond.cut[0].number + 1)];
    let mut unsorted = base();
    unsorted.exceptions = vec![(1, 1), (0, 1)];
    let mut zero = base();
    zero.exceptions = vec![(0, 0)];
    let mut branches = base();
    branches.cut = (0..9)
        .map(|n| wire::CutEntry {
            author: author().public(),
            number: 4,
            id: samples::id(n),
        })
        .collect();
    branches.exceptions.clear();
    for receipt in [reversed, twice, outside, beyond, unsorted, zero, branches] {
        assert!(matches!(
            sign_receipt(receipt, &author()),
            Err(Refused::Malformed(_))
        ));
    }
}

/// The bytes of a map in which a field more follows, with this value.
fn with_field(map: &[u8], key: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = map.to_vec();
    assert_eq!(bytes[0] >> 5, 5, "a map of few fields");
    bytes[0] += 1;
    bytes.push(key);
    bytes.extend_from_slice(value);
    bytes
}

#[test]
fn an_operators_tag_is_sixteen_bytes_and_stands_in_promises_alone() {
    let of = |len: u8| [&[0x40 + len], vec![7; len.into()].as_slice()].concat();
    let tag = Some(OperatorTag::from_bytes([7; 16]));
    let held = receipt(ReceiptKind::Held);
    let mail = samples::mail_receipt_of_operator();
    let mail = MailReceipt {
        operator: None,
        ..mail
    };
    let difference = samples::difference(ReceiptKind::Held);
    // What stands there is what is read, and what is written.
    let whole = with_field(&held.encode(), 9, &of(16));
    let found = Receipt::decode(&whole).unwrap();
    assert_eq!((found.operator, found.encode()), (tag, whole));
    let whole = with_field(&mail.encode(), 6, &of(16));
    let found = MailReceipt::decode(&whole).unwrap();
    assert_eq!((found.operator, found.encode()), (tag, whole));
    let whole = with_field(&difference.encode(), 10, &of(16));
    let found = Difference::decode(&whole).unwrap();
    assert_eq!((found.operator, found.encode()), (tag, whole));
    // Nothing shorter or longer, no text, no null, no number.
    let null = vec![0xf6];
    let text = [&[0x70][..], &[b'a'; 16]].concat();
    for value in [of(0), of(15), of(17), null, text, vec![7]] {
        assert!(Receipt::decode(&with_field(&held.encode(), 9, &value)).is_err());
        assert!(MailReceipt::decode(&with_field(&mail.encode(), 6, &value)).is_err());
        assert!(Difference::decode(&with_field(&difference.encode(), 10, &value)).is_err());
    }
    // Where nothing is promised it means nothing, and is refused.
    for kind in [
        ReceiptKind::Carried,
        ReceiptKind::Delivered,
        ReceiptKind::Read,
    ] {
        let other = receipt(kind);
        assert!(Receipt::decode(&with_field(&other.encode(), 9, &of(16))).is_err());
        let other = MailReceipt {
            kind,
            until: 0,
            ..mail.clone()
        };
        assert!(MailReceipt::decode(&with_field(&other.encode(), 6, &of(16))).is_err());
        let other = samples::difference(kind);
        assert!(Difference::decode(&with_field(&other.encode(), 10, &of(16))).is_err());
    }
}

#[test]
fn a_receipt_covers_what_it_says() {
    let receipt = receipt(ReceiptKind::Delivered);
    let forked = device().public();
    for entry in &receipt.cut {
        assert!(!receipt.covers(entry.author, 0));
        assert!(!receipt.covers(entry.author, entry.number + 1));
    }
    let plain = receipt
        .cut
        .iter()
        .position(|entry| entry.author != forked)
        .unwrap();
    let excepted: Vec<u64> = receipt
        .exceptions
        .iter()
        .filter(|(index, _)| usize::from(*index) == plain)
        .map(|(_, number)| *number)
        .collect();
    for number in 1..=receipt.cut[plain].number {
        let covered = receipt.covers(author().public(), number);
        assert_eq!(covered, !excepted.contains(&number), "{number}");
    }
    assert!(!receipt.covers(core().public(), 1));
}

#[test]
fn adverts_are_their_nodes() {
    let signed = sign_advert(advert(), &core()).unwrap();
    assert_eq!(signed.get().value.node, core().node_id());
    let good = signed.get().to_raw();
    assert_eq!(check_advert(good.clone()), Ok(signed));
    let unsigned = RawStatement {
        signature: Signature::from_bytes([0; 64]),
        ..good
    };
    assert_eq!(
        check_advert(unsigned),
        Err(Refused::Signature(BadSignature))
    );
    // In another node's name.
    let bytes = advert().encode();
    let signature = core().sign(identity::Context::NodeAdvert, &bytes);
    let forged = RawStatement { bytes, signature };
    assert_eq!(check_advert(forged), Err(Refused::Signature(BadSignature)));
}

#[test]
fn names_that_would_drive_a_terminal_are_refused() {
    for name in [
        "a\u{1b}[2J",
        "a\nb",
        "a\u{202e}b",
        "a\u{7f}",
        "\u{2066}x",
        "x\u{85}",
        "a\u{feff}",
    ] {
        assert!(!wire::is_shown_text(name));
        let advert = wire::NodeAdvert {
            name: name.to_owned(),
            ..advert()
        };
        assert!(sign_advert(advert, &core()).is_err(), "{name:?}");
    }
    for name in ["", "Ærø", "नमस्ते", "👩‍🚀", "مرحبا"] {
        assert!(wire::is_shown_text(name), "{name}");
    }
}

#[test]
fn tickets_are_for_one_core_and_time() {
    let good = samples::ticket();
    assert_eq!(good.verify(), Ok(()));
    for changed in [
        Ticket {
            core: device().node_id(),
            ..good
        },
        Ticket {
            until: good.until + 1,
            ..good
        },
        Ticket {
            topic: TopicId::from_bytes([1; 32]),
            ..good
        },
        Ticket {
            device: author().public(),
            ..good
        },
    ] {
        assert_eq!(changed.verify(), Err(BadSignature));
    }
}

#[test]
fn boxes_are_their_inviters() {
    let plain = samples::box_contents().encode().unwrap();
    assert_eq!(plain.len(), limits::BOX_PLAIN_LEN);
    assert_eq!(
        wire::plain::BoxContents::decode(&plain),
        Ok(samples::box_contents())
    );
    let end = plain.iter().rposition(|byte| *byte != 0).unwrap();
    for at in (0..=end).step_by(3) {
        let mut changed = plain.clone();
        changed[at] ^= 1;
        assert!(
            wire::plain::BoxContents::decode(&changed).is_err(),
            "byte {at}"
        );
    }
    let mut padded = plain.clone();
    *padded.last_mut().unwrap() = 1;
    assert!(wire::plain::BoxContents::decode(&padded).is_err());
    assert!(wire::plain::BoxContents::decode(&plain[..plain.len() - 1]).is_err());
    let shown = format!("{:?}", samples::box_contents());
    assert!(!shown.contains("162") && !shown.contains("a2a2"), "{shown}");
}

#[test]
fn a_box_that_does_not_fit_is_refused() {
    let mut contents = samples::box_contents();
    let uri = format!("quic://{}", "x".repeat(370));
    contents.cores[0].addresses = vec![uri; 8];
    contents.sign(&device());
    assert!(contents.encode().is_err());
}

/// Whatever advert is legal fits, with a name, its signature and the sealing, into the item that
/// carries it; one with more in it than is legal does not decode.
#[test]
fn a_profile_has_room_for_the_longest_advert_and_for_no_longer_one() {
    let node = samples::node();
    let mut advert = advert();
    advert.name = "n".repeat(limits::MAX_NAME);
    advert.addresses = (0..limits::MAX_ADDRESSES)
        .map(|_| wire::AdvertAddress {
            uri: format!("q:{}", "q".repeat(limits::MAX_URI - 2)),
            weight: 255,
        })
        .collect();
    let room = limits::MAX_ADVERT - advert.encode().len() - 64;
    advert.cores[0].uri = format!("q:{}", "q".repeat(room.min(limits::MAX_URI) - 2));
    let signed = sign_advert(advert.clone(), &node).unwrap().into_inner();
    let profile = wire::plain::Profile {
        name: "n".repeat(limits::MAX_NAME),
        advert: signed,
    };
    let plain = profile.encode();
    assert_eq!(wire::plain::Profile::decode(&plain), Ok(profile));
    let longest = plain.len() + limits::MAX_ADVERT - advert.encode().len();
    let padded = wire::plain::padded_len(longest + 2);
    assert!(padded + limits::SEALED_BODY_OVERHEAD <= limits::MAX_SEALED_ITEM);

    for addresses in [limits::MAX_ADDRESSES + 1, 1_000] {
        advert.addresses = vec![
            wire::AdvertAddress {
                uri: "q:".to_owned(),
                weight: 1,
            };
            addresses
        ];
        assert!(sign_advert(advert.clone(), &node).is_err(), "{addresses}");
    }
}
