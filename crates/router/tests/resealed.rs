//! Mails that were sealed anew: what is said of an earlier envelope of theirs.

use std::time::Duration;

use identity::seal::hpke::HpkeSecret;
use identity::{EnvelopeId, NodeId, SecretKey};
use machine::Outbox;
use machine::test::World;
use router::limits::MAX_SEALS;
use router::{Class, Config, LinkId, MailState, Output, Router, Send};
use wire::frame::Subject;
use wire::{
    Code, Frame, Header, MailReceipt, NodeAdvert, RawStatement, ReceiptKind, sign_advert,
    sign_mail_receipt,
};

use crate::ladder::{Bench, hello, key};

/// A recipient, whose every word the test writes, and a mail for it.
struct Scene {
    bench: Bench,
    recipient: SecretKey,
    link: LinkId,
    name: EnvelopeId,
    /// Its envelopes as they left, to whomever.
    envelopes: Vec<EnvelopeId>,
}

/// An advert of the recipient that names a sealing key of its own for each version.
fn advert(secret: &SecretKey, version: u32, cores: &[NodeId]) -> RawStatement {
    let core = |core: &NodeId| wire::AdvertCore {
        node: *core,
        uri: "peer:1".into(),
    };
    let mut sealing = [9; 32];
    sealing[..4].copy_from_slice(&version.to_be_bytes());
    let advert = NodeAdvert {
        node: secret.node_id(),
        addresses: Vec::new(),
        name: "recipient".into(),
        version,
        created: 1,
        sealing: HpkeSecret::from_bytes(sealing).public(),
        sealing_before: None,
        cores: cores.iter().map(core).collect(),
    };
    sign_advert(advert, secret).expect("legal").get().to_raw()
}

/// The mail has left once over the recipient's link.
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
    let mut scene = Scene {
        bench,
        recipient,
        link,
        name,
        envelopes: Vec::new(),
    };
    scene.pass(1);
    assert_eq!(scene.envelopes.len(), 1);
    scene
}

impl Scene {
    fn note(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            if let Output::Send {
                frame: Frame::Mail(raw),
                ..
            } = output
            {
                let id = Header::id_of(&raw.header_bytes);
                if !self.envelopes.contains(&id) {
                    self.envelopes.push(id);
                }
            }
        }
    }

    fn pass(&mut self, secs: u64) {
        let outputs = self.bench.pass(Duration::from_secs(secs));
        self.note(outputs);
    }

    fn frame(&mut self, link: LinkId, frame: Frame) {
        let outputs = self.bench.frame(link, frame);
        self.note(outputs);
    }

    /// The recipient's key turns, and the mail leaves anew.
    fn turn_key(&mut self, version: u32) {
        let raw = advert(&self.recipient, version, &[]);
        self.frame(self.link, Frame::Advert(raw));
        self.pass(1);
    }

    fn says(&mut self, by: &SecretKey, over: LinkId, kind: ReceiptKind, envelope: EnvelopeId) {
        let receipt = MailReceipt {
            holder: by.node_id(),
            kind,
            ids: vec![envelope],
            until: 4_000_000_000_000,
            time: 1,
            operator: None,
        };
        let raw = sign_mail_receipt(receipt, by).expect("legal");
        self.frame(over, Frame::MailReceipt(raw.get().to_raw()));
    }

    fn refuses(&mut self, over: LinkId, envelope: EnvelopeId, code: Code) {
        let refused = Frame::Refused {
            subject: Subject::Mail(envelope),
            code,
            text: "no".into(),
            retry: 0,
        };
        self.frame(over, refused);
    }

    fn find(&mut self, id: EnvelopeId) -> Option<MailState> {
        let router = &self.bench.router;
        self.bench.world.turn(|cx| router.state_of(cx, &id))
    }

    fn state(&mut self) -> MailState {
        self.find(self.name).expect("known")
    }

    fn linked(&mut self, n: u8) -> LinkId {
        let node = self.bench.add(n);
        let (link, _) = self.bench.up(node, false);
        let greeting = hello(&self.bench.world);
        self.frame(link, greeting);
        link
    }

    /// The node stops and starts; the recipient is linked again.
    fn restart(&mut self) {
        let mut config = Config::new(key(1), "bench", "test 0");
        config.trusted_clock = true;
        let fresh = World::over(self.bench.world.base().clone(), 2);
        let (now, wall) = (self.bench.world.now, self.bench.world.wall);
        self.bench.world = fresh;
        (self.bench.world.now, self.bench.world.wall) = (now, wall);
        let mut out = Outbox::new();
        let open = |cx: &mut machine::Cx<'_>| Router::open(cx, config, &mut out);
        self.bench.router = self.bench.world.turn(open);
        self.link = self.linked(2);
        self.pass(1);
    }
}

#[test]
fn a_receipt_for_an_earlier_envelope_ends_the_mail() {
    let mut scene = scene();
    scene.turn_key(2);
    scene.turn_key(3);
    assert_eq!(scene.envelopes.len(), 3, "it left anew with each key");
    scene.restart();
    let first = scene.envelopes[0];
    let found = scene
        .find(first)
        .expect("the first envelope still names it");
    assert_eq!(
        (found.id, found.envelope),
        (scene.name, Some(scene.envelopes[2]))
    );
    let (recipient, link) = (scene.recipient.clone(), scene.link);
    scene.says(&recipient, link, ReceiptKind::Delivered, first);
    let state = scene.state();
    assert!(state.delivered_ms.is_some() && state.receipt.is_some());
    // Of its envelopes the last one alone still names it.
    assert!(scene.find(scene.envelopes[0]).is_none());
    assert!(scene.find(scene.envelopes[1]).is_none());
    assert!(scene.find(scene.envelopes[2]).is_some());
    // Nothing of it goes again, and the receipt may come twice.
    let sent = scene.envelopes.len();
    scene.says(&recipient, link, ReceiptKind::Delivered, first);
    scene.pass(7_200);
    assert_eq!(scene.envelopes.len(), sent);
    assert_eq!(scene.bench.router.waiting(), 0);
}

#[test]
fn nobody_but_the_recipient_ends_a_mail_by_an_earlier_envelope() {
    let mut scene = scene();
    let other = scene.linked(3);
    scene.turn_key(2);
    let (first, link) = (scene.envelopes[0], scene.link);
    let mallory = key(3);
    for over in [other, link] {
        for kind in [ReceiptKind::Delivered, ReceiptKind::Read] {
            scene.says(&mallory, over, kind, first);
        }
    }
    assert!(scene.state().delivered_ms.is_none());
    // Signed by another, in the recipient's name.
    let receipt = MailReceipt {
        holder: scene.recipient.node_id(),
        kind: ReceiptKind::Delivered,
        ids: vec![first],
        until: 0,
        time: 1,
        operator: None,
    };
    let bytes = receipt.encode();
    let signature = mallory.sign(identity::Context::MailReceipt, &bytes);
    let forged = RawStatement { bytes, signature };
    scene.frame(other, Frame::MailReceipt(forged));
    assert!(scene.state().delivered_ms.is_none());
}

/// What holds an envelope that its recipient may not be able to open holds nothing that counts.
#[test]
fn what_is_promised_or_refused_of_an_earlier_envelope_changes_nothing() {
    let mut scene = scene();
    let core = key(4);
    let over = scene.linked(4);
    let link = scene.link;
    let named = |version| Frame::Advert(advert(&key(2), version, &[core.node_id()]));
    scene.frame(link, named(2));
    scene.pass(1);
    let (first, second) = (scene.envelopes[0], scene.envelopes[1]);
    scene.says(&core, over, ReceiptKind::Held, first);
    assert!(scene.state().held.is_empty());
    scene.says(&core, over, ReceiptKind::Held, second);
    assert_eq!(scene.state().held.len(), 1);
    for code in [Code::SEALING_KEY, Code::INADMISSIBLE, Code::EXPIRED] {
        scene.refuses(link, first, code);
    }
    scene.refuses(over, first, Code::NO_RECIPIENT);
    let state = scene.state();
    assert_eq!(state.held.len(), 1);
    assert_eq!((state.failed_ms, state.refusal), (None, None));
    assert_eq!(state.envelope, Some(second));
}

#[test]
fn a_key_that_turns_without_end_has_a_mail_sealed_a_few_times() {
    let mut scene = scene();
    for version in 2..40 {
        scene.turn_key(version);
    }
    scene.restart();
    scene.turn_key(40);
    scene.pass(7_200);
    assert_eq!(scene.envelopes.len(), MAX_SEALS as usize);
    assert!(scene.state().failed_ms.is_none(), "it still waits");
    // Each of them is remembered.
    for envelope in scene.envelopes.clone() {
        assert!(scene.find(envelope).is_some());
    }
    let (recipient, link) = (scene.recipient.clone(), scene.link);
    scene.says(&recipient, link, ReceiptKind::Delivered, scene.envelopes[3]);
    assert!(scene.state().delivered_ms.is_some());
}

/// A core node that holds a mail gets it anew over the link that it was brought on.
#[test]
fn what_is_sealed_anew_goes_at_once_over_the_links_that_there_are() {
    let mut scene = scene();
    let core = key(4);
    let named = |version| advert(&key(2), version, &[core.node_id()]);
    let link = scene.link;
    scene.frame(link, Frame::Advert(named(2)));
    scene.bench.give(router::Input::Down {
        link,
        reason: "gone".into(),
    });
    let over = scene.linked(4);
    scene.pass(120);
    let last = *scene.envelopes.last().expect("sent");
    scene.says(&core, over, ReceiptKind::Held, last);
    assert_eq!(scene.state().held.len(), 1);
    let raw = named(3);
    let signed = wire::SignedAdvert::from_stored(raw).expect("legal");
    let sent = scene.envelopes.len();
    let mut out = Outbox::new();
    let (router, world) = (&mut scene.bench.router, &mut scene.bench.world);
    assert!(world.turn(|cx| router.advert_told(cx, &signed, &mut out)));
    scene.note(out.drain().collect());
    scene.pass(2);
    assert_eq!(scene.envelopes.len(), sent + 1);
}
