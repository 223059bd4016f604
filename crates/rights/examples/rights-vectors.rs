//! Writes `vectors/rights.json`: one example of every construction in docs/spec/secrecy.md.
//!
//! `cargo run -p rights --example rights-vectors`
//!
//! Each value is computed here by the formula of the specification, with nothing but the primitives
//! of `identity::seal`, and compared with what the crate makes: so the vectors hold two
//! implementations together.

use data_encoding::HEXLOWER;
use identity::seal::hpke::{derive_key_pair, export_receiver};
use identity::seal::{aead_open, hash, kdf, mac};
use identity::{Context, GrantId, SecretKey, TopicId};
use machine::{Rng, WallTime};
use rights::{
    Access, AtCore, CoreInviteSeed, DeviceSecret, Epoch, EpochSecret, Founded, InviteSeed,
    ItemSubject, LinkSecret, Match, OpenCache, Opened, Role, Round, SenderKeys, Show, Standing,
    Subject, core_token, found, grant_of, handed_to_guest, issue_ticket, key_hint, open, seal,
    seal_item_to_members, seal_item_to_readers, seal_unicast,
};
use serde_json::{Value, json};
use wire::plain::{BoxContents, Message, encode_messages};
use wire::{Class, Frame, Header, Parameters};

#[path = "rights-vectors/epochs.rs"]
mod epochs;
#[path = "rights-vectors/links.rs"]
mod links;

const NOW: WallTime = WallTime::from_millis(1_780_000_000_000);
const DAY_MS: u64 = 86_400_000;

#[allow(
    dead_code,
    reason = "the test includes this file and calls `vectors` alone"
)]
fn main() -> std::io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/rights.json");
    let text = serde_json::to_string_pretty(&vectors()).map_err(std::io::Error::other)?;
    std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors"))?;
    std::fs::write(path, text + "\n")
}

/// All vectors.
pub(crate) fn vectors() -> Value {
    let of = founded();
    json!({
        "about": "Examples for docs/spec/secrecy.md. Bytes are hexadecimal. \
                  Written by: cargo run -p rights --example rights-vectors",
        "epoch": epoch(),
        "boxes": epochs::boxes(),
        "announcement": epochs::announcement(),
        "sealing_keys": epochs::sealing_keys(),
        "device": device(),
        "topic": topic(&of),
        "body": body(&of),
        "items": items(&of),
        "unicast": unicast(),
        "link": link(&of),
        "core": core(&of),
        "invite": invite(&of),
        "public": links::public(),
        "identify": links::identify_examples(&of),
        "welcome": links::welcome(&of),
        "devices": links::devices(),
        "core_invite": core_invite(),
        "vault": vault(),
    })
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn founded() -> Founded {
    let parameters = Parameters {
        history_days: 90,
        lifespan: 30 * DAY_MS,
    };
    found(
        &DeviceSecret::from_bytes([1; 32]),
        NOW,
        parameters,
        &mut Rng::from_seed([2; 32]),
    )
    .expect("one slice")
}

fn epoch_secret(of: &Founded) -> [u8; 32] {
    let held = of.ring.newest_clean().expect("the genesis' epoch");
    *held
        .access()
        .and_then(Access::epoch_secret)
        .expect("the founder reads")
        .as_bytes()
}

fn epoch() -> Value {
    let secret = [0x11; 32];
    let meeting: [u8; 32] = kdf("meet", &[&secret]);
    let core: [u8; 32] = kdf("core", &[&meeting]);
    let members: [u8; 32] = kdf("members", &[&meeting]);
    let convergence: [u8; 32] = kdf("convergence", &[&meeting]);
    let made = EpochSecret::from_bytes(secret);
    assert_eq!(*made.meeting().convergence().as_bytes(), convergence);
    assert_eq!(*made.meeting().as_bytes(), meeting);
    assert_eq!(*made.meeting().core().as_bytes(), core);
    assert_eq!(*made.meeting().members_key().as_bytes(), members);
    let slices: Vec<Value> = (0..3u8)
        .map(|slice| {
            let seed: [u8; 32] = kdf("slice", &[&secret, &[slice]]);
            let (_, public) = derive_key_pair(&seed);
            assert_eq!(made.slice_key(slice).public(), public);
            json!({
                "slice": slice,
                "seed": hex(seed),
                "public": hex(public.as_bytes()),
            })
        })
        .collect();
    let slices_1_2 = Access::Reader(made.clone())
        .part(1..3)
        .expect("of a reader");
    let seed = |slice: u8| kdf::<32>("slice", &[&secret, &[slice]]);
    let formula = [&[2][..], &meeting, &[2, 1], &seed(1), &[2], &seed(2)].concat();
    assert_eq!(*slices_1_2.to_bytes(), formula);
    let item = Epoch::announce(&made, NOW.as_millis());
    let id: [u8; 32] = kdf("epoch", &[&item.encode()]);
    assert_eq!(*item.id().as_bytes(), id);
    json!({
        "epoch_secret": hex(secret),
        "meeting_secret": hex(meeting),
        "core_secret": hex(core),
        "members_key": hex(members),
        "convergence_secret": hex(convergence),
        "slices": slices,
        "item": hex(item.encode()),
        "id": hex(id),
        "access_reader": hex(&*Access::Reader(made.clone()).to_bytes()),
        "access_member": hex(&*Access::Member(made.meeting()).to_bytes()),
        "access_slices_1_2": hex(&*slices_1_2.to_bytes()),
        "access_core": hex(&*Access::Core(made.meeting().core()).to_bytes()),
    })
}

fn device() -> Value {
    let secret = [0x12; 32];
    let topic = TopicId::from_bytes([0x13; 32]);
    let random = [0x14; 32];
    let joiner = SecretKey::from_seed(kdf("device", &[&secret, topic.as_bytes()]));
    let founder = SecretKey::from_seed(kdf("founder", &[&secret, &random]));
    let made = DeviceSecret::from_bytes(secret);
    assert_eq!(made.joiner_key(topic).public(), joiner.public());
    assert_eq!(made.founder_key(&random).public(), founder.public());
    json!({
        "device_secret": hex(secret),
        "topic": hex(topic.as_bytes()),
        "joiner_key": hex(joiner.public().as_bytes()),
        "genesis_random": hex(random),
        "founder_key": hex(founder.public().as_bytes()),
    })
}

fn topic(of: &Founded) -> Value {
    json!({
        "genesis": hex(of.genesis.encode()),
        "topic": hex(of.topic.as_bytes()),
        "epoch": hex(of.genesis.epoch.id().as_bytes()),
        "epoch_secret": hex(epoch_secret(of)),
        "device_seed": hex(*of.device.to_seed()),
        "device_key": hex(of.device.public().as_bytes()),
    })
}

fn header(of: &Founded, count: u16) -> Header {
    Header {
        destination: of.topic.to_id(),
        author: SecretKey::from_seed([3; 32]).public(),
        number: 2,
        previous: [4; 32],
        generation: 2,
        created: NOW.as_millis() + 5_000,
        expires: NOW.as_millis() + 30 * DAY_MS,
        body_len: 0,
        body_hash: [0; 32],
        count,
        class: Class::Content,
        grant: GrantId::from_bytes(*of.topic.as_bytes()),
        hops: 8,
        deps: Vec::new(),
        manifest: None,
        clock_unconfirmed: false,
        extensions: Default::default(),
    }
}

/// The sender key of a sealed body, by the formula.
fn sender_key(of: &Founded, author: &[u8; 32], sealed: &[u8]) -> [u8; 32] {
    let seed: [u8; 32] = kdf("slice", &[&epoch_secret(of), &[sealed[17]]]);
    let epoch = of.genesis.epoch.id();
    let fields: [&[u8]; 4] = [
        of.topic.as_bytes(),
        epoch.as_bytes(),
        &sealed[17..18],
        author,
    ];
    let enc = sealed[18..50].try_into().expect("32 bytes");
    export_receiver(
        &derive_key_pair(&seed).0,
        "sender",
        &fields,
        "sender key",
        &enc,
    )
    .expect("an encapsulation of our own")
}

fn body(of: &Founded) -> Value {
    let messages = [
        Message::text("The lighthouse is lit."),
        Message {
            kind: 7,
            bytes: vec![0, 1, 2, 255],
        },
    ];
    let header = header(of, 2);
    let subject = Subject::of(&header).expect("a topic's envelope");
    let epoch = of.ring.newest_clean().expect("the genesis' epoch").epoch();
    let mut senders = SenderKeys::new();
    let sealed = seal(
        &mut senders,
        epoch,
        &subject,
        &messages,
        &mut Rng::from_seed([5; 32]),
    )
    .expect("two short messages");
    let opened = open(&mut OpenCache::new(), &of.ring, &subject, &sealed);
    assert_eq!(opened, Opened::Messages(messages.to_vec()));
    let sender = sender_key(of, header.author.as_bytes(), &sealed);
    let bound = hash(&[&header.encode_without_body()]);
    let key: [u8; 48] = kdf("body", &[&sender, &sealed[50..74], &bound]);
    assert_eq!(key[32..], sealed[74..90]);
    let k: [u8; 32] = key[..32].try_into().expect("32 of 48 bytes");
    assert_eq!(
        aead_open(&k, b"", &sealed[90..]).expect("ours"),
        encode_messages(&messages)
    );
    json!({
        "created": header.created,
        "count": header.count,
        "author": hex(header.author.as_bytes()),
        "header_without_body": hex(header.encode_without_body()),
        "header_hash": hex(bound),
        "plaintext": hex(encode_messages(&messages)),
        "sender_key": hex(sender),
        "key": hex(k),
        "sealed": hex(sealed),
    })
}

fn items(of: &Founded) -> Value {
    let held = of.ring.newest_clean().expect("the genesis' epoch");
    let author = SecretKey::from_seed([3; 32]).public();
    let created = NOW.as_millis() + 5_000;
    let subject = ItemSubject {
        topic: of.topic,
        author,
        created,
        kind: 5,
    };
    let mut senders = SenderKeys::new();
    let rng = &mut Rng::from_seed([6; 32]);
    let readers =
        seal_item_to_readers(&mut senders, held, &subject, b"Ada", rng).expect("a short item");
    let members = seal_item_to_members(held, &subject, b"core", rng).expect("a short item");
    let sender = sender_key(of, author.as_bytes(), &readers);
    let key: [u8; 48] = kdf("reader item", &[&sender, &readers[50..74], &[5]]);
    assert_eq!(key[32..], readers[74..90]);
    let meeting: [u8; 32] = kdf("meet", &[&epoch_secret(of)]);
    let members_key: [u8; 32] = kdf("members", &[&meeting]);
    let k: [u8; 32] = kdf("item", &[&members_key, &members[17..41]]);
    let ad = [of.topic.as_bytes().as_slice(), author.as_bytes(), &[5]].concat();
    let plain = aead_open(&k, &ad, &members[41..]).expect("ours");
    assert_eq!(plain[..6], *b"\x00\x04core");
    json!({
        "author": hex(author.as_bytes()),
        "created": created,
        "kind": 5,
        "to_readers": hex(readers),
        "to_readers_plain": hex(b"Ada"),
        "to_members": hex(members),
        "to_members_key": hex(k),
        "to_members_plain": hex(b"core"),
    })
}

fn unicast() -> Value {
    let sealing_seed = [0x21; 32];
    let (_, public) = derive_key_pair(&sealing_seed);
    let header = Header {
        destination: SecretKey::from_seed([0x22; 32]).node_id().to_id(),
        previous: [0; 32],
        grant: GrantId::from_bytes([0; 32]),
        ..header(&founded(), 1)
    };
    let messages = [Message::text("To you alone.")];
    let sealed = seal_unicast(&public, &header, &messages, &mut Rng::from_seed([7; 32]))
        .expect("a short message");
    let hint: [u8; 32] = kdf("hint", &[public.as_bytes()]);
    assert_eq!(key_hint(&public), hint[..8]);
    json!({
        "sealing_seed": hex(sealing_seed),
        "sealing_key": hex(public.as_bytes()),
        "source": hex(header.author.as_bytes()),
        "destination": hex(header.destination.to_wire()),
        "header_without_body": hex(header.encode_without_body()),
        "plaintext": hex(encode_messages(&messages)),
        "sealed": hex(sealed),
    })
}

const EXPORTER: [u8; 32] = [0x31; 32];

fn ends() -> (LinkSecret, LinkSecret, Vec<u8>) {
    let (one, two) = (
        SecretKey::from_seed([0x32; 32]).node_id(),
        SecretKey::from_seed([0x33; 32]).node_id(),
    );
    let end = |role| LinkSecret::new(&EXPORTER, one, two, role);
    let l = [EXPORTER, *one.as_bytes(), *two.as_bytes()].concat();
    (end(Role::Dialler), end(Role::Acceptor), l)
}

fn link(of: &Founded) -> Value {
    let (dialler, acceptor, l) = ends();
    let meeting = of
        .ring
        .newest_clean()
        .and_then(|held| held.meeting())
        .expect("held");
    let key: [u8; 32] = kdf("tag", &[meeting.as_bytes()]);
    let tag = |role: u8| hex(&mac(&key, &[&[role], &3u32.to_be_bytes(), &l])[..16]);
    let topics = [(of.topic, meeting)];
    let begin = |link: &LinkSecret| {
        Round::begin(3, link, &topics, 0, &mut Rng::from_seed([8; 32])).expect("one topic")
    };
    let (one, listed) = begin(&dialler);
    let (two, _) = begin(&acceptor);
    let own = one.own_tag(of.topic).expect("listed");
    assert_eq!(hex(own), tag(0));
    assert_eq!(hex(two.own_tag(of.topic).expect("listed")), tag(1));
    let standing = founder(of);
    let show = Show::build(
        &dialler,
        &Match {
            topic: of.topic,
            tag: own,
        },
        &standing,
    );
    assert!(show.verify(&acceptor, &two).is_ok());
    let signed = [l.as_slice(), of.topic.as_bytes(), &[0]].concat();
    assert_eq!(show.signature, of.device.sign(Context::Show, &signed));
    json!({
        "exporter": hex(EXPORTER),
        "dialler": hex(dialler.own().as_bytes()),
        "acceptor": hex(dialler.peer().as_bytes()),
        "round": 3,
        "tag_dialler": tag(0),
        "tag_acceptor": tag(1),
        "list_dialler": listed.iter().map(hex).collect::<Vec<_>>(),
        "show_signed": hex(signed),
        "show_signature": hex(show.signature.as_bytes()),
        "show_frame": hex(show.to_frame().encode()),
    })
}

fn founder(of: &Founded) -> Standing {
    let grant = GrantId::from_bytes(*of.topic.as_bytes());
    Standing {
        device: of.device.clone(),
        grant,
        claim: None,
    }
}

fn core(of: &Founded) -> Value {
    let (dialler, acceptor, l) = ends();
    let secret = of.ring.core_secrets().next().expect("held");
    let token: [u8; 32] = kdf("token", &[secret.as_bytes(), acceptor.own().as_bytes()]);
    assert_eq!(core_token(&secret, acceptor.own()), token[..16]);
    let tag = mac(&kdf("core tag", &[secret.as_bytes()]), &[&[0], &l]);
    let rng = &mut Rng::from_seed([9; 32]);
    let proof = AtCore::of_device(&secret, &dialler, of.topic, &founder(of), rng);
    assert_eq!(proof.tag, tag[..16]);
    assert!(proof.verify(&secret, &acceptor, of.topic, NOW).is_ok());
    let key: [u8; 32] = kdf(
        "core show",
        &[secret.as_bytes(), &proof.sealed[..24], &[0], &l],
    );
    let contents = aead_open(&key, b"", &proof.sealed[24..]).expect("ours");
    let until = WallTime::from_millis(NOW.as_millis() + DAY_MS);
    let ticket = issue_ticket(&of.device, of.topic, dialler.own(), NOW, until);
    let by_ticket = AtCore::of_core(&secret, &dialler, &ticket, rng);
    assert!(by_ticket.verify(&secret, &acceptor, of.topic, NOW).is_ok());
    json!({
        "core_secret": hex(secret.as_bytes()),
        "token": hex(&token[..16]),
        "tag": hex(&tag[..16]),
        "sealed": hex(&proof.sealed),
        "contents": hex(contents),
        "ticket": hex(ticket.encode()),
        "sealed_with_ticket": hex(by_ticket.sealed),
        "now": NOW.as_millis(),
    })
}

fn invite(of: &Founded) -> Value {
    let raw = [0x41; 16];
    let seed = InviteSeed::from_bytes(raw);
    let locator: [u8; 32] = kdf("invite locator", &[&raw]);
    let signing = SecretKey::from_seed(kdf("invite sign", &[&raw]));
    let (_, sealing) = derive_key_pair(&kdf("invite seal", &[&raw]));
    assert_eq!(seed.locator(), locator);
    let item = seed.item(of.topic, 2, NOW.as_millis() + DAY_MS);
    assert_eq!((item.key, item.sealing), (signing.public(), sealing));
    let (epoch, access) =
        handed_to_guest(&of.ring, &of.genesis, &item).expect("the founder's ring");
    let mut contents = BoxContents {
        genesis: of.genesis.clone(),
        invite: item,
        invite_at: identity::EnvelopeId::from_bytes([0x42; 32]),
        title: "Workshop".into(),
        inviter: "Ada".into(),
        cores: Vec::new(),
        handed: Some((epoch, *access)),
        device: of.device.public(),
        signature: of.device.sign(Context::InviteBox, b""),
    };
    contents.sign(&of.device);
    let sealed = seed
        .seal_box(&contents, &mut Rng::from_seed([10; 32]))
        .expect("short contents");
    assert_eq!(seed.open_box(&sealed).expect("ours").topic, of.topic);
    let key: [u8; 32] = kdf("invite box", &[&raw, &sealed[..24]]);
    let plain = aead_open(&key, &locator, &sealed[24..]).expect("ours");
    assert_eq!(plain, contents.encode().expect("short contents"));
    let device = DeviceSecret::from_bytes([0x12; 32])
        .joiner_key(of.topic)
        .public();
    let claim = seed.claim(of.topic, grant_of(&item), device, sealing, NOW);
    json!({
        "seed": hex(raw),
        "locator": hex(locator),
        "signing_key": hex(signing.public().as_bytes()),
        "sealing_key": hex(sealing.as_bytes()),
        "item": hex(wire::Item::Invite(item).encode()),
        "grant": hex(grant_of(&item).as_bytes()),
        "box": hex(sealed),
        "box_plain": hex(plain),
        "claim": hex(claim.encode()),
    })
}

fn core_invite() -> Value {
    let raw = [0x51; 16];
    let (dialler, acceptor, l) = ends();
    let token: [u8; 32] = kdf("core invite", &[&raw]);
    let key: [u8; 32] = kdf("core invite key", &[&raw]);
    let seed = CoreInviteSeed::from_bytes(raw);
    let Frame::CoreClaim {
        token: sent,
        mac: shown,
    } = seed.claim(&dialler)
    else {
        unreachable!("an invite is taken up by a claim");
    };
    assert_eq!((&sent[..], shown), (&token[..16], mac(&key, &[&l])));
    assert!(seed.key().verify(&acceptor, &shown));
    json!({ "seed": hex(raw), "token": hex(sent), "key": hex(key), "mac": hex(shown) })
}

fn vault() -> Value {
    let secret = [0x61; 32];
    let vault = DeviceSecret::from_bytes(secret).vault();
    let vault_key: [u8; 32] = kdf("vault", &[&secret]);
    assert_eq!(*vault.as_bytes(), vault_key);
    let row = vault.seal(b"keys/1", b"secret", &mut Rng::from_seed([11; 32]));
    let key: [u8; 32] = kdf("vault row", &[&vault_key, &row[1..25]]);
    assert_eq!(
        aead_open(&key, b"keys/1", &row[25..]).expect("ours"),
        b"secret"
    );
    json!({
        "device_secret": hex(secret),
        "vault_key": hex(vault_key),
        "name": hex(b"keys/1"),
        "plain": hex(b"secret"),
        "row": hex(row),
    })
}
