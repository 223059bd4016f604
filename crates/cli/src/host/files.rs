//! Work on files outside the home: carried out on threads of its own, and ended with the node.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use driver::Handle;
use driver::files::{
    Opening, Progress, ShareFailed, UnpackFailed, VerifyFailed, share, unpack, verify,
};
use node::limits::MAX_DAMAGED;
use node::{FileDone, FileJob, Input};
use store::Content;
use wire::SharedFile;

/// What the answer to some work counts for in the node's inbox.
const ANSWER: usize = 1024;

/// The threads that work on files.
pub(super) struct Files {
    content: Content,
    runtime: tokio::runtime::Handle,
    /// Set when the node ends: what is half done is undone.
    stop: Arc<AtomicBool>,
}

impl Files {
    pub(super) fn new(
        content: Content,
        runtime: tokio::runtime::Handle,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            content,
            runtime,
            stop,
        }
    }

    /// Begins some work; the node hears what became of it.
    pub(super) fn begin(&self, handle: &Handle<Input>, job: u64, what: FileJob) {
        let (content, handle, stop) =
            (self.content.clone(), handle.clone(), Arc::clone(&self.stop));
        self.runtime.spawn_blocking(move || {
            let mut watch = |_: Progress| match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
            let done = carry_out(&content, what, &mut watch);
            // A node that has ended asks no more.
            let _ = handle.send_blocking(Input::Filed { job, done }, ANSWER);
        });
    }
}

fn carry_out(
    content: &Content,
    what: FileJob,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> FileDone {
    match what {
        FileJob::Share {
            path,
            secret,
            content: name,
        } => match share(content, name, Path::new(&path), secret, watch) {
            Ok(shared) => FileDone::Shared {
                manifest: shared.opening.manifest.to_manifest(),
                file: SharedFile {
                    capability: shared.opening.capability.to_bytes(),
                    length: shared.opening.length,
                    name: shared.root,
                    size: shared.bytes,
                    entries: u32::try_from(shared.entries).unwrap_or(u32::MAX),
                    folder: shared.folder,
                },
            },
            Err(why) => failed(not_shared(&why)),
        },
        FileJob::Unpack {
            content: name,
            manifest,
            capability,
            length,
            to,
        } => {
            let Some(opening) = Opening::of(&manifest, &capability, length) else {
                let text = "what its author says of the file contradicts itself".to_owned();
                return failed((text, "ask whoever shared it to share it again"));
            };
            match unpack(content, name, &opening, Path::new(&to), watch) {
                Ok(_) => FileDone::Unpacked,
                Err(UnpackFailed::Damaged(_)) => FileDone::Damaged,
                Err(UnpackFailed::Missing) => FileDone::Gone,
                Err(why) => failed(not_unpacked(&why)),
            }
        }
        FileJob::Verify {
            content: name,
            manifest,
        } => match verify(content, name, &manifest, watch) {
            Ok(damaged) if damaged.len() > MAX_DAMAGED => FileDone::Gone,
            Ok(damaged) => FileDone::Verified {
                damaged: damaged.into_iter().map(Into::into).collect(),
            },
            Err(VerifyFailed::Missing) => FileDone::Gone,
            Err(why) => failed((format!("not read through: {why}"), "")),
        },
    }
}

fn failed((text, hint): (String, &str)) -> FileDone {
    let hint = hint.to_owned();
    FileDone::Failed { text, hint }
}

fn not_shared(why: &ShareFailed) -> (String, &'static str) {
    let hint = match why {
        ShareFailed::Stopped => "share it again when the node is up",
        ShareFailed::NoRoom { .. } | ShareFailed::Full(_) => "free some space on the disk",
        _ => "",
    };
    (format!("not shared: {why}"), hint)
}

fn not_unpacked(why: &UnpackFailed) -> (String, &'static str) {
    let hint = match why {
        UnpackFailed::Stopped => "ask for it again when the node is up",
        UnpackFailed::Full(_) => "free some space on the disk",
        _ => "",
    };
    (format!("not written: {why}"), hint)
}
