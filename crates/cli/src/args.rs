//! The words of the command line, as clap parses them.
//!
//! Nothing is looked up here: a topic or a node is text until the running node resolves it.
//! Usage errors end with exit code 2, which is also what clap uses.

use std::path::PathBuf;

pub mod device;
pub mod files;
pub mod owners;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Over, Reach};
use crate::rate::PerMinute;
use crate::size::Size;
use crate::when::{Patience, Since, When};

/// A message router for groups of people and programs that are not always connected.
#[derive(Debug, Parser)]
#[command(
    name = "way",
    version,
    about,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = EXIT_CODES
)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 no node is running, 4 not yet (the message is safe),
5 refused, 6 not found or ambiguous, 7 store damaged.";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The folder with this node's keys, settings and messages [default: $WAY_HOME, else the XDG
    /// data folder's `waystation`]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub home: Option<PathBuf>,
    /// Print JSON, one object a line, and errors as JSON on standard error
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the node of this home; creates the home on first use
    Up(Up),
    /// Stop the node of this home, and wait until it has stopped
    Down,
    /// One screen about the node, the rate rules in force and what is wrong with config.toml; exit code
    /// 0 when all is well
    Status,
    /// The id, name and addresses of this node
    Id,
    /// Set the name that others see
    Name {
        /// At most 64 bytes
        name: String,
    },
    /// Keep a link to another node, or stop keeping it
    #[command(subcommand)]
    Peer(Peer),
    /// The links of this node: who, over what, how far away, since when
    Peers,
    /// Core nodes: serve clients, or be a client
    #[command(subcommand)]
    Core(Core),
    /// Topics of this home
    #[command(subcommand)]
    Topic(Topic),
    /// Your devices: one person with a laptop and a phone is one member
    #[command(subcommand)]
    Device(device::Device),
    /// The owners of a topic: who they are, and what they decide together
    #[command(subcommand)]
    Owners(owners::Owners),
    /// Who takes part in a topic, by what grant, what that gives, and what was taken back
    Members {
        /// A topic
        topic: String,
    },
    /// Give a member of a topic more rights, out of your own
    Grant(Grant),
    /// Take back what a member of a topic was given; what it wrote so far stands
    Revoke(Revoke),
    /// Make a link that lets others join a topic
    Invite(Invite),
    /// Join a topic with a link, or read a public one; says first who invites to what
    Join(Join),
    /// Send messages to a topic, a node or an engine; prints the message id
    Send(Send),
    /// Read a topic, in causal order
    Read(Read),
    /// Share a file or a folder in a topic; prints the message id
    Share(files::Share),
    /// Take back a file or a folder that this device has shared
    Unshare(files::Unshare),
    /// The files that are shared in a topic, and how much of them is here
    Files(files::Files),
    /// Fetch a file of a topic, from all who have it, and write it
    Get(files::Get),
    /// Messages sent to this node itself
    Inbox(Inbox),
    /// Ask a node's echo engine for an answer and time it
    Ping {
        /// A node: an address, an id, a prefix of an id, or a name
        node: String,
        /// How long to wait for the answer
        #[arg(long, value_name = "T", default_value = "10s")]
        timeout: Patience,
    },
    /// Where a message stands, on whose evidence, and what would help
    Why {
        /// A message id, or a unique prefix of six digits or more [default: the last message this home
        /// sent]
        id: Option<String>,
    },
    /// Write a backup of this home to a file
    Backup {
        /// A new file; the keys in it are encrypted only if the home's are
        file: PathBuf,
    },
    /// Make this home from a backup
    Restore {
        /// A file that `way backup` wrote
        file: PathBuf,
    },
    /// Verify the store of a home whose node is down
    Check,
    /// Run a recording of `way up --record` again and compare every output
    Replay {
        /// The recording
        file: PathBuf,
    },
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Play the whole story with real processes: two core nodes, three people
    Demo(Demo),
}

/// `way up`.
#[derive(Debug, Clone, Default, Args)]
pub struct Up {
    /// Go to the background as soon as the node answers
    #[arg(short = 'd', long)]
    pub detach: bool,
    /// Serve clients: keep what they and the members of their topics have missed
    #[arg(long)]
    pub core: bool,
    /// The name that others see
    #[arg(long)]
    pub name: Option<String>,
    /// An address to listen on, such as 0.0.0.0:4433 (may be repeated)
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<std::net::SocketAddr>,
    /// The address under which others reach this node, such as core.example.org:4433
    #[arg(long, value_name = "ADDR")]
    pub public: Option<String>,
    /// What links run over: QUIC over UDP, TLS over TCP, or both
    #[arg(long, value_name = "WHAT")]
    pub transport: Option<Over>,
    /// By whom the node is within reach; `core` is for people, not for core nodes
    #[arg(long, value_name = "WHO")]
    pub reach: Option<Reach>,
    /// Write every input of the node to a new file, for `way replay`
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Used by -d on itself: tell the starting process on standard output when ready
    #[arg(long, hide = true)]
    pub detached_child: bool,
}

/// `way peer …`.
#[derive(Debug, Subcommand)]
pub enum Peer {
    /// Keep a link to a node
    Add {
        /// node1…@host:port
        addr: String,
    },
    /// Stop keeping a link to a node
    Remove {
        /// A node: an id, a prefix of one, or a name
        node: String,
    },
}

/// `way core …`.
#[derive(Debug, Subcommand)]
pub enum Core {
    /// Operator: make an invite for a client
    Invite {
        /// How much may be kept for each client that uses the invite
        #[arg(long, default_value = "1GiB", value_name = "SIZE")]
        quota: Size,
        /// How many clients may use it
        #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: u32,
    },
    /// Operator: serve a node without an invite, or whoever holds a pre-shared key
    Allow {
        /// The whole id of the node
        #[arg(required_unless_present = "psk_file", conflicts_with = "psk_file")]
        node: Option<String>,
        /// How much may be kept for it
        #[arg(long, default_value = "1GiB", value_name = "SIZE")]
        quota: Size,
        /// Whoever holds the key in this file becomes a client: 16 random bytes as 32 hexadecimal
        /// digits or 26 characters of base32
        #[arg(long, value_name = "FILE")]
        psk_file: Option<PathBuf>,
        /// With --psk-file: how many clients may use it [default: 1]
        #[arg(long, value_name = "N", requires = "psk_file", conflicts_with = "node", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: Option<u32>,
    },
    /// Operator: take nothing new from a client; says what happens to what is held
    Deny {
        /// A client: an id, a prefix of one, or a name
        #[arg(required_unless_present = "psk_file", conflicts_with = "psk_file")]
        node: Option<String>,
        /// Nobody becomes a client with the key in this file any more; who is one stays it
        #[arg(long, value_name = "FILE")]
        psk_file: Option<PathBuf>,
    },
    /// Write a new pre-shared key to a file, for `--psk-file` on both sides
    NewPsk {
        /// A new file; nobody else may read it
        file: PathBuf,
    },
    /// Operator: the clients and what is kept for them
    Clients,
    /// Client: let a core node keep what one misses
    Use {
        /// An operator's invite (way:core/…), or the address of a core node that allowed this node
        link: String,
        /// With an address: show the operator that this node holds the key in this file
        #[arg(long, value_name = "FILE")]
        psk_file: Option<PathBuf>,
    },
    /// Operator: say when this core node ends; it takes no new clients and topics, promises nothing beyond, and
    /// its clients move what it holds to others
    Retire {
        /// A time, or how long from now
        #[arg(long, value_name = "DATE", required_unless_present = "cancel")]
        by: Option<When>,
        /// It does not end
        #[arg(long, conflicts_with = "by")]
        cancel: bool,
    },
    /// Client: leave a core node, once others hold what it does; it keeps its promises
    Leave {
        /// A core node: an id, a prefix of one, or a name
        node: String,
        /// At once, whether or not others hold what it does
        #[arg(long)]
        now: bool,
    },
    /// Client: the core nodes this node uses
    List,
}

/// `way topic …`.
#[derive(Debug, Subcommand)]
pub enum Topic {
    /// Create a topic
    Create {
        /// The name that members see
        name: String,
        /// How many own it, you included, and how many of them decide who does, such as 2of3; prints a
        /// link for each of the others
        #[arg(long, value_name = "KofN")]
        owners: Option<owners::Threshold>,
        /// Whoever knows the topic may read it, and nobody can be kept from that; to write takes a grant
        #[arg(long)]
        public: bool,
        /// No more messages than this, such as 10/min, of everybody who is let in with no other rate; it
        /// holds for good, and not for who owns the topic
        #[arg(long, value_name = "RATE")]
        rate: Option<PerMinute>,
    },
    /// Print a link with which anybody can find and read a public topic
    Link {
        /// A local name, an id, or a unique prefix of one
        topic: String,
    },
    /// The topics of this home
    List,
    /// Members, numbers and state of one topic
    Info {
        /// A local name, an id, or a unique prefix of one
        topic: String,
    },
    /// Say goodbye to a topic; what is here stays readable
    Leave {
        /// A local name, an id, or a unique prefix of one
        topic: String,
    },
    /// Leave a topic and delete what is here of it
    Forget {
        /// A local name, an id, or a unique prefix of one
        topic: String,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// `way invite`.
#[derive(Debug, Args)]
pub struct Invite {
    /// A local name, an id, or a unique prefix of one
    pub topic: String,
    /// Show the link as a QR code as well
    #[arg(long)]
    pub qr: bool,
    /// How many devices may join with it: 256 at most, with --while-away 10,000
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub uses: u32,
    /// Until when it may be used: RFC 3339, or from now (+2d)
    #[arg(long, value_name = "T", default_value = "+7d")]
    pub until: When,
    /// Whoever joins may write messages [default: with none of the three, to write and to read]
    #[arg(long)]
    pub publish: bool,
    /// Whoever joins is given the keys of what is written
    #[arg(long)]
    pub read: bool,
    /// From when on it reads: RFC 3339, or from now (+30s); what is older stays sealed to it
    #[arg(long, value_name = "T")]
    pub read_from: Option<When>,
    /// Until when it reads, in whole days: RFC 3339, or from now (+2d) [default: without end]
    #[arg(long, value_name = "T")]
    pub read_until: Option<When>,
    /// Whoever joins may let others in
    #[arg(long)]
    pub admit: bool,
    /// No more messages of each than this, such as 10/min
    #[arg(long, value_name = "RATE")]
    pub rate: Option<PerMinute>,
    /// Whoever has the link reads at once, welcomed by nobody [default: somebody who may admit has to be
    /// online, and lets in as many as --uses says]
    #[arg(long)]
    pub while_away: bool,
}

/// `way grant`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("rights").required(true).multiple(true).args(["publish", "read", "admit"]))]
pub struct Grant {
    /// A topic
    pub topic: String,
    /// A member: a name, an id, the key of a device, or a unique prefix of one; somebody who reads a public
    /// topic: the whole key of the device, which `way topic info` prints there
    pub member: String,
    /// It may write messages
    #[arg(long)]
    pub publish: bool,
    /// It is given the keys of what is written
    #[arg(long)]
    pub read: bool,
    /// It may let others in and give them of its rights, and take that back
    #[arg(long)]
    pub admit: bool,
    /// From when on: RFC 3339, or from now (+2d) [default: always]
    #[arg(long, value_name = "T")]
    pub from: Option<When>,
    /// Until when: RFC 3339, or from now (+2d) [default: without end]
    #[arg(long, value_name = "T")]
    pub until: Option<When>,
    /// No more messages than this, such as 10/min
    #[arg(long, value_name = "RATE")]
    pub rate: Option<PerMinute>,
    /// No more bytes than this, such as 2MiB/min
    #[arg(long, value_name = "RATE")]
    pub bytes: Option<PerMinute>,
    /// Give it at this time, not before: RFC 3339, or from now (+2d). This device keeps it until then, and has to
    /// be up [default: now]
    #[arg(long, value_name = "T")]
    pub at: Option<When>,
}

/// `way revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// A topic
    pub topic: String,
    /// A member: a name, an id, the key of a device, or a unique prefix of one
    pub member: String,
    /// Only the right to write messages
    #[arg(long)]
    pub publish: bool,
    /// Only the right to be given keys of what is written from now on
    #[arg(long)]
    pub read: bool,
    /// Only the right to let others in
    #[arg(long)]
    pub admit: bool,
    /// What it wrote after this message falls too: `now`, or the id of one of its messages
    #[arg(long, value_name = "ID", default_value = "now")]
    pub cut: String,
    /// What it gave to others ends with it; what they wrote so far stands
    #[arg(long)]
    pub cascade: bool,
}

/// `way join`.
#[derive(Debug, Args)]
pub struct Join {
    /// way:join/…, way:device/… of another device of yours, or a public topic: way:topic/… or its whole
    /// id
    pub link: String,
    /// What this home calls the topic; its founder's name for it, if you do not say
    #[arg(long)]
    pub name: Option<String>,
    /// Start the node in the background first if it is not running
    #[arg(long)]
    pub up: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How long to look for somebody who knows the topic
    #[arg(long, value_name = "T", default_value = "30s")]
    pub timeout: Patience,
}

/// `way send`.
#[derive(Debug, Args)]
pub struct Send {
    /// A topic, a node or an engine
    pub to: String,
    /// The text [default: standard input]
    pub text: Option<String>,
    /// Each line of standard input is a message
    #[arg(long, conflicts_with = "text")]
    pub lines: bool,
    /// Do not return before the message is there
    #[arg(long, value_name = "STATE")]
    pub wait: Option<Wait>,
    /// With --wait: how many custodians or members it takes; core nodes of one operator are one
    /// custodian [default: 1 custodian; all members]
    #[arg(long, value_name = "N", requires = "wait")]
    pub of: Option<u32>,
    /// With --wait: how long; then exit code 4, and the message is safe
    #[arg(long, value_name = "T", default_value = "60s")]
    pub timeout: Patience,
}

/// What `--wait` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// On this node's own disk (always true when `way send` returns)
    Stored,
    /// Custodians have promised to keep it
    Held,
    /// On members' devices
    Delivered,
}

/// `way read`.
#[derive(Debug, Args)]
pub struct Read {
    /// A local name, an id, or a unique prefix of one
    pub topic: String,
    /// Go on with what arrives, even when the node restarts
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Only what no `--new` has shown before
    #[arg(long)]
    pub new: bool,
    /// Only what comes after a line number, a message id, or a time (RFC 3339, or -2h)
    #[arg(
        long,
        value_name = "N|ID|TIME",
        conflicts_with = "new",
        allow_hyphen_values = true
    )]
    pub since: Option<Since>,
    /// At most so many lines: the last ones, with --since or --new the first ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// `way inbox`.
#[derive(Debug, Args)]
pub struct Inbox {
    /// Go on with what arrives, even when the node restarts
    #[arg(long, short = 'f')]
    pub follow: bool,
}

/// `way demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Leave the nodes running and say how to play
    #[arg(long, conflicts_with = "script")]
    pub stay: bool,
    /// Print the session for a person to paste; run nothing
    #[arg(long)]
    pub script: bool,
    /// What the nodes' links run over
    #[arg(
        long,
        default_value = "both",
        value_name = "WHAT",
        conflicts_with = "script"
    )]
    pub transport: Over,
    /// How many messages the absent person misses
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub messages: u32,
}

impl Cli {
    /// The grammar of the whole command line, for help texts and completions.
    #[must_use]
    pub fn grammar() -> clap::Command {
        use clap::CommandFactory as _;
        Self::command()
    }
}
