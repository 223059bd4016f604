//! The sockets.

use std::{io, net::SocketAddr};

use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket};

use crate::{OpenError, limits::BACKLOG};

/// Binds all of these.
pub(crate) fn listeners(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, OpenError> {
    let bound: io::Result<_> = addresses.iter().copied().map(listener).collect();
    bound.map_err(|error| OpenError::bind(addresses, &error))
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        // IPv4 has a socket of its own.
        set_ipv6_v6only(&socket, true)?;
        socket
    };
    // Else the port would be taken for a minute after the end of a program that used it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
