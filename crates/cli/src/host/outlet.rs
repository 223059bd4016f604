//! Where the node's outputs go. Runs on the node's own thread and waits for nothing.

use std::sync::Arc;
use std::time::Duration;

use driver::{Contents, Ending, Handle};
use machine::ContentEffect;
use node::{Advisory, Held, Input, LinkId, Out, Verbatim};
use transport::{Command, DialToken, Transport};

use super::files::Files;
use super::rules;
use super::shared::Shared;

/// The node's hands.
pub(super) struct Outlet<T> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) handle: Handle<Input>,
    pub(super) contents: Contents<Input>,
    pub(super) files: Files,
    pub(super) runtime: tokio::runtime::Handle,
    /// What a new life must be told.
    pub(super) listening: Vec<String>,
    /// The same; it changes.
    pub(super) rules: rules::Shared,
    /// Whether results of checks must remember what was checked.
    pub(super) recorded: bool,
}

fn link(link: LinkId) -> transport::LinkId {
    transport::LinkId::from_u64(link.0)
}

impl<T: Transport> driver::Host<Out> for Outlet<T> {
    fn held(&mut self, output: Held) {
        match output {
            Held::Frame { link: to, bytes } => self.shared.send(link(to), bytes),
            Held::Reply { request, reply } => self.shared.answer(request, reply),
            Held::Changed { .. } | Held::Mail { .. } => self.shared.changed(),
            Held::Delete(name) => self.contents.take(ContentEffect::Delete(name)),
        }
    }

    fn verbatim(&mut self, output: Verbatim) {
        let to = link(output.link());
        if output.is_bulk() {
            self.shared.send_bulk(to, output.into_bytes());
        } else {
            self.shared.send(to, output.into_bytes());
        }
    }

    fn advisory(&mut self, output: Advisory) {
        match output {
            Advisory::Dial {
                token,
                node,
                address,
            } => {
                tracing::debug!(token, %node, address, "dialling");
                self.shared.transport.command(Command::Dial {
                    token: DialToken(token),
                    node,
                    address,
                });
            }
            Advisory::Close {
                link: to,
                code,
                text,
            } => self.shared.close(link(to), code, text),
            Advisory::Courtesy { link: to, bytes } => self.shared.send(link(to), bytes),
            Advisory::Grant { link: to, bytes } => {
                self.shared.transport.command(Command::Grant {
                    link: link(to),
                    cost: bytes,
                });
            }
            Advisory::Check(check) => {
                let recorded = self.recorded;
                self.handle.check(move || {
                    Input::Checked(if recorded {
                        check.run_recorded()
                    } else {
                        check.run()
                    })
                });
            }
            Advisory::File { job, what } => self.files.begin(&self.handle, job, what),
            Advisory::Log { event, text } => tracing::info!(event, "{text}"),
        }
    }

    fn content(&mut self, effect: ContentEffect) {
        self.contents.take(effect);
    }

    fn began(&mut self, life: u64) {
        self.shared.begin(life);
        let (handle, addresses) = (self.handle.clone(), self.listening.clone());
        let rules = rules::now(&self.rules);
        let rules = (rules != rules::Told::default()).then(|| rules.input());
        self.runtime.spawn(async move {
            // A node that has ended needs neither rules nor addresses.
            if let Some(rules) = rules {
                let _ = handle.send(rules, 0).await;
            }
            let _ = handle.send(Input::Listening { addresses }, 0).await;
        });
        // Whoever follows looks again.
        self.shared.changed();
    }

    fn ended(&mut self, _ending: &Ending, _pause: Option<Duration>) {
        self.shared.end_life();
    }
}
