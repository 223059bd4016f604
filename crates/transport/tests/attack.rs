//! Peers that misbehave: other software that holds a valid key and speaks the right protocol name.

use std::{net::SocketAddr, time::Duration};

use identity::NodeId;
use iroh::{
    Endpoint, EndpointAddr, PublicKey, SecretKey, TransportAddr,
    endpoint::{Connection, ConnectionError, RecvStream, SendStream, presets},
};
use tokio::{io::AsyncWriteExt, net::UdpSocket, time::timeout};
use transport::{
    Command, Config, DialError, DialToken, DownReason, Event, Events, LinkId, Listen, OpenError,
    Transport,
    limits::{INITIAL_CREDIT, MAX_FRAME},
    quic::{self, Quic},
};

use crate::conform::{loopback, quic};

const GUARD: Duration = Duration::from_secs(20);
const ALPN: &[u8] = b"waystation/0";
const PREAMBLE: &[u8; 8] = b"waylink0";

async fn next(events: &mut Events) -> Event {
    timeout(GUARD, events.next())
        .await
        .expect("something happens")
        .expect("it is open")
}

async fn stranger(alpn: &[u8]) -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(&[200; 32]))
        .alpns(vec![alpn.to_vec()])
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .expect("an address")
        .bind()
        .await
        .expect("loopback can be bound")
}

fn to(node: &Quic) -> EndpointAddr {
    let key = PublicKey::from_bytes(node.node().as_bytes()).expect("a key");
    let address: SocketAddr = node.listening()[0].parse().expect("a socket address");
    EndpointAddr::from_parts(key, [TransportAddr::Ip(address)])
}

/// A stranger that has come as far as a link.
async fn linked(
    node: &Quic,
    events: &mut Events,
) -> (Endpoint, Connection, SendStream, RecvStream, LinkId) {
    let endpoint = stranger(ALPN).await;
    let connection = endpoint
        .connect(to(node), ALPN)
        .await
        .expect("a connection");
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(PREAMBLE).await.expect("written");
    let mut theirs = [0; 8];
    receive.read_exact(&mut theirs).await.expect("the preamble");
    assert_eq!(&theirs, PREAMBLE);
    let Event::Up {
        link,
        node,
        dialled,
        ..
    } = next(events).await
    else {
        panic!("no link")
    };
    assert_eq!(node.as_bytes(), endpoint.id().as_bytes());
    assert_eq!(dialled, None);
    (endpoint, connection, send, receive, link)
}

async fn closed_with(connection: &Connection) -> u64 {
    match timeout(GUARD, connection.closed())
        .await
        .expect("it is closed")
    {
        ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("closed otherwise: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_length_closes_the_link() {
    let (node, mut events) = quic(1).await;
    let (_endpoint, connection, mut send, _receive, link) = linked(&node, &mut events).await;
    send.write_all(&[0, 0, 0, 2, b'o', b'k', 255, 255, 255, 255])
        .await
        .expect("written");
    assert_eq!(
        next(&mut events).await,
        Event::Frame {
            link,
            bytes: b"ok".to_vec()
        }
    );
    let reason = DownReason::Oversized { length: u32::MAX };
    assert_eq!(next(&mut events).await, Event::Down { link, reason });
    assert_eq!(closed_with(&connection).await, 1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_over_the_limit_closes_the_link() {
    let (node, mut events) = quic(1).await;
    let (_endpoint, _connection, mut send, _receive, link) = linked(&node, &mut events).await;
    let length = u32::try_from(MAX_FRAME + 1).expect("small");
    send.write_all(&length.to_be_bytes())
        .await
        .expect("written");
    let reason = DownReason::Oversized { length };
    assert_eq!(next(&mut events).await, Event::Down { link, reason });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_frame_closes_the_link() {
    let (node, mut events) = quic(1).await;
    let (_endpoint, connection, mut send, _receive, link) = linked(&node, &mut events).await;
    send.write_all(&[0; 4]).await.expect("written");
    assert!(matches!(
        next(&mut events).await,
        Event::Down { link: down, reason: DownReason::Malformed(_) } if down == link
    ));
    assert_eq!(closed_with(&connection).await, 1002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_instead_of_the_preamble_makes_no_link() {
    let (node, mut events) = quic(1).await;
    let endpoint = stranger(ALPN).await;
    let connection = endpoint
        .connect(to(&node), ALPN)
        .await
        .expect("a connection");
    let (mut send, _receive) = connection.open_bi().await.expect("a stream");
    send.write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("written");
    assert_eq!(closed_with(&connection).await, 1002);
    // The next one is served, and it is the first of which the node has heard.
    linked(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_goes_no_further_is_dropped() {
    let (node, mut events) = quic(1).await;
    let endpoint = stranger(ALPN).await;
    // It never opens its stream.
    let connection = endpoint
        .connect(to(&node), ALPN)
        .await
        .expect("a connection");
    timeout(GUARD, connection.closed())
        .await
        .expect("the node gives up on it");
    // Half a preamble is no better.
    let connection = endpoint
        .connect(to(&node), ALPN)
        .await
        .expect("a connection");
    let (mut send, _receive) = connection.open_bi().await.expect("a stream");
    send.write_all(&PREAMBLE[..4]).await.expect("written");
    timeout(GUARD, connection.closed())
        .await
        .expect("the node gives up on it");
    drop((send, connection));
    endpoint.close().await;
    linked(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_is_refused() {
    let (node, _events) = quic(1).await;
    let endpoint = stranger(b"h3").await;
    assert!(endpoint.connect(to(&node), b"h3").await.is_err());

    // And the other way round: somebody answers who speaks no such protocol.
    let (other, mut events) = quic(2).await;
    let address = endpoint.bound_sockets()[0].to_string();
    let stranger = NodeId::from_bytes(*endpoint.id().as_bytes());
    let accept = tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            assert!(incoming.await.is_err());
        }
    });
    other.command(Command::Dial {
        token: DialToken(1),
        node: stranger,
        address,
    });
    let Event::DialFailed { reason, .. } = next(&mut events).await else {
        panic!("no failure")
    };
    assert!(matches!(reason, DialError::Refused(_)), "{reason:?}");
    accept.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_closed_stream_ends_the_link() {
    let (node, mut events) = quic(1).await;
    let (_endpoint, connection, mut send, _receive, link) = linked(&node, &mut events).await;
    send.write_all(&[0, 0, 0, 1, 9, 0, 0, 0])
        .await
        .expect("written");
    send.shutdown().await.expect("it is open");
    assert_eq!(
        next(&mut events).await,
        Event::Frame {
            link,
            bytes: vec![9]
        }
    );
    assert!(matches!(
        next(&mut events).await,
        Event::Down {
            reason: DownReason::Malformed(_),
            ..
        }
    ));
    assert_eq!(closed_with(&connection).await, 1002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_not_read_beyond_the_grant() {
    let (node, mut events) = quic(1).await;
    let (_endpoint, _connection, mut send, _receive, link) = linked(&node, &mut events).await;
    // One-byte frames: the worst case for what a frame costs beside its bytes.
    let flood = tokio::spawn(async move {
        let burst: Vec<u8> = [0, 0, 0, 1, 7].repeat(10_000);
        while send.write_all(&burst).await.is_ok() {}
    });
    let mut frames = 0;
    while let Ok(event) = timeout(Duration::from_millis(300), events.next()).await {
        assert_eq!(
            event,
            Some(Event::Frame {
                link,
                bytes: vec![7]
            })
        );
        frames += 1;
    }
    assert_eq!(frames, INITIAL_CREDIT.div_ceil(65));
    assert!(!flood.is_finished(), "QUIC itself holds the sender back");
    flood.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_falls_silent_is_noticed() {
    // A network that can be cut: every packet goes through this socket.
    let mut config = Config::new([1; 32], loopback());
    config.idle_timeout = Duration::from_secs(1);
    let (node, mut events) = quic::open(config).await.expect("loopback can be bound");
    let target: SocketAddr = node.listening()[0].parse().expect("a socket address");
    let middle = UdpSocket::bind("127.0.0.1:0")
        .await
        .expect("loopback can be bound");
    let address = middle.local_addr().expect("it is bound").to_string();
    let relay = tokio::spawn(async move {
        let mut dialler = None;
        let mut packet = [0; 2048];
        while let Ok((length, from)) = middle.recv_from(&mut packet).await {
            if from != target {
                dialler = Some(from);
            }
            let onwards = if from == target {
                dialler
            } else {
                Some(target)
            };
            if let Some(onwards) = onwards {
                let _ = middle.send_to(&packet[..length], onwards).await;
            }
        }
    });
    // The dialler answers only there, so that no other path can be found.
    let mut config = Config::new([2; 32], loopback());
    config.idle_timeout = Duration::from_secs(1);
    let (dialler, mut dialler_events) = quic::open(config).await.expect("loopback can be bound");
    dialler.command(Command::Dial {
        token: DialToken(1),
        node: node.node(),
        address,
    });
    let Event::Up { .. } = next(&mut dialler_events).await else {
        panic!("no link")
    };
    let Event::Up { link, .. } = next(&mut events).await else {
        panic!("no link")
    };
    relay.abort();
    // Drop the peer without a goodbye: its packets go nowhere.
    drop(dialler_events);
    let event = timeout(GUARD, next(&mut events))
        .await
        .expect("the silence is noticed");
    let Event::Down { link: down, reason } = event else {
        panic!("unexpected: {event:?}")
    };
    assert_eq!((down, reason), (link, DownReason::Silent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_all_its_links_refuses_strangers_and_does_not_dial() {
    let mut config = Config::new([1; 32], loopback());
    config.max_links = 1;
    let (node, mut events) = quic::open(config).await.expect("loopback can be bound");
    let (endpoint, connection, ..) = linked(&node, &mut events).await;
    let (other, mut other_events) = quic(2).await;
    let address = node.listening()[0].clone();
    other.command(Command::Dial {
        token: DialToken(1),
        node: node.node(),
        address,
    });
    let Event::DialFailed { reason, .. } = next(&mut other_events).await else {
        panic!("linked")
    };
    assert!(matches!(reason, DialError::Refused(_)), "{reason:?}");
    let address = other.listening()[0].clone();
    node.command(Command::Dial {
        token: DialToken(2),
        node: other.node(),
        address,
    });
    let reason = DialError::Busy;
    assert_eq!(
        next(&mut events).await,
        Event::DialFailed {
            token: DialToken(2),
            reason
        }
    );
    // The place is free again with the link.
    connection.close(0_u32.into(), b"");
    let Event::Down { .. } = next(&mut events).await else {
        panic!("still up")
    };
    endpoint.close().await;
    linked(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_packets_disturb_nobody() {
    let (node, mut events) = quic(1).await;
    let target: SocketAddr = node.listening()[0].parse().expect("a socket address");
    let noise = UdpSocket::bind("127.0.0.1:0")
        .await
        .expect("loopback can be bound");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..500 {
        let mut packet = [0; 1200];
        for byte in &mut packet {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        noise.send_to(&packet, target).await.expect("sent");
    }
    linked(&node, &mut events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_reported_and_the_default_moves_on() {
    let (node, _events) = quic(1).await;
    let taken: SocketAddr = node.listening()[0].parse().expect("a socket address");
    let error = quic::open(Config::new([2; 32], Listen::At(vec![taken]))).await;
    let error = error.expect_err("the port is taken");
    assert!(matches!(error, OpenError::Bind { .. }));
    assert!(error.to_string().contains("in use"), "{error}");

    let mut nodes = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 3..6 {
        let opened = quic::open(Config::new([seed; 32], Listen::Default))
            .await
            .expect("any port");
        let address: SocketAddr = opened.0.listening()[0].parse().expect("a socket address");
        assert!(seen.insert(address.port()), "each has a port of its own");
        nodes.push(opened);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_addresses_of_one_family_can_be_listened_on() {
    let listen = ["127.0.0.1:0", "127.0.0.2:0"].map(|text| text.parse().expect("an address"));
    let opened = quic::open(Config::new([1; 32], Listen::At(listen.to_vec()))).await;
    let (node, mut events) = opened.expect("loopback can be bound");
    let addresses = node.listening();
    assert_eq!(addresses.len(), 2);
    for (seed, address) in (2..).zip(addresses) {
        let (dialler, _dialler_events) = quic(seed).await;
        dialler.command(Command::Dial {
            token: DialToken(0),
            node: node.node(),
            address,
        });
        let Event::Up { node: who, .. } = next(&mut events).await else {
            panic!("no link")
        };
        assert_eq!(who, dialler.node());
        dialler.shut().await;
        let Event::Down { .. } = next(&mut events).await else {
            panic!("still up")
        };
    }
}

#[tokio::test]
async fn an_empty_list_of_addresses_is_refused() {
    let error = quic::open(Config::new([1; 32], Listen::At(vec![]))).await;
    assert!(matches!(error, Err(OpenError::NoAddress)));
}
