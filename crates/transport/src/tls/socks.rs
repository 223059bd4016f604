//! Through a proxy: the CONNECT of SOCKS5 (RFC 1928), without authentication.
//!
//! Names are handed to the proxy as they are. So nobody here looks them up, and names that only
//! the proxy understands (onion services) work. What goes through it is TLS, so it learns where the
//! peer is and neither who it is nor what is said.

use std::{io, net::IpAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::dial::{lost, reach};
use crate::{DialError, HostPort};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// A connection with a host by way of a proxy. The caller bounds the time.
pub(super) async fn connect(proxy: &HostPort, to: &HostPort) -> Result<TcpStream, DialError> {
    let (mut stream, _) = reach(proxy)
        .await
        .map_err(|error| DialError::Failed(format!("the proxy {proxy} is not there: {error}")))?;
    match ask(&mut stream, &request(to)).await {
        Ok(0) => Ok(stream),
        // 3 to 6: no way to the network or the host, refused there, too far.
        Ok(3..=6) => Err(DialError::NoAnswer),
        Ok(2) => Err(failed("it does not allow this")),
        Ok(code) => Err(failed(&format!("it answers with code {code}"))),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(failed("it speaks no SOCKS5 without a password"))
        }
        Err(error) => Err(match lost(&error) {
            DialError::Failed(why) => failed(&why),
            other => other,
        }),
    }
}

fn failed(why: &str) -> DialError {
    DialError::Failed(format!("the proxy does not lead there: {why}"))
}

fn request(to: &HostPort) -> Vec<u8> {
    let mut bytes = vec![VERSION, CONNECT, 0];
    match to.ip() {
        Some(IpAddr::V4(ip)) => {
            bytes.push(IPV4);
            bytes.extend(ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            bytes.push(IPV6);
            bytes.extend(ip.octets());
        }
        None => {
            let name = to.host();
            bytes.push(NAME);
            // No name is longer than 253 bytes.
            bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            bytes.extend(name.bytes());
        }
    }
    bytes.extend(to.port().to_be_bytes());
    bytes
}

/// The code of the proxy's answer; 0 when the connection stands.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> io::Result<u8> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    stream.write_all(&[VERSION, 1, NO_AUTHENTICATION]).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    if chosen != [VERSION, NO_AUTHENTICATION] {
        return Err(wrong());
    }
    stream.write_all(request).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    let [version, code, _, kind] = answer;
    if version != VERSION {
        return Err(wrong());
    }
    if code != 0 {
        return Ok(code);
    }
    // From where the proxy goes on; we have no use for it.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(stream.read_u8().await?),
        _ => return Err(wrong()),
    };
    let mut rest = [0; 2 + u8::MAX as usize];
    // A length is at most 255.
    stream.read_exact(&mut rest[..length + 2]).await?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_of_the_rfc() {
        let request = |text: &str| request(&text.parse().expect("an address"));
        assert_eq!(request("1.2.3.4:80"), [5, 1, 0, 1, 1, 2, 3, 4, 0, 80]);
        assert_eq!(
            request("a.onion:258"),
            *b"\x05\x01\x00\x03\x07a.onion\x01\x02"
        );
        let mut six = vec![5, 1, 0, 4];
        six.extend([0x20, 1, 0xd, 0xb8]);
        six.extend([0; 11]);
        six.extend([1, 0, 80]);
        assert_eq!(request("[2001:db8::1]:80"), six);
    }
}
