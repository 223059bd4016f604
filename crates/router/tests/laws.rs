//! Laws that hold whatever comes.

use identity::seal::{hpke, kdf};
use identity::{GrantId, NodeId, SecretKey};
use proptest::prelude::*;
use router::{Input, LinkId, Output, Standing};
use wire::frame::Subject;
use wire::{Class, Code, Extensions, Frame, Header, NodeAdvert, Raw, sign_envelope};

use crate::ladder::{Bench, advert_of, hello, key};

/// A mail as its source would make it, written independently of the router.
pub(crate) fn mail_to(source: &SecretKey, to: &NodeAdvert, number: u64, payload: &[u8]) -> Raw {
    let mut header = Header {
        destination: to.node.to_id(),
        author: source.public(),
        number,
        previous: [0; 32],
        generation: 1,
        created: 1_795_132_800_000,
        expires: 1_795_132_800_000 + 86_400_000,
        body_len: 0,
        body_hash: [0; 32],
        count: 1,
        class: Class::Content,
        grant: GrantId::from_bytes([0; 32]),
        hops: 0,
        deps: Vec::new(),
        manifest: None,
        clock_unconfirmed: false,
        extensions: Extensions::new(),
    };
    header.author = source.public();
    let mut cbor = vec![0x84, 0x00, 0x65];
    cbor.extend_from_slice(b"inbox");
    cbor.extend_from_slice(&[0x00, 0x40 | payload.len() as u8]);
    cbor.extend_from_slice(payload);
    assert!(
        payload.len() < 4,
        "16 bytes in all need no padding beyond the length below"
    );
    let mut plain = (cbor.len() as u32).to_be_bytes().to_vec();
    plain.extend_from_slice(&cbor);
    // 16 to 17 bytes: padding goes to multiples of two from 16 on.
    plain.resize(plain.len().div_ceil(2) * 2, 0);
    let from = source.node_id();
    let fields = [from.as_bytes().as_slice(), to.node.as_bytes()];
    let aad = header.encode_without_body();
    let mut rng = machine::Rng::from_seed([3; 32]);
    let (enc, ct) =
        hpke::seal(&to.sealing, "unicast", &fields, &aad, &plain, &mut rng).expect("a good key");
    let id: [u8; 8] = kdf("hint", &[to.sealing.as_bytes()]);
    let body = [id.as_slice(), &enc, &ct].concat();
    let verified = sign_envelope(header, body, source)
        .expect("legal")
        .into_inner();
    verified.envelope.to_raw(verified.body)
}

#[derive(Clone, Debug)]
enum Step {
    Up(u8, bool),
    Down(u64),
    Hello(u64, u16),
    Frame(u64, u8),
    Standing(u8, u8),
    Keep(u8, bool),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u8..6, any::<bool>()).prop_map(|(n, dialled)| Step::Up(n, dialled)),
        (1_u64..20).prop_map(Step::Down),
        (1_u64..20, 0_u16..2).prop_map(|(link, min)| Step::Hello(link, min)),
        (1_u64..20, any::<u8>()).prop_map(|(link, kind)| Step::Frame(link, kind)),
        (1_u8..6, 0_u8..6).prop_map(|(n, standing)| Step::Standing(n, standing)),
        (1_u8..6, any::<bool>()).prop_map(|(n, keep)| Step::Keep(n, keep)),
        (0_u16..400).prop_map(Step::Pass),
    ]
}

fn any_frame(kind: u8, bench: &Bench) -> Frame {
    let me = bench.router.own_advert().expect("made at the start");
    match kind % 12 {
        0 => Frame::Ping { nonce: 1 },
        1 => Frame::Pong { nonce: 1 },
        2 => Frame::AdvertAsk,
        3 => Frame::Advert(advert_of(&key(2), u32::from(kind))),
        4 => Frame::Bye {
            code: Code(u16::from(kind)),
            text: "bye".into(),
        },
        5 => Frame::Mail(mail_to(&key(2), me, u64::from(kind), b"x")),
        6 => {
            let mut mail = mail_to(&key(3), me, u64::from(kind), b"y");
            mail.body = None;
            Frame::Mail(mail)
        }
        7 => Frame::MailReceipt(advert_of(&key(2), 1)),
        8 => Frame::Refused {
            subject: Subject::Mail(identity::EnvelopeId::from_bytes([kind; 32])),
            code: Code::EXPIRED,
            text: String::new(),
            retry: 0,
        },
        9 => Frame::InviteGet { loc: [kind; 32] },
        10 => Frame::CoreClaim {
            token: [0; 16],
            mac: [0; 32],
        },
        _ => Frame::AtCore {
            token: [0; 16],
            tag: [0; 16],
            sealed: vec![0; 400],
        },
    }
}

fn run(bench: &mut Bench, step: Step) {
    let node = |n: u8| -> NodeId { key(n).node_id() };
    let outputs = match step {
        Step::Up(n, dialled) => bench.up(node(n), dialled).1,
        Step::Down(link) => bench.give(Input::Down {
            link: LinkId(link),
            reason: "gone".into(),
        }),
        Step::Hello(link, min) => {
            let mut frame = hello(&bench.world);
            if let Frame::Hello { min: low, max, .. } = &mut frame {
                (*low, *max) = (min, min);
            }
            bench.frame(LinkId(link), frame)
        }
        Step::Frame(link, kind) => {
            let frame = any_frame(kind, bench);
            bench.frame(LinkId(link), frame)
        }
        Step::Standing(n, standing) => {
            let standing = [
                Standing::Claiming,
                Standing::Member,
                Standing::Client,
                Standing::Denied,
                Standing::Stranger,
                Standing::Reader,
            ][usize::from(standing)];
            bench.give(Input::Standing {
                node: node(n),
                standing,
            })
        }
        Step::Keep(n, true) => bench.give(Input::Keep {
            node: node(n),
            why: router::Why::Core,
            addresses: vec!["peer:1".into()],
        }),
        Step::Keep(n, false) => bench.give(Input::Release {
            node: node(n),
            why: router::Why::Core,
        }),
        Step::Pass(secs) => bench.pass(std::time::Duration::from_secs(u64::from(secs))),
    };
    for output in outputs {
        if let Output::Check { link, id, raw } = output {
            bench.give(Input::Checked {
                link,
                id,
                result: wire::check(raw),
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No sequence of links and frames breaks what must always hold, nor delivers a mail twice.
    #[test]
    fn whatever_peers_do(steps in proptest::collection::vec(step(), 1..120)) {
        let mut bench = Bench::new();
        for step in steps {
            run(&mut bench, step);
        }
        let inbox = bench.world.turn(|cx| bench.router.inbox(cx, 0, 1000));
        let mut names: Vec<_> = inbox.iter().map(|mail| mail.id).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), inbox.len());
    }
}
