//! Two real nodes, each in the driver, talk to each other while everything is recorded.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        mpsc::{Receiver, Sender, channel},
    },
};

use driver::{
    End, Handle, Host, Opened, Options,
    record::{Recorder, ReplayFailed, Replayed, replay},
    start,
};
use identity::{NodeId, SecretKey};
use machine::{ContentEffect, Rng};
use node::{
    Advisory, Config, Held, Input, LinkId, Node, Out, Verbatim,
    command::{Command, ReadFrom, Reply, RequestId, WaitFor},
    record::{decode_config, encode_config},
};
use rights::DeviceSecret;
use store::MemoryStore;

use crate::world::GUARD;

/// How many messages the two send each other.
const MESSAGES: usize = 40;

/// What a node puts out and others notice.
enum Heard {
    Frame(LinkId, Vec<u8>),
    Close(LinkId),
    Dial(u64, NodeId),
    Reply(RequestId, Reply),
}

/// The hands of one node; everything goes to the test's thread.
struct Hands {
    number: usize,
    handle: Handle<Input>,
    world: Sender<(usize, Heard)>,
}

impl Hands {
    fn say(&self, heard: Heard) {
        // The test may be over already.
        let _ = self.world.send((self.number, heard));
    }
}

impl Host<Out> for Hands {
    fn held(&mut self, output: Held) {
        match output {
            Held::Frame { link, bytes } => self.say(Heard::Frame(link, bytes)),
            Held::Reply { request, reply } => self.say(Heard::Reply(request, reply)),
            Held::Changed { .. } | Held::Mail { .. } | Held::Delete(_) => {}
        }
    }

    fn verbatim(&mut self, output: Verbatim) {
        let link = output.link();
        self.say(Heard::Frame(link, output.into_bytes()));
    }

    fn advisory(&mut self, output: Advisory) {
        match output {
            Advisory::Courtesy { link, bytes } => self.say(Heard::Frame(link, bytes)),
            Advisory::Close { link, .. } => self.say(Heard::Close(link)),
            Advisory::Dial { token, node, .. } => self.say(Heard::Dial(token, node)),
            Advisory::Check(check) => {
                self.handle
                    .check(move || Input::Checked(check.run_recorded()));
            }
            Advisory::Grant { .. } | Advisory::Log { .. } | Advisory::File { .. } => {}
        }
    }

    fn content(&mut self, _: ContentEffect) {}
}

struct Pair {
    nodes: Vec<driver::Node<Input>>,
    ids: Vec<NodeId>,
    heard: Receiver<(usize, Heard)>,
    replies: BTreeMap<RequestId, Reply>,
    /// Whose end of a link, and the other end.
    links: BTreeMap<LinkId, (usize, LinkId)>,
    numbers: u64,
}

fn config(number: u8, rng: &mut Rng) -> Config {
    Config {
        node_key: SecretKey::generate(rng),
        device: DeviceSecret::generate(rng),
        stale: false,
        core: false,
        name: format!("node {number}"),
        reach: node::Reach::Any,
        public: vec![format!("10.0.0.{number}:4433")],
        trust_clock: true,
        custody: custody::Settings::default(),
        store_limit: 0,
        software: "test".to_owned(),
    }
}

impl Pair {
    /// Starts two nodes whose runs are recorded in these files. The second takes its home for a
    /// copy, which only the record of its life says.
    fn start(records: &[PathBuf; 2]) -> Self {
        let mut rng = Rng::from_seed([5; 32]);
        let (world, heard) = channel();
        let mut pair = Self {
            nodes: Vec::new(),
            ids: Vec::new(),
            heard,
            replies: BTreeMap::new(),
            links: BTreeMap::new(),
            numbers: 0,
        };
        for (number, record) in (0_u8..).zip(records) {
            let config = config(number, &mut rng);
            let header = encode_config(&config);
            let recorder = Recorder::create(record, &header, node::tables()).expect("it is new");
            let options = Options {
                recorder: Some(recorder),
                ..Options::default()
            };
            pair.ids.push(config.node_key.node_id());
            let stale = number == 1;
            let open = move |_| {
                let config = Config {
                    stale,
                    ..config.clone()
                };
                let store = MemoryStore::new(&node::tables());
                Ok(Opened::over(Node::new(config), store).about(&[u8::from(stale)]))
            };
            let world = world.clone();
            let started = start(options, open, move |handle| Hands {
                number: number.into(),
                handle,
                world,
            });
            pair.nodes.push(started.expect("threads"));
            let addresses = vec![format!("10.0.0.{number}:4433")];
            pair.tell(number.into(), Input::Listening { addresses });
        }
        pair
    }

    fn tell(&self, node: usize, input: Input) {
        let handle = self.nodes[node].handle();
        handle.send_blocking(input, 64).expect("it runs");
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn link(&mut self, dialler: usize, token: u64, peer: NodeId) {
        let Some(other) = self.ids.iter().position(|id| *id == peer) else {
            let reason = "there is nobody".to_owned();
            return self.tell(dialler, Input::DialFailed { token, reason });
        };
        let ends = [LinkId(self.number()), LinkId(self.number())];
        let exporter = [u8::try_from(self.numbers).expect("few links"); 32];
        let dialled = [Some(token), None];
        let who = [(dialler, other), (other, dialler)];
        for at in 0..2 {
            let (own, far) = who[at];
            self.links.insert(ends[at], (own, ends[1 - at]));
            let up = Input::LinkUp {
                link: ends[at],
                node: self.ids[far],
                dialled: dialled[at],
                exporter,
                remote: format!("10.0.0.{far}:4433"),
            };
            self.tell(own, up);
            let (link, bytes) = (ends[at], 1 << 20);
            self.tell(own, Input::Writable { link, bytes });
        }
    }

    /// Carries over what a node has put out.
    fn carry(&mut self, node: usize, heard: Heard) {
        match heard {
            Heard::Frame(link, bytes) => {
                let Some(&(_, far)) = self.links.get(&link) else {
                    return;
                };
                let Some(&(other, _)) = self.links.get(&far) else {
                    return;
                };
                let cost = bytes.len() as u64;
                let frame = Input::Frame {
                    link: far,
                    bytes,
                    cost,
                };
                self.tell(other, frame);
                self.tell(node, Input::Writable { link, bytes: cost });
            }
            Heard::Close(link) => {
                let Some((own, far)) = self.links.remove(&link) else {
                    return;
                };
                let reason = "closed".to_owned();
                self.tell(own, Input::LinkDown { link, reason });
                if let Some((other, _)) = self.links.remove(&far) {
                    let reason = "the other end closed it".to_owned();
                    self.tell(other, Input::LinkDown { link: far, reason });
                }
            }
            Heard::Dial(token, peer) => self.link(node, token, peer),
            Heard::Reply(request, reply) => {
                self.replies.insert(request, reply);
            }
        }
    }

    fn ask(&mut self, node: usize, command: Command) -> Reply {
        let request = RequestId(self.number());
        self.tell(node, Input::Command { request, command });
        loop {
            if let Some(reply) = self.replies.remove(&request) {
                return reply;
            }
            let (from, heard) = self.heard.recv_timeout(GUARD).expect("an answer");
            self.carry(from, heard);
        }
    }

    fn send(&mut self, node: usize, text: &str) -> String {
        let send = Command::Send {
            to: "tea".to_owned(),
            messages: vec![text.as_bytes().to_vec()],
            expires: None,
            best_effort: false,
        };
        match self.ask(node, send) {
            Reply::Sent { ids, .. } => ids[0].to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Asks both nodes to stop and lets their records end.
    fn stop(self) {
        for (number, node) in self.nodes.into_iter().enumerate() {
            let handle = node.handle();
            handle.send_blocking(Input::Closing, 64).expect("it runs");
            handle.stop();
            assert_eq!(node.wait(), End::Stopped, "node {number}");
        }
    }
}

/// A topic, an invite, and messages both ways until each has been delivered.
fn talk(folder: &Path) -> [PathBuf; 2] {
    let records = [folder.join("first"), folder.join("second")];
    let mut pair = Pair::start(&records);
    let name = "tea".to_owned();
    let topic = name.clone();
    let created = pair.ask(
        0,
        Command::TopicCreate {
            name,
            messages: None,
        },
    );
    assert!(matches!(created, Reply::Topic { .. }), "{created:?}");
    let invite = Command::Invite {
        rights: Vec::new(),
        messages: None,
        while_away: true,
        topic,
        uses: 1,
        until: None,
    };
    let Reply::Invited { link, .. } = pair.ask(0, invite) else {
        panic!("no invite")
    };
    let join = Command::Join {
        link,
        name: None,
        timeout_ms: 20_000,
    };
    let joined = pair.ask(1, join);
    assert!(matches!(joined, Reply::Topic { .. }), "{joined:?}");
    for n in 0..MESSAGES {
        let from = n % 2;
        let id = pair.send(from, &format!("message {n}"));
        let wait = Command::Wait {
            id,
            state: WaitFor::Delivered,
            of: None,
            timeout_ms: 20_000,
        };
        let reached = pair.ask(from, wait);
        assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    }
    for node in 0..2 {
        let read = Command::Read {
            topic: "tea".to_owned(),
            from: ReadFrom::Last,
            limit: 100,
        };
        let Reply::Lines { lines, .. } = pair.ask(node, read) else {
            panic!("no lines")
        };
        assert!(lines.iter().filter(|line| !line.text.is_empty()).count() >= MESSAGES);
    }
    pair.stop();
    records
}

/// The records of one such talk.
static TALK: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    talk(folder.path()).map(|record| fs::read(record).expect("it is there"))
});

fn play(record: &Path) -> Result<Replayed, ReplayFailed> {
    replay(record, |header, about, _| {
        let config = decode_config(header).map_err(|why| why.to_string())?;
        let stale = about == [1];
        Ok(Node::new(Config { stale, ..config }))
    })
}

#[test]
fn what_two_nodes_said_replays_hash_for_hash() {
    let folder = tempfile::tempdir().expect("a folder");
    for bytes in &*TALK {
        let record = folder.path().join("record");
        fs::write(&record, bytes).expect("written");
        let found = play(&record).expect("the same outputs");
        assert_eq!(found.lives, 1);
        assert!(found.turns > 200, "{found:?}");
        assert!(found.outputs > 200, "{found:?}");
        assert_eq!(play(&record).expect("the same outputs"), found, "again");
    }
}

/// An input in a record: its turn, its entry's place in the file, and its own.
struct Noted {
    turn: u64,
    entry: usize,
    input: Range<usize>,
}

/// Length, kind and sum stand before the body of an entry.
const HEAD: usize = 9;

/// The inputs of a record.
fn inputs(record: &[u8]) -> Vec<Noted> {
    let (mut entry, mut turn, mut inputs) = (b"waystation record 1\n".len(), 0, Vec::new());
    while let Some(head) = record.get(entry..entry + HEAD) {
        let length = u32::from_le_bytes(head[..4].try_into().expect("four"));
        let end = entry + HEAD + usize::try_from(length).expect("memory holds it");
        turn += u64::from(head[4] == 3 || head[4] == 4);
        if head[4] == 4 {
            // Times stand before the input.
            let input = entry + HEAD + 16..end;
            inputs.push(Noted { turn, entry, input });
        }
        entry = end;
    }
    inputs
}

/// Plays a record in which one byte is another, and its entry's sum fits that.
fn play_forged(folder: &Path, record: &[u8], entry: usize, at: usize) -> Option<ReplayFailed> {
    let mut bytes = record.to_vec();
    bytes[at] ^= 0x40;
    let length = u32::from_le_bytes(bytes[entry..entry + 4].try_into().expect("four"));
    let end = entry + HEAD + usize::try_from(length).expect("memory holds it");
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[entry + 4..entry + 5]);
    hasher.update(&bytes[entry + HEAD..end]);
    let sum = hasher.finalize();
    bytes[entry + 5..entry + HEAD].copy_from_slice(&sum.as_bytes()[..4]);
    let forged = folder.join("forged");
    fs::write(&forged, bytes).expect("written");
    play(&forged).err()
}

#[test]
fn a_changed_byte_is_found_with_its_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let [record, _] = &*TALK;
    let inputs = inputs(record);
    assert!(inputs.len() > 150);
    for Noted { turn, input, .. } in inputs.iter().step_by(7) {
        let mut bytes = record.clone();
        bytes[input.start + input.len() / 2] ^= 1;
        let changed = folder.path().join("changed");
        fs::write(&changed, bytes).expect("written");
        let found = play(&changed).expect_err("it is damaged");
        let ReplayFailed::Damaged {
            life: 1,
            turn: last,
            ..
        } = found
        else {
            panic!("{found}")
        };
        assert_eq!(last, turn - 1);
    }
}

/// Somebody changes inputs and makes the sums fit.
#[test]
fn another_input_is_another_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let [record, _] = &*TALK;
    let inputs = inputs(record);
    for noted in inputs.iter().step_by(9) {
        // The first byte says how long the list is in which the input is written; no other fits.
        let found = play_forged(folder.path(), record, noted.entry, noted.input.start);
        let Some(ReplayFailed::Input { life: 1, turn }) = found else {
            panic!("{found:?}")
        };
        assert_eq!(turn, noted.turn);
    }
    // Once the two have met, long frames are envelopes. They cannot be changed without a difference,
    // in their own turn: whatever a frame says now, something else is sent to be checked, or nothing.
    let met = inputs.len() / 2;
    let frames = inputs
        .iter()
        .skip(met)
        .filter(|noted| record[noted.input.start + 1] == 1 && noted.input.len() > 250);
    let mut tried = 0;
    for noted in frames.step_by(3) {
        let middle = noted.input.start + noted.input.len() / 2;
        let found = play_forged(folder.path(), record, noted.entry, middle);
        let Some(ReplayFailed::Differs { life: 1, turn }) = found else {
            panic!("turn {}: {found:?}", noted.turn)
        };
        assert_eq!(turn, noted.turn);
        tried += 1;
    }
    assert!(tried > 3, "{tried}");
}

#[test]
fn a_record_with_another_key_differs_from_its_first_output_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let [record, _] = &*TALK;
    let entry = b"waystation record 1\n".len();
    // The head of the list and that of the first byte string stand before the node's key.
    let found = play_forged(folder.path(), record, entry, entry + HEAD + 1 + 2);
    let found = found.expect("it is another node");
    assert!(matches!(found, ReplayFailed::Differs { .. }), "{found}");
}
