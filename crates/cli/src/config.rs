//! The configuration file: one commented TOML file in the home, written when the home is created.
//!
//! Errors name the file, the line and the key. Options of `way up` are written into it when they
//! create the home; later they count for that run alone.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;
use transport::HostPort;

use crate::acl::{self, Acl};
use crate::failure::{Code, Failure};
use crate::size::Size;

/// Longest name of a node, in bytes; the advert has the same limit.
pub const MAX_NAME: usize = 64;

/// Longest text of an operator, in bytes: room for a domain name or a long random word. Nothing but
/// a hash of it is kept or sent.
pub const MAX_OPERATOR: usize = 256;

/// The settings of a home.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The name that others see.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Where to listen. Empty: nowhere is said, so the default port, or any if it is taken.
    pub listen: Vec<SocketAddr>,
    /// The address under which others reach this node; empty when there is none.
    #[serde(deserialize_with = "host_port")]
    pub public: String,
    /// What links run over.
    pub transport: Over,
    /// The SOCKS5 proxy through which nodes are dialled over TCP; empty when there is none.
    #[serde(deserialize_with = "proxy")]
    pub proxy: String,
    /// By whom this node is within reach.
    pub reach: Reach,
    /// Whether the clock of this machine is believed without asking peers.
    pub trust_clock: bool,
    /// What goes into the log.
    pub log: Level,
    /// The operator's half.
    pub core: Core,
    /// What this node may use.
    pub limits: Limits,
    /// Rate rules.
    pub acl: Acl,
}

/// `[core]`: serving clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Core {
    /// Whether this node serves clients.
    pub serve: bool,
    /// What a client gets whose invite names no size.
    pub quota: Size,
    /// Longest promise, in days.
    #[serde(deserialize_with = "days")]
    pub hold_days_max: u32,
    /// Topics a client may have held.
    pub topics_max: u32,
    /// Links a client and its guests may have at a time.
    pub links_max: u32,
    /// What all core nodes of one operator have in common; empty: an operator of its own.
    #[serde(deserialize_with = "operator")]
    pub operator: String,
}

/// `[limits]`: what this node may use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of the store; 0: as much as the disk has, above the floor.
    pub store: Size,
    /// Free space that is left on the disk whatever happens.
    pub free_space_floor: Size,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual five")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What links run over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// QUIC over UDP alone
    Quic,
    /// TLS over TCP alone, for networks that let no UDP through, and for Tor
    Tls,
    /// QUIC, and TLS where UDP does not get through
    Both,
}

impl Over {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tls => "tls",
            Self::Both => "both",
        }
    }
}

impl From<Over> for transport::internet::Over {
    fn from(over: Over) -> Self {
        match over {
            Over::Quic => Self::Quic,
            Over::Tls => Self::Tls,
            Over::Both => Self::Both,
        }
    }
}

/// By whom a node is within reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// By whoever has an address of it
    Any,
    /// By its core nodes alone: it dials nobody else, listens nowhere, and tells nobody where it is
    Core,
}

impl Reach {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        node::Reach::from(self).word()
    }
}

impl From<Reach> for node::Reach {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Any => Self::Any,
            Reach::Core => Self::Core,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::new(),
            listen: Vec::new(),
            public: String::new(),
            transport: Over::Both,
            proxy: String::new(),
            reach: Reach::Any,
            trust_clock: false,
            log: Level::Info,
            core: Core::default(),
            limits: Limits::default(),
            acl: Acl::default(),
        }
    }
}

impl Default for Core {
    fn default() -> Self {
        Self {
            serve: false,
            quota: Size(1 << 30),
            hold_days_max: 30,
            topics_max: 1_024,
            links_max: 64,
            operator: String::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            store: Size(0),
            free_space_floor: Size(512 << 20),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        let wrong = || serde::de::Error::custom(crate::size::NotASize);
        match Written::deserialize(deserializer).map_err(|_| wrong())? {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

fn name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    check_name(&name).map_err(serde::de::Error::custom)?;
    Ok(name)
}

fn operator<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    check_operator(&text).map_err(serde::de::Error::custom)?;
    Ok(text)
}

fn host_port<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let address = String::deserialize(deserializer)?;
    if address.is_empty() {
        return Ok(address);
    }
    check_public(&address).map_err(serde::de::Error::custom)?;
    Ok(address)
}

fn proxy<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let address = String::deserialize(deserializer)?;
    if !address.is_empty() && address.parse::<HostPort>().is_err() {
        let wrong = "write host:port, such as 127.0.0.1:9050";
        return Err(serde::de::Error::custom(wrong));
    }
    Ok(address)
}

fn days<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        days @ 1..=366 => Ok(days),
        _ => Err(serde::de::Error::custom("between 1 and 366 days")),
    }
}

/// Whether this can be a node's name.
///
/// # Errors
/// Says why not.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.len() > MAX_NAME {
        return Err(format!("a name may have at most {MAX_NAME} bytes"));
    }
    if name.chars().any(crate::plain::acts_on_terminal) {
        return Err("a name may not have control characters".to_owned());
    }
    Ok(())
}

/// Whether this can be an operator's text. What looks the same has to be the same on all its core
/// nodes, so blanks at the ends and control characters are refused.
///
/// # Errors
/// Says why not.
pub fn check_operator(text: &str) -> Result<(), String> {
    if text.len() > MAX_OPERATOR {
        return Err(format!(
            "an operator's text may have at most {MAX_OPERATOR} bytes"
        ));
    }
    if text.trim() != text || text.chars().any(crate::plain::acts_on_terminal) {
        return Err(
            "an operator's text may have no blanks at its ends and no control characters"
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether this can be an address that others reach: `host:port`, or `tls://host:port` for TLS over
/// TCP alone.
///
/// # Errors
/// Says why not.
pub fn check_public(address: &str) -> Result<(), String> {
    let wrong =
        || "write host:port, such as core.example.org:4433 or [2001:db8::1]:4433".to_owned();
    let address = address.strip_prefix("tls://").unwrap_or(address);
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let sound = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
            !host.is_empty() && host.len() <= 253 && host.bytes().all(letters)
        }
    };
    if sound && port != 0 {
        Ok(())
    } else {
        Err(wrong())
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// `config`, naming file, line and key.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => {
                let message = format!("{}: it is no text (UTF-8)", path.display());
                Failure::new(Code::Config, message, "correct the file and start again")
            }
            _ => Failure::io("read", path, &error),
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// `config`, naming file, line and key.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| {
            let (line, key) = place(text, error.span().map_or(0, |span| span.start));
            let about = if key.is_empty() {
                String::new()
            } else {
                format!(", {key}")
            };
            let why = error.message().replace('\n', " ");
            let message = format!("{}, line {line}{about}: {why}", path.display());
            Failure::new(Code::Config, message, "correct the file and start again")
        })
    }

    /// The text of a new configuration file with these settings.
    #[must_use]
    pub fn text(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let listen: Vec<_> = self
            .listen
            .iter()
            .map(|at| quoted(&at.to_string()))
            .collect();
        let size = |size: Size| quoted(&size.to_string());
        let Core {
            serve,
            quota,
            hold_days_max,
            topics_max,
            links_max,
            operator,
        } = self.core.clone();
        // One pass: a name that looks like a placeholder stays a name.
        format!(
            r#"# Settings of this Waystation node. They are read when the node starts, the rate rules at
# the end also when this file changes while it runs.
# Options of `way up` have been written here when this home was created; later they
# count for that run alone. Sizes: "500MB", "1GiB". Delete a line for its default.

# The name that others see (at most 64 bytes; `way name` changes it).
name = {name}

# Where to listen, as addresses of this machine. The port was free at creation and is kept.
listen = [{listen}]

# The address under which others reach this node, host:port; tls://host:port if TCP alone leads
# there. A core node needs one.
public = {public}

# What links run over: "quic" (UDP), "tls" (TCP), or "both": QUIC, and TLS where UDP does not get
# through. The node listens on the same ports for both.
transport = {transport}

# A SOCKS5 proxy, host:port, such as Tor's 127.0.0.1:9050: every dial over TCP goes through it, with
# names as they are. UDP goes past it, so whoever must not be seen says transport = "tls".
proxy = {proxy}

# By whom this node is within reach: "any", by whoever has an address of it; or "core", by its core
# nodes alone. Then it dials nobody else, listens nowhere and tells nobody where it is; what it says
# and gets goes through core nodes that others use, too, over TLS and TCP alone.
reach = {reach}

# Whether the clock of this machine is believed without asking peers. Nothing is deleted
# and no right ended on a clock that nobody has confirmed. A core node with a clock set by
# the network (NTP) may say true.
trust_clock = {trust_clock}

# What is logged: "error", "warn", "info", "debug" or "trace". Addresses and topic ids
# appear only from "debug" on.
log = {log}

# Serving clients: what they and the members of their topics have missed is kept, sealed.
[core]
serve = {serve}
# What a client gets whose invite names no size. Those who are clients keep what they have.
quota = {quota}
# Longest promise, in days (1 to 366).
hold_days_max = {hold_days_max}
# Topics that one client may have held.
topics_max = {topics_max}
# Links that one client and its guests may have at a time.
links_max = {links_max}
# Who runs this core node: a text that all core nodes of one operator, or over one store, have in
# common, such as "example.org". Clients count what these hold as held once. A hash of it goes to
# everybody who gets receipts, never the text. Empty: this core node is an operator of its own.
operator = {operator}

[limits]
# Bytes of the store; "0 B": as much as the disk has, above the floor.
store = {store}
# Free space that is left on the disk whatever happens: below it nothing new is taken.
free_space_floor = {floor}
{rules}"#,
            name = quoted(&self.name),
            listen = listen.join(", "),
            public = quoted(&self.public),
            transport = quoted(self.transport.as_str()),
            proxy = quoted(&self.proxy),
            reach = quoted(self.reach.as_str()),
            trust_clock = self.trust_clock,
            log = quoted(self.log.as_str()),
            quota = size(quota),
            operator = quoted(&operator),
            store = size(self.limits.store),
            floor = size(self.limits.free_space_floor),
            rules = acl::EXAMPLE,
        )
    }
}

impl Level {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The text of a configuration file in which the name is this one; all else stays as it is.
#[must_use]
pub fn with_name(text: &str, name: &str) -> String {
    let setting = format!("name = {}", toml::Value::from(name));
    let mut done = false;
    let mut lines: Vec<String> = Vec::new();
    let mut in_table = false;
    for line in text.lines() {
        in_table |= line.trim_start().starts_with('[');
        let key = line.split('=').next().unwrap_or("").trim();
        if key == "name" && !in_table && !done {
            lines.push(setting.clone());
            done = true;
        } else {
            lines.push(line.to_owned());
        }
    }
    if !done {
        lines.insert(0, setting);
    }
    lines.join("\n") + "\n"
}

/// The number of the line with this byte, and the key that stands on it.
fn place(text: &str, at: usize) -> (usize, String) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let content = text.lines().nth(line - 1).unwrap_or("");
    let key = match content.split_once('=') {
        Some((key, _)) => format!("key {}", key.trim()),
        None => String::new(),
    };
    (line, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Failure> {
        Config::parse(text, Path::new("config.toml"))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut config = Config {
            name: "Zoë \"x\" \\ {listen}".into(),
            listen: vec![
                "0.0.0.0:4433".parse().unwrap(),
                "[::]:4433".parse().unwrap(),
            ],
            public: "core.example.org:4433".into(),
            transport: Over::Tls,
            proxy: "127.0.0.1:9050".into(),
            reach: Reach::Core,
            ..Config::default()
        };
        config.core.serve = true;
        config.core.operator = "Zoë's \"own\"".into();
        assert_eq!(parse(&config.text()).unwrap(), config);
        assert_eq!(parse(&Config::default().text()).unwrap(), Config::default());
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn errors_name_line_and_key() {
        for (text, line, key, why) in [
            ("\nnmae = \"x\"\n", 2, "nmae", "unknown field"),
            (
                "name = \"a\"\n[core]\nquota = \"much\"\n",
                3,
                "quota",
                "not a size",
            ),
            ("trust_clock = 3\n", 1, "trust_clock", "boolean"),
            (
                "[core]\nhold_days_max = 0\n",
                2,
                "hold_days_max",
                "between 1 and 366",
            ),
            ("public = \"nowhere\"\n", 1, "public", "host:port"),
            ("transport = \"udp\"\n", 1, "transport", "unknown variant"),
            ("proxy = \"tor\"\n", 1, "proxy", "host:port"),
            ("reach = \"some\"\n", 1, "reach", "unknown variant"),
            ("listen = [\"here\"]\n", 1, "listen", "socket address"),
            ("log = \"loud\"\n", 1, "log", "unknown variant"),
            ("[core]\nlinks_max = -1\n", 2, "links_max", "-1"),
            (
                "[core]\noperator = \"example.org \"\n",
                2,
                "operator",
                "no blanks",
            ),
            ("name = \"unclosed\n", 1, "name", "string"),
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.code, Code::Config);
            let start = format!("config.toml, line {line}, key {key}: ");
            assert!(failure.message.starts_with(&start), "{failure}");
            assert!(failure.message.contains(why), "{failure}");
        }
    }

    #[test]
    fn names_and_public_addresses_are_checked() {
        assert!(check_name(&"é".repeat(32)).is_ok());
        assert!(check_name(&"é".repeat(33)).is_err());
        assert!(check_name("a\x1b[2Jb").is_err());
        assert!(check_operator(&"é".repeat(128)).is_ok());
        assert!(check_operator(&"é".repeat(129)).is_err());
        assert!(check_operator("a\nb").is_err());
        for good in [
            "core.example.org:4433",
            "[2001:db8::1]:1",
            "203.0.113.4:4433",
            "tls://core.example.org:443",
            "tls://[2001:db8::1]:1",
        ] {
            assert_eq!(check_public(good), Ok(()));
        }
        for bad in [
            "",
            "host",
            "host:",
            "host:0",
            ":1",
            "host:99999",
            "[::1:1",
            "a b:1",
            "[x]:1",
            "tls://host",
            "quic://host:1",
        ] {
            assert!(check_public(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_new_name_changes_its_line_alone() {
        let text = Config::default().text();
        let changed = with_name(&text, "al\"ice");
        assert_eq!(parse(&changed).unwrap().name, "al\"ice");
        let differing = text
            .lines()
            .zip(changed.lines())
            .filter(|(a, b)| a != b)
            .count();
        assert_eq!(
            (differing, text.lines().count()),
            (1, changed.lines().count())
        );
        assert_eq!(
            parse(&with_name("[core]\nserve = true\n", "b"))
                .unwrap()
                .name,
            "b"
        );
    }
}
