//! Quantities as people write them: `20ms`, `1%`, `10Mbit`, `2KiB`, `08:00-12:00`. Each function
//! takes the text and says what it expects when that is something else.

use super::limits::{DAY_MS, MAX_DRIFT_PPM, MAX_KBIT, MAX_LOSS_PPM, MAX_SKEW_MS};

/// What was expected instead, with an example.
pub(crate) type Wrong = String;

/// From one value to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl Span {
    pub(crate) const fn one(value: u64) -> Self {
        Self {
            low: value,
            high: value,
        }
    }
}

/// A point of the simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So many milliseconds after the beginning.
    After(u64),
    /// The first time that clocks show this, in milliseconds since midnight.
    Clock(u64),
}

impl Moment {
    /// Milliseconds after the beginning of a world that begins at this time of day.
    pub(crate) const fn at(self, begins: u64) -> u64 {
        match self {
            Self::After(after) => after,
            Self::Clock(clock) => (clock + DAY_MS - begins) % DAY_MS,
        }
    }
}

/// A decimal number in millionths, and the text behind it.
fn number(text: &str) -> Option<(u128, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let digits = digits.replace('_', "");
    let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
    if whole.len() > 15 || part.len() > 6 || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    if part.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let part: u128 = format!("{part:0<6}").parse().ok()?;
    Some((whole * 1_000_000 + part, rest.trim_start()))
}

fn fits(value: u128) -> Option<u64> {
    u64::try_from(value).ok()
}

/// A length of time in microseconds: `20ms`, `1h30m`, `1.5d`.
pub(crate) fn micros(text: &str) -> Result<u64, Wrong> {
    let wrong = || {
        if text.parse::<u64>().is_ok() {
            format!("a length of time needs a unit: \"{text}s\", \"{text}ms\"")
        } else {
            "a length of time looks like \"20ms\", \"90s\", \"1h30m\" or \"2d\"".to_owned()
        }
    };
    if text.trim() == "0" {
        return Ok(0);
    }
    let mut rest = text.trim();
    let mut sum: u128 = 0;
    loop {
        let (value, behind) = number(rest).ok_or_else(wrong)?;
        let end = behind
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let micros: u128 = match unit {
            "us" | "µs" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return Err(wrong()),
        };
        sum += value * micros / 1_000_000;
        rest = behind.trim_start();
        if rest.is_empty() {
            return fits(sum).ok_or_else(wrong);
        }
    }
}

/// A length of time in milliseconds.
pub(crate) fn millis(text: &str) -> Result<u64, Wrong> {
    micros(text).map(|micros| micros / 1_000)
}

/// A length of time in milliseconds that may be negative: `-3h`.
pub(crate) fn signed_millis(text: &str) -> Result<i64, Wrong> {
    let (sign, size) = match text.trim().strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim().trim_start_matches('+')),
    };
    let size = i64::try_from(millis(size)?).map_err(|_| "a shorter time".to_owned())?;
    Ok(sign * size)
}

/// How far a clock is from the right time, in milliseconds.
pub(crate) fn skew(text: &str) -> Result<i64, Wrong> {
    match signed_millis(text)? {
        0 => Err("a time other than 0: the clock is right".to_owned()),
        skew if skew.abs() > MAX_SKEW_MS => {
            let most = time(MAX_SKEW_MS.unsigned_abs() * 1_000);
            Err(format!("at most \"{most}\" or \"-{most}\""))
        }
        skew => Ok(skew),
    }
}

/// Two values with `..` between them, or one.
fn span(text: &str, one: fn(&str) -> Result<u64, Wrong>) -> Result<Span, Wrong> {
    let Some((low, high)) = text.split_once("..") else {
        return one(text).map(Span::one);
    };
    let (low, high) = (one(low.trim())?, one(high.trim())?);
    if low > high {
        return Err(format!("the smaller one first: \"{}\"", swapped(text)));
    }
    Ok(Span { low, high })
}

fn swapped(text: &str) -> String {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    format!("{}..{}", high.trim(), low.trim())
}

/// `2ms` or `1ms..5ms`, in microseconds.
pub(crate) fn micros_span(text: &str) -> Result<Span, Wrong> {
    span(text, micros)
}

/// `5s` or `1s..10m`, in milliseconds.
pub(crate) fn millis_span(text: &str) -> Result<Span, Wrong> {
    span(text, millis)
}

/// `40B..2KiB`.
pub(crate) fn bytes_span(text: &str) -> Result<Span, Wrong> {
    span(text, bytes)
}

/// `3` or `1..30`.
pub(crate) fn count_span(text: &str) -> Result<Span, Wrong> {
    span(text, count)
}

/// A whole number.
pub(crate) fn count(text: &str) -> Result<u64, Wrong> {
    let digits = text.trim().replace('_', "");
    digits
        .parse()
        .map_err(|_| "a whole number such as 12".to_owned())
}

/// A whole number above 0.
pub(crate) fn some(text: &str) -> Result<u64, Wrong> {
    match count(text)? {
        0 => Err("at least 1".to_owned()),
        count => Ok(count),
    }
}

/// How often, in thousandths: `20` or `0.5`.
pub(crate) fn often(text: &str) -> Result<u64, Wrong> {
    let wrong = || "a number such as 20 or 0.5".to_owned();
    match number(text.trim()) {
        Some((value, "")) => fits(value / 1_000).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// The same above 0 and at most so many times.
pub(crate) fn some_often(most: u64) -> impl Fn(&str) -> Result<u64, Wrong> {
    move |text| match often(text)? {
        0 => Err("a number above 0; without the table it never happens".to_owned()),
        value if value > most.saturating_mul(1_000) => Err(format!("at most {most}")),
        value => Ok(value),
    }
}

/// A size from one to another, both included.
pub(crate) fn bytes_within(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, Wrong> {
    move |text| match bytes(text)? {
        value if value < least => Err(format!("at least \"{}\"", size(least))),
        value if value > most => Err(format!("at most \"{}\"", size(most))),
        value => Ok(value),
    }
}

/// A size as people write it.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut at = 0;
    while at + 1 < units.len() && value >= 1 << 10 && value.is_multiple_of(1 << 10) {
        value >>= 10;
        at += 1;
    }
    format!("{value}{}", units[at])
}

/// A length of time as people write it, from microseconds.
pub(crate) fn time(micros: u64) -> String {
    let units = [
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
    ];
    let fits = units
        .iter()
        .find(|(_, size)| micros >= *size && micros.is_multiple_of(*size));
    match fits {
        Some((unit, size)) => format!("{}{unit}", micros / size),
        None => format!("{micros}us"),
    }
}

/// A length of time in milliseconds, from one to another, both included.
pub(crate) fn millis_within(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, Wrong> {
    move |text| bounded(millis(text)?, (least, most), |ms| time(ms * 1_000))
}

/// The same in microseconds.
pub(crate) fn micros_within(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, Wrong> {
    move |text| bounded(micros(text)?, (least, most), time)
}

/// Both ends of a range of times in milliseconds, from one to another, both included.
pub(crate) fn millis_span_within(least: u64, most: u64) -> impl Fn(&str) -> Result<Span, Wrong> {
    move |text| {
        let span = millis_span(text)?;
        let told = |ms| time(ms * 1_000);
        bounded(span.low, (least, most), told)?;
        bounded(span.high, (least, most), told)?;
        Ok(span)
    }
}

/// A range in microseconds, from one to another, both included.
pub(crate) fn within_micros(span: Span, bounds: (u64, u64)) -> Result<Span, Wrong> {
    bounded(span.low, bounds, time)?;
    bounded(span.high, bounds, time)?;
    Ok(span)
}

fn bounded(
    value: u64,
    (least, most): (u64, u64),
    told: impl Fn(u64) -> String,
) -> Result<u64, Wrong> {
    if value < least {
        Err(format!("at least \"{}\"", told(least)))
    } else if value > most {
        Err(format!("at most \"{}\"", told(most)))
    } else {
        Ok(value)
    }
}

/// Bytes: `500B`, `64KiB`, `10MB`, `1GiB`, or a bare number.
pub(crate) fn bytes(text: &str) -> Result<u64, Wrong> {
    let wrong = || "a size looks like \"500B\", \"64KiB\" or \"1GiB\"".to_owned();
    let (value, unit) = number(text.trim()).ok_or_else(wrong)?;
    let factor: u128 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    fits(value * factor / 1_000_000).ok_or_else(wrong)
}

/// A part of a whole in millionths: `30%`, `0.1%`, `200ppm`.
pub(crate) fn share(text: &str) -> Result<u32, Wrong> {
    let wrong = || "a share looks like \"30%\", \"0.1%\" or \"200ppm\"".to_owned();
    let ppm = match number(text.trim()).ok_or_else(wrong)? {
        (value, "%") => value / 100,
        (value, "ppm") => value / 1_000_000,
        _ => return Err(wrong()),
    };
    if ppm > 1_000_000 {
        return Err("at most \"100%\"".to_owned());
    }
    u32::try_from(ppm).map_err(|_| wrong())
}

/// A part of packets that are lost.
pub(crate) fn loss(text: &str) -> Result<u32, Wrong> {
    match share(text)? {
        loss if loss > MAX_LOSS_PPM => {
            let most = MAX_LOSS_PPM / 10_000;
            Err(format!(
                "at most \"{most}%\"; what lets nothing through is a [[cut]]"
            ))
        }
        loss => Ok(loss),
    }
}

/// A part of several, at least one in a million.
pub(crate) fn some_share(text: &str) -> Result<u32, Wrong> {
    match share(text)? {
        0 => Err("a share above \"0%\"".to_owned()),
        share => Ok(share),
    }
}

/// Kilobits a second: `64kbit`, `10Mbit`, `1Gbit`.
pub(crate) fn rate(text: &str) -> Result<u64, Wrong> {
    let wrong = || "a rate looks like \"64kbit\", \"10Mbit\" or \"1Gbit\"".to_owned();
    let text = text.trim().trim_end_matches("/s");
    let (value, unit) = number(text).ok_or_else(wrong)?;
    let factor: u128 = match unit {
        "kbit" => 1,
        "Mbit" => 1_000,
        "Gbit" => 1_000_000,
        _ => return Err(wrong()),
    };
    match fits(value * factor / 1_000_000).ok_or_else(wrong)? {
        0 => Err("at least \"1kbit\"; without the key there is no bound".to_owned()),
        kbit if kbit > MAX_KBIT => {
            Err("at most \"1000Gbit\"; without the key there is no bound".to_owned())
        }
        kbit => Ok(kbit),
    }
}

/// How much a clock goes fast, in millionths: `200ppm`, `-50ppm`.
pub(crate) fn drift(text: &str) -> Result<i32, Wrong> {
    let wrong = || "a drift looks like \"200ppm\" or \"-50ppm\", at most 100000ppm".to_owned();
    let (sign, size) = match text.trim().strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim()),
    };
    match number(size) {
        Some((value, "ppm")) => match i32::try_from(value / 1_000_000) {
            Ok(0) => Err("a drift other than 0: the clock is right".to_owned()),
            Ok(ppm) if ppm <= MAX_DRIFT_PPM => Ok(sign * ppm),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// A time of day in milliseconds since midnight: `08:30`; midnight at the end is `24:00`.
pub(crate) fn clock(text: &str) -> Result<u64, Wrong> {
    let wrong = || "a time of day looks like \"08:30\"".to_owned();
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    let hour: u64 = hour.parse().map_err(|_| wrong())?;
    let minute: u64 = minute.parse().map_err(|_| wrong())?;
    if hour > 24 || minute > 59 || (hour == 24 && minute > 0) {
        return Err(wrong());
    }
    Ok((hour * 60 + minute) * 60_000)
}

/// A part of the day: `08:00-12:00`. It may go over midnight.
pub(crate) fn window(text: &str) -> Result<(u64, u64), Wrong> {
    let wrong = || "a part of the day looks like \"08:00-12:00\"".to_owned();
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (clock(from)?, clock(to)?);
    if from == to {
        return Err(wrong());
    }
    Ok((from % DAY_MS, if to > from { to } else { to + DAY_MS }))
}

/// A point of time: `90m` after the beginning, or the first `14:30`.
pub(crate) fn moment(text: &str) -> Result<Moment, Wrong> {
    if text.contains(':') {
        return clock(text).map(Moment::Clock);
    }
    millis(text)
        .map(Moment::After)
        .map_err(|wrong| format!("{wrong}; a time of day like \"14:30\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!(micros("20ms"), Ok(20_000));
        assert_eq!(millis("1h30m"), Ok(5_400_000));
        assert_eq!(millis("1.5d"), Ok(129_600_000));
        assert_eq!(millis("2 min"), Ok(120_000));
        assert_eq!(signed_millis("-3h"), Ok(-10_800_000));
        assert_eq!(
            millis_span("1s..10m"),
            Ok(Span {
                low: 1_000,
                high: 600_000
            })
        );
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("1.5 MB"), Ok(1_500_000));
        assert_eq!(share("0.1%"), Ok(1_000));
        assert_eq!(share("100%"), Ok(1_000_000));
        assert_eq!(rate("10Mbit"), Ok(10_000));
        assert_eq!(rate("64kbit/s"), Ok(64));
        assert_eq!(drift("-50ppm"), Ok(-50));
        assert_eq!(often("0.5"), Ok(500));
        assert_eq!(window("22:00-06:00"), Ok((79_200_000, 108_000_000)));
        assert_eq!(
            moment("14:30").unwrap().at(clock("08:00").unwrap()),
            23_400_000
        );
        assert_eq!(moment("90m").unwrap().at(5), 5_400_000);
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for (text, hint) in [("20", "\"20s\""), ("", "20ms"), ("5 fortnights", "20ms")] {
            assert!(micros(text).unwrap_err().contains(hint), "{text}");
        }
        assert!(micros("99999999999999999999d").is_err());
        assert!(share("120%").unwrap_err().contains("100%"));
        assert!(share("0.5").is_err());
        assert!(rate("10").is_err());
        assert!(clock("25:00").is_err());
        assert!(window("08:00").is_err());
        assert!(count("-1").is_err());
        assert!(some("0").is_err());
        assert!(bytes("1.2.3B").is_err());
        assert_eq!(size(60_000), "60000B");
        assert_eq!(size(64 << 10), "64KiB");
        assert_eq!(size(1 << 50), "1024TiB");
        assert_eq!(time(90_000_000), "90s");
        assert_eq!(time(1), "1us");
        assert_eq!(time(0), "0us");
        assert!(millis_span("10m..1s").unwrap_err().contains("1s..10m"));
    }
}
