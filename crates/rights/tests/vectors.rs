//! `vectors/rights.json` is what the program makes, and opens from what the file says alone.

use data_encoding::HEXLOWER;
use identity::seal::hpke::HpkeSecret;
use identity::{EpochId, NodeId, PublicKey, TopicId};
use machine::WallTime;
use rights::{
    Access, AtCore, CoreSecret, Epoch, EpochSecret, InviteSeed, ItemSubject, KeyRing, LinkSecret,
    MeetingSecret, OpenCache, Opened, OpenedItem, PairSeed, Role, SealingKeys, ShownAtCore,
    Subject, Vault, identified, open, open_answer, open_box, open_item_to_members,
    open_item_to_readers, open_keys, open_older,
};
use serde_json::Value;
use wire::plain::decode_messages;
use wire::{Genesis, IdentifyStep, Item, PairMessage, SealedTo};

#[path = "../examples/rights-vectors.rs"]
mod example;

fn file() -> Value {
    let text = include_str!("../../../vectors/rights.json");
    serde_json::from_str(text).unwrap()
}

fn bytes(of: &Value, name: &str) -> Vec<u8> {
    HEXLOWER
        .decode(of[name].as_str().unwrap().as_bytes())
        .unwrap()
}

fn fixed<const N: usize>(of: &Value, name: &str) -> [u8; N] {
    bytes(of, name).try_into().unwrap()
}

/// A reader's ring, from the file.
fn ring(file: &Value) -> KeyRing {
    let topic = &file["topic"];
    let genesis = Genesis::decode(&bytes(topic, "genesis")).unwrap();
    assert_eq!(*genesis.topic_id().as_bytes(), fixed(topic, "topic"));
    let mut ring = KeyRing::new(genesis.topic_id(), &genesis).unwrap();
    let secret = EpochSecret::from_bytes(fixed(topic, "epoch_secret"));
    ring.unlock(genesis.epoch.id(), Access::Reader(secret))
        .unwrap();
    ring
}

#[test]
fn the_file_is_what_the_program_makes() {
    assert_eq!(
        file(),
        example::vectors(),
        "run: cargo run -p rights --example rights-vectors"
    );
}

#[test]
fn the_body_opens_from_the_file() {
    let file = file();
    let body = &file["body"];
    let subject = Subject {
        topic: TopicId::from_bytes(fixed(&file["topic"], "topic")),
        author: PublicKey::from_bytes(fixed(body, "author")),
        created: body["created"].as_u64().unwrap(),
        count: body["count"].as_u64().unwrap().try_into().unwrap(),
        header: identity::seal::hash(&[&bytes(body, "header_without_body")]),
    };
    let opened = open(
        &mut OpenCache::new(),
        &ring(&file),
        &subject,
        &bytes(body, "sealed"),
    );
    let messages = decode_messages(&bytes(body, "plaintext")).unwrap();
    assert_eq!(opened, Opened::Messages(messages));
}

#[test]
fn the_items_open_from_the_file() {
    let file = file();
    let (items, ring) = (&file["items"], ring(&file));
    let subject = ItemSubject {
        topic: ring.topic(),
        author: PublicKey::from_bytes(fixed(items, "author")),
        created: items["created"].as_u64().unwrap(),
        kind: items["kind"].as_u64().unwrap().try_into().unwrap(),
    };
    let sealed = bytes(items, "to_readers");
    let opened = open_item_to_readers(&mut OpenCache::new(), &ring, &subject, &sealed);
    assert_eq!(opened, OpenedItem::Plain(bytes(items, "to_readers_plain")));
    let opened = open_item_to_members(&ring, &subject, &bytes(items, "to_members"));
    assert_eq!(opened, OpenedItem::Plain(bytes(items, "to_members_plain")));
}

#[test]
fn the_proofs_pass_from_the_file() {
    let file = file();
    let (link, core) = (&file["link"], &file["core"]);
    let acceptor = LinkSecret::new(
        &fixed(link, "exporter"),
        NodeId::from_bytes(fixed(link, "dialler")),
        NodeId::from_bytes(fixed(link, "acceptor")),
        Role::Acceptor,
    );
    let secret = CoreSecret::from_bytes(fixed(core, "core_secret"));
    let topic = TopicId::from_bytes(fixed(&file["topic"], "topic"));
    let now = WallTime::from_millis(core["now"].as_u64().unwrap());
    let proof = |sealed| AtCore {
        token: fixed(core, "token"),
        tag: fixed(core, "tag"),
        sealed: bytes(core, sealed),
    };
    let shown = proof("sealed")
        .verify(&secret, &acceptor, topic, now)
        .unwrap();
    assert!(matches!(shown, ShownAtCore::Device(_)));
    let shown = proof("sealed_with_ticket")
        .verify(&secret, &acceptor, topic, now)
        .unwrap();
    assert!(matches!(shown, ShownAtCore::Core(_)));
}

#[test]
fn the_box_and_the_row_open_from_the_file() {
    let file = file();
    let invite = &file["invite"];
    let invitation = InviteSeed::from_bytes(fixed(invite, "seed"))
        .open_box(&bytes(invite, "box"))
        .unwrap();
    assert_eq!(*invitation.grant.as_bytes(), fixed(invite, "grant"));
    let vault = &file["vault"];
    let key = Vault::from_bytes(fixed(vault, "vault_key"));
    let plain = key
        .open(&bytes(vault, "name"), &bytes(vault, "row"))
        .unwrap();
    assert_eq!(*plain, bytes(vault, "plain"));
}

#[test]
fn the_boxes_open_from_the_file() {
    let file = file();
    let boxes = &file["boxes"];
    let secret = HpkeSecret::from_bytes(fixed(boxes, "sealing_secret"));
    let topic = TopicId::from_bytes(fixed(boxes, "topic"));
    let epoch = EpochId::from_bytes(fixed(boxes, "epoch"));
    let sealed = |enc, sealed| SealedTo {
        hint: fixed(boxes, "hint"),
        enc: fixed(boxes, enc),
        sealed: bytes(boxes, sealed),
    };
    let access = open_box((topic, epoch), &secret, &sealed("enc", "sealed")).unwrap();
    assert_eq!(*access.to_bytes(), bytes(boxes, "access"));
    let keys = open_keys(topic, &secret, &sealed("keys_enc", "keys_sealed")).unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].0, epoch);
    let newer = MeetingSecret::from_bytes(fixed(boxes, "newer_meeting"));
    let older = EpochId::from_bytes(fixed(boxes, "older"));
    let meeting = open_older(&newer, older, &bytes(boxes, "older_sealed")).unwrap();
    assert_eq!(*meeting.as_bytes(), fixed::<32>(boxes, "older_meeting"));
    let row = bytes(&file["sealing_keys"], "row");
    assert_eq!(*SealingKeys::from_bytes(&row).unwrap().to_bytes(), row);
}

#[test]
fn the_announcement_opens_from_the_file() {
    let file = file();
    let announcement = &file["announcement"];
    let topic = TopicId::from_bytes(fixed(announcement, "topic"));
    let items = |name| Item::decode(&bytes(announcement, name)).unwrap();
    let (Item::Epoch(item), Item::Boxes(boxes)) = (items("item"), items("boxes")) else {
        panic!("other items");
    };
    let id = item.id();
    assert_eq!(*id.as_bytes(), fixed(announcement, "id"));
    let epoch = Epoch::from_next(&item).unwrap();
    let strings = |name: &str| -> Vec<Vec<u8>> {
        let list = announcement[name].as_array().unwrap().iter();
        list.map(|hex| HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap())
            .collect()
    };
    let all: Vec<_> = boxes.devices.iter().chain(&boxes.cores).collect();
    for (secret, access) in strings("sealing_secrets").iter().zip(strings("accesses")) {
        let secret = HpkeSecret::from_bytes(secret.as_slice().try_into().unwrap());
        let mut opened = all
            .iter()
            .filter_map(|sealed| open_box((topic, id), &secret, sealed).ok());
        let opened = opened.next().unwrap();
        assert_eq!(*opened.to_bytes(), access);
        epoch.check(&opened).unwrap();
    }
}

/// The end of the link that took it up.
fn acceptor(file: &Value) -> LinkSecret {
    let link = &file["link"];
    LinkSecret::new(
        &fixed(link, "exporter"),
        NodeId::from_bytes(fixed(link, "dialler")),
        NodeId::from_bytes(fixed(link, "acceptor")),
        Role::Acceptor,
    )
}

#[test]
fn the_question_opens_from_the_file() {
    let file = file();
    let identify = &file["identify"];
    let topic = TopicId::from_bytes(fixed(&file["topic"], "topic"));
    let meeting = MeetingSecret::from_bytes(fixed(identify, "meeting_secret"));
    let question = bytes(&identify["said"][0], "sealed");
    let known = [(topic, meeting)];
    let acceptor = acceptor(&file);
    let heard = identified(&acceptor, IdentifyStep::Question, &question, &known);
    let [one] = heard.as_slice() else {
        panic!("one topic");
    };
    assert_eq!(
        *one.shown.device.as_bytes(),
        fixed(&file["topic"], "device_key")
    );
    // The answer went the other way.
    let answer = bytes(&identify["said"][1], "sealed");
    assert!(identified(&acceptor, IdentifyStep::Answer, &answer, &known).is_empty());
}

#[test]
fn the_answer_to_a_claim_opens_from_the_file() {
    let file = file();
    let welcome = &file["welcome"];
    let topic = TopicId::from_bytes(fixed(&file["topic"], "topic"));
    let of = (topic, fixed(welcome, "claim_hash"));
    let secret = HpkeSecret::from_bytes(fixed(welcome, "sealing_secret"));
    let welcomed = open_answer(of, &secret, &bytes(welcome, "sealed")).unwrap();
    assert_eq!(*welcomed.grant.as_bytes(), fixed(welcome, "grant"));
    let giver = PublicKey::from_bytes(fixed(welcome, "device_key"));
    welcomed.verify(of, &giver).unwrap();
    let [(epoch, access)] = welcomed.keys.as_slice() else {
        panic!("one epoch");
    };
    let mut ring = ring(&file);
    ring.unlock(*epoch, access.clone()).unwrap();
}

#[test]
fn what_devices_say_opens_from_the_file() {
    let file = file();
    let devices = &file["devices"];
    let acceptor = acceptor(&file);
    let first = PairSeed::from_bytes(fixed(devices, "seed")).key();
    let kept = first.lasting(&acceptor);
    assert_eq!(*kept.as_bytes(), fixed(devices, "kept_key"));
    for (said, key) in devices["said_by_dialler"]
        .as_array()
        .unwrap()
        .iter()
        .zip([first, kept])
    {
        let number = said["number"].as_u64().unwrap().try_into().unwrap();
        let plain = key.open(&acceptor, number, &bytes(said, "sealed"));
        assert_eq!(*plain.unwrap(), bytes(devices, "plain"));
    }
    PairMessage::decode(&bytes(devices, "plain")).unwrap();
}
