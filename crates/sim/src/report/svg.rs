//! Drawings as text. Every colour comes from the page, by class, so that one drawing serves both
//! colour schemes.

use core::fmt::Write as _;

/// Makes a text harmless between tags and inside quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

/// How wide a drawing is: each is made for wide windows and for narrow ones, at the size at which
/// it is seen, so that its text can be read on both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Wide,
    Narrow,
}

impl Size {
    pub(crate) const fn width(self) -> f64 {
        match self {
            Self::Wide => 800.0,
            Self::Narrow => 360.0,
        }
    }

    pub(crate) const fn is_narrow(self) -> bool {
        matches!(self, Self::Narrow)
    }

    /// One of two, by size.
    pub(crate) fn pick<T>(self, wide: T, narrow: T) -> T {
        match self {
            Self::Wide => wide,
            Self::Narrow => narrow,
        }
    }
}

/// Which side of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A rectangle: where, how wide, how high.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) w: f64,
    pub(crate) h: f64,
}

/// A coordinate with one decimal.
pub(crate) fn num(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if tenths.is_finite() && tenths.abs() < 1e9 {
        let tenths = tenths as i64;
        let sign = if tenths < 0 { "-" } else { "" };
        let (whole, tenth) = (tenths.abs() / 10, tenths.abs() % 10);
        if tenth == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{tenth}")
        }
    } else {
        "0".into()
    }
}

/// A drawing in the making.
#[derive(Debug)]
pub(crate) struct Svg {
    out: String,
}

impl Svg {
    /// An empty drawing; the label is what is read out instead of it.
    pub(crate) fn new(width: f64, height: f64, label: &str) -> Self {
        let (w, h) = (num(width), num(height));
        let label = escape(label);
        let out = format!(
            "<svg viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" \
             aria-label=\"{label}\">"
        );
        Self { out }
    }

    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (num(from.0), num(from.1), num(to.0), num(to.1));
        let _ = write!(
            self.out,
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        );
    }

    /// A rectangle; the title, if there is one, is shown to who points at it.
    pub(crate) fn rect(&mut self, class: &str, area: Area, title: &str) {
        let (x, y) = (num(area.x), num(area.y));
        let (w, h) = (num(area.w.max(0.0)), num(area.h.max(0.0)));
        let _ = write!(
            self.out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\""
        );
        if title.is_empty() {
            self.out.push_str("/>");
        } else {
            let _ = write!(self.out, "><title>{}</title></rect>", escape(title));
        }
    }

    /// A line through points, closed down to a base if one is given.
    pub(crate) fn path(&mut self, class: &str, points: &[(f64, f64)], base: Option<f64>) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let _ = write!(self.out, "<path class=\"{class}\" d=\"");
        let mut before = ("", String::new());
        for (at, (x, y)) in points.iter().enumerate() {
            let (x, y) = (num(*x), num(*y));
            let letter = if at == 0 { "M" } else { "L" };
            // Level stretches are one step.
            if before.1 == y
                && before.0 == "L"
                && at + 1 < points.len()
                && points[at + 1].1 == points[at].1
            {
                continue;
            }
            let _ = write!(self.out, "{letter}{x} {y}");
            before = (letter, y);
        }
        if let Some(base) = base {
            let (left, right, base) = (num(first.0), num(last.0), num(base));
            let _ = write!(self.out, "L{right} {base}L{left} {base}Z");
        }
        self.out.push_str("\"/>");
    }

    pub(crate) fn text(&mut self, class: &str, anchor: Anchor, at: (f64, f64), text: &str) {
        let (x, y) = (num(at.0), num(at.1));
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let text = escape(text);
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{text}</text>"
        );
    }

    /// A text that is read from below.
    pub(crate) fn upright(&mut self, class: &str, at: (f64, f64), text: &str) {
        let (x, y) = (num(at.0), num(at.1));
        let text = escape(text);
        let _ = write!(
            self.out,
            "<text class=\"{class}\" transform=\"translate({x} {y}) rotate(-90)\">{text}</text>"
        );
    }

    pub(crate) fn finish(mut self) -> String {
        self.out.push_str("</svg>");
        self.out
    }
}

/// So much of a text as fits, by a guess at how wide its letters are. Its end stays, as names often
/// differ there.
pub(crate) fn fit(text: &str, width: f64, letter: f64) -> String {
    const END: usize = 3;
    let most = ((width / letter).floor().max(1.0) as usize).max(END + 2);
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= most {
        return text.to_owned();
    }
    let mut cut: String = letters[..most - END - 1].iter().collect();
    cut.push('…');
    cut.extend(&letters[letters.len() - END..]);
    cut
}
