//! All transports pass the suite.

use std::{net::SocketAddr, time::Duration};

use identity::SecretKey;
use transport::{
    Config, Events, Listen,
    internet::{self, Internet, Over},
    memory::{Memory, Net},
    quic::{self, Quic},
    suite::{self, Bench},
    tls::{self, Tls},
};

pub(crate) fn loopback() -> Listen {
    Listen::At(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
}

pub(crate) async fn quic(seed: u8) -> (Quic, Events) {
    let mut config = Config::new([seed; 32], loopback());
    config.handshake_timeout = Duration::from_secs(2);
    quic::open(config).await.expect("loopback can be bound")
}

pub(crate) async fn tls(seed: u8) -> (Tls, Events) {
    let mut config = Config::new([seed; 32], loopback());
    config.handshake_timeout = Duration::from_secs(2);
    tls::open(config).await.expect("loopback can be bound")
}

struct OverTls;

impl Bench for OverTls {
    type Transport = Tls;

    async fn open(&self, seed: u8) -> (Tls, Events) {
        tls(seed).await
    }

    fn nowhere(&self) -> String {
        // Bound, and never taken from.
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = socket.local_addr().expect("it is bound").to_string();
        std::mem::forget(socket);
        address
    }
}

struct OverQuic;

impl Bench for OverQuic {
    type Transport = Quic;

    async fn open(&self, seed: u8) -> (Quic, Events) {
        quic(seed).await
    }

    fn nowhere(&self) -> String {
        // Bound and never read.
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = socket.local_addr().expect("it is bound").to_string();
        std::mem::forget(socket);
        address
    }
}

struct OverBoth;

impl Bench for OverBoth {
    type Transport = Internet;

    async fn open(&self, seed: u8) -> (Internet, Events) {
        let mut config = Config::new([seed; 32], loopback());
        config.handshake_timeout = Duration::from_secs(2);
        internet::open(config, Over::Both)
            .await
            .expect("loopback can be bound")
    }

    fn nowhere(&self) -> String {
        OverQuic.nowhere()
    }
}

struct InMemory(Net);

impl Bench for InMemory {
    type Transport = Memory;

    async fn open(&self, seed: u8) -> (Memory, Events) {
        self.0.open(SecretKey::from_seed([seed; 32]).node_id())
    }

    fn nowhere(&self) -> String {
        "memory:65535".to_owned()
    }
}

#[tokio::test]
async fn memory_passes_the_suite() {
    suite::all(&InMemory(Net::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quic_passes_the_suite() {
    suite::all(&OverQuic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_passes_the_suite() {
    suite::all(&OverTls).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_pass_the_suite() {
    suite::all(&OverBoth).await;
}
