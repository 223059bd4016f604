//! A file of 1 GiB: shared by one node and fetched by another, beside what one plain QUIC stream moves.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use iroh::endpoint::{NetReportConfig, PortmapperConfig, presets};
use iroh::{Endpoint, RelayMode};

use crate::stage::{Person, Stage, mib, until};
use crate::volume::{TOPIC, seconds};
use crate::{Failed, Report, scaled};

const FILE_MIB: usize = 1024;
const MEMORY_KIB: u64 = 96 * 1024;
const PATIENCE: Duration = Duration::from_secs(300);
const ROUNDS: usize = 3;
const SELDOM: Duration = Duration::from_millis(80);
const ALPN: &[u8] = b"figures/plain";

pub(crate) fn measure(way: &Path, report: &mut Report) -> Result<(), Failed> {
    let mebibytes = scaled(FILE_MIB);
    let stage = Stage::new(way)?;
    let file = stage.folder().join("file.bin");
    write(&file, mebibytes)?;
    let (alice, bob) = (stage.up("alice")?, stage.up("bob")?);
    alice.way(&["topic", "create", TOPIC])?;
    let link = alice.text(&["invite", TOPIC], "link")?;
    bob.way(&["join", &link, "--yes"])?;
    let hello = ["send", TOPIC, "hello", "--wait", "delivered"];
    alice.way(&hello)?;

    let cpu = alice.cpu()?;
    let began = Instant::now();
    let id = alice.text(&["share", TOPIC, text(&file)?], "id")?;
    let shared = began.elapsed();
    let cpu = alice.cpu()?.saturating_sub(cpu);
    report.figure(
        "files shared",
        format!(
            "{} MB/s of processor time, all that the node did meanwhile counted; {} MB/s by the clock ({})",
            rate(mebibytes, cpu),
            rate(mebibytes, shared),
            seconds(shared)
        ),
        "250 MB/s on one core",
        rate(mebibytes, cpu) >= 250,
    );

    until("the file is told of", PATIENCE, || {
        let files = bob.way(&["files", TOPIC])?;
        Ok(files
            .iter()
            .any(|file| file["id"] == id.as_str())
            .then_some(()))
    })?;
    let to = stage.folder().join("got.bin");
    let words = ["get", TOPIC, &id, "--to", text(&to)?];
    let (mut fetched, mut plain) = (Vec::new(), Vec::new());
    let mut written = Duration::ZERO;
    for round in 1..=ROUNDS {
        plain.push(stream(mebibytes)?);
        let began = Instant::now();
        // That it is not there yet is no failure.
        let _ = bob.way(&[&words[..], &["--timeout", "0s"]].concat());
        until("the file is there", PATIENCE, || {
            // Looking takes a process, which has no cores of its own.
            std::thread::sleep(SELDOM);
            let files = bob.way(&["files", TOPIC])?;
            let whole = |file: &serde_json::Value| file["have"] == file["parts"];
            Ok(files.iter().any(whole).then_some(()))
        })?;
        fetched.push(began.elapsed());
        if round == ROUNDS {
            bob.way(&words)?;
            written = began.elapsed();
        } else {
            bob.way(&["files", TOPIC, "--drop", &id])?;
        }
    }
    let (fetched, plain) = (middle(fetched), middle(plain));
    report.figure(
        "files fetched",
        format!(
            "{} MB/s ({}), written out after {}; one plain QUIC stream: {} MB/s; so {} %, each the middle of {ROUNDS}",
            rate(mebibytes, fetched),
            seconds(fetched),
            seconds(written),
            rate(mebibytes, plain),
            plain.as_millis() * 100 / fetched.as_millis().max(1)
        ),
        "half of the plain stream",
        plain * 2 >= fetched,
    );
    let equal = same(&file, &to)?;
    let peak = |person: &Person| person.kib("VmHWM");
    let (one, two) = (peak(&alice)?, peak(&bob)?);
    report.figure(
        "files memory",
        format!(
            "{} who shared it, {} who fetched it; equal: {equal}",
            mib(one),
            mib(two)
        ),
        mib(MEMORY_KIB),
        equal && one.max(two) <= MEMORY_KIB,
    );
    Ok(())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn text(path: &Path) -> Result<&str, Failed> {
    Ok(path.to_str().ok_or("a folder that is not UTF-8")?)
}

/// A megabyte has a million bytes, as in the figures of disks and networks.
fn rate(mebibytes: usize, time: Duration) -> u128 {
    (mebibytes as u128 * 1_048_576) / time.as_micros().max(1)
}

/// Makes a file of which no two blocks are the same.
fn write(file: &Path, mebibytes: usize) -> Result<(), Failed> {
    let mut random = blake3::Hasher::new().finalize_xof();
    let mut piece = vec![0; 1 << 20];
    let mut file = std::fs::File::create(file)?;
    for _ in 0..mebibytes {
        random.fill(&mut piece);
        file.write_all(&piece)?;
    }
    Ok(file.sync_all()?)
}

fn same(one: &Path, two: &Path) -> Result<bool, Failed> {
    let hash = |path: &Path| -> Result<blake3::Hash, Failed> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(std::fs::File::open(path)?)?;
        Ok(hasher.finalize())
    };
    Ok(hash(one)? == hash(two)?)
}

/// How long one stream of a plain QUIC connection over loopback takes for as much.
fn stream(mebibytes: usize) -> Result<Duration, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (from, to) = (endpoint().await?, endpoint().await?);
        let (at, receiver) = (to.addr(), to.clone());
        let reading = tokio::spawn(async move {
            let connection = receiver.accept().await.ok_or("nobody came")?.await?;
            let mut stream = connection.accept_uni().await?;
            let mut read = 0;
            while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
                read += chunk.len();
            }
            Ok::<usize, Failed>(read)
        });
        let connection = from.connect(at, ALPN).await?;
        let mut stream = connection.open_uni().await?;
        let piece = vec![7; 1 << 20];
        let began = Instant::now();
        for _ in 0..mebibytes {
            stream.write_all(&piece).await?;
        }
        stream.finish()?;
        let read = reading.await??;
        let took = began.elapsed();
        if read != mebibytes << 20 {
            return Err("the plain stream lost something".into());
        }
        Ok(took)
    })
}

async fn endpoint() -> Result<Endpoint, Failed> {
    let builder = Endpoint::builder(presets::Minimal)
        .alpns(vec![ALPN.to_vec()])
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(NetReportConfig::minimal())
        .clear_ip_transports()
        .bind_addr((Ipv4Addr::LOCALHOST, 0))?;
    Ok(builder.bind().await?)
}
