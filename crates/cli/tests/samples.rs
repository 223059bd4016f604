//! One of everything that the node may answer, with every field that may be missing once there and
//! once not.

mod asks;

use ::node::command::devices::{Branch, Choice, DeviceReply, DeviceRow, DeviceTopic};
use ::node::command::files::{File, FilesReply};
use ::node::command::owners::{Owner, Owners, OwnersReply, Proposal, ProposedEnd, ProposedGrant};
use ::node::command::public::PublicReply;
use ::node::command::{self as node, LineKind, Reply, WaitFor};
use cli::request::End;
use cli::schema::{self, Version, to_line};
use cli::translate::{Asked, answer};
use identity::{EnvelopeId, NodeId, TopicId};

pub(crate) use asks::asks;

pub(crate) fn node_id() -> NodeId {
    NodeId::from_bytes([7; 32])
}

pub(crate) fn topic_id() -> TopicId {
    TopicId::from_bytes([9; 32])
}

pub(crate) fn message(index: u16) -> node::MessageId {
    node::MessageId {
        envelope: EnvelopeId::from_bytes([5; 32]),
        index,
    }
}

const HEX: &str = "0505050505050505050505050505050505050505050505050505050505050505";

pub(crate) fn line(n: u64, kind: LineKind, text: &str) -> node::Line {
    node::Line {
        n,
        id: message(u16::try_from(n % 3).unwrap()),
        from: HEX.into(),
        from_name: "bob".into(),
        at: 1_800_000_000_000 + n,
        seq: n,
        kind,
        text: text.into(),
    }
}

pub(crate) fn mail(n: u64) -> node::Mail {
    node::Mail {
        n,
        id: message(0),
        from: node_id(),
        from_name: "carol".into(),
        at: 1_800_000_000_000,
        text: format!("mail {n}"),
    }
}

fn file() -> File {
    File {
        n: 1,
        id: message(0),
        name: "x".into(),
        size: 1,
        entries: 1,
        folder: true,
        from: "bob".into(),
        at: 1_800_000_000_000,
        have: 1,
        parts: 2,
        block: 1_024,
        wanted: true,
        sources: 1,
    }
}

fn topic_row() -> node::TopicRow {
    node::TopicRow {
        id: topic_id(),
        name: "ops".into(),
        role: "member".into(),
        members: 2,
        unread: 1,
        lines: 5,
    }
}

fn members() -> Vec<node::Member> {
    let device = |own: bool| node::MemberDevice {
        device: HEX.into(),
        name: "bob".into(),
        own,
        seated: own,
        share: if own { 128 } else { 0 },
        left: !own,
        envelopes: 3,
    };
    let right = |full: bool| node::MemberRight {
        right: if full {
            node::Right::Publish
        } else {
            node::Right::Admit
        },
        from: u64::from(full),
        until: full.then_some(2),
        over: full,
    };
    let end = |how| node::End {
        how,
        by: HEX.into(),
        by_name: "carol".into(),
        at: 1,
        above: true,
        rights: vec![node::Right::Publish],
    };
    let grant = |kind, ended: Option<node::End>| node::MemberGrant {
        id: HEX.into(),
        kind,
        parent: ended.is_some().then(|| HEX.into()),
        depth: 1,
        since: 1,
        stands: ended.is_none(),
        writes: true,
        rights: vec![right(true), right(false)],
        messages: ended.is_some().then_some(10),
        bytes: ended.is_some().then_some(1000),
        total_envelopes: ended.is_some().then_some(64),
        total_bytes: ended.is_some().then_some(1 << 20),
        used: ended.is_some().then_some(node::Used {
            messages: Some(3),
            bytes: Some(500),
            total_envelopes: Some(5),
            total_bytes: Some(900),
        }),
        came: ended.is_some().then(|| node::Came {
            invite: Some(HEX.into()),
            claim: HEX.into(),
            envelope: HEX.into(),
            place: Some(3),
            uses: Some(2),
        }),
        by: ended.is_some().then(|| HEX.into()),
        by_name: "carol".into(),
        ended: ended.into_iter().collect(),
    };
    let member = |devices: Vec<node::MemberDevice>, grants| node::Member {
        id: HEX.into(),
        devices,
        grants,
    };
    let closed = grant(node::GrantKind::Invite, Some(end(node::Ending::Closed)));
    let revoked = grant(node::GrantKind::Grant, Some(end(node::Ending::Revoked)));
    vec![
        member(vec![device(true)], vec![grant(node::GrantKind::Own, None)]),
        member(vec![device(true), device(false)], vec![closed, revoked]),
    ]
}

fn topic_info() -> node::TopicInfo {
    node::TopicInfo {
        row: topic_row(),
        members: vec![node::MemberRow {
            device: HEX.into(),
            name: "bob".into(),
            own: true,
            left: false,
            envelopes: 3,
        }],
        cores: vec![(node_id(), "core.example.org:4433".into())],
        envelopes: 5,
        bytes: 4096,
        files: (1, Some(2)),
        invites: vec![node::InviteRow {
            grant: HEX.into(),
            uses: 2,
            used: 1,
            until: 1,
        }],
        forked: vec![HEX.into()],
        peers: 1,
        waiting: vec![node::Claimant {
            device: HEX.into(),
            invite: HEX.into(),
            claim: HEX.into(),
            at: 1,
            beyond: true,
        }],
        waits_for: Some("a welcome by alice".into()),
        releases: vec![node::Release {
            member: HEX.into(),
            at: 1,
            rights: invited_rights(),
        }],
        public: true,
        device: Some(HEX.into()),
    }
}

fn invited_rights() -> Vec<node::AskedRight> {
    vec![node::AskedRight {
        right: node::Right::Read,
        from: 1,
        until: Some(2),
    }]
}

pub(crate) fn status(problems: Vec<node::Problem>) -> node::Status {
    node::Status {
        reach: ::node::Reach::Any,
        id: node_id(),
        name: "alice".into(),
        core: false,
        links: 1,
        topics: 1,
        queued: 0,
        store_bytes: 10,
        store_limit: 20,
        rules: "in 2; what no rule of these lists names is refused".into(),
        cores: vec![core(true)],
        problems,
    }
}

fn core(full: bool) -> node::Core {
    let share = node::CoreShare {
        topic: topic_id(),
        name: "ops".into(),
        share: 100,
        own: 60,
        guests: 30,
    };
    node::Core {
        id: node_id(),
        address: "a".into(),
        state: if full { "refused" } else { "agreed" }.into(),
        quota: 1,
        used: 1,
        linked: true,
        topics: 1,
        headers: 1,
        header_quota: 2,
        shares: if full { vec![share] } else { Vec::new() },
        said: full.then_some(1),
        reason: full.then(|| "ended".into()),
        refused_since: full.then_some(1),
        held_until: full.then_some(2),
        hint: full.then(|| "h".into()),
        retires: full.then_some(1),
        broken: full.then(|| (1, "b".into())),
        gone: full.then_some(1),
        operator: full.then(|| identity::OperatorTag::of("o")),
    }
}

pub(crate) fn warning() -> node::Problem {
    node::Problem {
        code: "core-nearly-full".into(),
        text: "nearly full".into(),
        hint: "h".into(),
    }
}

fn peer(full: bool) -> node::Peer {
    node::Peer {
        id: node_id(),
        name: "bob".into(),
        linked: full,
        transport: "quic".into(),
        address: "203.0.113.4:4433".into(),
        round_trip_us: full.then_some(1500),
        since: full.then_some(1_800_000_000_000),
        why: "added".into(),
        by: full.then(node_id),
    }
}

fn why() -> node::Why {
    let state = |full: bool| node::State {
        state: "held".into(),
        by: node_id().to_string(),
        by_name: String::new(),
        at: 1,
        operator: full.then(|| identity::OperatorTag::of("o")),
        until: full.then_some(2),
        reason: full.then(|| "because".into()),
    };
    node::Why {
        id: message(0),
        to: topic_id().to_string(),
        states: vec![state(true), state(false)],
        delivered: 1,
        members: 2,
        held: 1,
        waits_for: vec!["carol".into()],
        hint: String::new(),
    }
}

fn owner() -> Owner {
    Owner {
        device: HEX.into(),
        name: "a".into(),
        own: true,
    }
}

fn proposed_grant(full: bool) -> ProposedGrant {
    ProposedGrant {
        member: HEX.into(),
        name: "b".into(),
        rights: vec![node::MemberRight {
            right: node::Right::Publish,
            from: u64::from(full),
            until: full.then_some(2),
            over: false,
        }],
        messages: full.then_some(10),
        bytes: full.then_some(1_000),
    }
}

fn proposal() -> Proposal {
    Proposal {
        id: HEX.into(),
        topic: topic_id(),
        name: "ops".into(),
        text: "adds b".into(),
        gives: vec![proposed_grant(true), proposed_grant(false)],
        takes: vec![ProposedEnd {
            grant: HEX.into(),
            name: "b".into(),
            only: vec![node::Right::Read],
            cascade: true,
        }],
        since: 1,
        signed: vec![owner()],
        waits_for: vec![owner()],
        lacks: 1,
        done: false,
    }
}

fn branch(may: Choice) -> Branch {
    Branch {
        topic: topic_id(),
        name: "ops".into(),
        member: HEX.into(),
        own: true,
        act: HEX.into(),
        counts: true,
        adds: vec!["a".into()],
        removes: vec!["b".into()],
        signed: vec!["a".into()],
        may,
    }
}

fn own_device(full: bool) -> DeviceRow {
    DeviceRow {
        name: "a".into(),
        node: full.then(node_id),
        own: full,
        linked: !full,
        since: full.then_some(1),
        seen: full.then_some(2),
        topics: vec![DeviceTopic {
            topic: topic_id(),
            name: "ops".into(),
            device: HEX.into(),
            seated: full,
            share: 128,
            since: full.then_some(1),
            seen: full.then_some(2),
            ties: vec![("a".into(), "b".into())],
        }],
    }
}

/// Every reply, and the name of its object.
pub(crate) fn replies() -> Vec<(&'static str, Reply)> {
    let problem = node::Problem {
        code: "full".into(),
        text: "t".into(),
        hint: "h".into(),
    };
    vec![
        ("Done", Reply::Done),
        ("Status", Reply::Status(status(vec![problem]))),
        (
            "Identity",
            Reply::Identity {
                id: node_id(),
                name: "a".into(),
                reach: ::node::Reach::Core,
                addresses: vec!["x".into()],
            },
        ),
        ("Peer", Reply::Peers(vec![peer(true), peer(false)])),
        ("PeerAdded", Reply::PeerAdded { id: node_id() }),
        (
            "CoreInvite",
            Reply::CoreInvited {
                link: "way:core/x".into(),
                quota: 1,
                uses: 1,
            },
        ),
        (
            "CoreDenied",
            Reply::CoreDenied {
                id: node_id(),
                held_bytes: 1,
                held_until: Some(2),
            },
        ),
        (
            "CoreDenied",
            Reply::CoreDenied {
                id: node_id(),
                held_bytes: 0,
                held_until: None,
            },
        ),
        (
            "CoreRetires",
            Reply::CoreRetires {
                by: Some(1),
                promised_until: Some(2),
            },
        ),
        (
            "Client",
            Reply::CoreClients(vec![node::Client {
                id: node_id(),
                quota: 1,
                used: 1,
                topics: 1,
                allowed: true,
                since: 1,
            }]),
        ),
        (
            "CoreUsed",
            Reply::CoreUsed {
                id: node_id(),
                quota: 1,
            },
        ),
        ("Core", Reply::Cores(vec![core(true), core(false)])),
        (
            "TopicId",
            Reply::Topic {
                id: topic_id(),
                name: "ops".into(),
            },
        ),
        ("Topic", Reply::Topics(vec![topic_row()])),
        ("TopicInfo", Reply::TopicInfo(Box::new(topic_info()))),
        ("Member", Reply::Members(members())),
        (
            "File",
            Reply::Files(FilesReply::Files {
                topic: topic_id(),
                files: vec![file()],
            }),
        ),
        (
            "File",
            Reply::Files(FilesReply::Got {
                topic: topic_id(),
                file: file(),
                to: "/home/bob/x".into(),
            }),
        ),
        (
            "TopicLink",
            Reply::Public(PublicReply::Link {
                topic: topic_id(),
                link: "way:topic/x".into(),
                nodes: 1,
            }),
        ),
        (
            "OwnedTopic",
            Reply::Owners(OwnersReply::Created {
                topic: topic_id(),
                name: "ops".into(),
                links: vec!["way:join/x".into()],
                until: 1,
            }),
        ),
        (
            "Owners",
            Reply::Owners(OwnersReply::List(Owners {
                topic: topic_id(),
                name: "ops".into(),
                threshold: 2,
                devices: vec![owner()],
                missing: vec!["one".into()],
            })),
        ),
        (
            "Proposal",
            Reply::Owners(OwnersReply::Pending(vec![proposal()])),
        ),
        ("Proposal", Reply::Owners(OwnersReply::Signed(proposal()))),
        (
            "DeviceInvite",
            Reply::Device(DeviceReply::Invited {
                link: "way:device/x".into(),
                until: 1,
            }),
        ),
        (
            "DeviceJoined",
            Reply::Device(DeviceReply::Joined {
                node: node_id(),
                name: "a".into(),
                topics: 1,
            }),
        ),
        (
            "OwnDevice",
            Reply::Device(DeviceReply::List(vec![own_device(true), own_device(false)])),
        ),
        (
            "DeviceRemoved",
            Reply::Device(DeviceReply::Removed {
                device: "a".into(),
                topics: vec!["ops".into()],
                failed: vec![("tea".into(), "why".into())],
            }),
        ),
        (
            "Branch",
            Reply::Device(DeviceReply::Branches(
                [Choice::Nothing, Choice::Sign, Choice::Countersign]
                    .map(branch)
                    .to_vec(),
            )),
        ),
        (
            "Chosen",
            Reply::Device(DeviceReply::Chosen {
                act: "ab".into(),
                countersigned: true,
                counts: false,
            }),
        ),
        (
            "Granted",
            Reply::Granted {
                grant: "ab".repeat(32),
                member: members()[0].id.clone(),
                name: "carol".into(),
                unused: Some("it allows less".into()),
            },
        ),
        (
            "Scheduled",
            Reply::Scheduled {
                member: members()[0].id.clone(),
                at: 1,
            },
        ),
        (
            "Revoked",
            Reply::Revoked {
                grants: vec!["ab".repeat(32)],
                member: members()[0].id.clone(),
                others: 2,
            },
        ),
        (
            "Invite",
            Reply::Invited {
                link: "way:join/x".into(),
                topic: topic_id(),
                uses: 1,
                expires: 1,
                rights: invited_rights(),
                messages: Some(10),
                bytes: Some(4096),
                attended: true,
            },
        ),
        (
            "Invitation",
            Reply::Invitation {
                topic: topic_id(),
                topic_name: "ops".into(),
                inviter_name: "alice".into(),
                inviter: HEX.into(),
                expires: 1,
                rights: invited_rights(),
                messages: Some(10),
                bytes: Some(4096),
                attended: true,
            },
        ),
        (
            "Sent",
            Reply::Sent {
                ids: vec![message(0), message(1)],
                warnings: vec![warning()],
            },
        ),
        (
            "Sent",
            Reply::Reached {
                state: WaitFor::Delivered,
                count: 1,
                of: 2,
            },
        ),
        (
            "Line",
            Reply::Lines {
                topic: topic_id(),
                lines: vec![
                    line(1, LineKind::Text, "hi"),
                    line(2, LineKind::Join, ""),
                    line(3, LineKind::Leave, ""),
                    line(4, LineKind::Gap, "expired"),
                    line(5, LineKind::Withdrawn { of: Some(1) }, "cut off by bob"),
                    line(6, LineKind::Restored { of: 1 }, ""),
                    line(
                        7,
                        LineKind::File {
                            name: "x".into(),
                            size: 1,
                            have: 1,
                            parts: 2,
                            unshared: false,
                        },
                        "x",
                    ),
                ],
                last: 4,
                more: false,
            },
        ),
        (
            "Mail",
            Reply::Inbox {
                mails: vec![mail(1)],
                last: 1,
                more: false,
            },
        ),
        (
            "Pong",
            Reply::Pong {
                round_trip_us: 1234,
                path: "quic".into(),
            },
        ),
        ("Why", Reply::Why(Box::new(why()))),
    ]
}

/// A line of each object, with its name.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let asked = Asked {
        to: "ops".into(),
        id: HEX.into(),
    };
    for (name, reply) in replies() {
        let lines = answer(&asked, reply).lines;
        assert!(!lines.is_empty(), "{name}");
        all.extend(lines.into_iter().map(|line| (name, line)));
    }
    let up = |reachable| schema::Up {
        v: Version,
        id: node_id().to_string(),
        name: "core".into(),
        home: "/h".into(),
        addresses: vec!["a".into()],
        core: true,
        reachable,
    };
    all.push(("Up", to_line(&up(None))));
    all.push(("Up", to_line(&up(Some(true)))));
    all.push((
        "Down",
        to_line(&schema::Down {
            v: Version,
            home: "/h".into(),
            down: true,
        }),
    ));
    let backup = schema::Backup {
        v: Version,
        file: "/f".into(),
        bytes: 1,
        encrypted: true,
    };
    all.push(("Backup", to_line(&backup)));
    let (id, home) = (node_id().to_string(), "/h".into());
    let restored = schema::Restored {
        v: Version,
        id,
        home,
        encrypted: false,
    };
    all.push(("Restored", to_line(&restored)));
    let made = schema::PskMade {
        v: Version,
        file: "/f".into(),
    };
    all.push(("PskMade", to_line(&made)));
    let node::Problem { code, text, hint } = warning();
    let warned = schema::Warned {
        v: Version,
        warning: schema::Problem { code, text, hint },
    };
    all.push(("Warned", to_line(&warned)));
    let check = schema::Check {
        v: Version,
        ok: true,
        commits: 1,
        rows: 2,
        files: 3,
        content: 0,
    };
    all.push(("Check", to_line(&check)));
    let hash = "00".repeat(16);
    let replay = schema::Replay {
        v: Version,
        same: true,
        ends_early: false,
        lives: 1,
        turns: 2,
        outputs: 3,
        hash,
    };
    all.push(("Replay", to_line(&replay)));
    all
}

pub(crate) fn ends() -> [End; 2] {
    let full = End {
        last: Some(1),
        more: true,
        topic: Some(topic_id().to_string()),
        change: Some(1),
        warnings: vec![schema::Problem {
            code: "c".into(),
            text: "t".into(),
            hint: String::new(),
        }],
    };
    [End::default(), full]
}
