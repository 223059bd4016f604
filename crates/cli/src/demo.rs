//! The main job, played with real processes: two core nodes, three people, real sockets.
//!
//! Only the built `way` is used, and every command line is printed as it is run. What comes out is
//! compared byte by byte with what went in; any difference ends the demo with exit code 1 and
//! leaves the homes for whoever wants to look.

mod evidence;
mod play;
mod script;
mod stage;
mod texts;

use crate::args::Demo;
use crate::failure::Exit;
use crate::output::{Outcome, Output};

/// `way demo`.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn run(out: &mut Output, demo: &Demo) -> Outcome {
    if demo.script {
        out.line(script::text().trim_end())?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let mut stage = stage::Stage::build(out, demo.transport)?;
    match play::play(&mut stage, demo.messages as usize) {
        Ok(evidence) => {
            evidence.print(&mut stage)?;
            if demo.stay {
                stage.stay()?;
            } else {
                stage.clear()?;
            }
            Ok(Exit::Done)
        }
        Err(stop) => {
            stage.leave_traces();
            Err(stop)
        }
    }
}
