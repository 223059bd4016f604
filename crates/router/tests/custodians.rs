//! Who may say that it holds a mail for its recipient.

use std::time::Duration;

use identity::seal::hpke::HpkeSecret;
use identity::{EnvelopeId, NodeId, OperatorTag, SecretKey};
use machine::Outbox;
use router::limits::MAX_HELD;
use router::{Class, LinkId, MailState, Output, Send};
use wire::frame::Subject;
use wire::{
    Code, Frame, Header, MailReceipt, NodeAdvert, RawStatement, ReceiptKind, sign_advert,
    sign_mail_receipt,
};

use crate::ladder::{Bench, hello, key};

/// A recipient, whose every word the test writes, and a mail for it that has left over its link.
struct Scene {
    bench: Bench,
    recipient: SecretKey,
    link: LinkId,
    name: EnvelopeId,
    envelope: EnvelopeId,
}

fn advert(secret: &SecretKey, version: u32, cores: &[NodeId]) -> RawStatement {
    let core = |core: &NodeId| wire::AdvertCore {
        node: *core,
        uri: "peer:1".into(),
    };
    let advert = NodeAdvert {
        node: secret.node_id(),
        addresses: Vec::new(),
        name: "recipient".into(),
        version,
        created: 1,
        sealing: HpkeSecret::from_bytes([9; 32]).public(),
        sealing_before: None,
        cores: cores.iter().map(core).collect(),
    };
    sign_advert(advert, secret).expect("legal").get().to_raw()
}

fn custodian(n: u32) -> SecretKey {
    let mut seed = [77; 32];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    SecretKey::from_seed(seed)
}

fn scene() -> Scene {
    let mut bench = Bench::new();
    let recipient = key(2);
    let link = bench.friend(2);
    bench.frame(link, Frame::Advert(advert(&recipient, 1, &[])));
    let send = Send {
        to: recipient.node_id(),
        engine: "inbox".into(),
        payload: b"hello".to_vec(),
        class: Class::Reliable,
        lifespan: None,
    };
    let mut out = Outbox::new();
    let name = bench
        .world
        .turn(|cx| bench.router.send(cx, send, &mut out))
        .expect("queued");
    let mut all: Vec<Output> = out.drain().collect();
    all.extend(bench.pass(Duration::from_secs(1)));
    let mail = |output: &Output| match output {
        Output::Send {
            frame: Frame::Mail(raw),
            ..
        } => Some(Header::id_of(&raw.header_bytes)),
        _ => None,
    };
    let envelope = all.iter().find_map(mail).expect("sent");
    Scene {
        bench,
        recipient,
        link,
        name,
        envelope,
    }
}

impl Scene {
    fn held(&mut self, by: &SecretKey, over: LinkId) {
        self.held_of(by, over, None);
    }

    fn held_of(&mut self, by: &SecretKey, over: LinkId, operator: Option<OperatorTag>) {
        let receipt = MailReceipt {
            holder: by.node_id(),
            kind: ReceiptKind::Held,
            ids: vec![self.envelope],
            until: 4_000_000_000_000,
            time: 1,
            operator,
        };
        let raw = sign_mail_receipt(receipt, by)
            .expect("legal")
            .get()
            .to_raw();
        self.bench.frame(over, Frame::MailReceipt(raw));
    }

    fn state(&mut self) -> MailState {
        let (router, name) = (&self.bench.router, self.name);
        self.bench
            .world
            .turn(|cx| router.state_of(cx, &name))
            .expect("known")
    }

    /// A link with a node that was added by hand.
    fn linked(&mut self, node: NodeId) -> LinkId {
        let (router, world) = (&mut self.bench.router, &mut self.bench.world);
        let mut out = Outbox::new();
        world
            .turn(|cx| router.peer_add(cx, node, &[], &mut out))
            .expect("there is room");
        let (link, _) = self.bench.up(node, false);
        let greeting = hello(&self.bench.world);
        self.bench.frame(link, greeting);
        link
    }
}

/// Whoever gets a mail answers it with word of many custodians that nobody knows.
#[test]
fn made_up_custodians_hold_nothing_and_do_not_end_the_node() {
    let mut scene = scene();
    let link = scene.link;
    for n in 0..3_000 {
        scene.held(&custodian(n), link);
    }
    assert!(scene.state().held.is_empty());
    // Nor does a peer that exists and was handed nothing, over its own link.
    let peer = key(3);
    let other = scene.linked(peer.node_id());
    scene.held(&peer, other);
    // Nor the recipient itself.
    let recipient = scene.recipient.clone();
    scene.held(&recipient, link);
    assert!(scene.state().held.is_empty());
}

#[test]
fn a_core_node_of_the_recipient_speaks_for_itself_over_its_own_link() {
    let mut scene = scene();
    let core = key(4);
    let over = scene.linked(core.node_id());
    let raw = advert(&scene.recipient, 2, &[core.node_id()]);
    let link = scene.link;
    scene.bench.frame(link, Frame::Advert(raw));
    scene.held(&core, link);
    assert!(scene.state().held.is_empty(), "not over another's link");
    scene.held(&core, over);
    let held = scene.state().held;
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].node, core.node_id());
    // It no longer has it: the mail is without a custodian again.
    let refused = Frame::Refused {
        subject: Subject::Mail(scene.envelope),
        code: Code::NO_RECIPIENT,
        text: "gone".into(),
        retry: 0,
    };
    scene.bench.give(router::Input::Down {
        link,
        reason: "gone".into(),
    });
    scene.bench.pass(Duration::from_secs(120));
    scene.bench.frame(over, refused);
    assert!(scene.state().held.is_empty());
}

/// A recipient that names ever new core nodes, all of which promise.
#[test]
fn custodians_without_end_are_forgotten() {
    let mut scene = scene();
    for n in 0..40_u32 {
        let core = custodian(n);
        let over = scene.linked(core.node_id());
        let raw = advert(&scene.recipient, 2 + n, &[core.node_id()]);
        let link = scene.link;
        scene.bench.frame(link, Frame::Advert(raw));
        scene.held(&core, over);
        scene.held(&core, over);
    }
    let held = scene.state().held;
    assert_eq!(held.len(), MAX_HELD);
    assert_eq!(held[MAX_HELD - 1].node, custodian(39).node_id());
}

/// Of core nodes that are one operator's, all are shown, and they count for one.
#[test]
fn core_nodes_of_one_operator_hold_a_mail_once() {
    let mut scene = scene();
    let tag = Some(OperatorTag::of("example.org"));
    let cores = [(1, tag), (2, tag), (3, None)];
    let nodes: Vec<NodeId> = cores.iter().map(|(n, _)| custodian(*n).node_id()).collect();
    let raw = advert(&scene.recipient, 2, &nodes);
    let link = scene.link;
    scene.bench.frame(link, Frame::Advert(raw));
    for ((n, operator), count) in cores.into_iter().zip([1, 1, 2]) {
        let over = scene.linked(custodian(n).node_id());
        scene.held_of(&custodian(n), over, operator);
        assert_eq!(scene.state().custodians(0), count, "{n}");
    }
    let state = scene.state();
    let said: Vec<_> = state.held.iter().map(|held| held.operator).collect();
    assert_eq!(said, [tag, tag, None]);
    // Its newest word counts, whatever it said before.
    let over = scene.linked(custodian(2).node_id());
    scene.held_of(&custodian(2), over, None);
    assert_eq!(scene.state().custodians(0), 3);
}
