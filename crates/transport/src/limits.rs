//! Every bound of this crate and what happens when it is reached.

use std::time::Duration;

/// Longest frame, in bytes. A longer length prefix closes the link before a byte is set aside.
pub const MAX_FRAME: usize = 256 * 1024;

/// What one frame costs beside its bytes. Without it a peer that sends one-byte frames would make
/// a node spend many times the memory that it granted.
pub const FRAME_COST: u64 = 64;

/// Credit that each direction of a fresh link begins with, in cost units (see
/// [`frame_cost`](crate::frame_cost)). Inbound: no more is read until a
/// [`Grant`](crate::Command::Grant). Outbound: what it does not cover must wait for
/// [`Writable`](crate::Event::Writable); who does not wait loses the link
/// ([`DownReason::Misused`](crate::DownReason::Misused)). It covers one frame of the longest kind.
pub const INITIAL_CREDIT: u64 = MAX_FRAME as u64 + 4 * 1024;

/// Bytes read ahead of the frames handed over, per link, while frames flow. An idle link has none.
pub const READ_CHUNK: usize = 16 * 1024;

/// Most bytes put into one write of queued frames (at least one frame goes into it).
pub const WRITE_BATCH: usize = 64 * 1024;

/// Events waiting to be taken. When it is full the links stop reading.
pub const EVENT_QUEUE: usize = 256;

/// Links at a time, both directions, unless configured otherwise. Further strangers are refused;
/// further dials fail with [`DialError::Busy`](crate::DialError::Busy). An idle link of `quic` costs
/// about 100 KiB (`cargo run -p transport --example idle` prints it), almost all of it in iroh.
pub const MAX_LINKS: usize = 1024;

/// Links with one node at a time. A further one is closed at once. Two nodes that dial each other
/// at the same moment have two links until one of them is closed from above.
pub const MAX_LINKS_PER_NODE: usize = 4;

/// Incoming handshakes in progress. Above half of it a stranger must first prove its address
/// (a QUIC retry; over TCP it has); at the limit it is refused.
pub const MAX_HANDSHAKES: usize = 64;

/// Incoming handshakes in progress from one IPv4 address or IPv6 /64 network.
pub const MAX_HANDSHAKES_PER_ADDRESS: usize = 16;

/// Dials in progress or waiting for their turn. A further one fails with
/// [`DialError::Busy`](crate::DialError::Busy).
pub const MAX_DIALS: usize = 64;

/// Socket addresses tried for one host name; the rest of the answer is ignored.
pub const MAX_RESOLVED: usize = 8;

/// How long a node that is dialled is asked over UDP alone before it is also asked over TCP. Where
/// UDP gets through it has answered by then, unless it is far away.
pub const HEAD_START: Duration = Duration::from_millis(300);

/// Between two socket addresses of one host name that are tried over TCP.
pub const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// TCP connections that the system holds until they are looked at. It ignores further ones, whose
/// makers try again.
pub const BACKLOG: u32 = 128;

/// How long no TCP connection is taken after one could not be, mostly for want of file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// From the first packet to an authenticated link with its stream open. What takes longer is
/// dropped.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A link over which nothing came for so long is down. The library under `quic` does not allow more
/// than 15 s for one network path. On `tls` something is sent in every third part of it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a link that is being closed may take to deliver what was queued before.
pub const CLOSE_LINGER: Duration = Duration::from_secs(2);

/// How long the last packets of a transport may take once every link is closed. Without it a dial
/// that nobody answers would hold up the end of the program for seconds.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_millis(500);

/// How long closing the whole transport may take.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(4);

/// Longest reason text taken from, or sent to, a peer with a close, in bytes; the rest is cut off.
pub const MAX_CLOSE_TEXT: usize = 128;

/// Bidirectional streams a peer may open: the one that carries the frames. Each further stream
/// allowed costs memory on every idle link.
pub const MAX_STREAMS: u32 = 1;

/// Unread bytes that QUIC itself, or the chunks of `tls`, may hold for one link.
pub const RECEIVE_WINDOW: u32 = 512 * 1024;

/// Unacknowledged bytes that QUIC itself may hold for one link.
pub const SEND_WINDOW: u64 = 1024 * 1024;
