//! One legal value of every format, from fixed seeds.

use identity::{
    EnvelopeId, EpochId, Form, GrantId, Id, Kind, OperatorTag, PublicKey, Scheme, SealingKey,
    Secret, SecretKey, Signature, TopicId,
};
use wire::frame::{CorePeer, IdentifyStep, PairStep, Subject, TopicUsage, meeting_hash};
use wire::limits::IDENTIFY_LEN;
use wire::plain::{BoxContents, CoreEntry, CoreList, Message, Profile, Title};
use wire::{
    AdvertAddress, AdvertCore, Answer, Certificate, Claim, Class, Code, CoreLink, CutEntry,
    Difference, EpochItem, Extensions, Frame, Genesis, Header, Invite, InviteKind, Item, JoinLink,
    MailReceipt, Manifest, NodeAddress, NodeAdvert, Parameters, Part, Proposal, Range, Raw,
    RawStatement, Receipt, ReceiptKind, Role, SealedTo, SharedFile, Slot, SlotRange, Ticket,
    TopicBox, TopicFrame, TopicLink, TopicPolicy, encode_items, limits, sign_advert, sign_envelope,
    sign_mail_receipt, sign_receipt,
};

use crate::rights_samples::{act, gift, joint_items, owners};

pub(crate) const NOW: u64 = 1_795_190_400_000;

pub(crate) fn device() -> SecretKey {
    SecretKey::from_seed([0x11; 32])
}

pub(crate) fn author() -> SecretKey {
    SecretKey::from_seed([0x12; 32])
}

pub(crate) fn invite_key() -> SecretKey {
    SecretKey::from_seed([0x13; 32])
}

pub(crate) fn node() -> SecretKey {
    SecretKey::from_seed([0x14; 32])
}

pub(crate) fn core() -> SecretKey {
    SecretKey::from_seed([0x15; 32])
}

pub(crate) fn sealing() -> SealingKey {
    SealingKey::from_bytes([0x21; 32])
}

pub(crate) fn id(fill: u8) -> EnvelopeId {
    EnvelopeId::from_bytes([fill; 32])
}

pub(crate) fn topic_box() -> TopicBox {
    let sealed = vec![7; limits::BOX_LEN];
    let grant = Item::Invite(invite()).id();
    TopicBox::sign(genesis().topic_id(), &device(), [6; 32], sealed, NOW, grant)
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        random: [0x31; 32],
        root: Form::one(device().public()),
        policy: TopicPolicy::default(),
        epoch: EpochItem {
            suite: 1,
            start: NOW,
            slice: 0,
            keys: vec![sealing()],
        },
        parameters: Parameters {
            history_days: 90,
            lifespan: 30 * limits::DAY_MS,
        },
    }
}

pub(crate) fn topic() -> TopicId {
    genesis().topic_id()
}

pub(crate) fn invite() -> Invite {
    Invite {
        key: invite_key().public(),
        sealing: sealing(),
        uses: 3,
        until: NOW + limits::DAY_MS,
        kind: InviteKind::WhileAway(gift()),
    }
}

pub(crate) fn certificate() -> Certificate {
    Certificate::sign(topic(), &device(), author().public(), 0)
}

pub(crate) fn claim() -> Claim {
    Claim::sign(
        topic(),
        &invite_key(),
        invite().grant(),
        device().public(),
        sealing(),
        NOW,
    )
}

pub(crate) fn items() -> Vec<Item> {
    vec![
        Item::Certificate(certificate()),
        Item::Claim(claim()),
        Item::Invite(invite()),
        Item::Leave,
        Item::Sealing(sealing()),
        Item::Profile(vec![0x41; 40]),
        Item::Cores(vec![0x42; 41]),
        Item::Title(vec![0x43; 42]),
    ]
}

/// Content number 2 of a chain, without body fields.
pub(crate) fn content() -> Header {
    Header {
        destination: topic().to_id(),
        author: author().public(),
        number: 2,
        previous: [0x51; 32],
        generation: 4,
        created: NOW,
        expires: NOW + 30 * limits::DAY_MS,
        body_len: 0,
        body_hash: [0; 32],
        count: 2,
        class: Class::Content,
        grant: GrantId::from_bytes(topic().to_bytes()),
        hops: 16,
        deps: vec![id(0x61), id(0x62)],
        manifest: None,
        clock_unconfirmed: false,
        extensions: Extensions::new(),
    }
}

/// Number 1 of a chain: control.
pub(crate) fn control() -> Header {
    Header {
        number: 1,
        previous: topic().to_bytes(),
        generation: 5,
        expires: 0,
        count: items().len() as u16,
        class: Class::Control,
        ..content()
    }
}

/// To a node.
pub(crate) fn unicast() -> Header {
    Header {
        destination: node().node_id().to_id(),
        number: 0x1234_5678_9a00_0001,
        previous: [0; 32],
        generation: 1,
        count: 1,
        grant: GrantId::from_bytes([0; 32]),
        deps: vec![],
        ..content()
    }
}

/// Every field that there is, and extensions, one of them critical.
pub(crate) fn everything() -> Header {
    Header {
        manifest: Some(Manifest {
            root: [0x71; 32],
            count: 7,
            bytes: 229_376,
        }),
        clock_unconfirmed: true,
        extensions: Extensions::from([
            (32, vec![0x01]),
            (63, vec![0x61, 0x78]),
            (65, vec![0x82, 0x01, 0xa1, 0x00, 0xf6]),
            (limits::MAX_EXTENSION_KEY, vec![0x20]),
        ]),
        ..content()
    }
}

pub(crate) fn live() -> Header {
    Header {
        number: 900,
        generation: 3,
        expires: NOW + 1_000,
        count: 1,
        class: Class::Live,
        deps: vec![],
        ..content()
    }
}

pub(crate) fn headers() -> Vec<(&'static str, Header, Vec<u8>)> {
    vec![
        ("content", content(), vec![0x81; 300]),
        ("control", control(), encode_items(&items())),
        ("unicast", unicast(), vec![0x82; 200]),
        ("everything", everything(), vec![0x83; 106]),
        ("live", live(), vec![0x84; 120]),
        (
            "to an engine",
            Header {
                destination: Id::new(Kind::Engine, Scheme::Hash, [9; 32]),
                ..unicast()
            },
            vec![0x85; 10],
        ),
        (
            "to a domain",
            Header {
                destination: Id::new(Kind::Domain, Scheme::Hash, [9; 32]),
                ..unicast()
            },
            vec![0x86; 10],
        ),
    ]
}

pub(crate) fn raw(header: Header, body: Vec<u8>) -> Raw {
    let signed = sign_envelope(header, body, &author()).expect("the samples are legal");
    let verified = signed.into_inner();
    verified.envelope.to_raw(verified.body)
}

pub(crate) fn cut() -> Vec<CutEntry> {
    let mut cut = vec![
        CutEntry {
            author: author().public(),
            number: 9,
            id: id(0x91),
        },
        CutEntry {
            author: device().public(),
            number: 4,
            id: id(0x92),
        },
        CutEntry {
            author: device().public(),
            number: 4,
            id: id(0x93),
        },
    ];
    cut.sort_unstable();
    cut
}

pub(crate) fn receipt(kind: ReceiptKind) -> Receipt {
    Receipt {
        topic: topic(),
        holder: author().public(),
        counter: 17,
        kind,
        cut: cut(),
        exceptions: vec![(0, 2), (2, 1)],
        until: if kind == ReceiptKind::Held {
            NOW + limits::DAY_MS
        } else {
            0
        },
        time: NOW,
        operator: None,
    }
}

/// What operators write.
pub(crate) const OPERATORS: [&str; 3] = ["example.org", "Ærøskøbing 🛟", "a"];

/// A held receipt that says whose core node the holder is.
pub(crate) fn receipt_of_operator() -> Receipt {
    Receipt {
        operator: Some(OperatorTag::of(OPERATORS[0])),
        ..receipt(ReceiptKind::Held)
    }
}

/// What a receipt says about the last author that it names, and that another is gone.
pub(crate) fn difference(kind: ReceiptKind) -> Difference {
    difference_of(&receipt(kind))
}

pub(crate) fn difference_of(receipt: &Receipt) -> Difference {
    let last = receipt.cut.last().map(|entry| entry.author);
    let signature = Signature::from_bytes([9; 64]);
    let gone = vec![PublicKey::from_bytes([1; 32])];
    let chosen = |author: &PublicKey| Some(*author) == last;
    Difference::of(receipt, signature, receipt.counter - 9, gone, chosen)
}

pub(crate) fn mail_receipt() -> MailReceipt {
    MailReceipt {
        holder: node().node_id(),
        kind: ReceiptKind::Delivered,
        ids: vec![id(1), id(2)],
        until: 0,
        time: NOW,
        operator: None,
    }
}

/// Of a core node that says whose it is.
pub(crate) fn mail_receipt_of_operator() -> MailReceipt {
    MailReceipt {
        kind: ReceiptKind::Held,
        until: NOW + limits::DAY_MS,
        operator: Some(OperatorTag::of(OPERATORS[0])),
        ..mail_receipt()
    }
}

pub(crate) fn address() -> NodeAddress {
    format!("{}@198.51.100.7:4433", core().node_id())
        .parse()
        .expect("a legal address")
}

pub(crate) fn named_address() -> NodeAddress {
    format!("{}@core.example.org:4433", node().node_id())
        .parse()
        .expect("a legal address")
}

pub(crate) fn advert() -> NodeAdvert {
    NodeAdvert {
        node: node().node_id(),
        addresses: vec![AdvertAddress {
            uri: named_address().uri(),
            weight: 10,
        }],
        name: "Ærøskøbing 🛟".to_owned(),
        version: 3,
        created: NOW,
        sealing: sealing(),
        sealing_before: Some(SealingKey::from_bytes([0x22; 32])),
        cores: vec![AdvertCore {
            node: core().node_id(),
            uri: address().uri(),
        }],
    }
}

pub(crate) fn ticket() -> Ticket {
    Ticket::sign(topic(), core().node_id(), NOW, &device())
}

pub(crate) fn core_list() -> CoreList {
    CoreList {
        cores: vec![CoreEntry {
            node: core().node_id(),
            addresses: vec![address().uri()],
            name: "core".to_owned(),
        }],
    }
}

pub(crate) fn profile() -> Profile {
    Profile {
        name: "Aino".to_owned(),
        // As a node tells it that serves nobody: without its name.
        advert: sign_advert(
            NodeAdvert {
                name: String::new(),
                ..advert()
            },
            &node(),
        )
        .expect("legal")
        .into_inner(),
    }
}

pub(crate) fn title() -> Title {
    Title {
        name: "Workshop".to_owned(),
    }
}

pub(crate) fn messages() -> Vec<Message> {
    vec![
        Message::text("first"),
        Message {
            kind: 9,
            bytes: vec![0; 100],
        },
    ]
}

pub(crate) fn shared_file() -> SharedFile {
    SharedFile {
        capability: [0x0f; 66],
        length: 20_004_500,
        name: "Holiday".to_owned(),
        size: 20_004_296,
        entries: 305,
        folder: true,
    }
}

pub(crate) fn box_contents() -> BoxContents {
    let mut access = [0xa2; 33];
    access[0] = 1;
    let mut contents = BoxContents {
        genesis: genesis(),
        invite: invite(),
        invite_at: id(0xa1),
        title: "Workshop".to_owned(),
        inviter: "Aino".to_owned(),
        cores: core_list().cores,
        handed: Some((genesis().epoch.id(), access)),
        device: PublicKey::from_bytes([0; 32]),
        signature: Signature::from_bytes([0; 64]),
    };
    contents.sign(&device());
    contents
}

pub(crate) fn join_link() -> JoinLink {
    JoinLink {
        seed: [0xb1; 16],
        at: vec![named_address(), address()],
    }
}

pub(crate) fn core_link() -> CoreLink {
    CoreLink {
        seed: [0xb2; 16],
        at: address(),
    }
}

pub(crate) fn topic_link() -> TopicLink {
    TopicLink {
        topic: TopicId::from_bytes([0xb3; 32]),
        at: vec![address()],
    }
}

pub(crate) fn topic_frames() -> Vec<TopicFrame> {
    let first = raw(content(), vec![0x81; 300]);
    let bare = Raw {
        body: None,
        ..first.clone()
    };
    let receipt = sign_receipt(receipt(ReceiptKind::Delivered), &author()).expect("legal");
    vec![
        TopicFrame::Hello {
            cut: [1; 32],
            evidence: [2; 32],
            receipts: [3; 32],
            invites: [4; 32],
        },
        TopicFrame::Cut {
            entries: cut(),
            first: true,
            last: false,
        },
        TopicFrame::Cut {
            entries: vec![],
            first: true,
            last: true,
        },
        TopicFrame::Want {
            ranges: vec![Range {
                author: author().public(),
                from: 2,
                to: 900,
            }],
            control_only: true,
        },
        TopicFrame::Envelopes {
            envelopes: vec![first.clone(), bare],
            last: true,
        },
        TopicFrame::Envelopes {
            envelopes: vec![],
            last: true,
        },
        TopicFrame::BodyWant {
            ids: vec![id(1), id(2)],
        },
        TopicFrame::Bodies {
            bodies: vec![(id(1), Some(vec![5; 30])), (id(2), None)],
        },
        TopicFrame::Receipts {
            receipts: vec![receipt.get().to_raw()],
        },
        TopicFrame::Evidence {
            pairs: vec![(first.to_header(), first.to_header())],
        },
        TopicFrame::Box(topic_box()),
        TopicFrame::GenesisAsk,
        TopicFrame::Genesis {
            bytes: genesis().encode(),
        },
        TopicFrame::Refused {
            author: author().public(),
            number: 2,
            code: Code::QUOTA,
            text: "the topic's share is used up".to_owned(),
            retry: NOW,
        },
        TopicFrame::Slots {
            slots: vec![Slot {
                holder: author().public(),
                kind: ReceiptKind::Delivered,
                counter: NOW,
            }],
            first: true,
            last: true,
        },
        TopicFrame::Slots {
            slots: vec![],
            first: false,
            last: true,
        },
        TopicFrame::Differences {
            receipts: vec![
                difference(ReceiptKind::Held),
                difference(ReceiptKind::Read),
                difference_of(&receipt_of_operator()),
            ],
        },
        TopicFrame::ReceiptAsk {
            slots: vec![Slot {
                holder: author().public(),
                kind: ReceiptKind::Delivered,
                counter: NOW,
            }],
        },
        TopicFrame::KeysAsk {
            epochs: vec![
                (EpochId::from_bytes([1; 32]), 0),
                (EpochId::from_bytes([2; 32]), u32::MAX),
            ],
        },
        TopicFrame::Keys {
            keys: SealedTo {
                hint: [1; 8],
                enc: [2; 32],
                sealed: vec![3; 40],
            },
        },
        TopicFrame::Claim(claim()),
        TopicFrame::Answer(answer()),
        TopicFrame::Proposal(Proposal::act(NOW, act())),
        TopicFrame::Proposal(jointly()),
        TopicFrame::BlocksAsk {
            manifest: manifest(21),
        },
        TopicFrame::BlocksHere {
            manifest: manifest(22),
            slots: vec![],
        },
        TopicFrame::BlocksHere {
            manifest: manifest(22),
            slots: vec![slots(0, 7), slots(9, 1), slots(1_048_575, 1)],
        },
        TopicFrame::BlockWant {
            manifest: manifest(23),
            parts: vec![
                Part::List,
                Part::Page(1_023),
                Part::Blocks(slots(1_048_572, 4)),
            ],
        },
        TopicFrame::Blocks {
            manifest: manifest(24),
            part: Part::Page(0),
            bytes: vec![1; 64],
        },
        TopicFrame::Blocks {
            manifest: manifest(24),
            part: Part::Blocks(slots(5, 1)),
            bytes: vec![],
        },
        TopicFrame::Meet {
            with: meeting_hash(TopicId::from_bytes([7; 32]), node().node_id()),
        },
        TopicFrame::Met {
            node: node().node_id(),
            address: "203.0.113.7:4433".parse().unwrap(),
        },
        TopicFrame::Met {
            node: node().node_id(),
            address: "[2001:db8::7]:65535".parse().unwrap(),
        },
    ]
}

fn manifest(byte: u8) -> Manifest {
    Manifest {
        root: [byte; 32],
        count: 3,
        bytes: 3_072,
    }
}

fn slots(first: u32, count: u32) -> SlotRange {
    SlotRange { first, count }
}

/// A grant and a revocation that two of three owners have signed.
pub(crate) fn jointly() -> Proposal {
    let items = joint_items().to_vec();
    let mut proposal = Proposal::jointly(NOW, act().id(), items).expect("both may be signed");
    let [first, _, third] = owners();
    proposal.sign(genesis().topic_id(), &first, Role::Signer);
    proposal.sign(genesis().topic_id(), &third, Role::Signer);
    proposal
}

pub(crate) fn answer() -> Answer {
    let sealed = vec![8; limits::BOX_LEN];
    Answer::sign(genesis().topic_id(), &device(), claim().hash(), sealed)
}

pub(crate) fn frames() -> Vec<Frame> {
    let mut frames = link_frames();
    frames.extend(core_frames());
    let topic = topic();
    frames.extend(
        topic_frames()
            .into_iter()
            .map(|frame| Frame::Topic { topic, frame }),
    );
    frames
}

fn link_frames() -> Vec<Frame> {
    let tags = (0..16).map(|n| [n; 16]).collect();
    let advert = sign_advert(advert(), &node()).expect("legal");
    let receipt = sign_mail_receipt(mail_receipt(), &node()).expect("legal");
    let refused = |subject| Frame::Refused {
        subject,
        code: Code(999),
        text: "no".to_owned(),
        retry: 0,
    };
    vec![
        Frame::Hello {
            min: 0,
            max: 1,
            wall: NOW,
            advert: 3,
            software: "way 0.0.0".to_owned(),
        },
        Frame::Bye {
            code: Code::CLOSING,
            text: "bye".to_owned(),
        },
        Frame::Ping { nonce: u64::MAX },
        Frame::Pong { nonce: 0 },
        Frame::Advert(advert.get().to_raw()),
        Frame::AdvertAsk,
        Frame::Tags { round: 1, tags },
        Frame::Show {
            tag: [1; 16],
            device: device().public(),
            grant: invite().grant(),
            claim: Some(claim()),
            signature: Signature::from_bytes([2; 64]),
        },
        Frame::Show {
            tag: [1; 16],
            device: device().public(),
            grant: invite().grant(),
            claim: None,
            signature: Signature::from_bytes([2; 64]),
        },
        Frame::GrantAsk {
            grant: invite().grant(),
        },
        Frame::GrantProof {
            grant: invite().grant(),
            envelopes: vec![raw(control(), encode_items(&items()))],
        },
        Frame::AtCore {
            token: [3; 16],
            tag: [4; 16],
            sealed: vec![5; 144],
        },
        Frame::Identify {
            step: IdentifyStep::Answer,
            sealed: vec![9; IDENTIFY_LEN],
        },
        Frame::ClaimPut {
            loc: [6; 32],
            claim: claim(),
        },
        Frame::ClaimAnswer {
            loc: [6; 32],
            claim: claim().hash(),
            sealed: vec![8; limits::BOX_LEN],
        },
        Frame::ClaimAsk {
            loc: [6; 32],
            claim: claim().hash(),
        },
        Frame::InviteGet { loc: [6; 32] },
        Frame::InviteBox {
            loc: [6; 32],
            sealed: vec![7; limits::BOX_LEN],
        },
        Frame::BoxPut {
            loc: [6; 32],
            sealed: vec![7; limits::BOX_LEN],
            until: NOW,
        },
        Frame::Mail(raw(unicast(), vec![0x82; 200])),
        Frame::MailReceipt(receipt.get().to_raw()),
        Frame::Pair {
            step: PairStep::Known,
            sealed: vec![8; 40],
        },
        Frame::refused_stranger(),
        refused(Subject::Link),
        refused(Subject::Topic(topic())),
        refused(Subject::Box([8; 32])),
        refused(Subject::Mail(id(9))),
    ]
}

fn core_frames() -> Vec<Frame> {
    let peer = CorePeer {
        node: core().node_id(),
        uri: address().uri(),
        ticket: ticket(),
    };
    let usage = TopicUsage {
        topic: topic(),
        share: 1 << 20,
        own: 3,
        guests: 2,
    };
    vec![
        Frame::CoreClaim {
            token: [1; 16],
            mac: [2; 32],
        },
        Frame::CoreAgreed {
            quota: 1 << 30,
            used: 5,
            topics: 100,
            max_hold: limits::DAY_MS,
            retires: 0,
        },
        Frame::CoreAgreed {
            quota: 1,
            used: 1,
            topics: 1,
            max_hold: limits::DAY_MS,
            retires: 9 * limits::DAY_MS,
        },
        Frame::CoreRefused {
            code: Code::INVITE,
            text: "used up".to_owned(),
            retry: 0,
        },
        Frame::CoreServe {
            topic: topic(),
            genesis: genesis().encode(),
            secret: Secret::from_bytes([3; 32]),
            share: 1 << 20,
        },
        Frame::CoreServing { topic: topic() },
        Frame::CoreUnserve { topic: topic() },
        Frame::CorePeers {
            topic: topic(),
            peers: vec![peer],
        },
        Frame::CorePeers {
            topic: topic(),
            peers: vec![],
        },
        Frame::CoreUsage {
            quota: 1 << 30,
            used: 5,
            headers: 6,
            header_quota: 1 << 20,
            topics: vec![usage],
        },
        Frame::CoreUsage {
            quota: 0,
            used: 0,
            headers: 0,
            header_quota: 0,
            topics: vec![],
        },
    ]
}

/// Signed statements of every kind.
pub(crate) fn statements() -> Vec<(&'static str, RawStatement)> {
    let held = sign_receipt(receipt(ReceiptKind::Held), &node()).expect("legal");
    let delivered = sign_receipt(receipt(ReceiptKind::Delivered), &author()).expect("legal");
    let mail = sign_mail_receipt(mail_receipt(), &node()).expect("legal");
    let advert = sign_advert(advert(), &node()).expect("legal");
    let of_operator = sign_receipt(receipt_of_operator(), &node()).expect("legal");
    let mail_of_operator = sign_mail_receipt(mail_receipt_of_operator(), &node()).expect("legal");
    vec![
        ("held receipt", held.get().to_raw()),
        ("delivered receipt", delivered.get().to_raw()),
        ("mail receipt", mail.get().to_raw()),
        ("advert", advert.get().to_raw()),
        ("held receipt of an operator", of_operator.get().to_raw()),
        (
            "mail receipt of an operator",
            mail_of_operator.get().to_raw(),
        ),
    ]
}
