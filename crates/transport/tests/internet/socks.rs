//! A small SOCKS5 server.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// What it does with whoever comes.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Leads everybody there.
    Lead(SocketAddr),
    /// Refuses with a code.
    Refuse(u8),
    /// Says this and ends.
    Say(Vec<u8>),
    /// Says nothing.
    Stall,
}

pub(super) struct Proxy {
    pub(super) at: SocketAddr,
    /// Where it was asked to lead.
    pub(super) asked: mpsc::UnboundedReceiver<String>,
}

impl Proxy {
    pub(super) async fn open(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let at = listener.local_addr().expect("it is bound");
        let (sender, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, sender) = (answer.clone(), sender.clone());
                tokio::spawn(async move {
                    // Whoever came may go at any time.
                    let _ = serve(stream, answer, &sender).await;
                });
            }
        });
        Self { at, asked }
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Answer,
    asked: &mpsc::UnboundedSender<String>,
) -> std::io::Result<()> {
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).await?;
    assert_eq!(greeting, [5, 1, 0]);
    match &answer {
        Answer::Say(bytes) => return stream.write_all(bytes).await,
        Answer::Stall => {
            // Until the other side has had enough.
            let _ = stream.read_u8().await;
            return Ok(());
        }
        Answer::Lead(_) | Answer::Refuse(_) => stream.write_all(&[5, 0]).await?,
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    assert_eq!(head[..3], [5, 1, 0]);
    let host = match head[3] {
        1 => Ipv4Addr::from_bits(stream.read_u32().await?).to_string(),
        3 => {
            let mut name = vec![0; usize::from(stream.read_u8().await?)];
            stream.read_exact(&mut name).await?;
            String::from_utf8(name).expect("a name")
        }
        4 => format!("[{}]", Ipv6Addr::from_bits(stream.read_u128().await?)),
        other => panic!("kind of address {other}"),
    };
    let port = stream.read_u16().await?;
    let _ = asked.send(format!("{host}:{port}"));
    match answer {
        Answer::Lead(to) => {
            let mut far = TcpStream::connect(to).await?;
            // As a name, for the sake of its length.
            stream.write_all(b"\x05\0\0\x03\x04here\x01\x02").await?;
            copy_bidirectional(&mut stream, &mut far).await.map(drop)
        }
        Answer::Refuse(code) => stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await,
        Answer::Say(_) | Answer::Stall => Ok(()),
    }
}
