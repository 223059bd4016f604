//! From the words of the command line to an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Cli, Command};
use crate::commands::{self, Context};
use crate::failure::{Code, Exit, Failure};
use crate::home::{Environment, Home};
use crate::output::{Outcome, Output, Stop, failed};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    let exit = match run(cli) {
        Ok(exit) => exit,
        // `way read | head` has got what it wanted.
        Err(Stop::PipeClosed) => Exit::Done,
        Err(Stop::Failed(failure)) => {
            failed(&failure, json);
            failure.code.exit()
        }
    };
    exit.into()
}

/// Help and versions go to standard output; what makes no sense is an error like any other.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Whoever asks for help and closes the pipe has seen enough.
            let _ = error.print();
            Exit::Done.into()
        }
        _ => {
            // `--json` may stand anywhere, also where the rest could not be read.
            if std::env::args_os().any(|argument| argument == "--json") {
                let text = error.render().to_string();
                let message = text
                    .lines()
                    .next()
                    .unwrap_or("")
                    .trim_start_matches("error: ");
                failed(
                    &Failure::new(Code::Usage, message, "see `way --help`"),
                    true,
                );
            } else {
                let _ = error.print();
            }
            Exit::Usage.into()
        }
    }
}

fn run(cli: Cli) -> Outcome {
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::grammar(), "way", &mut script);
        let mut out = Output::new(false);
        out.line(String::from_utf8_lossy(&script).trim_end())?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    if let Command::Demo(demo) = &cli.command {
        return crate::demo::run(&mut Output::new(false), demo);
    }
    let environment = Environment::of_process();
    let home = Home::resolve(cli.global.home.as_deref(), &environment)?;
    let mut context = Context {
        home,
        environment,
        out: Output::new(cli.global.json),
    };
    dispatch(&mut context, cli.command)
}

/// Carries out a command.
///
/// # Errors
/// Its failure.
pub fn dispatch(context: &mut Context, command: Command) -> Outcome {
    let exit = choose(context, command)?;
    context.out.flush()?;
    Ok(exit)
}

fn choose(context: &mut Context, command: Command) -> Outcome {
    match command {
        Command::Up(up) => commands::up::up(context, up),
        Command::Down => commands::up::down(context),
        Command::Status => commands::node::status(context),
        Command::Id => commands::node::id(context),
        Command::Name { name } => commands::node::name(context, name),
        Command::Peer(peer) => commands::node::peer(context, peer),
        Command::Peers => commands::node::peers(context),
        Command::Core(core) => commands::core::run(context, core),
        Command::Topic(topic) => commands::topic::run(context, topic),
        Command::Device(device) => commands::device::run(context, device),
        Command::Owners(owners) => commands::owners::run(context, owners),
        Command::Join(join) if commands::device::is_link(&join.link) => {
            let timeout_ms = commands::node::milliseconds(join.timeout);
            commands::device::join(context, join.link, join.up, timeout_ms)
        }
        Command::Members { topic } => commands::topic::members(context, topic),
        Command::Grant(grant) => commands::giving::grant(context, grant),
        Command::Revoke(revoke) => commands::giving::revoke(context, revoke),
        Command::Invite(invite) => commands::topic::invite(context, invite),
        Command::Join(join) => commands::topic::join(context, join),
        Command::Send(send) => commands::send::run(context, send),
        Command::Read(read) => commands::read::read(context, read),
        Command::Share(share) => commands::files::share(context, share),
        Command::Unshare(unshare) => commands::files::unshare(context, unshare),
        Command::Files(files) => commands::files::files(context, files),
        Command::Get(get) => commands::files::get(context, get),
        Command::Inbox(inbox) => commands::read::inbox(context, &inbox),
        Command::Ping { node, timeout } => commands::node::ping(context, node, timeout),
        Command::Why { id } => commands::node::why(context, id),
        Command::Backup { file } => commands::home::backup(context, &file),
        Command::Restore { file } => commands::home::restore(context, &file),
        Command::Check => commands::home::check(context),
        Command::Replay { file } => commands::home::replay_record(context, &file),
        // Dealt with before a home was looked for.
        Command::Completions { .. } | Command::Demo(_) => Ok(Exit::Done),
    }
}
