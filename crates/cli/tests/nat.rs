//! Real processes behind address translators: three networks and two routers, each a network namespace
//! of its own inside a user namespace, so that nothing outside is touched and nothing is left over.
//! They go when the processes in them have gone.
//!
//! That takes `ip`, `nft`, `unshare` and `nsenter`, and a system on which a process may make
//! namespaces. Where one of them is missing the tests say so and pass; with `WAY_NAT=must` they fail.

use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::people::{Person, Running, World, until};

const CORE: &str = "203.0.113.1";
const TALK: &str = "talk";

/// A namespace, held by a process that waits for the end of its input: it ends with the test, however
/// that ends.
struct Space {
    holder: Child,
    _input: ChildStdin,
}

impl Space {
    fn held(mut by: Command) -> Result<Self, String> {
        let mut holder = by
            .args(["cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|why| format!("{by:?}: {why}"))?;
        let input = holder.stdin.take().ok_or("no input")?;
        let space = Self {
            holder,
            _input: input,
        };
        space.entering()
    }

    /// Waits until its process has entered it.
    fn entering(mut self) -> Result<Self, String> {
        let own = std::fs::read_link("/proc/self/ns/net").map_err(|why| why.to_string())?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let its = std::fs::read_link(format!("/proc/{}/ns/net", self.holder.id()));
            let named = std::fs::read_to_string(format!("/proc/{}/comm", self.holder.id()));
            if its.is_ok_and(|its| its != own) && named.is_ok_and(|name| name.trim() == "cat") {
                return Ok(self);
            }
            if let Ok(Some(status)) = self.holder.try_wait() {
                return Err(format!("no namespace can be made here: {status}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("no namespace was made in time".to_owned())
    }

    /// The first, in a user namespace that is the root of all others.
    fn first() -> Result<Self, String> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--"]);
        Self::held(command)
    }

    /// Another one, beside this.
    fn beside(&self) -> Result<Self, String> {
        let mut command = Command::new("nsenter");
        command
            .args(self.entered())
            .args(["unshare", "--net", "--"]);
        Self::held(command)
    }

    fn entered(&self) -> [String; 5] {
        let words = ["-t", &self.pid(), "-U", "-n", "--preserve-credentials"];
        words.map(str::to_owned)
    }

    fn pid(&self) -> String {
        self.holder.id().to_string()
    }

    /// Runs a script in it.
    fn run(&self, script: &str) -> Result<(), String> {
        let mut shell = Command::new("nsenter")
            .args(self.entered())
            .args(["sh", "-e"])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| format!("nsenter: {why}"))?;
        let mut input = shell.stdin.take().ok_or("no input")?;
        // What a shell does not read that has failed is in what it says.
        let _ = input.write_all(script.as_bytes());
        drop(input);
        let ended = shell.wait_with_output().map_err(|why| why.to_string())?;
        if ended.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A router before a network of one person, and that person's machine.
struct Home {
    router: Space,
    inside: Space,
}

impl Home {
    /// On the way out it gives every host of its network its own address; how it chooses the ports is
    /// said by `masquerade`. From outside it lets in what was asked for from inside, and nothing else.
    fn new(world: &Space, own: &str, masquerade: &str) -> Result<Self, String> {
        let (router, inside) = (world.beside()?, world.beside()?);
        world.run(&format!(
            "ip link add to{last} type veth peer name up0 netns {router}
             ip link set to{last} master hub up",
            last = own.rsplit('.').next().unwrap_or_default(),
            router = router.pid(),
        ))?;
        router.run(&format!(
            "ip link set lo up
             ip link add down0 type veth peer name eth0 netns {inside}
             ip addr add {own}/24 dev up0
             ip link set up0 up
             ip addr add 192.168.1.1/24 dev down0
             ip link set down0 up
             ip route add default via {CORE}
             echo 1 > /proc/sys/net/ipv4/ip_forward
             nft -f - <<END
             table ip translate {{
               chain out {{
                 type nat hook postrouting priority 100;
                 oifname up0 {masquerade}
               }}
             }}
             table ip guard {{
               chain own {{
                 type filter hook input priority 0; policy drop;
                 iifname {{ lo, down0 }} accept
               }}
               chain through {{
                 type filter hook forward priority 0; policy drop;
                 ct state established,related accept
                 iifname down0 oifname up0 accept
               }}
             }}
END
",
            inside = inside.pid(),
        ))?;
        inside.run(
            "ip link set lo up
             ip addr add 192.168.1.2/24 dev eth0
             ip link set eth0 up
             ip route add default via 192.168.1.1",
        )?;
        Ok(Self { router, inside })
    }
}

/// Where the core node is in the open, and Alice and Bob each behind a router.
struct Networks {
    world: Space,
    homes: [Home; 2],
}

impl Networks {
    fn new(masquerade: &str) -> Result<Self, String> {
        let world = Space::first()?;
        world.run(&format!(
            "ip link set lo up
             ip link add hub type bridge
             ip addr add {CORE}/24 dev hub
             ip link set hub up"
        ))?;
        let home = |own: &str| Home::new(&world, own, masquerade);
        let homes = [home("203.0.113.2")?, home("203.0.113.3")?];
        Ok(Self { world, homes })
    }

    /// Nothing where they cannot be made here, which is said.
    fn made(masquerade: &str) -> Option<Self> {
        match Self::new(masquerade) {
            Ok(networks) => Some(networks),
            Err(why) => {
                let text = format!(
                    "NOT RUN: a test with address translators takes `ip`, `nft`, `unshare` and \
                     `nsenter`, and a system on which namespaces can be made: {why}"
                );
                assert_ne!(std::env::var("WAY_NAT").as_deref(), Ok("must"), "{text}");
                // Past the harness, which keeps to itself what tests that pass have said.
                let _ = writeln!(std::io::stderr(), "{text}");
                None
            }
        }
    }
}

/// Alice, Bob and their core node, with a topic of both.
struct Cast {
    networks: Networks,
    _folder: World,
    core: Person,
    running: Option<Running>,
    people: [Person; 2],
    nodes: Vec<Running>,
}

fn id(of: &Person) -> String {
    let id = of.object("Identity", &["id"])["id"].clone();
    id.as_str().unwrap().to_owned()
}

/// What somebody's node says of its link with another.
fn link(of: &Person, with: &str) -> Option<Value> {
    let peers = of.json("Peer", &["peers"]);
    peers
        .into_iter()
        .find(|peer| peer["id"] == with && peer["linked"] == true)
}

fn up(person: &Person, words: &[&str]) -> Running {
    let mut node = person.serve(&[&["--name", &person.name], words].concat());
    let said = node.line();
    assert!(said.contains("addresses"), "{said}\n{}", person.log());
    node
}

impl Cast {
    fn new(networks: Networks) -> Self {
        let folder = World::new();
        let within = |name: &str, space: &Space| {
            let mut person = folder.person(name);
            person.within = [&["nsenter".to_owned()], space.entered().as_slice()].concat();
            person
        };
        let core = within("core", &networks.world);
        let people = [("alice", 0), ("bob", 1)]
            .map(|(name, home)| within(name, &networks.homes[home].inside));
        let public = format!("{CORE}:4433");
        let running = up(&core, &["--core", "--public", &public]);
        let nodes = people.iter().map(|person| up(person, &[])).collect();
        let [alice, bob] = &people;
        alice.uses(&core);
        bob.uses(&core);
        alice.creates(TALK);
        bob.joins(&alice.invites(TALK, "1"));
        Self {
            networks,
            _folder: folder,
            core,
            running: Some(running),
            people,
            nodes,
        }
    }

    /// One says something; it reaches the other.
    fn talk(&self, from: usize, text: &str) {
        let (one, two) = (&self.people[from], &self.people[1 - from]);
        one.object("Sent", &["send", TALK, text, "--wait", "delivered"]);
        assert_eq!(two.texts(TALK).last().map(String::as_str), Some(text));
    }
}

#[test]
fn two_people_behind_translators_meet_directly_and_need_the_core_node_no_more() {
    let Some(networks) = Networks::made("masquerade") else {
        return;
    };
    let mut cast = Cast::new(networks);
    let [alice, bob] = &cast.people;
    let (core, ids) = (id(&cast.core), [id(alice), id(bob)]);
    // Where each says that it is the other finds nobody.
    for person in [alice, bob] {
        let said = person.object("Identity", &["id"])["addresses"][0].clone();
        assert!(
            said.as_str().unwrap().ends_with("@192.168.1.2:4433"),
            "{said}"
        );
    }
    cast.talk(0, "through the core node");
    until("they are linked", || {
        link(alice, &ids[1]).is_some() && link(bob, &ids[0]).is_some()
    });
    for (person, other, at) in [
        (alice, &ids[1], "203.0.113.3:4433"),
        (bob, &ids[0], "203.0.113.2:4433"),
    ] {
        let link = link(person, other).unwrap();
        assert_eq!(link["by"], core, "{link}");
        assert_eq!(link["transport"], "quic");
        assert_eq!(link["address"], at);
    }
    // The core node goes as in a power failure, and they talk on.
    cast.running.take().unwrap().kill();
    for (from, text) in [(1, "is it gone?"), (0, "it is"), (1, "so it is")] {
        cast.talk(from, text);
    }
}

/// Packets that have left a router for the other one, and nothing else has.
fn crossed(networks: &Networks) -> Result<u64, String> {
    let count = |home: &Home| {
        let listed = Command::new("nsenter")
            .args(home.router.entered())
            .args(["nft", "-j", "list", "counters"])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .map_err(|why| why.to_string())?;
        let listed: Value =
            serde_json::from_slice(&listed.stdout).map_err(|why| why.to_string())?;
        let counters = listed["nftables"].as_array().cloned().unwrap_or_default();
        let packets = counters
            .iter()
            .filter_map(|one| one["counter"]["packets"].as_u64());
        Ok::<u64, String>(packets.sum())
    };
    let [one, two] = &networks.homes;
    Ok(count(one)? + count(two)?)
}

#[test]
fn where_no_direct_way_can_be_had_the_core_node_carries_on_and_nobody_dials_without_end() {
    // Each pair of hosts gets a port of its own, at random: what the core node sees is of no use to others.
    let Some(networks) = Networks::made("masquerade fully-random") else {
        return;
    };
    for (home, other) in networks.homes.iter().zip(["203.0.113.3", "203.0.113.2"]) {
        home.router
            .run(&format!(
                "nft -f - <<END
                 table ip tally {{
                   counter crossed {{ }}
                   chain through {{
                     type filter hook forward priority 10;
                     ip daddr {other} counter name crossed
                   }}
                 }}
END
"
            ))
            .unwrap();
    }
    let cast = Cast::new(networks);
    let [alice, bob] = &cast.people;
    let ids = [id(alice), id(bob)];
    let begun = Instant::now();
    until("they have tried", || crossed(&cast.networks).unwrap() > 0);
    // As long as a dial takes, and longer: it comes to its end.
    let mut last = (crossed(&cast.networks).unwrap(), Instant::now());
    until("nobody tries any more", || {
        cast.talk(0, "through the core node");
        let now = crossed(&cast.networks).unwrap();
        if now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() > Duration::from_secs(25)
    });
    let packets = last.0;
    eprintln!(
        "{packets} packets to the other's router in {:?}",
        begun.elapsed()
    );
    assert!(packets <= 40, "{packets} packets");
    for (person, other) in [(alice, &ids[1]), (bob, &ids[0])] {
        assert!(link(person, other).is_none(), "there is no way");
    }
    cast.talk(1, "through the core node, the other way");
    assert_eq!(cast.nodes.len(), 2);
}
