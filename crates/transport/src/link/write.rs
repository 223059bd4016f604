//! The outgoing direction of a link.

use std::future::pending;

use tokio::time::timeout;

use super::{
    Ended, Wire,
    desk::{Ending, Place, Teller, Work},
};
use crate::{Event, limits::CLOSE_LINGER};

/// Writes what is queued, one write for all frames that wait, until the link ends.
pub(super) async fn frames<W: Wire>(
    teller: &Teller,
    place: &Place,
    writer: &mut W::Writer,
) -> Ended {
    let link = place.link();
    loop {
        match place.work().await {
            Work::Write { bytes, cost } => {
                let written = tokio::select! {
                    written = W::write(writer, bytes) => written.is_ok(),
                    ending = overdue(place) => return at_once(ending),
                };
                if !written {
                    // The reader finds out why, after what the peer said last; it is given some
                    // time, in case the peer has only stopped to listen.
                    let _ = timeout(CLOSE_LINGER, pending::<()>()).await;
                    return Ended::Lost;
                }
                place.written(cost);
                teller.tell(Event::Writable { link, cost }).await;
            }
            Work::End(Ending::Gently { reason, code, text }) => {
                return Ended::Closing { reason, code, text };
            }
            Work::End(ending) => return at_once(ending),
        }
    }
}

/// Waits until the link should have ended: a peer that takes nothing must not hold it open.
async fn overdue(place: &Place) -> Ending {
    let ending = place.ending().await;
    if matches!(ending, Ending::Gently { .. }) {
        let _ = timeout(CLOSE_LINGER, pending::<()>()).await;
    }
    ending
}

fn at_once(ending: Ending) -> Ended {
    match ending {
        Ending::Gently { reason, code, .. } | Ending::Fault { reason, code } => {
            Ended::Fault { reason, code }
        }
    }
}
