//! Times as people write them: RFC 3339, or from now (`+2d`, `-3h`).
//!
//! A text is only read here; which instant `+2d` means is settled by whoever knows the time.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

/// A text that is not a time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotATime {
    /// Neither RFC 3339 nor an offset.
    #[error("not a time: write RFC 3339 (2027-01-31T12:00:00Z) or an offset from now (+2d, +90m)")]
    Unreadable,
    /// Not a duration.
    #[error("not a duration: write 30s, 5m, 2h or 7d")]
    Duration,
    /// Outside the years this program can write.
    #[error("that time is out of range")]
    OutOfRange,
}

/// A time, absolute or from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Milliseconds since 1970-01-01 UTC.
    At(u64),
    /// So far ahead of now.
    In(Duration),
    /// So far back from now.
    Ago(Duration),
}

impl When {
    /// The instant meant, in milliseconds since 1970, if now is `now_ms`.
    ///
    /// # Errors
    /// When the result does not fit into the years that RFC 3339 can write.
    pub fn resolve(self, now_ms: u64) -> Result<u64, NotATime> {
        let ms = |d: Duration| u64::try_from(d.as_millis()).map_err(|_| NotATime::OutOfRange);
        let at = match self {
            Self::At(at) => at,
            Self::In(ahead) => now_ms.checked_add(ms(ahead)?).ok_or(NotATime::OutOfRange)?,
            Self::Ago(back) => now_ms.saturating_sub(ms(back)?),
        };
        if at > LAST_MS {
            Err(NotATime::OutOfRange)
        } else {
            Ok(at)
        }
    }
}

/// 9999-12-30, the last day that every reader of RFC 3339 can take.
const LAST_MS: u64 = 253_402_128_000_000;

impl FromStr for When {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('+') {
            return Ok(Self::In(duration(rest)?));
        }
        if let Some(rest) = text.strip_prefix('-') {
            return Ok(Self::Ago(duration(rest)?));
        }
        let at: Timestamp = text.parse().map_err(|_| NotATime::Unreadable)?;
        u64::try_from(at.as_millisecond())
            .map(Self::At)
            .map_err(|_| NotATime::OutOfRange)
    }
}

/// How long somebody is willing to wait: `30s`, `+30s`, or until a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(pub When);

impl Patience {
    /// How long that is from `now_ms`; zero when it is over.
    #[must_use]
    pub fn duration(self, now_ms: u64) -> Duration {
        match self.0 {
            When::In(ahead) => ahead,
            When::Ago(_) => Duration::ZERO,
            When::At(at) => Duration::from_millis(at.saturating_sub(now_ms)),
        }
    }
}

impl FromStr for Patience {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        if let Ok(plain) = duration(text.trim()) {
            return Ok(Self(When::In(plain)));
        }
        text.parse().map(Self)
    }
}

/// Where `way read --since` begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// After this line.
    Line(u64),
    /// With the first message that claims this time or a later one.
    Time(When),
    /// After this message.
    Id(String),
}

impl FromStr for Since {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let text = text.trim();
        if let Ok(n) = text.parse() {
            return Ok(Self::Line(n));
        }
        let signed = text.starts_with(['+', '-']);
        match text.parse::<When>() {
            Ok(when) => Ok(Self::Time(when)),
            Err(problem) if signed => Err(problem),
            Err(_)
                if !text.is_empty()
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'/') =>
            {
                Ok(Self::Id(text.to_owned()))
            }
            Err(problem) => Err(problem),
        }
    }
}

/// RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn rfc3339(ms: u64) -> String {
    let ms = i64::try_from(ms.min(LAST_MS)).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).map_or_else(
        |_| "9999-12-30T00:00:00.000Z".to_owned(),
        |at| format!("{at:.3}"),
    )
}

/// What the clock of this machine says, in milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

fn duration(text: &str) -> Result<Duration, NotATime> {
    if text.is_empty() || text.starts_with(['+', '-']) {
        return Err(NotATime::Duration);
    }
    humantime::parse_duration(text).map_err(|_| NotATime::Duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn times_from_now_and_absolute() {
        let day = 86_400_000;
        for (text, at) in [
            ("+2d", NOW + 2 * day),
            ("-2d", NOW - 2 * day),
            ("+1h 30m", NOW + 5_400_000),
            ("1970-01-01T00:00:01Z", 1_000),
            ("2027-01-15T08:00:00+02:00", 1_799_992_800_000),
        ] {
            assert_eq!(text.parse::<When>().unwrap().resolve(NOW), Ok(at), "{text}");
        }
        assert_eq!("-99999d".parse::<When>().unwrap().resolve(NOW), Ok(0));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "+",
            "+-2d",
            "2d",
            "tomorrow",
            "+2x",
            "1969-12-31T23:59:59Z",
            "++2d",
        ] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
        assert_eq!(
            "+9999y".parse::<When>().unwrap().resolve(NOW),
            Err(NotATime::OutOfRange)
        );
    }

    #[test]
    fn since_takes_three_forms() {
        assert_eq!("42".parse(), Ok(Since::Line(42)));
        assert_eq!(
            "-2h".parse(),
            Ok(Since::Time(When::Ago(Duration::from_secs(7200))))
        );
        assert_eq!(
            "1970-01-01T00:00:01Z".parse(),
            Ok(Since::Time(When::At(1000)))
        );
        assert_eq!("ab12/3".parse(), Ok(Since::Id("ab12/3".into())));
        assert!("-2parsecs".parse::<Since>().is_err());
        assert!("a b".parse::<Since>().is_err());
    }

    #[test]
    fn patience_takes_plain_durations() {
        assert_eq!(
            "30s".parse::<Patience>().unwrap().duration(NOW),
            Duration::from_secs(30)
        );
        assert_eq!(
            "+30s".parse::<Patience>().unwrap().duration(NOW),
            Duration::from_secs(30)
        );
        let past = "1970-01-01T00:00:01Z".parse::<Patience>().unwrap();
        assert_eq!(past.duration(NOW), Duration::ZERO);
    }

    #[test]
    fn written_times_are_read_back() {
        for ms in [0, 1, 999, NOW, NOW + 1] {
            assert_eq!(rfc3339(ms).parse::<When>(), Ok(When::At(ms)));
        }
        assert_eq!(rfc3339(u64::MAX), "9999-12-30T00:00:00.000Z");
        assert_eq!(rfc3339(1_800_000_000_123), "2027-01-15T08:00:00.123Z");
    }
}
