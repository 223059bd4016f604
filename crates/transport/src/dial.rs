//! What dials of every kind have in common.

use std::{future::Future, sync::Arc, time::Duration};

use ed25519_dalek::VerifyingKey;
use identity::NodeId;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    Address, Command, DialError, DialToken, Event,
    limits::MAX_DIALS,
    link::{self, Desk, Met, Place, Teller, Wire},
};

/// Dials of one transport: few at a time, each within the limit.
#[derive(Debug)]
pub(crate) struct Dials {
    own: NodeId,
    desk: Arc<Desk>,
    limit: Duration,
    turns: Arc<Semaphore>,
    runtime: tokio::runtime::Handle,
}

/// A link that was made and does not run yet.
pub(crate) struct Made<W: Wire> {
    pub(crate) wire: W,
    pub(crate) streams: (W::Reader, W::Writer),
    pub(crate) met: Met,
}

/// What can be run as a link.
pub(crate) trait Run: Send + 'static {
    fn run(self, place: Place, teller: Teller) -> impl Future<Output = ()> + Send;
}

impl<W: Wire> Run for Made<W> {
    async fn run(self, place: Place, teller: Teller) {
        link::run(place, teller, self.wire, self.streams, self.met).await;
    }
}

impl Dials {
    /// Must be called within a tokio runtime, on which the dials then run.
    pub(crate) fn new(own: NodeId, desk: &Arc<Desk>, limit: Duration) -> Self {
        Self {
            own,
            desk: Arc::clone(desk),
            limit,
            turns: Arc::new(Semaphore::new(MAX_DIALS)),
            runtime: tokio::runtime::Handle::current(),
        }
    }

    pub(crate) fn own(&self) -> NodeId {
        self.own
    }

    /// Carries out a command; `meet` says how a node is dialled.
    pub(crate) fn command<R, F>(
        &self,
        command: Command,
        meet: impl FnOnce(NodeId, Address, DialToken) -> F + Send + 'static,
    ) where
        R: Run,
        F: Future<Output = Result<R, DialError>> + Send,
    {
        let Command::Dial {
            token,
            node,
            address,
        } = command
        else {
            return self.desk.command(command);
        };
        // Without a teller the event queue is closed: there is nobody left to be answered.
        let Some(teller) = self.desk.teller() else {
            return;
        };
        let turn = Arc::clone(&self.turns).try_acquire_owned();
        let (own, limit, desk) = (self.own, self.limit, Arc::clone(&self.desk));
        self.runtime.spawn(async move {
            let dialled = async {
                let _turn = turn.map_err(|_| DialError::Busy)?;
                let address = address
                    .parse()
                    .map_err(|_| DialError::BadAddress(address))?;
                if node == own {
                    return Err(DialError::Oneself);
                }
                if !is_sound(&node) {
                    return Err(DialError::BadNodeId);
                }
                let place = desk.admit(node)?;
                let met = tokio::select! {
                    met = timeout(limit, meet(node, address, token)) => {
                        met.unwrap_or(Err(DialError::NoAnswer))
                    }
                    // A node that goes down does not wait for whoever does not answer.
                    () = place.called_off() => Err(DialError::ShuttingDown),
                };
                Ok((place, met?))
            };
            match dialled.await {
                Ok((place, made)) => made.run(place, teller).await,
                Err(reason) => teller.tell(Event::DialFailed { token, reason }).await,
            }
        });
    }
}

/// Whether the key can be one of a node: no point of small order, with which anybody could sign.
fn is_sound(node: &NodeId) -> bool {
    VerifyingKey::from_bytes(node.as_bytes()).is_ok_and(|key| !key.is_weak())
}
