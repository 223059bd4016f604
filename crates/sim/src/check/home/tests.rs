//! Truth and lies, told to the checkers of one node.

use crate::check::delivery::Delivery;
use crate::check::facts::tests::{header, plan};
use crate::check::fixture::{ADA, BEN, CLEO, CORE, LOCAL, MALLORY, Town, id_of};
use crate::check::home::name;
use crate::check::written::Mailed;
use crate::check::{Ended, Facts, Message, Scene, Watch};
use crate::disk::{Disk, Pool};
use crate::plan::{Act, NodeNo, Plan, START_MS, Step};
use identity::{EnvelopeId, NodeId, SecretKey, TopicId};
use lace::rows::{BODY, HEADER, ID, LACE};
use machine::{Batch, Table, Time, TurnUse, WallTime};
use node::command::{Line, LineKind, Mail, MessageId, Reply};
use std::sync::Arc;
use wire::{
    Checked, Class, CutEntry, Frame, Header, MailReceipt, Receipt, ReceiptKind, TopicFrame,
    Verified, sign_mail_receipt, sign_receipt,
};

/// One node of a town, with its disk.
struct One<'t> {
    town: &'t Town,
    no: NodeNo,
    watch: Watch,
    disk: Disk,
    wall: WallTime,
}

impl<'t> One<'t> {
    fn new(town: &'t Town, no: NodeNo) -> Self {
        let disk = Disk::new(&Arc::new(Pool::new()));
        let wall = WallTime::from_millis(START_MS + 1_000);
        let mut one = Self {
            town,
            no,
            watch: Watch::default(),
            disk,
            wall,
        };
        one.tell(|watch, scene, disk| watch.started(scene, disk));
        one
    }

    /// Lets something happen; gives what was broken.
    fn tell(&mut self, f: impl FnOnce(&mut Watch, &mut Scene<'_>, &Disk)) -> Vec<&'static str> {
        let mut broken = Vec::new();
        let mut scene = Scene {
            now: Time::from_micros(7),
            wall: self.wall,
            no: self.no,
            plan: &self.town.plan,
            facts: &self.town.facts,
            broken: &mut broken,
        };
        f(&mut self.watch, &mut scene, &self.disk);
        let own = |broken: &crate::check::Broken| {
            !matches!(
                broken.promise,
                "rights" | "carriage" | "silence" | "members"
            )
        };
        broken
            .into_iter()
            .filter(own)
            .map(|broken| broken.promise)
            .collect()
    }

    fn commit(&mut self, mut writes: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>) -> Vec<&'static str> {
        writes.sort();
        let batch = Batch {
            number: 1,
            last_turn: 1,
            writes,
        };
        let found = self.tell(|watch, scene, disk| watch.commits(scene, &batch, disk));
        self.disk.apply(&batch);
        found
    }

    /// All rows that the town has for this node.
    fn commit_all(&mut self) -> Vec<&'static str> {
        self.commit(self.town.batch(self.no).writes)
    }

    fn says(&mut self, frame: &Frame) -> Vec<&'static str> {
        let bytes = frame.encode();
        self.tell(|watch, scene, disk| watch.leaves(scene, CLEO, &bytes, disk))
    }

    fn answers(&mut self, reply: &Reply) -> Vec<&'static str> {
        self.tell(|watch, scene, disk| watch.answered(scene, reply, disk))
    }

    /// It says that it has these: of whom, up to which number, and what it lacks.
    fn acknowledges(
        &mut self,
        counter: u64,
        of: &[(NodeNo, u64)],
        lacks: &[(u16, u64)],
    ) -> Vec<&'static str> {
        let mut cut: Vec<CutEntry> = of
            .iter()
            .map(|(no, number)| CutEntry {
                author: self.town.author(*no),
                number: *number,
                id: EnvelopeId::from_bytes([1; 32]),
            })
            .collect();
        cut.sort_unstable();
        let receipt = Receipt {
            topic: self.town.topic,
            holder: self.town.author(self.no),
            counter,
            kind: ReceiptKind::Delivered,
            cut,
            exceptions: lacks.to_vec(),
            until: 0,
            time: START_MS,
            operator: None,
        };
        let signed = sign_receipt(receipt, self.town.author_key(self.no)).expect("well formed");
        let receipts = vec![signed.get().to_raw()];
        self.says(&Frame::Topic {
            topic: self.town.topic,
            frame: TopicFrame::Receipts { receipts },
        })
    }

    /// The keys of one table, as they are on the disk.
    fn keys(&self, table: Table) -> Vec<Vec<u8>> {
        let rows = self.disk.rows().filter(|(id, ..)| *id == table.id());
        rows.map(|(_, key, _)| key).collect()
    }

    /// Removes the row of an envelope.
    fn remove(&mut self, table: Table, which: &Checked<Verified>) -> Vec<&'static str> {
        let branch = &which.get().envelope.id.as_bytes()[..16];
        let key = self
            .keys(table)
            .into_iter()
            .find(|key| key.ends_with(branch));
        self.commit(vec![(table, key.expect("it is there"), None)])
    }
}

/// A town in which Ben has said one thing more, of which `whole` says whether Ada has its body.
fn town(whole: bool) -> (Town, Checked<Verified>) {
    let mut town = Town::settled();
    let said = town.say(BEN, &[]);
    if whole {
        town.give(ADA, &said);
    } else {
        town.give_header(ADA, &said);
    }
    (town, said)
}

#[test]
fn a_true_receipt_is_believed_and_an_early_one_is_not() {
    let (town, _) = town(true);
    let mut ada = One::new(&town, ADA);
    assert_eq!(ada.commit_all(), [""; 0]);
    assert_eq!(ada.acknowledges(1, &[(BEN, 3), (CLEO, 2)], &[]), [""; 0]);
    assert_eq!(
        ada.acknowledges(2, &[(BEN, 4)], &[]),
        ["durability"],
        "what nobody has seen"
    );
    assert_eq!(
        ada.acknowledges(2, &[(BEN, 4)], &[]),
        [""; 0],
        "each is looked at once"
    );
    let mut early = One::new(&town, CORE);
    let genesis = early.commit(town.batch(CORE).writes);
    assert_eq!(genesis, [""; 0]);
    let held = |town: &Town, topic| {
        let receipt = Receipt {
            topic,
            holder: town.author(CORE),
            counter: 1,
            kind: ReceiptKind::Held,
            cut: Vec::new(),
            exceptions: Vec::new(),
            until: START_MS + 86_400_000,
            time: START_MS,
            operator: None,
        };
        let signed = sign_receipt(receipt, town.author_key(CORE)).expect("well formed");
        let receipts = vec![signed.get().to_raw()];
        Frame::Topic {
            topic,
            frame: TopicFrame::Receipts { receipts },
        }
    };
    // Its author key stands for its node key.
    town.facts.add_node(town.author_key(CORE).node_id(), CORE);
    assert_eq!(
        early.says(&held(&town, TopicId::from_bytes([8; 32]))),
        ["durability"]
    );
    assert_eq!(early.says(&held(&town, town.topic)), [""; 0]);
    let mark = [&LOCAL.to_be_bytes()[..], b"x"].concat();
    let forget = vec![(LACE, mark, Some(Vec::new()))];
    assert_eq!(
        early.commit(forget),
        ["durability"],
        "it was promised for a day"
    );
}

#[test]
fn receipts_of_a_home_are_believed_until_its_copy_comes_to_life() {
    let (mut town, _) = town(true);
    town.plan.nodes[MALLORY as usize].twin_of = Some(ADA);
    let mut ada = One::new(&town, ADA);
    assert_eq!(ada.commit_all(), [""; 0]);
    let lies = |ada: &mut One<'_>, counter| ada.acknowledges(counter, &[(BEN, 9)], &[]);
    assert_eq!(
        lies(&mut ada, 1),
        ["durability"],
        "the copy is only planned"
    );
    let _copy = One::new(&town, MALLORY);
    assert_eq!(lies(&mut ada, 2), [""; 0], "the copy may have said it");
    assert!(!town.facts.is_doubled(BEN));
}

#[test]
fn an_own_envelope_waits_for_the_disk() {
    let (mut town, _) = town(true);
    let next = town.say(ADA, &[]);
    let mut ada = One::new(&town, ADA);
    ada.commit_all();
    ada.acknowledges(1, &[(BEN, 3)], &[]);
    let envelopes = vec![next.get().envelope.to_raw(None)];
    let frame = TopicFrame::Envelopes {
        envelopes,
        last: false,
    };
    let frame = Frame::Topic {
        topic: town.topic,
        frame,
    };
    assert_eq!(ada.says(&frame), ["release"]);
    town.give(ADA, &next);
    let mut ada = One::new(&town, ADA);
    ada.commit_all();
    assert_eq!(ada.says(&frame), [""; 0]);
    let sent = Reply::Sent {
        ids: vec![MessageId {
            envelope: id_of(&next),
            index: 0,
        }],
        warnings: Vec::new(),
    };
    assert_eq!(ada.answers(&sent), [""; 0]);
    assert_eq!(
        ada.remove(BODY, &next),
        ["durability"],
        "its own, which it said was stored"
    );
}

#[test]
fn a_missing_body_must_be_named() {
    let (town, said) = town(false);
    let mut ada = One::new(&town, ADA);
    ada.commit_all();
    assert_eq!(ada.acknowledges(1, &[(BEN, 3)], &[(0, 3)]), [""; 0]);
    assert_eq!(
        ada.acknowledges(2, &[(BEN, 3)], &[]),
        ["durability"],
        "it has not come"
    );
    let mut ada = One::new(&town, ADA);
    ada.commit_all();
    assert_eq!(ada.acknowledges(1, &[(BEN, 3)], &[]), ["durability"]);
    let mut ada = One::new(&town, ADA);
    ada.commit_all();
    ada.acknowledges(1, &[(BEN, 3)], &[(0, 3)]);
    let branch = &said.get().envelope.id.as_bytes()[..16];
    let key = ada
        .keys(HEADER)
        .into_iter()
        .find(|key| key.ends_with(branch))
        .expect("there");
    assert_eq!(
        ada.commit(vec![(BODY, key, Some(b"said".to_vec()))]),
        [""; 0]
    );
    assert_eq!(
        ada.acknowledges(2, &[(BEN, 3)], &[]),
        [""; 0],
        "it has come"
    );
}

#[test]
fn what_was_acknowledged_stays_until_its_time_is_over() {
    let (town, said) = town(true);
    let fresh = || {
        let mut ada = One::new(&town, ADA);
        ada.commit_all();
        ada
    };
    let mut ada = fresh();
    assert_eq!(ada.remove(BODY, &said), [""; 0], "nobody was told");
    let mut ada = fresh();
    ada.acknowledges(1, &[(BEN, 3)], &[]);
    assert_eq!(ada.remove(BODY, &said), ["durability"]);
    let mut ada = fresh();
    ada.acknowledges(1, &[(BEN, 3)], &[]);
    ada.wall = WallTime::from_millis(START_MS + 30 * 86_400_000);
    assert_eq!(ada.remove(BODY, &said), [""; 0], "its time is over");
    assert_eq!(
        ada.remove(HEADER, &said),
        ["durability"],
        "headers stay for ever"
    );
    let mut ada = fresh();
    ada.acknowledges(1, &[(BEN, 3)], &[]);
    let disk = ada.disk.clone();
    ada.tell(|watch, scene, _| {
        watch.ended(scene, Ended::SetBack { noticed: true }, &disk);
        watch.started(scene, &disk);
    });
    assert_eq!(ada.remove(BODY, &said), [""; 0], "the disk had lied");
    let mut ada = fresh();
    ada.acknowledges(1, &[(BEN, 3)], &[]);
    let mark = [&LOCAL.to_be_bytes()[..], b"x"].concat();
    ada.commit(vec![(LACE, mark, Some(Vec::new()))]);
    assert_eq!(ada.remove(HEADER, &said), [""; 0], "the topic goes");
}

#[test]
fn an_envelope_without_its_past_is_found() {
    let mut town = Town::settled();
    let ben = town.say(BEN, &[]);
    town.give(BEN, &ben);
    let cleo = town.say(CLEO, &[&ben]);
    let mut writes = town.batch(ADA).writes;
    // The world has heard of all of it, of one after the other.
    assert_eq!(One::new(&town, BEN).commit_all(), [""; 0]);
    town.give(CLEO, &ben);
    town.give(CLEO, &cleo);
    assert_eq!(One::new(&town, CLEO).commit_all(), [""; 0]);
    let mut ada = One::new(&town, ADA);
    let envelope = &cleo.get().envelope;
    let id = [&LOCAL.to_be_bytes()[..], envelope.id.as_bytes()].concat();
    let of_cleo = town.batch(CLEO).writes;
    let row = of_cleo
        .iter()
        .find(|(table, key, _)| *table == ID && *key == id)
        .expect("there");
    writes.push(row.clone());
    assert_eq!(ada.commit(writes), ["past"]);
    let mut ada = One::new(&town, ADA);
    ada.commit_all();
    let key = [
        &LOCAL.to_be_bytes()[..],
        &[0; 4],
        &9_u64.to_be_bytes(),
        &[7; 16],
    ]
    .concat();
    assert_eq!(
        ada.commit(vec![(HEADER, key, Some(vec![0; 80]))]),
        ["past"],
        "after a gap"
    );
}

#[test]
fn an_acknowledgement_that_nobody_gave_is_found() {
    let mut town = Town::settled();
    let ada_said = town.say(ADA, &[]);
    town.give_all(&ada_said);
    let before = town.batch(ADA).writes;
    let ben = town.say(BEN, &[&ada_said]);
    town.give_all(&ben);
    let with_ben = town.batch(ADA).writes;
    let cleo = town.say(CLEO, &[&ben]);
    town.give_all(&cleo);
    let device = |no: NodeNo| {
        town.secrets[no as usize]
            .key_in(town.topic, &town.genesis)
            .public()
    };
    let word = |no: NodeNo| {
        let (id, device) = (id_of(&ada_said).to_bytes(), device(no).to_bytes());
        let key = [&LOCAL.to_be_bytes()[..], &id, &device].concat();
        (topic::rows::ACK, key, Some(vec![0; 8]))
    };
    let mut ada = One::new(&town, ADA);
    ada.commit(before);
    assert_eq!(
        ada.commit([with_ben.clone(), vec![word(BEN)]].concat()),
        [""; 0]
    );
    let all = town.batch(ADA).writes;
    assert_eq!(
        ada.commit([all, vec![word(CLEO)]].concat()),
        ["evidence"],
        "Cleo named Ben"
    );
}

#[test]
fn a_cut_and_lines_before_their_time_are_found() {
    let (town, _) = town(true);
    let mut ada = One::new(&town, ADA);
    ada.commit_all();
    let cut = |number| Frame::Topic {
        topic: town.topic,
        frame: TopicFrame::Cut {
            entries: vec![CutEntry {
                author: town.author(BEN),
                number,
                id: EnvelopeId::from_bytes([1; 32]),
            }],
            first: true,
            last: true,
        },
    };
    assert_eq!(ada.says(&cut(3)), [""; 0]);
    assert_eq!(ada.says(&cut(4)), ["release"]);
    let serving = |topic| Frame::CoreServing { topic };
    assert_eq!(ada.says(&serving(town.topic)), [""; 0]);
    assert_eq!(
        ada.says(&serving(TopicId::from_bytes([8; 32]))),
        ["release"]
    );
    let sent = |envelope| Reply::Sent {
        ids: vec![MessageId { envelope, index: 0 }],
        warnings: Vec::new(),
    };
    assert_eq!(
        ada.answers(&sent(EnvelopeId::from_bytes([6; 32]))),
        ["release"]
    );
    let inbox = Reply::Inbox {
        mails: vec![mail(1, 3)],
        last: 1,
        more: false,
    };
    assert!(ada.answers(&inbox).contains(&"release"));
}

#[test]
fn what_is_only_parked_is_not_passed_on() {
    let (town, _) = town(true);
    let parked = town.say_after(BEN, None, &[], "not yet");
    let raw = parked.get().envelope.to_raw(None);
    let mut ada = One::new(&town, ADA);
    ada.commit_all();
    let frame = TopicFrame::Envelopes {
        envelopes: vec![raw],
        last: false,
    };
    let frame = Frame::Topic {
        topic: town.topic,
        frame,
    };
    assert_eq!(ada.says(&frame), [""; 0], "it may still become durable");
    let turn = |ada: &mut One<'_>, waiting| {
        ada.tell(|watch, scene, _| watch.turned(scene, TurnUse::default(), waiting))
    };
    assert_eq!(turn(&mut ada, 1), [""; 0]);
    assert_eq!(turn(&mut ada, 0), ["parked"]);
    let much = TurnUse {
        reads: 1 << 20,
        staged: 0,
        outputs: 0,
    };
    assert_eq!(
        ada.tell(|watch, scene, _| watch.turned(scene, much, 0)),
        ["bounds"]
    );
}

fn mail(n: u64, step: u32) -> Mail {
    Mail {
        n,
        id: MessageId {
            envelope: EnvelopeId::from_bytes([n as u8; 32]),
            index: 0,
        },
        from: NodeId::from_bytes([1; 32]),
        from_name: String::new(),
        at: 0,
        text: Message { step, index: 0 }.text(20),
    }
}

/// A screen before node 2 of a plan: two messages in the first topic, one in the second, a mail.
struct Before {
    plan: Plan,
    facts: Facts,
    delivery: Delivery,
}

impl Before {
    fn new() -> Self {
        let mut plan = plan(&[(0, 2), (1, 1)]);
        plan.steps.push(Step {
            at_ms: 0,
            act: Act::Mail {
                node: 1,
                to: 2,
                bytes: 20,
                best_effort: false,
            },
        });
        let facts = Facts::new(2, 3);
        for no in 0..2 {
            facts.change_topic(no, |facts| facts.id = Some(topic_id(no)));
        }
        Self {
            plan,
            facts,
            delivery: Delivery::default(),
        }
    }

    fn told(&mut self, reply: &Reply) -> usize {
        let mut broken = Vec::new();
        let mut scene = Scene {
            now: Time::from_micros(7),
            wall: WallTime::from_millis(START_MS),
            no: 2,
            plan: &self.plan,
            facts: &self.facts,
            broken: &mut broken,
        };
        let disk = Disk::new(&Arc::new(Pool::new()));
        self.delivery.answered(&mut scene, reply, &disk);
        broken.len()
    }

    fn shows(&mut self, lines: Vec<Line>) -> usize {
        let last = lines.last().map_or(0, |line| line.n);
        self.told(&Reply::Lines {
            topic: topic_id(0),
            lines,
            last,
            more: false,
        })
    }

    fn learn(&self, id: u8, deps: &[u8], class: Class) {
        let deps = deps
            .iter()
            .map(|dep| EnvelopeId::from_bytes([*dep; 32]))
            .collect();
        let header = Header {
            deps,
            class,
            ..header([id; 32], 1)
        };
        self.facts
            .learn(EnvelopeId::from_bytes([id; 32]), 0, &header);
    }
}

fn topic_id(no: u32) -> TopicId {
    TopicId::from_bytes([no as u8 + 100; 32])
}

fn line(n: u64, envelope: u8, text: &str) -> Line {
    Line {
        n,
        id: MessageId {
            envelope: EnvelopeId::from_bytes([envelope; 32]),
            index: 0,
        },
        from: "device".to_owned(),
        from_name: String::new(),
        at: 0,
        seq: 1,
        kind: if text.is_empty() {
            LineKind::Gap
        } else {
            LineKind::Text
        },
        text: text.to_owned(),
    }
}

fn text(step: u32, index: u32) -> String {
    Message { step, index }.text(20)
}

#[test]
fn each_message_is_shown_once() {
    let mut before = Before::new();
    let first = line(1, 1, &text(0, 0));
    assert_eq!(before.shows(vec![first.clone()]), 0);
    assert_eq!(
        before.delivery.newly_shown(),
        [Message { step: 0, index: 0 }]
    );
    assert_eq!(
        before.shows(vec![first.clone()]),
        0,
        "the answer was lost on its way"
    );
    assert_eq!(before.delivery.newly_shown(), []);
    assert_eq!(before.shows(vec![line(2, 1, &text(0, 0))]), 1, "once more");
    assert_eq!(
        before.shows(vec![line(2, 1, &text(0, 1))]),
        1,
        "another under an old number"
    );
    assert_eq!(
        before.shows(vec![line(3, 1, &text(1, 0))]),
        1,
        "of another topic"
    );
    assert_eq!(
        before.shows(vec![line(4, 1, &text(0, 7))]),
        1,
        "nobody wrote so many"
    );
    assert_eq!(
        before.shows(vec![line(5, 1, "m0.1 xxyx")]),
        1,
        "changed on its way"
    );
    assert!(before.delivery.has(0, 0) && before.delivery.has(0, 1));
    assert!(!before.delivery.has(0, 2) && !before.delivery.has(1, 0));
    before.delivery.set_back();
    assert_eq!(before.shows(vec![first]), 0, "it had lost it");
    let back = vec![line(3, 2, &text(0, 1)), line(3, 3, "")];
    assert_eq!(before.shows(back), 1, "numbers count up");
}

#[test]
fn what_is_named_comes_first() {
    for gap in [true, false] {
        let mut before = Before::new();
        before.learn(1, &[], Class::Content);
        before.learn(2, &[1], Class::Control);
        before.learn(3, &[2], Class::Content);
        if gap {
            assert_eq!(
                before.shows(vec![line(1, 1, ""), line(2, 3, &text(0, 0))]),
                0
            );
            assert_eq!(
                before.shows(vec![line(3, 1, &text(0, 1))]),
                0,
                "its body has come"
            );
        } else {
            assert_eq!(before.shows(vec![line(1, 3, &text(0, 0))]), 1);
        }
    }
    let mut before = Before::new();
    before.learn(1, &[], Class::Content);
    before.learn(3, &[1], Class::Content);
    assert_eq!(
        before.shows(vec![line(9, 3, &text(0, 0))]),
        0,
        "who reads late knows less"
    );
    let other = "another device".to_owned();
    let stolen = Line {
        from: other,
        ..line(10, 1, &text(0, 1))
    };
    assert_eq!(before.shows(vec![stolen]), 1, "under another name");
}

#[test]
fn each_mail_is_shown_once() {
    let mut before = Before::new();
    let inbox = |mails: Vec<Mail>| Reply::Inbox {
        mails,
        last: 0,
        more: false,
    };
    assert_eq!(before.told(&inbox(vec![mail(1, 2)])), 0);
    assert!(before.delivery.has_mail(2));
    assert_eq!(before.told(&inbox(vec![mail(1, 2)])), 0, "asked again");
    assert_eq!(before.told(&inbox(vec![mail(2, 2)])), 1, "a second time");
    assert_eq!(before.told(&inbox(vec![mail(3, 0)])), 1, "no mail");
}

/// A row of the router or the core node's half, as far as checkers read it.
fn row(fields: &[&[u8]]) -> Vec<u8> {
    [&[0x80 + fields.len() as u8][..], &fields.concat()].concat()
}

fn bytes(bytes: &[u8; 32]) -> Vec<u8> {
    [&[0x58, 32][..], bytes].concat()
}

#[test]
fn receipts_for_mail_rest_on_the_disk() {
    let town = Town::settled();
    let key = SecretKey::from_seed([5; 32]);
    town.facts.add_node(key.node_id(), CORE);
    let id = |byte: u8| EnvelopeId::from_bytes([byte; 32]);
    let says = |kind: ReceiptKind, byte: u8| {
        let receipt = MailReceipt {
            holder: key.node_id(),
            kind,
            ids: vec![id(byte)],
            until: if kind == ReceiptKind::Held {
                START_MS + 86_400_000
            } else {
                0
            },
            time: START_MS,
            operator: None,
        };
        let signed = sign_mail_receipt(receipt, &key).expect("well formed");
        Frame::MailReceipt(signed.get().to_raw())
    };
    let mut core = One::new(&town, CORE);
    // For a client: the mark and the mail.
    assert_eq!(
        core.says(&says(ReceiptKind::Held, 1)),
        ["durability"],
        "it never came"
    );
    let (marks, mails) = (
        Table::new(108, "custody_mail_marks"),
        Table::new(107, "custody_mails"),
    );
    let (mark, held) = (
        [[7; 32], [1; 32]].concat(),
        [&[7; 32][..], &3_u64.to_be_bytes()].concat(),
    );
    let waits = row(&[&[0], &[3], &[0xf6], &[0]]);
    let over = row(&[&[0], &[0xf6], &[0xf6], &[0]]);
    let kept = row(&[&bytes(&[1; 32]), &bytes(&[8; 32]), &[0x40]]);
    let put = vec![
        (marks, mark.clone(), Some(waits)),
        (mails, held.clone(), Some(kept)),
    ];
    assert_eq!(core.commit(put), [""; 0]);
    assert_eq!(core.says(&says(ReceiptKind::Held, 1)), [""; 0]);
    let mut other = One::new(&town, CORE);
    other.disk = core.disk.clone();
    other.tell(|watch, scene, disk| watch.started(scene, disk));
    assert_eq!(
        core.commit(vec![(mails, held.clone(), None)]),
        ["durability"],
        "it is promised"
    );
    let done = vec![(marks, mark, Some(over)), (mails, held, None)];
    assert_eq!(core.commit(done), [""; 0], "it was handed over");

    // For itself: the inbox, and nothing for what is not kept.
    let source = NodeId::from_bytes([2; 32]);
    let mail = name(&source, &key.node_id(), 9);
    let noted = Mailed {
        name: crate::check::peek::short(mail.as_bytes()),
        live: false,
    };
    town.facts.written.mailed(id(2), noted);
    town.facts.written.mailed(
        id(3),
        Mailed {
            live: true,
            ..noted
        },
    );
    assert_eq!(core.says(&says(ReceiptKind::Delivered, 2)), ["durability"]);
    let inbox = (Table::new(91, "router_inbox"), 1_u64.to_be_bytes().to_vec());
    let counts = (Table::new(94, "router_counts"), b"only".to_vec());
    let (received, counted) = (row(&[&bytes(&mail.to_bytes())]), row(&[&[0], &[1], &[0]]));
    let put = vec![
        (inbox.0, inbox.1.clone(), Some(received)),
        (counts.0, counts.1, Some(counted)),
    ];
    assert_eq!(core.commit(put), [""; 0]);
    assert_eq!(core.says(&says(ReceiptKind::Delivered, 2)), [""; 0]);
    assert_eq!(
        core.says(&says(ReceiptKind::Delivered, 3)),
        ["durability"],
        "nobody keeps it"
    );
    assert_eq!(
        core.commit(vec![(inbox.0, inbox.1, None)]),
        ["durability"],
        "not confirmed"
    );
}

#[test]
fn mail_that_waits_is_kept_and_its_rows_go_with_it() {
    let town = Town::settled();
    let queue = Table::new(84, "router_queue");
    let (payloads, order) = (
        Table::new(85, "router_queue_payloads"),
        Table::new(87, "router_queue_order"),
    );
    let queued = |end: u8| {
        let mut fields: Vec<&[u8]> = vec![&[0x40], &[1], &[1], &[0x60], &[5], &[5], &[0], &[0xf6]];
        let end = [end];
        fields.extend([&[0x80][..], &end]);
        Some(row(&fields))
    };
    let key = vec![4; 32];
    let put = |end| {
        vec![
            (queue, vec![4; 32], queued(end)),
            (payloads, vec![4; 32], Some(vec![1])),
            (order, vec![9; 40], Some(vec![1])),
        ]
    };
    let mut ada = One::new(&town, ADA);
    assert_eq!(ada.commit(put(0)), [""; 0]);
    let sent = Reply::Sent {
        ids: vec![MessageId {
            envelope: EnvelopeId::from_bytes([4; 32]),
            index: 0,
        }],
        warnings: Vec::new(),
    };
    assert_eq!(ada.answers(&sent), [""; 0]);
    assert_eq!(
        ada.answers(&sent),
        ["numbers"],
        "the same name for another mail"
    );
    let drop = vec![(payloads, key.clone(), None), (order, vec![9; 40], None)];
    assert_eq!(
        ada.commit(drop),
        ["durability"],
        "nobody has acknowledged it"
    );
    let mut ada = One::new(&town, ADA);
    ada.commit(put(0));
    let end = |payload: bool| {
        let mut writes = vec![(queue, key.clone(), queued(1)), (order, vec![9; 40], None)];
        if payload {
            writes.push((payloads, key.clone(), None));
        }
        writes
    };
    let mut leaking = One::new(&town, ADA);
    leaking.commit(put(0));
    assert_eq!(ada.commit(end(true)), [""; 0]);
    assert_eq!(
        leaking.commit(end(false)),
        ["bounds"],
        "a payload without a mail"
    );
}
