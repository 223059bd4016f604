//! The story.

use std::time::{Duration, Instant};

use super::evidence::Evidence;
use super::stage::{Stage, wrong};
use super::texts;
use crate::failure::Failure;
use crate::output::Stop;
use crate::schema::{Invite, Line, Sent, TopicId, Why};

const TOPIC: &str = "garden";
/// How long the last states of delivery may take to come round.
const PATIENCE: Duration = Duration::from_secs(60);
/// Shorter texts stand in any file by chance.
const SHORTEST: usize = 24;
/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Somebody's text. Names are told a moment after a join, so only later are they looked at.
struct Expected<'a> {
    from: Option<&'a str>,
    text: &'a str,
}

pub(super) fn play(stage: &mut Stage<'_>, count: usize) -> Result<Evidence, Stop> {
    let mut evidence = Evidence::default();
    open(stage)?;
    let link = meet(stage)?;
    chat(stage, &mut evidence)?;
    absences(stage, &link, &mut evidence)?;
    let texts = gather(stage, count)?;
    let last = publish(stage, &texts.lines, &mut evidence)?;
    returns(stage, &texts.lines, &mut evidence)?;
    delivered(stage, &last, &mut evidence)?;
    sealed(stage, &texts.lines, &mut evidence)?;
    Ok(evidence)
}

fn open(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stage.scene("Two core nodes, two providers")?;
    for core in ["core1", "core2"] {
        stage.up(core, &["--core", "--name", core, "--listen", "127.0.0.1:0"])?;
    }
    Ok(())
}

/// Makes somebody the client of a core node.
fn client(stage: &mut Stage<'_>, who: &'static str, core: &'static str) -> Result<(), Stop> {
    let invite = stage.way(core, &["core", "invite", "--quota", "64MiB"], None)?;
    stage.up(who, &["--name", who, "--listen", "127.0.0.1:0"])?;
    stage.way(who, &["core", "use", invite.out.trim()], None)?;
    Ok(())
}

fn meet(stage: &mut Stage<'_>) -> Result<String, Stop> {
    stage.scene("Alice and Bob are clients of core1; Alice makes a topic and invites Bob")?;
    client(stage, "alice", "core1")?;
    stage.way("alice", &["topic", "create", TOPIC], None)?;
    // Who comes second comes while Alice is away.
    let invite = ["--json", "invite", TOPIC, "--uses", "2", "--while-away"];
    let made = stage.quietly("alice", &invite, None)?;
    let link = made.object::<Invite>()?.link;
    stage.say(&format!("    {link}"))?;
    client(stage, "bob", "core1")?;
    let joined = stage.way("bob", &["--json", "join", &link, "--yes"], None)?;
    let topic: TopicId = joined.object()?;
    if topic.name != TOPIC {
        return Err(wrong(format!("Bob joined {} and not {TOPIC}", topic.name)).into());
    }
    Ok(link)
}

fn chat(stage: &mut Stage<'_>, evidence: &mut Evidence) -> Result<(), Stop> {
    stage.scene("They talk")?;
    let hello = [
        "send",
        TOPIC,
        "Hello Bob. Seeds or bulbs?",
        "--wait",
        "delivered",
        "--of",
        "1",
    ];
    stage.way("alice", &hello, None)?;
    let answer = [
        "send",
        TOPIC,
        "Bulbs, Alice.",
        "--wait",
        "delivered",
        "--of",
        "1",
    ];
    stage.way("bob", &answer, None)?;
    let read = ["Hello Bob. Seeds or bulbs?", "Bulbs, Alice."];
    let read = read.map(|text| Expected { from: None, text });
    check(&follow(stage, "bob", read.len())?, &read)?;
    check(&follow(stage, "alice", read.len())?, &read)?;
    evidence.add(
        "a message each way, both present",
        "delivered, equal byte for byte",
    );
    Ok(())
}

fn absences(stage: &mut Stage<'_>, link: &str, evidence: &mut Evidence) -> Result<(), Stop> {
    stage.scene("Bob's machine dies; Alice leaves")?;
    stage.kill("bob")?;
    stage.down("alice")?;
    stage.scene("Carol, a client of core2 alone, joins while nobody is there")?;
    client(stage, "carol", "core2")?;
    alone(stage, "carol")?;
    stage.way("carol", &["join", link, "--yes"], None)?;
    let both = ["Hello Bob. Seeds or bulbs?", "Bulbs, Alice."];
    let both = both.map(|text| Expected { from: None, text });
    check(&follow(stage, "carol", both.len())?, &both)?;
    stage.way(
        "carol",
        &["send", TOPIC, "Carol here. Both!", "--wait", "held"],
        None,
    )?;
    stage.down("carol")?;
    evidence.add(
        "Carol joins, the inviter and all others away",
        "joined, has read what was before",
    );
    Ok(())
}

fn gather(stage: &mut Stage<'_>, count: usize) -> Result<texts::Texts, Stop> {
    let texts = texts::find(count);
    if texts.lines.len() < count {
        let found = texts.lines.len();
        return Err(wrong(format!("this machine has only {found} lines of text")).into());
    }
    let first = texts
        .files
        .first()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let more = texts.files.len().saturating_sub(1);
    stage.say(&format!(
        "\n{count} lines of {first} and {more} more files are the messages."
    ))?;
    Ok(texts)
}

fn publish(
    stage: &mut Stage<'_>,
    lines: &[String],
    evidence: &mut Evidence,
) -> Result<String, Stop> {
    stage.scene("Alice returns alone, hears of Carol, writes to both, and leaves")?;
    stage.up("alice", &[])?;
    alone(stage, "alice")?;
    check(
        &follow(stage, "alice", 1)?,
        &[Expected {
            from: Some("carol"),
            text: "Carol here. Both!",
        }],
    )?;
    let input = lines.join("\n") + "\n";
    let words = ["--json", "send", TOPIC, "--lines", "--wait", "held"];
    let began = Instant::now();
    let sent: Vec<Sent> = stage
        .quietly("alice", &words, Some(input.as_bytes()))?
        .objects()?;
    let took = began.elapsed().as_secs_f64();
    let Some(last) = sent.last().filter(|_| sent.len() == lines.len()) else {
        return Err(wrong(format!("{} lines sent, {} ids", lines.len(), sent.len())).into());
    };
    let seen = format!(
        "{} messages, {} bytes, held after {took:.1} s",
        sent.len(),
        input.len()
    );
    stage.say(&format!("    {seen}"))?;
    stage.down("alice")?;
    evidence.add("Alice writes while the others are away", seen);
    Ok(last.id.clone())
}

fn returns(stage: &mut Stage<'_>, lines: &[String], evidence: &mut Evidence) -> Result<(), Stop> {
    let new = |text| Expected {
        from: Some("alice"),
        text,
    };
    for (who, scene, from) in [
        (
            "bob",
            "Bob returns after his crash; nobody else is there",
            "core1",
        ),
        ("carol", "Carol returns; nobody else is there", "core2"),
    ] {
        stage.scene(scene)?;
        stage.up(who, &[])?;
        alone(stage, who)?;
        let mut expected: Vec<Expected<'_>> = lines.iter().map(|line| new(line.as_str())).collect();
        // What Carol wrote is new to Bob, and her own cursor has not passed it either.
        let word = Expected {
            from: Some("carol"),
            text: "Carol here. Both!",
        };
        expected.insert(0, word);
        let began = Instant::now();
        let read = follow(stage, who, expected.len())?;
        let took = began.elapsed().as_secs_f64();
        check(&read, &expected)?;
        once(stage, who, lines)?;
        stage.down(who)?;
        let seen = format!(
            "all {}, in order, once, equal byte for byte, in {took:.1} s",
            read.len()
        );
        stage.say(&format!("    {seen}"))?;
        evidence.add(format!("{who}, alone, reads what {from} kept"), seen);
    }
    Ok(())
}

fn delivered(stage: &mut Stage<'_>, id: &str, evidence: &mut Evidence) -> Result<(), Stop> {
    stage.scene("Alice returns and asks where her last message stands")?;
    stage.up("alice", &[])?;
    let began = Instant::now();
    loop {
        let why: Why = stage
            .silently("alice", &["--json", "why", id], None)?
            .object()?;
        if why.delivered == 2 {
            break;
        }
        if began.elapsed() > PATIENCE {
            let seen = format!("delivered {} of {}", why.delivered, why.members);
            return Err(wrong(format!("after {} s still {seen}", PATIENCE.as_secs())).into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    stage.way("alice", &["why", id], None)?;
    let why: Why = stage
        .silently("alice", &["--json", "why", id], None)?
        .object()?;
    if why.members != 2 {
        return Err(wrong(format!("of {} members, not 2", why.members)).into());
    }
    evidence.add("Alice sees, on signed receipts", "delivered 2 of 2");
    Ok(())
}

/// Searches the homes of the core nodes for what they must not be able to read.
fn sealed(stage: &mut Stage<'_>, lines: &[String], evidence: &mut Evidence) -> Result<(), Stop> {
    stage.scene("What the core nodes can read of it")?;
    let long = lines
        .iter()
        .filter(|line| line.len() >= SHORTEST)
        .take(50)
        .map(String::as_bytes);
    let texts: Vec<&[u8]> = long.chain([&b"Hello Bob. Seeds or bulbs?"[..]]).collect();
    let mut searched = 0;
    for core in ["core1", "core2"] {
        stage.down(core)?;
        let mut folders = vec![stage.path().join(core)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap_or_default();
                searched += bytes.len();
                // A text has no zero, and files of records are mostly zeros.
                let parts = bytes
                    .split(|byte| *byte == 0)
                    .filter(|part| part.len() >= SHORTEST);
                let found = parts
                    .flat_map(|part| texts.iter().filter(move |text| contains(part, text)))
                    .next();
                if let Some(text) = found {
                    let text = String::from_utf8_lossy(text);
                    return Err(wrong(format!("{} holds {text:?}", path.display())).into());
                }
            }
        }
        stage.up(core, &[])?;
    }
    let seen = format!(
        "none of {} texts in {searched} bytes of both homes",
        texts.len()
    );
    stage.say(&format!("    {seen}"))?;
    evidence.add("the core nodes' homes, searched byte by byte", seen);
    Ok(())
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    let Some(first) = text.first() else {
        return false;
    };
    let mut at = 0;
    while let Some(next) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|b| b == first))
    {
        at += next;
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(text)) {
            return true;
        }
        at += 1;
    }
    false
}

/// That nobody else's node runs.
fn alone(stage: &Stage<'_>, who: &str) -> Result<(), Failure> {
    let others = stage
        .online()
        .iter()
        .filter(|other| !other.starts_with("core"));
    match others.clone().find(|other| **other != who) {
        None => Ok(()),
        Some(other) => Err(wrong(format!("{other} is there too"))),
    }
}

/// Reads the next texts that the durable cursor has not shown, as they come.
fn follow(stage: &mut Stage<'_>, who: &str, texts: usize) -> Result<Vec<Line>, Stop> {
    let mut read = Vec::new();
    let mut shown = false;
    while read.len() < texts {
        let limit = (texts - read.len()).to_string();
        let words = [
            "--json", "read", TOPIC, "--new", "--follow", "--limit", &limit,
        ];
        // Lines about joining come between; only the first command is shown.
        let ran = if shown {
            stage.silently(who, &words, None)?
        } else {
            stage.quietly(who, &words, None)?
        };
        shown = true;
        for line in ran.objects::<Line>()? {
            match line.kind.as_str() {
                "text" => read.push(line),
                "gap" => return Err(wrong(format!("{who} sees a gap: {}", line.text)).into()),
                _ => {}
            }
        }
    }
    Ok(read)
}

/// That what was read is what was sent, in order, from whom.
fn check(read: &[Line], expected: &[Expected<'_>]) -> Result<(), Failure> {
    if read.len() != expected.len() {
        return Err(wrong(format!(
            "{} texts read, {} sent",
            read.len(),
            expected.len()
        )));
    }
    for (line, expected) in read.iter().zip(expected) {
        if line.text != expected.text {
            let (read, sent) = (&line.text, expected.text);
            return Err(wrong(format!(
                "line {}: read {read:?}, sent {sent:?}",
                line.n
            )));
        }
        if let Some(sent) = expected.from.filter(|from| line.from_name != *from) {
            let name = &line.from_name;
            return Err(wrong(format!(
                "line {}: from {name:?}, sent by {sent:?}",
                line.n
            )));
        }
    }
    Ok(())
}

/// That the whole topic, read again from its start, holds each message once.
fn once(stage: &Stage<'_>, who: &str, lines: &[String]) -> Result<(), Failure> {
    let all: Vec<Line> = stage
        .silently(who, &["--json", "read", TOPIC], None)?
        .objects()?;
    let texts: Vec<&Line> = all.iter().filter(|line| line.kind == "text").collect();
    let mut ids: Vec<&str> = texts.iter().map(|line| line.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    // Alice's hello, Bob's answer, Carol's word.
    let expected = lines.len() + 3;
    if texts.len() == expected && ids.len() == expected {
        Ok(())
    } else {
        let (shown, names) = (texts.len(), ids.len());
        Err(wrong(format!(
            "{who}: {shown} texts with {names} ids instead of {expected}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn a_text_is_found_wherever_it_is() {
        for (bytes, text, found) in [
            (&b"xxabcxx"[..], &b"abc"[..], true),
            (b"aababc", b"abc", true),
            (b"abc", b"abc", true),
            (b"ab", b"abc", false),
            (b"abxabyab", b"abc", false),
            (b"", b"a", false),
        ] {
            assert_eq!(contains(bytes, text), found, "{bytes:?}");
        }
    }
}
