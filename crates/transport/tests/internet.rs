//! QUIC and TLS as one transport, on networks that let one of them through, or both late.

mod socks;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use socks::{Answer, Proxy};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::watch,
    time::timeout,
};
use transport::{
    Address, Command, Config, DialError, DialToken, Event, Events, LinkId, Listen, OpenError,
    Transport,
    internet::{self, Internet, Over},
    limits::HEAD_START,
};

use crate::conform::loopback;

const GUARD: Duration = Duration::from_secs(20);

async fn node(seed: u8, over: Over) -> (Internet, Events) {
    through(seed, over, None).await
}

async fn through(seed: u8, over: Over, proxy: Option<SocketAddr>) -> (Internet, Events) {
    let mut config = Config::new([seed; 32], loopback());
    config.handshake_timeout = Duration::from_secs(4);
    config.proxy = proxy.map(|at| at.to_string().parse().expect("an address"));
    internet::open(config, over)
        .await
        .expect("loopback can be bound")
}

async fn next(events: &mut Events) -> Event {
    timeout(GUARD, events.next())
        .await
        .expect("something happens")
        .expect("it is open")
}

/// Where a node listens, without a word about over what.
fn socket(of: &Internet) -> SocketAddr {
    let address: Address = of.listening()[0].parse().expect("an address");
    address.at.to_string().parse().expect("a socket address")
}

fn dial(from: &Internet, to: &Internet, address: &str) {
    from.command(Command::Dial {
        token: DialToken(1),
        node: to.node(),
        address: address.to_owned(),
    });
}

/// A link that has come up: its number, and where the peer is.
async fn up(events: &mut Events) -> (LinkId, String) {
    match next(events).await {
        Event::Up { link, remote, .. } => (link, remote),
        other => panic!("unexpected: {other:?}"),
    }
}

async fn not_dialled(events: &mut Events) -> DialError {
    match next(events).await {
        Event::DialFailed { reason, .. } => reason,
        other => panic!("unexpected: {other:?}"),
    }
}

async fn quiet(events: &mut Events) {
    let event = timeout(Duration::from_millis(500), events.next()).await;
    assert!(event.is_err(), "{event:?}");
}

/// A port under which nobody has UDP or TCP yet, with UDP bound and never read.
async fn swallowed() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let at = socket.local_addr().expect("it is bound");
    (socket, at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_both_get_through_quic_is_kept() {
    let (a, mut at_a) = node(1, Over::Both).await;
    let (b, mut at_b) = node(2, Over::Both).await;
    assert_eq!(b.listening(), [socket(&b).to_string()], "one port for both");
    dial(&a, &b, &socket(&b).to_string());
    let (_, remote) = up(&mut at_a).await;
    assert_eq!(remote, socket(&b).to_string());
    assert!(!up(&mut at_b).await.1.starts_with("tls://"));
    quiet(&mut at_b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_can_ask_for_tls_and_both_kinds_of_link_have_numbers_of_their_own() {
    let (a, mut at_a) = node(1, Over::Both).await;
    let (b, mut at_b) = node(2, Over::Both).await;
    let at = socket(&b);
    dial(&a, &b, &format!("tls://{at}"));
    let (first, remote) = up(&mut at_a).await;
    assert_eq!(remote, format!("tls://{at}"));
    let (first_b, from) = up(&mut at_b).await;
    assert!(from.starts_with("tls://127.0.0.1:"));
    dial(&a, &b, &at.to_string());
    let (second, _) = up(&mut at_a).await;
    let (second_b, _) = up(&mut at_b).await;
    assert_ne!(first, second);
    assert_ne!(first_b, second_b);
    // Each carries what is meant for it.
    for (link, there) in [(first, first_b), (second, second_b)] {
        let bytes = link.as_u64().to_be_bytes().to_vec();
        a.command(Command::Send {
            link,
            bytes: bytes.clone(),
        });
        let frame = Event::Frame { link: there, bytes };
        assert_eq!(next(&mut at_b).await, frame);
        assert!(matches!(next(&mut at_a).await, Event::Writable { .. }));
    }
    b.shut().await;
    for _ in 0..2 {
        assert!(matches!(next(&mut at_a).await, Event::Down { .. }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_udp_does_not_get_through_tls_does() {
    let (a, mut at_a) = node(1, Over::Both).await;
    let (b, mut at_b) = node(2, Over::Tls).await;
    let at = socket(&b);
    assert_eq!(b.listening(), [format!("tls://{at}")]);
    // Nobody answers there over UDP, as behind a firewall that swallows it.
    let _swallowed = UdpSocket::bind(at).await.expect("nobody has it");
    let began = Instant::now();
    dial(&a, &b, &at.to_string());
    assert_eq!(up(&mut at_a).await.1, format!("tls://{at}"));
    assert!(began.elapsed() >= HEAD_START);
    up(&mut at_b).await;
    quiet(&mut at_b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_speaks_over_one_alone_neither_dials_nor_listens_over_the_other() {
    let (b, mut at_b) = node(2, Over::Both).await;
    let at = socket(&b);
    let (only_tls, mut at_tls) = node(3, Over::Tls).await;
    UdpSocket::bind(socket(&only_tls))
        .await
        .expect("it has no UDP there");
    // A peer whose UDP we have ourselves: not one packet comes.
    let (c, mut at_c) = node(4, Over::Tls).await;
    let udp = UdpSocket::bind(socket(&c)).await.expect("nobody has it");
    dial(&only_tls, &c, &socket(&c).to_string());
    up(&mut at_tls).await;
    up(&mut at_c).await;
    dial(&only_tls, &b, &at.to_string());
    assert_eq!(up(&mut at_tls).await.1, format!("tls://{at}"));
    assert!(up(&mut at_b).await.1.starts_with("tls://"));
    let mut packet = [0; 16];
    assert!(udp.try_recv(&mut packet).is_err(), "it dialled over UDP");

    let (only_quic, mut at_quic) = node(5, Over::Quic).await;
    TcpListener::bind(socket(&only_quic))
        .await
        .expect("it has no TCP there");
    dial(&only_quic, &b, &format!("tls://{at}"));
    let reason = not_dialled(&mut at_quic).await;
    assert!(matches!(reason, DialError::Failed(_)), "{reason:?}");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let there = silent.local_addr().expect("it is bound").to_string();
    dial(&only_quic, &b, &there);
    assert_eq!(not_dialled(&mut at_quic).await, DialError::NoAnswer);
    let taken = timeout(Duration::from_millis(10), silent.accept()).await;
    assert!(taken.is_err(), "it dialled over TCP");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_can_ask_for_udp_alone() {
    let (a, mut at_a) = node(1, Over::Both).await;
    let (b, mut at_b) = node(2, Over::Both).await;
    dial(&a, &b, &format!("udp://{}", socket(&b)));
    assert_eq!(up(&mut at_a).await.1, socket(&b).to_string());
    up(&mut at_b).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let there = silent.local_addr().expect("it is bound");
    // Of a node that it has met it knows another address.
    let (c, _at_c) = node(4, Over::Both).await;
    dial(&a, &c, &format!("udp://{there}"));
    assert_eq!(not_dialled(&mut at_a).await, DialError::NoAnswer);
    let taken = timeout(Duration::from_millis(10), silent.accept()).await;
    assert!(taken.is_err(), "it dialled over TCP");
    // Who has no UDP does not dial there.
    let (only_tls, mut at_tls) = node(3, Over::Tls).await;
    dial(&only_tls, &b, &format!("udp://{}", socket(&b)));
    let reason = not_dialled(&mut at_tls).await;
    assert!(matches!(reason, DialError::Failed(_)), "{reason:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_nowhere_dials_over_tls_and_cannot_be_dialled() {
    let (b, mut at_b) = node(2, Over::Both).await;
    let nowhere = || Config::new([3; 32], Listen::Nowhere);
    let opened = internet::open(nowhere(), Over::Tls).await;
    let (hidden, mut at_hidden) = opened.expect("nothing is bound");
    assert_eq!(hidden.listening(), Vec::<String>::new());
    dial(&hidden, &b, &socket(&b).to_string());
    assert!(up(&mut at_hidden).await.1.starts_with("tls://"));
    // Whoever has seen from where it dials finds nobody there.
    let (_, from) = up(&mut at_b).await;
    dial(&b, &hidden, &from);
    let reason = not_dialled(&mut at_b).await;
    assert!(
        matches!(reason, DialError::Failed(_) | DialError::NoAnswer),
        "{reason:?}"
    );
    // QUIC has one socket for both directions.
    for over in [Over::Quic, Over::Both] {
        let error = internet::open(nowhere(), over).await;
        assert!(matches!(error, Err(OpenError::NoAddress)), "{over:?}");
    }
}

/// A network between two nodes that holds back UDP until it is told to let it through.
struct Between {
    at: SocketAddr,
    open: watch::Sender<bool>,
}

impl Between {
    /// In front of a node; TCP leads to it, or to nobody.
    async fn new(node: SocketAddr, tcp: bool) -> Self {
        let (udp, at) = swallowed().await;
        let listener = TcpListener::bind(at).await.expect("nobody has it");
        let (open, gate) = watch::channel(false);
        tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Ok((mut near, _)) = listener.accept().await {
                if !tcp {
                    taken.push(near);
                    continue;
                }
                let mut far = TcpStream::connect(node).await.expect("reached");
                tokio::spawn(
                    async move { tokio::io::copy_bidirectional(&mut near, &mut far).await },
                );
            }
        });
        let udp = Arc::new(udp);
        tokio::spawn(async move {
            let mut dialler = None;
            let mut packet = [0; 2048];
            while let Ok((length, from)) = udp.recv_from(&mut packet).await {
                let onwards = if from == node {
                    dialler
                } else {
                    dialler = Some(from);
                    Some(node)
                };
                let (bytes, udp, mut gate) =
                    (packet[..length].to_vec(), Arc::clone(&udp), gate.clone());
                tokio::spawn(async move {
                    if gate.wait_for(|open| *open).await.is_ok()
                        && let Some(onwards) = onwards
                    {
                        let _ = udp.send_to(&bytes, onwards).await;
                    }
                });
            }
        });
        Self { at, open }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_that_comes_after_the_link_makes_no_second_one() {
    let (a, mut at_a) = node(1, Over::Both).await;
    let (b, mut at_b) = node(2, Over::Both).await;
    let between = Between::new(socket(&b), true).await;
    dial(&a, &b, &between.at.to_string());
    assert_eq!(up(&mut at_a).await.1, format!("tls://{}", between.at));
    assert!(up(&mut at_b).await.1.starts_with("tls://"));
    between.open.send_replace(true);
    quiet(&mut at_b).await;
    quiet(&mut at_a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_that_comes_late_is_better_than_tcp_that_hangs() {
    let (a, mut at_a) = node(1, Over::Both).await;
    let (b, mut at_b) = node(2, Over::Both).await;
    let between = Between::new(socket(&b), false).await;
    dial(&a, &b, &between.at.to_string());
    // Both are under way by then.
    tokio::time::sleep(HEAD_START * 2).await;
    between.open.send_replace(true);
    assert!(!up(&mut at_a).await.1.starts_with("tls://"));
    assert!(!up(&mut at_b).await.1.starts_with("tls://"));
    quiet(&mut at_b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_answers_over_udp_is_told_before_what_does_not_over_tcp() {
    let (a, mut at_a) = node(1, Over::Both).await;
    let (b, _at_b) = node(2, Over::Both).await;
    let (c, mut at_c) = node(3, Over::Quic).await;
    let began = Instant::now();
    dial(&a, &b, &socket(&c).to_string());
    assert_eq!(not_dialled(&mut at_a).await, DialError::WrongNode);
    assert!(began.elapsed() < Duration::from_secs(2));
    // Over TCP alone: the other way round.
    let (only_tls, _at_tls) = node(4, Over::Tls).await;
    let at = socket(&only_tls);
    let _swallowed = UdpSocket::bind(at).await.expect("nobody has it");
    dial(&a, &b, &at.to_string());
    let reason = not_dialled(&mut at_a).await;
    // UDP is waited for to the end; then nothing is known but that.
    assert!(
        matches!(reason, DialError::WrongNode | DialError::NoAnswer),
        "{reason:?}"
    );
    quiet(&mut at_c).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_for_one_is_taken_for_both() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let at = taken.local_addr().expect("it is bound");
    let listen = || Config::new([1; 32], Listen::At(vec![at]));
    let error = internet::open(listen(), Over::Both).await;
    let error = error.expect_err("TCP is taken");
    assert!(matches!(error, OpenError::Bind { .. }), "{error}");
    internet::open(listen(), Over::Quic)
        .await
        .expect("UDP is not");
    // The default moves on, for both together.
    let mut nodes = Vec::new();
    for seed in 2..5 {
        let opened = internet::open(Config::new([seed; 32], Listen::Default), Over::Both).await;
        let (node, events) = opened.expect("any port");
        assert!(
            node.listening().iter().all(|at| !at.starts_with("tls://")),
            "{:?}",
            node.listening()
        );
        nodes.push((node, events));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_gets_every_dial_with_the_name_as_it_is() {
    let (b, mut at_b) = node(2, Over::Tls).await;
    let mut proxy = Proxy::open(Answer::Lead(socket(&b))).await;
    let (a, mut at_a) = through(1, Over::Tls, Some(proxy.at)).await;
    for (address, asked) in [
        ("abcdefgh.onion:4433", "abcdefgh.onion:4433"),
        ("tls://core.example.org:443", "core.example.org:443"),
        ("192.0.2.1:7", "192.0.2.1:7"),
        ("[2001:db8::1]:7", "[2001:db8::1]:7"),
    ] {
        dial(&a, &b, address);
        let (link, remote) = up(&mut at_a).await;
        assert_eq!(remote, format!("tls://{asked}"));
        assert_eq!(proxy.asked.recv().await.as_deref(), Some(asked));
        let (there, from) = up(&mut at_b).await;
        assert!(from.starts_with("tls://127.0.0.1:"));
        a.command(Command::Send {
            link,
            bytes: b"by way of a proxy".to_vec(),
        });
        let frame = Event::Frame {
            link: there,
            bytes: b"by way of a proxy".to_vec(),
        };
        assert_eq!(next(&mut at_b).await, frame);
        assert!(matches!(next(&mut at_a).await, Event::Writable { .. }));
        b.command(Command::Close {
            link: there,
            code: 0,
            text: String::new(),
        });
        for events in [&mut at_a, &mut at_b] {
            assert!(matches!(next(events).await, Event::Down { .. }));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_onion_service_is_looked_up_and_dialled_through_a_proxy_alone() {
    let (b, mut at_b) = node(2, Over::Tls).await;
    let onion = "abcdefgh.onion:4433";
    for over in [Over::Quic, Over::Tls, Over::Both] {
        let (a, mut at_a) = node(1, over).await;
        dial(&a, &b, onion);
        let reason = not_dialled(&mut at_a).await;
        let expected = matches!(reason, DialError::Unresolved { .. } | DialError::Failed(_));
        assert!(expected, "{over:?}: {reason:?}");
    }
    let mut proxy = Proxy::open(Answer::Lead(socket(&b))).await;
    let (a, mut at_a) = through(1, Over::Both, Some(proxy.at)).await;
    let began = Instant::now();
    dial(&a, &b, onion);
    up(&mut at_a).await;
    up(&mut at_b).await;
    assert!(began.elapsed() < Duration::from_secs(4), "no look-up");
    assert_eq!(proxy.asked.recv().await.as_deref(), Some(onion));
    // Nor does a name have to be known here (RFC 6761: this one is known nowhere).
    let unknown = "core.invalid:4433";
    dial(&a, &b, unknown);
    up(&mut at_a).await;
    assert_eq!(proxy.asked.recv().await.as_deref(), Some(unknown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_does_not_lead_there_says_so() {
    let (b, _at_b) = node(2, Over::Tls).await;
    for (answer, wanted) in [
        (Answer::Refuse(5), "no answer"),
        (Answer::Refuse(4), "no answer"),
        (Answer::Refuse(2), "does not allow"),
        (Answer::Refuse(1), "code 1"),
        (Answer::Say(b"\x05\xff".to_vec()), "without a password"),
        (Answer::Say(b"HTTP/1.1 400 Bad\r\n".to_vec()), "no SOCKS5"),
        (Answer::Say(vec![]), "does not lead there"),
        (Answer::Stall, "no answer"),
    ] {
        let proxy = Proxy::open(answer.clone()).await;
        let (a, mut at_a) = through(1, Over::Tls, Some(proxy.at)).await;
        dial(&a, &b, "core.example.org:4433");
        let reason = not_dialled(&mut at_a).await.to_string();
        assert!(reason.contains(wanted), "{answer:?}: {reason}");
    }
    // A proxy that leads to somebody else is found out.
    let (c, _at_c) = node(3, Over::Tls).await;
    let proxy = Proxy::open(Answer::Lead(socket(&c))).await;
    let (a, mut at_a) = through(1, Over::Tls, Some(proxy.at)).await;
    dial(&a, &b, "core.example.org:4433");
    assert_eq!(not_dialled(&mut at_a).await, DialError::WrongNode);
    // And one that is not there is named; nothing is dialled past it.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let at = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let (a, mut at_a) = through(1, Over::Tls, Some(at)).await;
    dial(&a, &b, &socket(&b).to_string());
    let reason = not_dialled(&mut at_a).await.to_string();
    assert!(reason.contains(&at.to_string()), "{reason}");
}
