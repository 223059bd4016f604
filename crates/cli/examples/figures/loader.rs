//! Fills homes without their processes: the same machine over the same store, driven in this one,
//! with links in memory instead of sockets. What lies on the disk afterwards is what the processes
//! would have written, in a fraction of the time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use cli::home::Environment;
use cli::keys::Keys;
use driver::{Handle, Opened, Options};
use identity::{NodeId, SecretKey};
use machine::{ContentDone, ContentEffect};
use node::command::{Command, Reply, RequestId, WaitFor};
use node::{Advisory, Config, Held, Input, LinkId, Out, Verbatim};
use rights::DeviceSecret;
use store::{FjallStore, Marker, Store as _};

use crate::Failed;
use crate::stage::Person;

/// Messages on their way into the store at a time.
const AHEAD: usize = 256;
/// Bytes of a frame that carries envelopes.
const LARGE: usize = 4 * 1024;
/// What a link then takes more, in bytes.
const WIDE: u64 = 6 * 1024 * 1024;
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// The nodes of this process, which reach one another at once.
#[derive(Default)]
pub(crate) struct Wires {
    ends: Mutex<Vec<(NodeId, Handle<Input>)>>,
    links: AtomicU64,
}

/// A node of this process.
pub(crate) struct Loader {
    handle: Handle<Input>,
    node: driver::Node<Input>,
    replies: mpsc::Receiver<(u64, Reply)>,
    asked: u64,
    store: FjallStore,
    marker: Marker,
}

impl Loader {
    /// Opens the home of somebody whose process is down. At most two reach one another.
    pub(crate) fn open(person: &Person, core: bool, wires: &Arc<Wires>) -> Result<Self, Failed> {
        let keys = Keys::read(&std::fs::read_to_string(person.home.keys())?, None)?;
        let config = config(&keys, &person.name, core);
        let (store, opened) = FjallStore::open(
            &person.home.store(),
            &node::tables(),
            &store::Options::default(),
        )?;
        let environment = Environment {
            xdg_state: Some(person.state.clone()),
            ..Environment::default()
        };
        let state = environment.state_folder().ok_or("no folder for markers")?;
        let marker = Marker::open(&state, &opened.home)?;
        let id = config.node_key.node_id();
        let (sender, replies) = mpsc::channel();
        let mut base = Some(store.clone());
        let open = move |_| {
            let store = base.take().ok_or("a fault ended the life")?;
            Ok(Opened::over(node::Node::new(config.clone()), store))
        };
        let reach = Arc::clone(wires);
        let options: Options<Input, Out> = Options::default();
        let node = driver::start(options, open, move |handle| Outlet {
            own: (id, handle),
            wires: reach,
            replies: sender,
            widened: BTreeSet::new(),
        })?;
        let handle = node.handle();
        let plenty = Input::Store {
            bytes: 0,
            free: 1 << 40,
            full: false,
        };
        handle.send_blocking(plenty, 0)?;
        let mut ends = wires.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.push((id, handle.clone()));
        drop(ends);
        Ok(Self {
            handle,
            node,
            replies,
            asked: 0,
            store,
            marker,
        })
    }

    fn send(&mut self, command: Command) -> Result<(), Failed> {
        self.asked += 1;
        let request = RequestId(self.asked);
        self.handle
            .send_blocking(Input::Command { request, command }, 1024)?;
        Ok(())
    }

    fn answer(&mut self) -> Result<Reply, Failed> {
        match self.replies.recv_timeout(PATIENCE)?.1 {
            Reply::Failed(failure) => Err(format!("the node said: {}", failure.message).into()),
            reply => Ok(reply),
        }
    }

    /// Asks for one thing.
    pub(crate) fn ask(&mut self, command: Command) -> Result<Reply, Failed> {
        self.send(command)?;
        self.answer()
    }

    /// Publishes messages, each in an envelope of its own; gives the id of the last.
    pub(crate) fn publish(
        &mut self,
        messages: impl Iterator<Item = (String, Vec<u8>)>,
    ) -> Result<String, Failed> {
        let (mut ahead, mut last) = (0, None);
        for (to, message) in messages {
            if ahead == AHEAD {
                last = Some(self.answer()?);
                ahead -= 1;
            }
            self.send(Command::Send {
                to,
                messages: vec![message],
                expires: None,
                best_effort: false,
            })?;
            ahead += 1;
        }
        for _ in 0..ahead {
            last = Some(self.answer()?);
        }
        match last {
            Some(Reply::Sent { ids, .. }) => Ok(ids.first().ok_or("no id")?.to_string()),
            other => Err(format!("sending was answered with {other:?}").into()),
        }
    }

    /// Waits until a custodian holds a message, and all before it.
    pub(crate) fn wait_held(&mut self, id: String) -> Result<(), Failed> {
        let wait = Command::Wait {
            id,
            state: WaitFor::Held,
            of: None,
            timeout_ms: 590_000,
        };
        self.ask(wait).map(drop)
    }

    /// Ends the node and leaves the home as `way down` does.
    pub(crate) fn close(mut self) -> Result<(), Failed> {
        self.handle.send_blocking(Input::Closing, 0)?;
        self.handle.stop();
        let end = self.node.wait();
        if !matches!(end, driver::End::Stopped) {
            return Err(format!("a loading node ended: {end}").into());
        }
        self.marker.write(self.store.head())?;
        Ok(())
    }
}

fn config(keys: &Keys, name: &str, core: bool) -> Config {
    Config {
        node_key: SecretKey::from_seed(keys.node),
        device: DeviceSecret::from_bytes(keys.device),
        stale: false,
        core,
        reach: node::Reach::Any,
        name: name.to_owned(),
        public: Vec::new(),
        trust_clock: false,
        custody: custody::Settings::default(),
        store_limit: 0,
        software: "figures".to_owned(),
    }
}

/// A node's hands.
struct Outlet {
    own: (NodeId, Handle<Input>),
    wires: Arc<Wires>,
    replies: mpsc::Sender<(u64, Reply)>,
    /// Links that take more than a socket would.
    widened: BTreeSet<u64>,
}

impl Outlet {
    fn own(&self, input: Input) {
        // Room there is: no more than AHEAD commands wait. A node that has ended needs no input.
        let _ = self.own.1.try_send(input, 0);
    }

    fn other(&self) -> Option<(NodeId, Handle<Input>)> {
        let ends = self
            .wires
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ends.iter().find(|(id, _)| *id != self.own.0).cloned()
    }

    fn give(&self, input: Input, bytes: usize) {
        if let Some((_, handle)) = self.other() {
            // As above.
            let _ = handle.send_blocking(input, bytes);
        }
    }

    /// The two ends of a link have numbers that differ in the last bit.
    fn frame(&mut self, link: LinkId, bytes: Vec<u8>) {
        let (size, cost) = (bytes.len(), transport::frame_cost(bytes.len()));
        // A large frame is none of the greeting, so the link counts what it takes by now.
        if size >= LARGE && self.widened.insert(link.0) {
            self.own(Input::Writable { link, bytes: WIDE });
        }
        let link = LinkId(link.0 ^ 1);
        self.give(Input::Frame { link, bytes, cost }, size);
    }

    fn dial(&self, token: u64, node: NodeId) {
        let Some((id, _)) = self.other().filter(|(id, _)| *id == node) else {
            let reason = "not in this process".to_owned();
            return self.own(Input::DialFailed { token, reason });
        };
        let near = self.wires.links.fetch_add(2, Ordering::Relaxed);
        let exporter = *blake3::hash(&near.to_be_bytes()).as_bytes();
        let up = |link, node, dialled| Input::LinkUp {
            link: LinkId(link),
            node,
            dialled,
            exporter,
            remote: "127.0.0.1:1".to_owned(),
        };
        self.own(up(near, id, Some(token)));
        self.give(up(near ^ 1, self.own.0, None), 0);
    }
}

impl driver::Host<Out> for Outlet {
    fn held(&mut self, output: Held) {
        match output {
            Held::Frame { link, bytes } => self.frame(link, bytes),
            Held::Reply { request, reply } => {
                // Whoever asked may have gone.
                let _ = self.replies.send((request.0, reply));
            }
            Held::Changed { .. } | Held::Mail { .. } | Held::Delete(_) => {}
        }
    }

    fn verbatim(&mut self, output: Verbatim) {
        self.frame(output.link(), output.into_bytes());
    }

    fn advisory(&mut self, output: Advisory) {
        match output {
            Advisory::Dial { token, node, .. } => self.dial(token, node),
            Advisory::Courtesy { link, bytes } => self.frame(link, bytes),
            Advisory::Grant { link, bytes } => {
                let link = LinkId(link.0 ^ 1);
                self.give(Input::Writable { link, bytes }, 0);
            }
            Advisory::Check(check) => self.own.1.check(move || Input::Checked(check.run())),
            Advisory::Close { link, text, .. } => {
                let down = |link, reason| Input::LinkDown {
                    link: LinkId(link),
                    reason,
                };
                self.own(down(link.0, text.clone()));
                self.give(down(link.0 ^ 1, text), 0);
            }
            Advisory::File { .. } => unreachable!("nobody shares files here"),
            Advisory::Log { .. } => {}
        }
    }

    fn content(&mut self, effect: ContentEffect) {
        // Nothing is asked of a home without files but what is there.
        assert!(matches!(effect, ContentEffect::List { .. }), "{effect:?}");
        self.own(Input::Content(ContentDone::Listed(Vec::new())));
    }
}
