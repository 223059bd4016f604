//! Peers that misbehave over TLS: other software that speaks TCP, TLS or the chunks of a link.

mod stranger;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::{HandshakeKind, client::Resumption};
use stranger::{Kind, Stranger, client, key, server, to};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use transport::{
    Command, Config, DialError, DialToken, DownReason, Event, Events, Transport,
    limits::{CLOSE_LINGER, INITIAL_CREDIT, MAX_FRAME, MAX_HANDSHAKES_PER_ADDRESS, RECEIVE_WINDOW},
    tls::{self, Tls},
};

use crate::conform::{loopback, tls};

const GUARD: Duration = Duration::from_secs(20);
const ALPN: &[u8] = b"waystation-tls/0";

async fn next(events: &mut Events) -> Event {
    timeout(GUARD, events.next())
        .await
        .expect("something happens")
        .expect("it is open")
}

async fn down(events: &mut Events) -> DownReason {
    loop {
        if let Event::Down { reason, .. } = next(events).await {
            return reason;
        }
    }
}

fn address(node: &Tls) -> SocketAddr {
    let text = node.listening().remove(0);
    text.strip_prefix("tls://")
        .expect("it says by what")
        .parse()
        .expect("a socket address")
}

/// The end of a connection, whichever way it comes.
async fn ended(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut bytes = [0; 1024];
    let end = async { while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {} };
    timeout(GUARD, end).await.expect("the node ends it");
}

/// The node still serves others, and this is the first link of which it has heard.
async fn still_serves(node: &Tls, events: &mut Events) {
    let (_stranger, _) = Stranger::linked(node, events).await;
}

async fn dialled(to: SocketAddr, whom: [u8; 32]) -> DialError {
    let (node, mut events) = tls(2).await;
    node.command(Command::Dial {
        token: DialToken(1),
        node: identity::SecretKey::from_seed(whom).node_id(),
        address: to.to_string(),
    });
    match next(&mut events).await {
        Event::DialFailed { reason, .. } => reason,
        other => panic!("unexpected: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_key_makes_no_link() {
    let (node, mut events) = tls(1).await;
    let mut config = client(key([200; 32], [200; 32]));
    config.client_auth_cert_resolver = Arc::new(stranger::NoKey);
    assert!(stranger::shake(&node, config).await.is_err());
    still_serves(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_only_shown_is_worth_nothing() {
    // A dialler with the public key of another node.
    let (node, mut events) = tls(1).await;
    let config = client(key([200; 32], [7; 32]));
    assert!(stranger::shake(&node, config).await.is_err());
    still_serves(&node, &mut events).await;
    // And one who is dialled.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let there = listener.local_addr().expect("it is bound");
    let acceptor = TlsAcceptor::from(Arc::new(server(key([200; 32], [7; 32]))));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("it is dialled");
        assert!(acceptor.accept(stream).await.is_err());
    });
    assert_eq!(dialled(there, [7; 32]).await, DialError::WrongNode);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_with_which_anybody_can_sign_is_none() {
    let (node, mut events) = tls(1).await;
    // The point of order one: R = identity, S = 0 is a signature of everything under the rule that
    // multiplies by the cofactor, and under the one that does not.
    let config = client(stranger::weak());
    assert!(stranger::shake(&node, config).await.is_err());
    still_serves(&node, &mut events).await;
    let mut point = [0; 32];
    point[0] = 1;
    node.command(Command::Dial {
        token: DialToken(3),
        node: identity::NodeId::from_bytes(point),
        address: "127.0.0.1:9".to_owned(),
    });
    loop {
        match next(&mut events).await {
            Event::DialFailed { reason, .. } => break assert_eq!(reason, DialError::BadNodeId),
            Event::Down { .. } => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_tls_is_refused() {
    let (node, mut events) = tls(1).await;
    assert!(stranger::shake(&node, stranger::old()).await.is_err());
    still_serves(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_or_none_is_refused() {
    let (node, mut events) = tls(1).await;
    for names in [vec![b"h2".to_vec()], vec![b"waystation/0".to_vec()], vec![]] {
        let mut config = client(key([200; 32], [200; 32]));
        config.alpn_protocols = names;
        assert!(stranger::shake(&node, config).await.is_err());
    }
    still_serves(&node, &mut events).await;
    // Who is dialled names none.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let there = listener.local_addr().expect("it is bound");
    let mut config = server(key([200; 32], [200; 32]));
    config.alpn_protocols.clear();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("it is dialled");
        let accepted = TlsAcceptor::from(Arc::new(config)).accept(stream).await;
        ended(&mut accepted.expect("TLS itself does not mind")).await;
    });
    let reason = dialled(there, [200; 32]).await;
    assert!(matches!(reason, DialError::Refused(_)), "{reason:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_is_resumed() {
    // By a node that is dialled: it gives nothing to resume by.
    let (node, mut events) = tls(1).await;
    let mut config = client(key([200; 32], [200; 32]));
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    for _ in 0..3 {
        let stream = TcpStream::connect(address(&node)).await.expect("reached");
        let connector = TlsConnector::from(Arc::clone(&config));
        let stream = connector
            .connect(to(&node), stream)
            .await
            .expect("a session");
        let kind = stream.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
        let (stranger, _) = Stranger::over(stream, &mut events).await;
        drop(stranger);
        down(&mut events).await;
    }
    // By one who dials: what it is given it does not use.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let there = listener.local_addr().expect("it is bound").to_string();
    let mut config = server(key([200; 32], [200; 32]));
    config.send_tls13_tickets = 4;
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(64);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    for token in 0..3 {
        node.command(Command::Dial {
            token: DialToken(token),
            node: identity::SecretKey::from_seed([200; 32]).node_id(),
            address: there.clone(),
        });
        let (stream, _) = listener.accept().await.expect("it is dialled");
        let stream = acceptor.accept(stream).await.expect("a session");
        assert_eq!(
            stream.get_ref().1.handshake_kind(),
            Some(HandshakeKind::Full)
        );
        let (stranger, _) = Stranger::over(stream, &mut events).await;
        drop(stranger);
        down(&mut events).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_instead_of_a_handshake_disturbs_nobody() {
    let (node, mut events) = tls(1).await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 70_000],
        // A handshake record that announces more than it may have.
        vec![22, 3, 1, 255, 255],
        (0..5_000)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                state.to_be_bytes()[0]
            })
            .collect(),
    ] {
        let mut stream = TcpStream::connect(address(&node)).await.expect("reached");
        // It may be gone before all is written.
        let _ = stream.write_all(&garbage).await;
        ended(&mut stream).await;
    }
    still_serves(&node, &mut events).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let there = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("it is dialled");
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
        ended(&mut stream).await;
    });
    let reason = dialled(there, [200; 32]).await;
    assert!(matches!(reason, DialError::Refused(_)), "{reason:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_stalls_is_dropped() {
    let (node, mut events) = tls(1).await;
    // Before a byte, in the middle of one message, and after the handshake.
    let mut silent = TcpStream::connect(address(&node)).await.expect("reached");
    let mut half = TcpStream::connect(address(&node)).await.expect("reached");
    half.write_all(&[22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3])
        .await
        .expect("written");
    let mut keyed = stranger::connect(&node, client(key([200; 32], [200; 32])))
        .await
        .expect("a session");
    ended(&mut silent).await;
    ended(&mut half).await;
    ended(&mut keyed).await;
    still_serves(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_byte_by_byte_gains_no_time() {
    let (node, mut events) = tls(1).await;
    let mut slow = TcpStream::connect(address(&node)).await.expect("reached");
    let began = Instant::now();
    let head = [22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3];
    let mut bytes = head.iter().chain(std::iter::repeat(&7));
    let mut answer = [0; 64];
    // A byte whenever a tenth of a second has brought no end.
    while let Err(_still_open) = timeout(Duration::from_millis(100), slow.read(&mut answer)).await {
        assert!(began.elapsed() < GUARD, "it goes on for ever");
        let byte = *bytes.next().expect("it has no end");
        if slow.write_all(&[byte]).await.is_err() {
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(6));
    still_serves(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_begins_few_handshakes_at_once() {
    let (node, mut events) = tls(1).await;
    let mut open = Vec::new();
    for _ in 0..MAX_HANDSHAKES_PER_ADDRESS {
        open.push(TcpStream::connect(address(&node)).await.expect("reached"));
    }
    let began = Instant::now();
    let mut beyond = TcpStream::connect(address(&node)).await.expect("reached");
    ended(&mut beyond).await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "it is not let in at all"
    );
    for stream in &mut open {
        ended(stream).await;
    }
    still_serves(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_without_a_word_is_no_orderly_close() {
    let (node, mut events) = tls(1).await;
    // TCP ends and TLS does not: anybody on the way can do that.
    let (stranger, _) = Stranger::linked(&node, &mut events).await;
    let (mut tcp, _) = stranger.into_inner().into_inner();
    tcp.shutdown().await.expect("it is open");
    let reason = down(&mut events).await;
    assert_eq!(reason, DownReason::Lost("it was cut off".to_owned()));
    // A reset.
    let (stranger, _) = Stranger::linked(&node, &mut events).await;
    let (tcp, _) = stranger.into_inner().into_inner();
    tcp.set_zero_linger().expect("it is open");
    drop(tcp);
    assert!(matches!(down(&mut events).await, DownReason::Lost(_)));
    // TLS ends, and the peer has not said why.
    let (mut stranger, _) = Stranger::linked(&node, &mut events).await;
    stranger.shutdown().await;
    assert!(matches!(down(&mut events).await, DownReason::Lost(_)));
    // A goodbye that is cut off in its middle is none.
    let (mut stranger, _) = Stranger::linked(&node, &mut events).await;
    stranger.raw(&[3, 0, 5, 0, 0]).await;
    stranger.shutdown().await;
    assert!(matches!(down(&mut events).await, DownReason::Lost(_)));
    // And a whole one is one.
    let (mut stranger, _) = Stranger::linked(&node, &mut events).await;
    stranger.say(Kind::Close, b"\0\0\0\x2abye").await;
    let (code, text) = (42, "bye".to_owned());
    assert_eq!(
        down(&mut events).await,
        DownReason::ClosedByPeer { code, text }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_are_none_end_the_link() {
    let (node, mut events) = tls(1).await;
    let window = RECEIVE_WINDOW.to_be_bytes();
    for wrong in [
        &[9, 0, 0][..],
        &[0, 0, 0],
        &[0, 255, 255],
        &[2, 0, 1, 7],
        &[1, 0, 3, 0, 0, 1],
        &[3, 0, 0],
        // More than there can be room for.
        &[1, 0, 4, window[0], window[1], window[2], window[3]],
        &[1, 0, 4, 255, 255, 255, 255],
    ] {
        let (mut stranger, _) = Stranger::linked(&node, &mut events).await;
        stranger.raw(wrong).await;
        let reason = down(&mut events).await;
        assert!(
            matches!(reason, DownReason::Malformed(_)),
            "{wrong:?}: {reason:?}"
        );
        assert_eq!(stranger.goodbye().await, 1002, "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_none_end_the_link() {
    let (node, mut events) = tls(1).await;
    for (wrong, code) in [
        (u32::MAX, 1001),
        (u32::try_from(MAX_FRAME + 1).expect("small"), 1001),
        (0, 1002),
    ] {
        let (mut stranger, _) = Stranger::linked(&node, &mut events).await;
        stranger.say(Kind::Data, &wrong.to_be_bytes()).await;
        let reason = down(&mut events).await;
        let expected = match (wrong, &reason) {
            (0, DownReason::Malformed(_)) => true,
            (_, DownReason::Oversized { length }) => *length == wrong,
            _ => false,
        };
        assert!(expected, "{wrong}: {reason:?}");
        assert_eq!(stranger.goodbye().await, code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_preamble_makes_no_link() {
    let (node, mut events) = tls(1).await;
    let stream = stranger::connect(&node, client(key([200; 32], [200; 32]))).await;
    let mut stranger = Stranger::new(stream.expect("a session"));
    stranger.say(Kind::Data, b"waylink9").await;
    assert_eq!(stranger.goodbye().await, 1002);
    still_serves(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_not_taken_beyond_the_window() {
    let (node, mut events) = tls(1).await;
    let (mut stranger, _) = Stranger::linked(&node, &mut events).await;
    // One-byte frames, and nothing is granted: so many are handed over, the rest is kept, and
    // beyond the window the peer breaks the rules.
    let burst: Vec<u8> = [0, 0, 0, 1, 7].repeat(1_000);
    for _ in 0..usize::try_from(RECEIVE_WINDOW).expect("small") / burst.len() {
        stranger.say(Kind::Data, &burst).await;
    }
    let mut frames = 0;
    while let Ok(event) = timeout(Duration::from_millis(300), events.next()).await {
        assert!(matches!(event, Some(Event::Frame { .. })), "{event:?}");
        frames += 1;
    }
    assert_eq!(frames, INITIAL_CREDIT.div_ceil(65));
    // What was read has not been told as free again: it was less than a quarter.
    for _ in 0..30 {
        stranger.say(Kind::Data, &burst).await;
    }
    assert!(matches!(down(&mut events).await, DownReason::Malformed(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_comes_through_to_a_node_that_reads_nothing() {
    let (node, mut events) = tls(1).await;
    let (mut stranger, _) = Stranger::linked(&node, &mut events).await;
    let burst: Vec<u8> = [0, 0, 0, 1, 7].repeat(3_000);
    for _ in 0..30 {
        stranger.say(Kind::Data, &burst).await;
    }
    stranger.say(Kind::Close, b"\0\0\0\x07").await;
    assert!(matches!(
        down(&mut events).await,
        DownReason::ClosedByPeer { code: 7, .. }
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_falls_silent_is_noticed_and_one_that_is_idle_is_not() {
    let open = |seed: u8| {
        let mut config = Config::new([seed; 32], loopback());
        config.idle_timeout = Duration::from_millis(600);
        tls::open(config)
    };
    let (node, mut events) = open(1).await.expect("loopback can be bound");
    // It says nothing more, and TCP itself goes on.
    let (_silent, _) = Stranger::linked(&node, &mut events).await;
    assert_eq!(down(&mut events).await, DownReason::Silent);
    // Signs of life are enough.
    let (other, mut other_events) = open(2).await.expect("loopback can be bound");
    other.command(Command::Dial {
        token: DialToken(1),
        node: node.node(),
        address: address(&node).to_string(),
    });
    for events in [&mut events, &mut other_events] {
        assert!(matches!(next(events).await, Event::Up { .. }));
    }
    let quiet = timeout(Duration::from_secs(2), events.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_all_its_links_refuses_strangers_and_does_not_dial() {
    let mut config = Config::new([1; 32], loopback());
    config.max_links = 1;
    let (node, mut events) = tls::open(config).await.expect("loopback can be bound");
    let (stranger, _) = Stranger::linked(&node, &mut events).await;
    let (other, mut other_events) = tls(2).await;
    let dial = |from: &Tls, to: &Tls| {
        from.command(Command::Dial {
            token: DialToken(1),
            node: to.node(),
            address: address(to).to_string(),
        });
    };
    dial(&other, &node);
    let event = next(&mut other_events).await;
    assert!(
        matches!(
            event,
            Event::DialFailed {
                reason: DialError::Refused(_),
                ..
            }
        ),
        "{event:?}"
    );
    dial(&node, &other);
    assert!(matches!(
        next(&mut events).await,
        Event::DialFailed {
            reason: DialError::Busy,
            ..
        }
    ));
    // The place is free again with the link.
    drop(stranger);
    down(&mut events).await;
    still_serves(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_refused_and_does_not_go_takes_the_place_of_a_link() {
    let mut config = Config::new([1; 32], loopback());
    config.max_links = 8;
    let (node, mut events) = tls::open(config).await.expect("loopback can be bound");
    let mut links = Vec::new();
    for _ in 0..transport::limits::MAX_LINKS_PER_NODE {
        links.push(Stranger::linked(&node, &mut events).await);
    }
    // Those beyond are told so, and stay.
    let began = Instant::now();
    let mut beyond = Vec::new();
    for _ in 0..4 {
        let stream = stranger::connect(&node, client(key([200; 32], [200; 32]))).await;
        beyond.push(Stranger::new(stream.expect("a session")));
    }
    for stranger in &mut beyond {
        assert_eq!(stranger.goodbye().await, 1003);
    }
    let ninth = stranger::connect(&node, client(key([200; 32], [200; 32]))).await;
    // On a machine that is busy for seconds the first may have had their time.
    assert!(
        ninth.is_err() || began.elapsed() > CLOSE_LINGER,
        "there is no room for a ninth connection"
    );
    // They are not waited for for ever.
    drop(links);
    for stranger in &mut beyond {
        stranger.gone().await;
    }
    still_serves(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_with_too_many_links_is_told_why() {
    let (node, mut events) = tls(1).await;
    let mut links = Vec::new();
    for _ in 0..transport::limits::MAX_LINKS_PER_NODE {
        links.push(Stranger::linked(&node, &mut events).await);
    }
    let stream = stranger::connect(&node, client(key([200; 32], [200; 32]))).await;
    let mut beyond = Stranger::new(stream.expect("a session"));
    assert_eq!(beyond.goodbye().await, 1003);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chunks_are_those_of_the_specification() {
    let (node, mut events) = tls(1).await;
    let (mut stranger, link) = Stranger::linked(&node, &mut events).await;
    node.command(Command::Send {
        link,
        bytes: b"hello".to_vec(),
    });
    assert_eq!(
        stranger.hear().await,
        (Kind::Data, b"\0\0\0\x05hello".to_vec())
    );
    node.command(Command::Close {
        link,
        code: 19,
        text: "two links".to_owned(),
    });
    assert_eq!(
        stranger.hear().await,
        (Kind::Close, b"\0\0\0\x13two links".to_vec())
    );
}
