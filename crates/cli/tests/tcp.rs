//! Real processes whose links run over TLS and TCP.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc;

use crate::people::{Person, World, until};

const TLS: [&str; 4] = ["--listen", "127.0.0.1:0", "--transport", "tls"];

/// The first address of somebody's node, which is told them a moment after it has started.
fn address(of: &Person) -> String {
    let first = || of.object("Identity", &["id"])["addresses"][0].clone();
    until("the node knows its addresses", || first().is_string());
    first().as_str().unwrap().to_owned()
}

/// The socket in an address.
fn socket(address: &str) -> SocketAddr {
    address.split_once('@').unwrap().1.parse().unwrap()
}

/// What the one link of somebody runs over.
fn over(person: &Person) -> String {
    let peers = person.json("Peer", &["peers"]);
    let linked = peers.iter().find(|peer| peer["linked"] == true);
    linked.map_or(String::new(), |peer| {
        peer["transport"].as_str().unwrap().to_owned()
    })
}

#[test]
fn the_demo_passes_over_tls_alone() {
    let demo = Command::new("timeout")
        .args(["180", env!("CARGO_BIN_EXE_way")])
        .args(["demo", "--transport", "tls", "--messages", "100"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&demo.stdout);
    let errors = String::from_utf8_lossy(&demo.stderr);
    assert!(demo.status.success(), "{text}\n{errors}");
    assert!(text.contains("--transport tls"), "{text}");
}

#[test]
fn two_nodes_talk_over_tls_and_stay_with_it() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    for person in [&alice, &bob] {
        person.up(&TLS);
        assert!(address(person).starts_with("tls://"));
    }
    alice.befriends(&bob);
    for person in [&alice, &bob] {
        assert_eq!(over(person), "tls");
    }
    // Nothing is listened on over UDP, now or when it starts again without being told.
    for _ in 0..2 {
        let at = socket(&address(&alice));
        UdpSocket::bind(at).unwrap();
        TcpListener::bind(at).unwrap_err();
        alice.down();
        alice.up(&[]);
        assert_eq!(socket(&address(&alice)), at);
    }
    until("the link is made anew", || over(&alice) == "tls");
}

#[test]
fn a_node_that_has_both_finds_one_that_has_tls_alone() {
    let world = World::new();
    let (alice, bob) = (world.up("alice"), world.person("bob"));
    bob.up(&TLS);
    // The short form of the address, as in a link: whoever goes by it tries UDP first.
    let short = address(&bob).replace("tls://", "");
    alice.way(&["peer", "add", &short]);
    until("they are linked", || over(&alice) == "tls");
    // Between two that have both, it is QUIC.
    let carol = world.up("carol");
    let dave = world.up("dave");
    carol.way(&["peer", "add", &address(&dave)]);
    until("they are linked", || over(&carol) == "quic");
}

/// A SOCKS5 proxy that leads everybody to one place, and tells which names it was asked for.
fn proxy(to: SocketAddr) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let mut near = near.unwrap();
            near.read_exact(&mut [0; 3]).unwrap();
            near.write_all(&[5, 0]).unwrap();
            let mut head = [0; 5];
            near.read_exact(&mut head).unwrap();
            assert_eq!(head[..4], [5, 1, 0, 3], "it is asked for a name");
            let mut rest = vec![0; usize::from(head[4]) + 2];
            near.read_exact(&mut rest).unwrap();
            rest.truncate(rest.len() - 2);
            // Whoever asks may have heard enough.
            let _ = sender.send(String::from_utf8(rest).unwrap());
            near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
            let far = TcpStream::connect(to).unwrap();
            for (mut from, mut to) in [
                (near.try_clone().unwrap(), far.try_clone().unwrap()),
                (far, near),
            ] {
                std::thread::spawn(move || {
                    // It ends when either side does.
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (at, asked)
}

#[test]
fn a_node_behind_tor_dials_by_names_that_only_tor_knows() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    bob.up(&TLS);
    let identity = bob.object("Identity", &["id"]);
    let (at, asked) = proxy(socket(&address(&bob)));
    alice.up(&TLS);
    alice.down();
    let config = alice.home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("transport = \"tls\""), "{text}");
    let text = text.replace("proxy = \"\"", &format!("proxy = \"{at}\""));
    std::fs::write(&config, text).unwrap();
    alice.up(&[]);
    // Bob knows her, and has no way to her of his own.
    let hers = alice.object("Identity", &["id"]);
    let nowhere = format!("{}@127.0.0.1:9", hers["id"].as_str().unwrap());
    bob.way(&["peer", "add", &nowhere]);
    let onion = "waystationwaystationwaystationwaystationwaystationwaysta.onion";
    let id = identity["id"].as_str().unwrap();
    alice.way(&["peer", "add", &format!("tls://{id}@{onion}:4433")]);
    until("they are linked", || over(&alice) == "tls");
    assert_eq!(asked.recv().unwrap(), onion);
    // Through it goes what is said.
    alice.object("Sent", &["send", id, "hello", "--wait", "delivered"]);
}
