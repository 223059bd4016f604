//! Strangers at the door.

use std::{sync::Arc, time::Duration};

use identity::NodeId;
use iroh::{
    Endpoint,
    endpoint::{Connection, Incoming, IncomingAddr, RecvStream, SendStream},
};
use tokio::time::timeout;

use super::exporter;
use crate::{
    door::Door,
    link::{self, Desk, Met, Place},
};

/// Takes links until the endpoint is closed.
pub(super) async fn all(endpoint: Endpoint, desk: Arc<Desk>, door: Arc<Door>, limit: Duration) {
    while let Some(incoming) = endpoint.accept().await {
        let IncomingAddr::Ip(address) = incoming.remote_addr() else {
            incoming.ignore();
            continue;
        };
        let Some(teller) = desk.teller().filter(|_| !desk.is_full()) else {
            incoming.refuse();
            continue;
        };
        let Some(entry) = door.enter(address.ip()) else {
            incoming.refuse();
            continue;
        };
        if door.is_crowded() && !incoming.remote_addr_validated() {
            // It cannot fail: the address has not been validated.
            let _ = incoming.retry();
            continue;
        }
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let met = timeout(limit, meet(incoming, address.to_string(), &desk)).await;
            drop(entry);
            match met {
                Ok(Ok((place, connection, streams, met))) => {
                    link::run(place, teller, connection, streams, met).await;
                }
                Ok(Err(why)) => tracing::debug!(why, "an incoming handshake failed"),
                Err(_) => tracing::debug!("an incoming handshake took too long"),
            }
        });
    }
}

async fn meet(
    incoming: Incoming,
    remote: String,
    desk: &Arc<Desk>,
) -> Result<(Place, Connection, (RecvStream, SendStream), Met), String> {
    let accepting = incoming.accept().map_err(|error| error.to_string())?;
    let connection = accepting.await.map_err(|error| error.to_string())?;
    let node = NodeId::from_bytes(*connection.remote_id().as_bytes());
    let place = desk.admit(node).map_err(|refusal| {
        link::Wire::close(&connection, refusal.code(), &refusal.to_string());
        refusal.to_string()
    })?;
    let (mut writer, mut reader) = connection
        .accept_bi()
        .await
        .map_err(|error| error.to_string())?;
    if let Err(why) = link::greet(&mut reader, &mut writer).await {
        link::Wire::close(&connection, link::code::MALFORMED, &why);
        return Err(why);
    }
    let met = Met {
        node,
        dialled: None,
        exporter: exporter(&connection)?,
        remote,
    };
    Ok((place, connection, (reader, writer), met))
}
