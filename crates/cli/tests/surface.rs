//! Commands against a fake node behind a real socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ::node::command::{self as node, Command, LineKind, ReadFrom, Reply, WaitFor};
use cli::failure::{Code, Exit};
use serde_json::Value;

use crate::docs;
use crate::fake::{Fake, Served, home, way};
use crate::samples::{self, line, mail, message, node_id, topic_id};

fn refused(code: node::Code) -> Reply {
    Reply::Failed(node::Failure {
        code,
        message: "it is so".into(),
        hint: "do that".into(),
        candidates: vec!["topic1a ops".into()],
    })
}

fn lines(lines: Vec<node::Line>, last: u64, more: bool) -> Reply {
    Reply::Lines {
        topic: topic_id(),
        lines,
        last,
        more,
    }
}

fn text(n: u64) -> node::Line {
    line(n, LineKind::Text, &format!("text {n}"))
}

#[test]
fn no_node_is_exit_3_with_a_hint() {
    let temp = tempfile::tempdir().unwrap();
    for words in [
        &["status"][..],
        &["id"],
        &["down"],
        &["read", "t"],
        &["send", "t", "x"],
    ] {
        let ran = way(&home(temp.path()), words);
        let failure = ran.failure.unwrap();
        assert_eq!((ran.exit, failure.code), (Exit::NoNode, Code::NoNode));
        assert!(failure.hint.contains("way up"), "{failure:?}");
    }
}

#[test]
fn every_kind_of_refusal_has_its_exit_code() {
    for (code, exit) in [
        (node::Code::Failed, Exit::Failed),
        (node::Code::Usage, Exit::Usage),
        (node::Code::NotYet, Exit::NotYet),
        (node::Code::Refused, Exit::Refused),
        (node::Code::NotFound, Exit::NotFound),
        (node::Code::Ambiguous, Exit::NotFound),
        (node::Code::Full, Exit::Failed),
    ] {
        let served = Served::new(Fake::script(vec![refused(code)]));
        let ran = served.way(&["topic", "info", "op"]);
        assert_eq!(ran.exit, exit);
        let failure = ran.failure.unwrap();
        assert_eq!(failure.message, "it is so");
        assert_eq!(failure.candidates, ["topic1a ops"]);
    }
}

/// Every command that only asks, in both ways, its JSON held against the specification.
#[test]
fn commands_print_the_objects_of_the_specification() {
    let objects = docs::objects();
    let commands: &[(&str, &str)] = &[
        ("Status", "status"),
        ("Identity", "id"),
        ("Peer", "peers"),
        ("PeerAdded", "peer add node1x@h:1"),
        ("Done", "peer remove bob"),
        ("CoreInvite", "core invite --quota 2GiB --uses 3"),
        ("Done", "core allow bob"),
        ("CoreDenied", "core deny bob"),
        ("Client", "core clients"),
        ("CoreUsed", "core use way:core/x"),
        ("Done", "core leave x"),
        ("Core", "core list"),
        ("TopicId", "topic create ops"),
        ("Topic", "topic list"),
        ("TopicInfo", "topic info ops"),
        ("Member", "members ops"),
        ("Granted", "grant ops bob --publish --rate 10/min"),
        ("Scheduled", "grant ops bob --read --at +2d"),
        ("Revoked", "revoke ops bob --read"),
        ("Done", "topic leave ops"),
        ("Invite", "invite ops --uses 2"),
        ("Sent", "send ops hello"),
        ("Line", "read ops"),
        ("Mail", "inbox"),
        ("Pong", "ping bob"),
        ("Why", "why"),
    ];
    for (name, words) in commands {
        let replies: Vec<Reply> = samples::replies()
            .into_iter()
            .filter(|(of, _)| of == name)
            .map(|(_, r)| r)
            .collect();
        let reply = replies.first().unwrap().clone();
        let served = Served::new(Fake::new(move |_| Some(reply.clone())));
        let mut all: Vec<&str> = words.split(' ').collect();
        let human = served.way(&all);
        assert!(human.failure.is_none(), "way {words}: {human:?}");
        assert!(!human.out.trim().is_empty(), "way {words} says something");
        all.push("--json");
        let ran = served.way(&all);
        assert!(ran.failure.is_none(), "way {words}: {ran:?}");
        assert!(!ran.out.is_empty(), "way {words}");
        for line in ran.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            docs::check(&objects, name, &value, &mut Default::default());
        }
    }
}

#[test]
fn status_is_healthy_or_not_by_its_exit_code() {
    let problem = node::Problem {
        code: "c".into(),
        text: "t".into(),
        hint: "h".into(),
    };
    let replies = vec![
        Reply::Status(samples::status(vec![])),
        Reply::Status(samples::status(vec![problem])),
    ];
    let served = Served::new(Fake::script(replies));
    let well = served.way(&["status"]);
    assert_eq!(well.exit, Exit::Done);
    assert!(well.out.contains("all is well"));
    let ill = served.way(&["status"]);
    assert_eq!(ill.exit, Exit::Failed);
    assert!(ill.out.contains("problem: t (c)"), "{}", ill.out);
}

#[test]
fn send_prints_the_id_alone_and_last() {
    let served = Served::new(Fake::script(vec![Reply::Sent {
        ids: vec![message(0)],
        warnings: vec![samples::warning()],
    }]));
    let ran = served.way(&["send", "ops", "hello"]);
    assert_eq!(ran.out, format!("{}\n", message(0)));
    let sent = Command::Send {
        to: "ops".into(),
        messages: vec![b"hello".to_vec()],
        expires: None,
        best_effort: false,
    };
    assert_eq!(served.seen(), [sent]);
}

#[test]
fn a_wait_that_runs_out_is_exit_4_and_the_id_is_printed_all_the_same() {
    let replies = vec![
        Reply::Sent {
            ids: vec![message(0)],
            warnings: Vec::new(),
        },
        refused(node::Code::NotYet),
    ];
    let served = Served::new(Fake::script(replies));
    let ran = served.way(&["send", "ops", "x", "--wait", "delivered", "--of", "2"]);
    assert_eq!(ran.exit, Exit::NotYet);
    assert_eq!(ran.out, format!("{}\n", message(0)));
    let Some(Command::Wait {
        id,
        state,
        of,
        timeout_ms,
    }) = served.seen().pop()
    else {
        panic!()
    };
    assert_eq!(
        (id, state, of),
        (message(0).to_string(), WaitFor::Delivered, Some(2))
    );
    assert!(timeout_ms <= 60_000);
}

#[test]
fn a_wait_that_succeeds_says_how_far_it_came() {
    let reached = Reply::Reached {
        state: WaitFor::Held,
        count: 1,
        of: 1,
    };
    let served = Served::new(Fake::script(vec![
        Reply::Sent {
            ids: vec![message(0)],
            warnings: Vec::new(),
        },
        reached,
    ]));
    let ran = served.way(&["--json", "send", "ops", "x", "--wait", "held"]);
    let value: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&value["state"], &value["count"]),
        (&"held".into(), &1.into())
    );
    assert_eq!(
        (&value["to"], &value["id"]),
        (&"ops".into(), &message(0).to_string().into())
    );
}

#[test]
fn the_name_is_kept_only_when_the_node_took_it() {
    let identity = || Reply::Identity {
        id: node_id(),
        name: "new".into(),
        reach: ::node::Reach::Any,
        addresses: Vec::new(),
    };
    let replies = vec![Reply::Done, identity(), refused(node::Code::Usage)];
    let served = Served::new(Fake::script(replies));
    assert_eq!(served.way(&["name", "new"]).exit, Exit::Done);
    assert_eq!(served.way(&["name", "bad"]).exit, Exit::Usage);
    assert_eq!(*served.fake.names.lock().unwrap(), ["new"]);
}

#[test]
fn read_goes_through_all_pages() {
    let replies = vec![
        lines(vec![text(1), text(2)], 2, true),
        lines(vec![text(5)], 6, true),
        lines(vec![], 6, false),
    ];
    let served = Served::new(Fake::script(replies));
    let ran = served.way(&["read", "ops"]);
    assert_eq!(ran.lines().len(), 3);
    assert!(
        ran.lines()[2].starts_with("5 2027-01-15 08:00Z bob: text 5"),
        "{}",
        ran.out
    );
    let from: Vec<_> = served
        .seen()
        .into_iter()
        .map(|command| match command {
            Command::Read { from, .. } => from,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        from,
        [ReadFrom::After(0), ReadFrom::After(2), ReadFrom::After(6)]
    );
}

#[test]
fn new_is_confirmed_after_printing_and_only_what_was_printed() {
    let replies = vec![lines(vec![text(4), text(6)], 9, true), Reply::Done];
    let served = Served::new(Fake::script(replies));
    let ran = served.way(&["read", "ops", "--new", "--limit", "2"]);
    assert_eq!(ran.lines().len(), 2);
    let seen = served.seen();
    let first = Command::Read {
        topic: "ops".into(),
        from: ReadFrom::Cursor,
        limit: 2,
    };
    let confirm = Command::Confirm {
        topic: topic_id().to_string(),
        n: 6,
    };
    assert_eq!(seen, [first, confirm]);
}

#[test]
fn limit_takes_the_last_lines() {
    let served = Served::new(Fake::script(vec![lines(vec![text(8), text(9)], 9, false)]));
    served.way(&["read", "ops", "--limit", "2"]);
    let last = Command::Read {
        topic: "ops".into(),
        from: ReadFrom::Last,
        limit: 2,
    };
    assert_eq!(served.seen(), [last]);
}

#[test]
fn follow_waits_for_changes_and_ends_at_its_limit() {
    let fake = Fake::script(vec![
        lines(vec![text(1)], 1, false),
        Reply::Done,
        lines(vec![text(2), text(3)], 3, false),
        Reply::Done,
    ]);
    let served = Served::new(Arc::clone(&fake));
    let changer = Arc::clone(&fake);
    let thread = std::thread::spawn(move || {
        // A change after the follower's first page, whenever that is.
        while changer.seen.lock().unwrap().len() < 2 {
            std::thread::yield_now();
        }
        changer.changed();
    });
    let ran = served.way(&["read", "ops", "--new", "--follow", "--limit", "3"]);
    thread.join().unwrap();
    assert_eq!(ran.lines().len(), 3, "{}", ran.out);
    assert_eq!(
        served.seen().last(),
        Some(&Command::Confirm {
            topic: topic_id().to_string(),
            n: 3
        })
    );
}

#[test]
fn follow_survives_a_restart_and_repeats_nothing() {
    // The first node dies before it takes the confirmation; the second gives the same line again.
    let calls = AtomicU32::new(0);
    let first = Fake::new(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Some(lines(vec![text(1)], 1, false)),
        _ => None,
    });
    let served = Served::new(Arc::clone(&first));
    let folder = served.home.clone();
    let follower = std::thread::spawn(move || {
        way(
            &folder,
            &["read", "ops", "--new", "--follow", "--limit", "2"],
        )
    });
    while first.seen.lock().unwrap().len() < 2 {
        std::thread::yield_now();
    }
    let second = Fake::script(vec![lines(vec![text(1), text(2)], 2, false), Reply::Done]);
    let served = served.again(second);
    let ran = follower.join().unwrap();
    let numbers: Vec<_> = ran
        .lines()
        .iter()
        .map(|l| l.split(' ').next().unwrap())
        .collect();
    assert_eq!(numbers, ["1", "2"], "{}", ran.out);
    assert_eq!(
        served.seen().last(),
        Some(&Command::Confirm {
            topic: topic_id().to_string(),
            n: 2
        })
    );
}

#[test]
fn inbox_is_read_to_its_end() {
    let page = |mails, last, more| Reply::Inbox { mails, last, more };
    let replies = vec![
        page(vec![mail(1), mail(2)], 2, true),
        page(vec![mail(3)], 3, false),
    ];
    let served = Served::new(Fake::script(replies));
    let ran = served.way(&["inbox"]);
    assert_eq!(ran.lines().len(), 3);
    assert_eq!(
        served.seen()[1],
        Command::Inbox {
            after: 2,
            limit: 500
        }
    );
}

#[test]
fn join_says_first_who_invites_and_asks_nobody_without_a_terminal() {
    let replies = samples::replies();
    let of = |name| {
        replies
            .iter()
            .find(|(of, _)| *of == name)
            .unwrap()
            .1
            .clone()
    };
    let served = Served::new(Fake::script(vec![of("Invitation"), of("TopicId")]));
    let ran = served.way(&["join", "way:join/x", "--yes", "--name", "me"]);
    assert!(ran.out.starts_with("joined ops"), "{}", ran.out);
    let seen = served.seen();
    assert!(matches!(&seen[0], Command::JoinLook { link, .. } if link == "way:join/x"));
    assert!(matches!(&seen[1], Command::Join { name: Some(name), .. } if name == "me"));
}

#[test]
fn invite_draws_a_code_and_ends_with_the_link() {
    let replies = samples::replies();
    let reply = replies
        .into_iter()
        .find(|(of, _)| *of == "Invite")
        .unwrap()
        .1;
    let served = Served::new(Fake::script(vec![reply]));
    let ran = served.way(&["invite", "ops", "--qr"]);
    assert!(ran.lines().len() > 10, "{}", ran.out);
    assert_eq!(*ran.lines().last().unwrap(), "way:join/x");
}

#[test]
fn down_waits_until_the_lock_is_free() {
    let served = Served::new(Fake::script(vec![]));
    let ran = served.way(&["down", "--json"]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    served.home.lock().unwrap();
    let value: Value = serde_json::from_str(&ran.out).unwrap();
    docs::check(&docs::objects(), "Down", &value, &mut Default::default());
}

/// Lines that are no requests: each is answered, none harms the node.
#[test]
fn garbage_on_the_socket() {
    let served = Served::new(Fake::new(|_| Some(Reply::Done)));
    for garbage in [
        &b"\n"[..],
        b"{}\n",
        b"[]\n",
        b"\xff\xfe\n",
        b"{\"v\":1,\"do\":\"nope\"}\n",
        b"{\"v\":2,\"do\":\"status\"}\n",
        b"{\"v\":1,\"do\":\"send\",\"to\":\"x\",\"messages\":[{\"base64\":\"?\"}],\"expires\":null,\
          \"best_effort\":false}\n",
        &[&[b'['; 200_000][..], b"\n"].concat(),
    ] {
        let mut stream = cli::socket::connect(&served.home).unwrap();
        stream.write_all(garbage).unwrap();
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer).unwrap();
        let value: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(value["error"]["code"], "usage", "{answer}");
    }
    // Cut off in the middle: no answer, and the next client is served.
    let mut stream = cli::socket::connect(&served.home).unwrap();
    stream.write_all(b"{\"v\":1,").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(served.way(&["peer", "remove", "x"]).exit, Exit::Done);
}

#[test]
fn a_request_without_end_is_refused_and_the_connection_closed() {
    let served = Served::new(Fake::new(|_| Some(Reply::Done)));
    let mut stream = cli::socket::connect(&served.home).unwrap();
    let chunk = vec![b' '; 1024 * 1024];
    // The node stops reading at its limit; then writing fails or the answer is there.
    for _ in 0..16 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let mut answer = String::new();
    let _ = BufReader::new(&stream).read_line(&mut answer);
    assert!(
        answer.is_empty() || answer.contains("\"usage\""),
        "{answer}"
    );
    assert_eq!(served.way(&["peer", "remove", "x"]).exit, Exit::Done);
}

#[test]
fn who_goes_away_is_not_waited_for() {
    // More than may be connected at a time, each with a request that is never answered.
    let fake = Fake::new(|command| match command {
        Command::Status => None,
        _ => Some(Reply::Done),
    });
    let served = Served::new(Arc::clone(&fake));
    for _ in 0..2 * cli::server::MAX_CONNECTIONS {
        let mut stream = cli::socket::connect(&served.home).unwrap();
        stream.write_all(b"{\"v\":1,\"do\":\"status\"}\n").unwrap();
    }
    assert_eq!(served.way(&["peer", "remove", "x"]).exit, Exit::Done);
}
