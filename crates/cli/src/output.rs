//! Standard output, and how a command ends.

use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};

use crate::failure::{Code, Exit, Failure};

/// Why a command stopped early.
#[derive(Debug)]
pub enum Stop {
    /// It failed.
    Failed(Failure),
    /// Whoever reads its output has read enough: not an error.
    PipeClosed,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// How a command ends.
pub type Outcome = Result<Exit, Stop>;

/// Standard output, buffered; lines become visible with [`Output::flush`].
pub struct Output {
    out: BufWriter<Box<dyn Write + Send>>,
    /// Whether objects are printed instead of words.
    pub json: bool,
}

impl Output {
    /// The process's.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self::to(Box::new(io::stdout()), json)
    }

    /// Somewhere else, for tests.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>, json: bool) -> Self {
        Self {
            out: BufWriter::new(out),
            json,
        }
    }

    /// Prints a line.
    ///
    /// # Errors
    /// [`Stop::PipeClosed`] when nobody reads it.
    pub fn line(&mut self, text: &str) -> Result<(), Stop> {
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|error| stop(&error))
    }

    /// Makes what was printed visible.
    ///
    /// # Errors
    /// [`Stop::PipeClosed`] when nobody reads it.
    pub fn flush(&mut self) -> Result<(), Stop> {
        self.out.flush().map_err(|error| stop(&error))
    }

    /// Whether a person looks at it.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output")
            .field("json", &self.json)
            .finish_non_exhaustive()
    }
}

fn stop(error: &io::Error) -> Stop {
    if error.kind() == ErrorKind::BrokenPipe {
        Stop::PipeClosed
    } else {
        let hint = "free some space, or write elsewhere";
        Stop::Failed(Failure::new(
            Code::Io,
            format!("cannot write the output: {error}"),
            hint,
        ))
    }
}

/// Prints a line on standard error; that nobody reads it is no concern.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a failure on standard error, in words or as JSON.
pub fn failed(failure: &Failure, json: bool) {
    if json {
        note(&failure.to_json());
        return;
    }
    note(&format!(
        "way: {}",
        crate::plain::block(&failure.message, "     ")
    ));
    for candidate in &failure.candidates {
        note(&format!("  {}", crate::plain::line(candidate)));
    }
    if !failure.hint.is_empty() {
        note(&format!(
            "     {}",
            crate::plain::block(&failure.hint, "     ")
        ));
    }
}
