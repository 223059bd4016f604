//! Inputs as bytes, for records of a run.
//!
//! A record holds every input of a node; replaying it gives the same outputs. The bytes are CBOR
//! (docs/spec/record.md) for the program that wrote them, not for other versions.
//!
//! Results of checks are not written down, but what was checked ([`Check::run_recorded`]): reading
//! one back runs the check again. So also in a replay only a check makes `Checked` values.

mod command;
mod devices;
mod files;
mod owners;
mod public;
mod rules;

use crate::command::RequestId;
use crate::config::Config;
use crate::io::{Advisory, Check, Held, Input, LinkId, Verbatim};
use core::time::Duration;
use identity::{EnvelopeId, NodeId, OperatorTag, SecretKey};
use machine::{ContentDone, ContentName, MAX_LISTED};
use rights::DeviceSecret;
use router::Reach;
use topic::Job;
use wire::cbor::{Reader, Writer};
use wire::{Malformed, Raw};
use zeroize::Zeroizing;

/// Appends an input. The result of a check that was not run by [`Check::run_recorded`] cannot be
/// written down; [`decode`] refuses what is written in its place.
pub fn encode(input: &Input, bytes: &mut Vec<u8>) {
    let mut w = Writer::new();
    match input {
        Input::LinkUp {
            link,
            node,
            dialled,
            exporter,
            remote,
        } => {
            w.array(6).uint(0_u8).uint(link.0).bytes(node.as_bytes());
            maybe(&mut w, *dialled);
            w.bytes(exporter).text(remote);
        }
        Input::Frame { link, bytes, cost } => {
            w.array(4).uint(1_u8).uint(link.0).bytes(bytes).uint(*cost);
        }
        Input::Writable { link, bytes } => {
            w.array(3).uint(2_u8).uint(link.0).uint(*bytes);
        }
        Input::LinkDown { link, reason } => {
            w.array(3).uint(3_u8).uint(link.0).text(reason);
        }
        Input::DialFailed { token, reason } => {
            w.array(3).uint(4_u8).uint(*token).text(reason);
        }
        Input::Checked(done) => {
            w.array(2).uint(5_u8).bytes_or_null(done.check.as_deref());
        }
        Input::Command { request, command } => {
            w.array(3).uint(6_u8).uint(request.0);
            command::write(&mut w, command);
        }
        Input::Listening { addresses } => {
            w.array(2).uint(7_u8);
            texts(&mut w, addresses);
        }
        Input::Store { bytes, free, full } => {
            w.array(4).uint(8_u8).uint(*bytes).uint(*free).bool(*full);
        }
        Input::Content(done) => {
            w.array(2).uint(9_u8);
            write_content(&mut w, done);
        }
        Input::Closing => {
            w.array(1).uint(10_u8);
        }
        Input::BlocksSent { link, frames } => {
            w.array(3).uint(12_u8).uint(link.0).uint(*frames as u64);
        }
        Input::Filed { job, done } => {
            w.array(3).uint(13_u8).uint(*job);
            files::write_done(&mut w, done);
        }
        Input::Rules { rules, wrong } => {
            w.array(3).uint(11_u8);
            rules::write(&mut w, rules.as_ref());
            maybe_text(&mut w, wrong.as_deref());
        }
    }
    bytes.extend_from_slice(&w.into_bytes());
}

/// Reads back what [`encode`] wrote. Checks are run again, here and now.
///
/// # Errors
/// [`Malformed`] when these bytes are no input, or the result of a check that was not recorded.
pub fn decode(bytes: &[u8]) -> Result<Input, Malformed> {
    let max = bytes.len();
    let mut r = Reader::new(bytes, max)?;
    let fields = r.list(max, "input")?;
    let kind = r.u8("kind of input")?;
    Ok(match (kind, fields) {
        (0, 6) => Input::LinkUp {
            link: LinkId(r.u64("link")?),
            node: NodeId::from_bytes(r.array("node")?),
            dialled: read_maybe(&mut r)?,
            exporter: r.array("exporter")?,
            remote: text(&mut r)?,
        },
        (1, 4) => Input::Frame {
            link: LinkId(r.u64("link")?),
            bytes: r.bytes(max, "frame")?.to_vec(),
            cost: r.u64("cost")?,
        },
        (2, 3) => Input::Writable {
            link: LinkId(r.u64("link")?),
            bytes: r.u64("bytes")?,
        },
        (3, 3) => Input::LinkDown {
            link: LinkId(r.u64("link")?),
            reason: text(&mut r)?,
        },
        (4, 3) => Input::DialFailed {
            token: r.u64("token")?,
            reason: text(&mut r)?,
        },
        (5, 2) => Input::Checked(decode_check(r.bytes(max, "check")?)?.run_recorded()),
        (6, 3) => Input::Command {
            request: RequestId(r.u64("request")?),
            command: command::read(&mut r)?,
        },
        (7, 2) => Input::Listening {
            addresses: read_texts(&mut r)?,
        },
        (8, 4) => Input::Store {
            bytes: r.u64("bytes")?,
            free: r.u64("free")?,
            full: r.bool("full")?,
        },
        (9, 2) => Input::Content(read_content(&mut r)?),
        (10, 1) => Input::Closing,
        (12, 3) => Input::BlocksSent {
            link: LinkId(r.u64("link")?),
            frames: usize::try_from(r.u64("frames")?).unwrap_or(usize::MAX),
        },
        (13, 3) => Input::Filed {
            job: r.u64("job")?,
            done: files::read_done(&mut r)?,
        },
        (11, 3) => Input::Rules {
            rules: rules::read(&mut r)?,
            wrong: read_maybe_text(&mut r)?,
        },
        _ => return Err(r.wrong("kind of input")),
    })
}

/// What is to be checked, as bytes.
pub(crate) fn encode_check(check: &Check) -> Vec<u8> {
    let mut w = Writer::new();
    match check {
        Check::Topic { link, topic, job } => {
            w.array(4).uint(0_u8).uint(link.0).uint(*topic);
            w.bytes(&job.encode());
        }
        Check::Mail { link, id, raw } => {
            w.array(4).uint(1_u8).uint(link.0).bytes(id.as_bytes());
            w.bytes(&raw.encode());
        }
    }
    w.into_bytes()
}

fn decode_check(bytes: &[u8]) -> Result<Check, Malformed> {
    let max = bytes.len();
    let mut r = Reader::new(bytes, max)?;
    r.tuple(4, "check")?;
    Ok(match r.u8("kind of check")? {
        0 => Check::Topic {
            link: LinkId(r.u64("link")?),
            topic: r.u32("topic")?,
            job: Job::decode(r.bytes(max, "job")?)?,
        },
        1 => Check::Mail {
            link: LinkId(r.u64("link")?),
            id: EnvelopeId::from_bytes(r.array("id")?),
            raw: Raw::decode(r.bytes(max, "raw")?)?,
        },
        _ => return Err(r.wrong("kind of check")),
    })
}

fn write_content(w: &mut Writer, done: &ContentDone) {
    match done {
        ContentDone::Written(name, at) => {
            w.array(3).uint(0_u8).bytes(&name.0).uint(*at);
        }
        ContentDone::Read(name, at, piece) => {
            w.array(4).uint(1_u8).bytes(&name.0).uint(*at);
            w.bytes_or_null(piece.as_deref());
        }
        ContentDone::Deleted(name) => {
            w.array(2).uint(2_u8).bytes(&name.0);
        }
        ContentDone::Failed(name, at, reason) => {
            w.array(4).uint(3_u8).bytes(&name.0).uint(*at).text(reason);
        }
        ContentDone::Listed(names) => {
            w.array(2).uint(4_u8).array(names.len());
            for name in names {
                w.bytes(&name.0);
            }
        }
        ContentDone::Unlisted(reason) => {
            w.array(2).uint(5_u8).text(reason);
        }
    }
}

fn read_content(r: &mut Reader<'_>) -> Result<ContentDone, Malformed> {
    let fields = r.list(4, "completion")?;
    let kind = r.u8("kind of completion")?;
    Ok(match (kind, fields) {
        (0, 3) => ContentDone::Written(content_name(r)?, r.u64("offset")?),
        (1, 4) => {
            let (name, at) = (content_name(r)?, r.u64("offset")?);
            let piece = r.bytes_or_null(usize::MAX, "piece")?;
            ContentDone::Read(name, at, piece.map(<[u8]>::to_vec))
        }
        (2, 2) => ContentDone::Deleted(content_name(r)?),
        (3, 4) => ContentDone::Failed(content_name(r)?, r.u64("offset")?, text(r)?),
        (4, 2) => {
            let names = 0..r.list(MAX_LISTED, "names")?;
            ContentDone::Listed(names.map(|_| content_name(r)).collect::<Result<_, _>>()?)
        }
        (5, 2) => ContentDone::Unlisted(text(r)?),
        _ => return Err(r.wrong("kind of completion")),
    })
}

fn content_name(r: &mut Reader<'_>) -> Result<ContentName, Malformed> {
    Ok(ContentName(r.array("name")?))
}

/// Keys and settings as bytes, for the head of a record: as secret as the home.
#[must_use]
pub fn encode_config(config: &Config) -> Zeroizing<Vec<u8>> {
    let Config {
        node_key,
        device,
        stale,
        core,
        reach,
        name,
        public,
        trust_clock,
        custody,
        store_limit,
        software,
    } = config;
    let custody::Settings {
        quota,
        longest_hold,
        free_floor,
        operator,
    } = custody;
    let mut w = Writer::new();
    w.array(17)
        .bytes(node_key.to_seed().as_slice())
        .bytes(device.as_bytes())
        .bool(*stale)
        .bool(*core)
        .bool(*reach == Reach::Core)
        .text(name);
    texts(&mut w, public);
    w.bool(*trust_clock)
        .uint(quota.bytes)
        .uint(quota.topics)
        .uint(quota.links)
        .uint(longest_hold.as_secs())
        .uint(longest_hold.subsec_nanos())
        .uint(*free_floor)
        .bytes_or_null(operator.as_ref().map(|tag| tag.as_bytes().as_slice()))
        .uint(*store_limit)
        .text(software);
    Zeroizing::new(w.into_bytes())
}

/// Reads back what [`encode_config`] wrote.
///
/// # Errors
/// [`Malformed`] when these bytes are none.
pub fn decode_config(bytes: &[u8]) -> Result<Config, Malformed> {
    let mut r = Reader::new(bytes, bytes.len())?;
    r.tuple(17, "configuration")?;
    let seed = Zeroizing::new(r.array("node key")?);
    let device = Zeroizing::new(r.array("device secret")?);
    Ok(Config {
        node_key: SecretKey::from_seed(*seed),
        device: DeviceSecret::from_bytes(*device),
        stale: r.bool("stale")?,
        core: r.bool("core")?,
        reach: if r.bool("reach")? {
            Reach::Core
        } else {
            Reach::Any
        },
        name: text(&mut r)?,
        public: read_texts(&mut r)?,
        trust_clock: r.bool("clock")?,
        custody: custody::Settings {
            quota: custody::Quota {
                bytes: r.u64("quota")?,
                topics: r.u32("topics")?,
                links: r.u32("links")?,
            },
            longest_hold: {
                let seconds = Duration::from_secs(r.u64("hold")?);
                seconds.saturating_add(Duration::from_nanos(r.u32("hold")?.into()))
            },
            free_floor: r.u64("floor")?,
            operator: {
                let tag = r.bytes_or_null(OperatorTag::LEN, "operator")?;
                let wrong = r.wrong("operator");
                let tag = tag
                    .map(|tag| tag.try_into().map_err(|_| wrong))
                    .transpose()?;
                tag.map(OperatorTag::from_bytes)
            },
        },
        store_limit: r.u64("limit")?,
        software: text(&mut r)?,
    })
}

/// Feeds in what tells this output from another.
pub fn digest_held(output: &Held, into: &mut dyn FnMut(&[u8])) {
    match output {
        Held::Frame { link, bytes } => digest_frame(0, *link, bytes, into),
        Held::Reply { request, reply } => {
            into(&[1]);
            into(&request.0.to_be_bytes());
            into(format!("{reply:?}").as_bytes());
        }
        Held::Changed { topic, last } => {
            into(&[2]);
            into(topic.as_bytes());
            into(&last.to_be_bytes());
        }
        Held::Mail { last } => {
            into(&[3]);
            into(&last.to_be_bytes());
        }
        Held::Delete(name) => {
            into(&[4]);
            into(&name.0);
        }
    }
}

/// Feeds in what tells this output from another.
pub fn digest_verbatim(output: &Verbatim, into: &mut dyn FnMut(&[u8])) {
    digest_frame(u8::from(output.bulk), output.link, &output.bytes, into);
}

/// Feeds in what tells this output from another.
pub fn digest_advisory(output: &Advisory, into: &mut dyn FnMut(&[u8])) {
    match output {
        Advisory::Courtesy { link, bytes } => digest_frame(0, *link, bytes, into),
        Advisory::Check(check) => {
            into(&[1]);
            into(&encode_check(check));
        }
        Advisory::Dial {
            token,
            node,
            address,
        } => {
            into(&[2]);
            into(&token.to_be_bytes());
            into(node.as_bytes());
            into(address.as_bytes());
        }
        Advisory::Close { link, code, text } => {
            into(&[3]);
            into(&link.0.to_be_bytes());
            into(&code.to_be_bytes());
            into(text.as_bytes());
        }
        Advisory::Grant { link, bytes } => {
            into(&[4]);
            into(&link.0.to_be_bytes());
            into(&bytes.to_be_bytes());
        }
        Advisory::Log { event, text } => {
            into(&[5]);
            into(&(event.len() as u64).to_be_bytes());
            into(event.as_bytes());
            into(text.as_bytes());
        }
        Advisory::File { job, what } => {
            into(&[6]);
            into(&job.to_be_bytes());
            files::digest(what, into);
        }
    }
}

fn digest_frame(kind: u8, link: LinkId, bytes: &[u8], into: &mut dyn FnMut(&[u8])) {
    into(&[kind]);
    into(&link.0.to_be_bytes());
    into(bytes);
}

/// A number that may be absent: a list of none or one.
fn maybe<T: Into<u64>>(w: &mut Writer, number: Option<T>) {
    match number {
        None => w.array(0),
        Some(number) => w.array(1).uint(number),
    };
}

fn read_maybe(r: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
    Ok(match r.list(1, "number or none")? {
        0 => None,
        _ => Some(r.u64("number")?),
    })
}

fn text(r: &mut Reader<'_>) -> Result<String, Malformed> {
    r.text(usize::MAX, "text").map(str::to_owned)
}

fn maybe_text(w: &mut Writer, text: Option<&str>) {
    match text {
        None => w.array(0),
        Some(text) => w.array(1).text(text),
    };
}

fn read_maybe_text(r: &mut Reader<'_>) -> Result<Option<String>, Malformed> {
    Ok(match r.list(1, "text or none")? {
        0 => None,
        _ => Some(text(r)?),
    })
}

fn texts(w: &mut Writer, list: &[String]) {
    w.array(list.len());
    for each in list {
        w.text(each);
    }
}

fn read_texts(r: &mut Reader<'_>) -> Result<Vec<String>, Malformed> {
    let count = r.list(usize::MAX, "texts")?;
    (0..count).map(|_| text(r)).collect()
}

#[cfg(test)]
mod tests;
