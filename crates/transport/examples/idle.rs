//! Measures the memory of idle links: this process takes 100 links from another one, and prints
//! what each has cost it.

use std::{
    io::{BufRead, BufReader},
    process::{Command as Process, Stdio},
};

use identity::NodeId;
use transport::{
    Command, Config, DialToken, Event, Events, Listen, Transport,
    quic::{self, Quic},
};

const NODES: u8 = 100;
const LINKS: usize = NODES as usize;

async fn open(seed: u8) -> (Quic, Events) {
    let listen = Listen::At(vec![([127, 0, 0, 1], 0).into()]);
    quic::open(Config::new([seed; 32], listen))
        .await
        .expect("loopback can be bound")
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [node, address] => dial(node.parse().expect("a node id"), address).await,
        _ => serve().await,
    }
}

async fn serve() {
    let (node, mut events) = open(255).await;
    let mut dialler = Process::new(std::env::current_exe().expect("this program"))
        .args([node.node().to_string(), node.listening()[0].clone()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    // One link first, so that what every process needs once is not counted.
    up(&mut events).await;
    let before = resident();
    for _ in 1..LINKS {
        up(&mut events).await;
    }
    let mut line = String::new();
    let mut said = BufReader::new(dialler.stdout.take().expect("it is piped"));
    said.read_line(&mut line).expect("it says when it is done");
    let each = (resident() - before) / (LINKS as u64 - 1);
    println!("{each} KiB for each of {LINKS} idle links");
    drop(dialler.stdin.take());
    dialler.wait().expect("it ends");
}

async fn dial(node: NodeId, address: &str) {
    let mut nodes = Vec::new();
    for seed in 0..NODES {
        let (dialler, mut events) = open(seed).await;
        for token in 0..1 {
            let address = address.to_owned();
            dialler.command(Command::Dial {
                token: DialToken(token),
                node,
                address,
            });
            up(&mut events).await;
        }
        nodes.push((dialler, events));
    }
    println!("done");
    // Until the other side closes our input.
    std::io::stdin().lines().for_each(drop);
}

async fn up(events: &mut Events) {
    match events.next().await {
        Some(Event::Up { .. }) => {}
        other => panic!("no link: {other:?}"),
    }
}

/// KiB of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("it is there");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}
