//! How a command fails: a stable code, the exit code that goes with it, what happened and what to
//! do next.

use std::fmt;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// The exit codes of `way`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It did not work.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// No node is running in this home.
    NoNode = 3,
    /// Not yet: a wait ran out, and what was sent is safe.
    NotYet = 4,
    /// Somebody said no.
    Refused = 5,
    /// There is no such thing, or more than one.
    NotFound = 6,
    /// The store is damaged.
    Damaged = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $exit:ident;)*) => {
        /// What kind of failure it is. The texts are stable: scripts may compare them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The text of the code, as in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The exit code that goes with it.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$variant => Exit::$exit),* }
            }
        }
    };
}

codes! {
    /// Something else; the message says what.
    Failed = "failed", Failed;
    /// A file or folder cannot be read or written.
    Io = "io", Failed;
    /// The home cannot be used as it is.
    Home = "home", Failed;
    /// Another `way up` owns this home.
    HomeInUse = "home-in-use", Failed;
    /// The passphrase is missing or wrong.
    Passphrase = "passphrase", Failed;
    /// The configuration file is wrong.
    Config = "config", Failed;
    /// An address is taken or cannot be listened on.
    Address = "address", Failed;
    /// The disk is full.
    Full = "full", Failed;
    /// A recording does not give the same outputs again.
    Diverged = "diverged", Failed;
    /// The demo found something wrong.
    Demo = "demo", Failed;
    /// The command line, or a value in it, makes no sense.
    Usage = "usage", Usage;
    /// No node is running in this home.
    NoNode = "no-node", NoNode;
    /// The node began anew, after a fault or with a disk that has room again, before it answered.
    Anew = "anew", NoNode;
    /// A wait ran out.
    NotYet = "not-yet", NotYet;
    /// Somebody said no.
    Refused = "refused", Refused;
    /// There is no such thing.
    NotFound = "not-found", NotFound;
    /// There is more than one such thing.
    Ambiguous = "ambiguous", NotFound;
    /// The store is damaged.
    Damaged = "damaged", Damaged;
}

/// A failed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// What to do next; may be empty.
    #[serde(default)]
    pub hint: String,
    /// With `ambiguous`: what it may have meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

impl Failure {
    /// A failure with a hint.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            candidates: Vec::new(),
        }
    }

    /// A file or folder that cannot be used, in words.
    #[must_use]
    pub fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let (code, hint) = match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => (
                Code::Io,
                "check who owns it and its permissions, or choose another --home",
            ),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
                Code::Full,
                "free some space and try again; nothing was lost",
            ),
            ErrorKind::NotFound => (Code::Io, "check the path"),
            ErrorKind::AlreadyExists => (Code::Io, "choose another name, or remove it first"),
            _ => (Code::Io, ""),
        };
        Self::new(
            code,
            format!("cannot {doing} {}: {error}", path.display()),
            hint,
        )
    }

    /// The one line that `--json` prints on standard error.
    #[must_use]
    pub fn to_json(&self) -> String {
        let last = crate::request::Last::Error(self.clone());
        crate::schema::to_line(&crate::request::LastLine {
            v: crate::schema::Version,
            last,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
