//! The other commands' side of the socket: one request, its objects, its end. Plain blocking calls.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;

use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::request::{Ask, End, Last, LastLine, Request};
use crate::schema::to_line;
use crate::socket;

/// A connection to the running node.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the node of this home.
    ///
    /// # Errors
    /// `no-node` when none is running.
    pub fn connect(home: &Home) -> Result<Self, Failure> {
        socket::connect(home).map(|stream| Self {
            stream: BufReader::new(stream),
        })
    }

    /// Asks, gives each object's line to `each`, and returns the end.
    ///
    /// # Errors
    /// The node's failure, or `no-node` when the connection breaks.
    pub fn ask(&mut self, ask: Ask, mut each: impl FnMut(String)) -> Result<End, Failure> {
        let mut request = to_line(&Request::new(ask));
        request.push('\n');
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .map_err(|error| broken(&error))?;
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                Ok(0) => return Err(went_away()),
                Ok(_) => {}
                Err(error) => return Err(broken(&error)),
            }
            if line.pop() != Some('\n') {
                return Err(went_away());
            }
            match serde_json::from_str::<LastLine>(&line) {
                Ok(LastLine {
                    last: Last::End(end),
                    ..
                }) => return Ok(end),
                Ok(LastLine {
                    last: Last::Error(failure),
                    ..
                }) => return Err(failure),
                Err(_) => each(line),
            }
        }
    }

    /// Asks for many objects.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn all(&mut self, ask: Ask) -> Result<(Vec<String>, End), Failure> {
        let mut lines = Vec::new();
        let end = self.ask(ask, |line| lines.push(line))?;
        Ok((lines, end))
    }

    /// Asks for one object.
    ///
    /// # Errors
    /// As [`Client::ask`], and when the answer is not one object.
    pub fn one(&mut self, ask: Ask) -> Result<String, Failure> {
        let (mut lines, _) = self.all(ask)?;
        match (lines.pop(), lines.is_empty()) {
            (Some(line), true) => Ok(line),
            _ => Err(not_understood("not exactly one object")),
        }
    }
}

/// An object out of its line.
///
/// # Errors
/// When the node speaks another version of the objects.
pub fn object<T: DeserializeOwned>(line: &str) -> Result<T, Failure> {
    serde_json::from_str(line).map_err(|error| not_understood(&error.to_string()))
}

fn not_understood(why: &str) -> Failure {
    Failure::new(
        Code::Failed,
        format!("the running node's answer is not understood: {why}"),
        "it may run another version of way: restart it with `way down` and `way up -d`",
    )
}

fn broken(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => {
            went_away()
        }
        _ => Failure::new(
            Code::Failed,
            format!("the node does not answer: {error}"),
            "",
        ),
    }
}

fn went_away() -> Failure {
    Failure::new(
        Code::NoNode,
        "the node went down before it answered",
        "start it with `way up -d` and try again; what was acknowledged is safe",
    )
}
