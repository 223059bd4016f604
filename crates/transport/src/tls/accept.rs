//! Strangers at the door.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    Ways,
    channel::{self, Channel, Reader, Writer},
    keys::proven,
};
use crate::{
    Address,
    door::Door,
    limits::ACCEPT_PAUSE,
    link::{self, Desk, Met, Place, Wire as _, code},
};

/// Takes links until it is dropped.
pub(super) async fn all(listener: TcpListener, ways: Ways, desk: Arc<Desk>, door: Arc<Door>) {
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Mostly there are no more file descriptors, which a moment may change.
                tracing::debug!(%error, "a connection could not be taken");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Those whose last words are still on their way count too: each is a file descriptor.
        let is_full = desk.is_full() || *ways.channels.borrow() >= desk.max_links();
        let Some(teller) = desk.teller().filter(|_| !is_full) else {
            continue;
        };
        let Some(entry) = door.enter(from.ip()) else {
            continue;
        };
        let (ways, desk) = (ways.clone(), Arc::clone(&desk));
        tokio::spawn(async move {
            let met = timeout(ways.handshake_timeout, meet(stream, from, &ways, &desk)).await;
            drop(entry);
            match met {
                Ok(Ok((place, channel, streams, met))) => {
                    link::run(place, teller, channel, streams, met).await;
                }
                Ok(Err(why)) => tracing::debug!(why, "an incoming handshake failed"),
                Err(_) => tracing::debug!("an incoming handshake took too long"),
            }
        });
    }
}

async fn meet(
    stream: TcpStream,
    from: SocketAddr,
    ways: &Ways,
    desk: &Arc<Desk>,
) -> Result<(Place, Channel, (Reader, Writer), Met), String> {
    let text = |error: std::io::Error| error.to_string();
    stream.set_nodelay(true).map_err(text)?;
    let acceptor = TlsAcceptor::from(Arc::clone(&ways.keys.server));
    let stream = acceptor.accept(stream).await.map_err(text)?;
    let (node, exporter) = proven(stream.get_ref().1)?;
    let (channel, (mut reader, mut writer)) =
        channel::open(stream, ways.idle_timeout, &ways.channels);
    let place = desk.admit(node).map_err(|refusal| {
        channel.close(refusal.code(), &refusal.to_string());
        refusal.to_string()
    })?;
    if let Err(why) = link::greet(&mut reader, &mut writer).await {
        channel.close(code::MALFORMED, &why);
        return Err(why);
    }
    let met = Met {
        node,
        dialled: None,
        exporter,
        remote: Address::tls(from).to_string(),
    };
    Ok((place, channel, (reader, writer), met))
}
