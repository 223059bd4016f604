use super::*;
use crate::command::public::PublicCommand;
use crate::command::{AskedRight, Command, ReadFrom, Right, WaitFor};
use identity::{Context, Signature};
use machine::Rng;
use rights::CoreInviteSeed;
use router::acl::{Group, Way, Who};
use router::{Reach, Rule, Rules};

/// Texts, numbers and bytes that nobody chose.
struct Whim(Rng);

impl Whim {
    fn new(seed: u8) -> Self {
        Self(Rng::from_seed([seed; 32]))
    }

    fn number(&mut self) -> u64 {
        let bits = self.0.below(65);
        self.0.next_u64().checked_shr(bits as u32).unwrap_or(0)
    }

    fn small(&mut self) -> u32 {
        self.number() as u32
    }

    fn bool(&mut self) -> bool {
        self.0.below(2) == 1
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.0.below(300) as usize];
        self.0.fill(&mut bytes);
        bytes
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn texts(&mut self) -> Vec<String> {
        (0..self.0.below(4)).map(|_| self.text()).collect()
    }

    fn maybe<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| some(self))
    }

    fn raw(&mut self) -> Raw {
        Raw {
            header_bytes: self.bytes(),
            proof: Signature::from_bytes(self.0.array()),
            body: self.maybe(Self::bytes),
        }
    }
}

fn commands(w: &mut Whim) -> Vec<Command> {
    let mut all = vec![
        Command::Status,
        Command::Identity,
        Command::Peers,
        Command::CoreClients,
        Command::CoreList,
        Command::Topics,
    ];
    all.extend([
        Command::SetName { name: w.text() },
        Command::PeerAdd { address: w.text() },
        Command::PeerRemove { peer: w.text() },
        Command::CoreInvite {
            quota: w.number(),
            uses: w.small(),
        },
        Command::CoreAllow {
            node: w.text(),
            quota: w.number(),
        },
        Command::CoreDeny { node: w.text() },
        Command::CoreUse { link: w.text() },
        Command::CoreLeave {
            core: w.text(),
            now: true,
        },
        Command::CoreRetire { by: Some(7) },
        Command::CoreAllowPsk {
            psk: CoreInviteSeed::from_bytes(w.0.array()),
            quota: w.number(),
            uses: w.small(),
        },
        Command::CoreDenyPsk {
            psk: CoreInviteSeed::from_bytes(w.0.array()),
        },
        Command::CoreUsePsk {
            address: w.text(),
            psk: CoreInviteSeed::from_bytes(w.0.array()),
        },
        Command::TopicCreate {
            name: w.text(),
            messages: w.maybe(Whim::small),
        },
        Command::Public(PublicCommand::Create {
            name: w.text(),
            messages: w.maybe(Whim::small),
        }),
        Command::Public(PublicCommand::Link { topic: w.text() }),
        Command::TopicInfo { topic: w.text() },
        Command::Members { topic: w.text() },
        Command::Grant {
            topic: w.text(),
            member: w.text(),
            rights: vec![AskedRight {
                right: Right::Admit,
                from: w.number(),
                until: w.maybe(Whim::number),
            }],
            messages: w.maybe(Whim::small),
            bytes: w.maybe(Whim::small),
            at: w.maybe(Whim::number),
        },
        Command::Revoke {
            topic: w.text(),
            member: w.text(),
            only: vec![Right::Publish, Right::Read],
            cut: w.maybe(Whim::text),
            cascade: w.bool(),
        },
        Command::TopicLeave { topic: w.text() },
        Command::TopicForget { topic: w.text() },
        Command::Invite {
            topic: w.text(),
            rights: vec![AskedRight {
                right: Right::Read,
                from: w.number(),
                until: w.maybe(Whim::number),
            }],
            messages: w.maybe(Whim::small),
            uses: w.small(),
            until: w.maybe(Whim::number),
            while_away: w.bool(),
        },
        Command::JoinLook {
            link: w.text(),
            timeout_ms: w.number(),
        },
        Command::Join {
            link: w.text(),
            name: w.maybe(Whim::text),
            timeout_ms: w.number(),
        },
        Command::Send {
            to: w.text(),
            messages: (0..w.0.below(5)).map(|_| w.bytes()).collect(),
            expires: w.maybe(Whim::number),
            best_effort: w.bool(),
        },
        Command::Confirm {
            topic: w.text(),
            n: w.number(),
        },
        Command::Inbox {
            after: w.number(),
            limit: w.small(),
        },
        Command::PingNode {
            node: w.text(),
            timeout_ms: w.number(),
        },
        Command::Why {
            id: w.maybe(Whim::text),
        },
    ]);
    for state in [WaitFor::Stored, WaitFor::Held, WaitFor::Delivered] {
        let (id, of, timeout_ms) = (w.text(), w.maybe(Whim::small), w.number());
        all.push(Command::Wait {
            id,
            state,
            of,
            timeout_ms,
        });
    }
    for from in [
        ReadFrom::Last,
        ReadFrom::After(w.number()),
        ReadFrom::AfterMessage(w.text()),
        ReadFrom::Time(w.number()),
        ReadFrom::Cursor,
    ] {
        all.push(Command::Read {
            topic: w.text(),
            from,
            limit: w.small(),
        });
    }
    all
}

fn inputs(w: &mut Whim) -> Vec<Input> {
    let link = LinkId(w.number());
    let name = ContentName(w.0.array());
    let mut all = vec![
        Input::LinkUp {
            link,
            node: NodeId::from_bytes(w.0.array()),
            dialled: w.maybe(Whim::number),
            exporter: w.0.array(),
            remote: w.text(),
        },
        Input::Frame {
            link,
            bytes: w.bytes(),
            cost: w.number(),
        },
        Input::Writable {
            link,
            bytes: w.number(),
        },
        Input::LinkDown {
            link,
            reason: w.text(),
        },
        Input::DialFailed {
            token: w.number(),
            reason: w.text(),
        },
        Input::Listening {
            addresses: w.texts(),
        },
        Input::Store {
            bytes: w.number(),
            free: w.number(),
            full: w.bool(),
        },
        Input::Content(ContentDone::Written(name, w.number())),
        Input::Content(ContentDone::Read(name, w.number(), w.maybe(Whim::bytes))),
        Input::Content(ContentDone::Deleted(name)),
        Input::Content(ContentDone::Failed(name, w.number(), w.text())),
        Input::Content(ContentDone::Listed(vec![name; 3])),
        Input::Content(ContentDone::Unlisted(w.text())),
        Input::Closing,
        Input::Rules {
            rules: w.maybe(rules),
            wrong: w.maybe(Whim::text),
        },
    ];
    for command in commands(w) {
        let request = RequestId(w.number());
        all.push(Input::Command { request, command });
    }
    let id = EnvelopeId::from_bytes(w.0.array());
    let mail = Check::Mail {
        link,
        id,
        raw: w.raw(),
    };
    all.push(Input::Checked(mail.run_recorded()));
    all
}

fn rules(w: &mut Whim) -> Rules {
    let key: [u8; 32] = w.0.array();
    let whom = [
        Who::All,
        Who::Group(Group::Clients),
        Who::Group(Group::Cores),
        Who::Keys([key, [1; 32]].into_iter().collect()),
    ];
    let rules = Way::ALL.iter().cycle().zip(whom).map(|(way, who)| Rule {
        way: *way,
        who,
        messages: w.maybe(Whim::number),
        bytes: w.maybe(Whim::number),
    });
    Rules::new(rules.collect()).expect("few")
}

fn encoded(input: &Input) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(input, &mut bytes);
    bytes
}

#[test]
fn every_input_is_read_as_it_was_written() {
    for seed in 0..50 {
        for input in inputs(&mut Whim::new(seed)) {
            let bytes = encoded(&input);
            let again = decode(&bytes).unwrap_or_else(|why| panic!("{why}: {input:?}"));
            assert_eq!(format!("{again:?}"), format!("{input:?}"));
            assert_eq!(encoded(&again), bytes);
        }
    }
}

#[test]
fn an_input_cut_short_or_damaged_is_refused_or_another_one() {
    for input in inputs(&mut Whim::new(7)) {
        let bytes = encoded(&input);
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{input:?}");
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x41;
            if let Ok(found) = decode(&other) {
                assert_eq!(encoded(&found), other, "two encodings of one input");
            }
        }
    }
}

/// What a record holds is what was checked. Somebody who writes a record cannot put a result into
/// it: a bad signature stays one.
#[test]
fn a_check_that_is_read_back_is_run_again() {
    let mut rng = Rng::from_seed([3; 32]);
    let key = SecretKey::generate(&mut rng);
    let raw = Raw {
        header_bytes: vec![0xA0],
        proof: key.sign(Context::Envelope, b"something else"),
        body: None,
    };
    let id = EnvelopeId::from_bytes([9; 32]);
    let done = Check::Mail {
        link: LinkId(1),
        id,
        raw,
    }
    .run_recorded();
    let Ok(Input::Checked(again)) = decode(&encoded(&Input::Checked(done))) else {
        panic!("it was recorded")
    };
    assert!(matches!(
        again.kind,
        crate::io::DoneKind::Mail { result, .. } if result.is_err()
    ));
}

#[test]
fn a_check_that_was_not_recorded_cannot_be_read_back() {
    let raw = Whim::new(1).raw();
    let id = EnvelopeId::from_bytes([9; 32]);
    let done = Check::Mail {
        link: LinkId(1),
        id,
        raw,
    }
    .run();
    assert!(decode(&encoded(&Input::Checked(done))).is_err());
}

#[test]
fn keys_and_settings_come_back() {
    for seed in 0..20 {
        let mut w = Whim::new(seed);
        let config = Config {
            node_key: SecretKey::generate(&mut w.0),
            device: DeviceSecret::generate(&mut w.0),
            stale: w.bool(),
            core: w.bool(),
            reach: if w.bool() { Reach::Core } else { Reach::Any },
            name: w.text(),
            public: w.texts(),
            trust_clock: w.bool(),
            custody: custody::Settings {
                quota: custody::Quota {
                    bytes: w.number(),
                    topics: w.small(),
                    links: w.small(),
                },
                longest_hold: Duration::from_micros(w.number()),
                free_floor: w.number(),
                operator: w.bool().then(|| OperatorTag::of(&w.text())),
            },
            store_limit: w.number(),
            software: w.text(),
        };
        let bytes = encode_config(&config);
        let again = decode_config(&bytes).unwrap();
        assert_eq!(encode_config(&again), bytes);
        assert_eq!(again.node_key.public(), config.node_key.public());
        assert_eq!(again.device.as_bytes(), config.device.as_bytes());
        assert_eq!(again.custody, config.custody);
        assert!(decode_config(&bytes[..bytes.len() - 1]).is_err());
    }
}
