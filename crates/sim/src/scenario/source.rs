//! The text of a scenario as a tree of tables that know their lines. What is wrong is noted and
//! reading goes on, so that several mistakes are told at once.

use super::Mistake;
use super::limits::{MAX_LENGTH_MS, MAX_NAME, MAX_NAMES, MAX_TABLES, MAX_TEXT, MAX_VALUES};
use super::quantity::{self, Moment, Wrong};
use std::cell::{Cell, RefCell};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A name that refers to something else in the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) line: u32,
}

/// A text that is being read.
pub(crate) struct Source {
    /// Where lines end.
    ends: Vec<usize>,
    mistakes: RefCell<Vec<Mistake>>,
    /// How long the world lasts and when it begins, once that has been read.
    lasts: Cell<Option<(u64, u64)>>,
}

impl Source {
    /// Reads a text: what `read` makes of it, or everything that is wrong with it.
    pub(crate) fn read<T>(
        text: &str,
        read: impl FnOnce(&Section<'_>) -> T,
    ) -> Result<T, Vec<Mistake>> {
        let bytes = text.bytes().enumerate().take(MAX_TEXT);
        let source = Self {
            ends: bytes
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at)
                .collect(),
            mistakes: RefCell::default(),
            lasts: Cell::new(None),
        };
        if text.len() > MAX_TEXT {
            source.note(
                0,
                format!("the text is longer than {MAX_TEXT} bytes"),
                String::new(),
            );
            return Err(source.mistakes.into_inner());
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            source.note(at, error.message().to_owned(), String::new());
        }
        if !source.mistakes.borrow().is_empty() {
            return Err(source.mistakes.into_inner());
        }
        let form = read(&Section {
            source: &source,
            table: table.get_ref(),
            title: String::new(),
            at: 0,
        });
        let mistakes = source.mistakes.into_inner();
        if mistakes.is_empty() {
            Ok(form)
        } else {
            Err(mistakes)
        }
    }

    fn line(&self, at: usize) -> u32 {
        let ends = self.ends.partition_point(|end| *end < at);
        u32::try_from(ends).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn note(&self, at: usize, what: String, hint: String) {
        let line = Some(self.line(at));
        self.mistakes
            .borrow_mut()
            .push(Mistake { line, what, hint });
    }
}

/// One table of the text.
pub(crate) struct Section<'a> {
    source: &'a Source,
    table: &'a DeTable<'a>,
    /// As a person calls it: `[[people]]`, `uplink`; empty for the whole.
    title: String,
    at: usize,
}

impl Section<'_> {
    /// In which line it begins.
    pub(crate) fn line(&self) -> u32 {
        self.source.line(self.at)
    }

    /// Notes every key that is not among these.
    pub(crate) fn known(&self, keys: &[&str]) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if keys.contains(&name) {
                continue;
            }
            let within = self.within();
            let hint = meant(name, keys.iter().copied());
            let what = format!("unknown key `{}`{within}", shortened(name));
            self.source.note(key.span().start, what, hint);
        }
    }

    fn within(&self) -> String {
        if self.title.is_empty() {
            String::new()
        } else {
            format!(" in {}", self.title)
        }
    }

    /// Notes that something is wrong with this table.
    pub(crate) fn wrong(&self, what: &str, hint: &str) {
        self.source
            .note(self.at, format!("{what}{}", self.within()), hint.to_owned());
    }

    fn value(&self, key: &str) -> Option<&Spanned<DeValue<'_>>> {
        self.table.get(key)
    }

    /// Whether it has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn note_value(&self, value: &Spanned<DeValue<'_>>, what: String, expected: &str) {
        let hint = format!("expected: {expected}");
        self.source.note(value.span().start, what, hint);
    }

    fn impossible(&self, key: &str, value: &Spanned<DeValue<'_>>, wrong: &str) {
        let shown = match text_of(value.get_ref()) {
            Some(text) => format!("`{}`", shortened(text)),
            None => format!("a value of type {}", value.get_ref().type_str()),
        };
        let what = format!("{shown} is impossible for `{key}`{}", self.within());
        self.note_value(value, what, wrong);
    }

    fn parse<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let text = text_of(value.get_ref());
        match parse(text.unwrap_or_default()) {
            Ok(_) if text.is_none() => {
                self.impossible(key, value, "a text or a number");
                None
            }
            Ok(read) => Some(read),
            Err(wrong) => {
                self.impossible(key, value, &wrong);
                None
            }
        }
    }

    /// The value of a key, if it is there and possible.
    pub(crate) fn maybe<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.value(key)?;
        self.parse(key, value, parse)
    }

    /// The value of a key that has to be there; what stands in for it if it is not.
    pub(crate) fn must<T>(
        &self,
        key: &str,
        otherwise: T,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> T {
        if !self.has(key) {
            self.wrong(&format!("`{key}` is missing"), &format!("add `{key} = …`"));
        }
        self.maybe(key, parse).unwrap_or(otherwise)
    }

    /// Says how long the world lasts and at which time of day it begins, in milliseconds: what is
    /// read later lies within.
    pub(crate) fn lasts(&self, length: u64, begins: u64) {
        self.source.lasts.set(Some((length, begins)));
    }

    /// A point of time at which something happens: before the end.
    pub(crate) fn moment(&self, text: &str) -> Result<Moment, Wrong> {
        let moment = quantity::moment(text)?;
        match self.source.lasts.get() {
            Some((length, begins)) if moment.at(begins) >= length => Err(self.never(length)),
            _ => Ok(moment),
        }
    }

    /// A range of times of which at least the first lies before the end.
    pub(crate) fn early(&self, text: &str) -> Result<quantity::Span, Wrong> {
        let span = quantity::millis_span_within(0, MAX_LENGTH_MS)(text)?;
        match self.source.lasts.get() {
            Some((length, _)) if span.low >= length => Err(self.never(length)),
            _ => Ok(span),
        }
    }

    fn never(&self, length: u64) -> Wrong {
        let length = quantity::time(length.saturating_mul(1_000));
        format!("a time before the end: `length` is \"{length}\"")
    }

    /// The values of a key: one, or a list.
    pub(crate) fn list<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        match self.value(key) {
            None => Vec::new(),
            Some(value) => match value.get_ref() {
                DeValue::Array(values) => self
                    .bounded(key, value, values, MAX_VALUES)
                    .filter_map(|value| self.parse(key, value, &parse))
                    .collect(),
                _ => self.parse(key, value, parse).into_iter().collect(),
            },
        }
    }

    /// The values of a list, at most so many.
    fn bounded<'v, 't>(
        &self,
        key: &str,
        list: &Spanned<DeValue<'_>>,
        values: &'v DeArray<'t>,
        most: usize,
    ) -> impl Iterator<Item = &'v Spanned<DeValue<'t>>> + use<'v, 't> {
        let count = values.len();
        if count > most {
            let what = format!("`{key}`{} is there {count} times", self.within());
            self.note_value(list, what, &format!("at most {most}"));
        }
        values.iter().take(most)
    }

    /// The names that a key refers to: one, or a list.
    pub(crate) fn names(&self, key: &str) -> Vec<Named> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(values) => self
                .bounded(key, value, values, MAX_NAMES)
                .filter_map(|value| self.name_in(key, value))
                .collect(),
            _ => self.name_in(key, value).into_iter().collect(),
        }
    }

    /// The names that a key refers to, of which there has to be one.
    pub(crate) fn must_names(&self, key: &str) -> Vec<Named> {
        if !self.has(key) {
            self.wrong(
                &format!("`{key}` is missing"),
                &format!("add `{key} = \"…\"`"),
            );
        }
        self.names(key)
    }

    /// The one name that a key refers to.
    pub(crate) fn name(&self, key: &str) -> Option<Named> {
        self.name_in(key, self.value(key)?)
    }

    fn name_in(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Named> {
        if let DeValue::String(name) = value.get_ref() {
            if name.len() > MAX_NAME || name.chars().any(char::is_control) {
                let wrong = format!("at most {MAX_NAME} bytes in one line");
                self.note_value(
                    value,
                    format!("`{key}`{} is no name", self.within()),
                    &wrong,
                );
                return None;
            }
            return Some(Named {
                name: name.as_ref().to_owned(),
                line: self.source.line(value.span().start),
            });
        }
        self.impossible(key, value, "a name in quotes");
        None
    }

    /// Whether the value of a key is this word.
    pub(crate) fn says(&self, key: &str, word: &str) -> bool {
        self.value(key).and_then(|value| text_of(value.get_ref())) == Some(word)
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.name(key).map(|named| named.name)
    }

    /// Yes or no.
    pub(crate) fn flag(&self, key: &str, otherwise: bool) -> bool {
        match self.value(key) {
            None => otherwise,
            Some(value) => match value.get_ref() {
                DeValue::Boolean(flag) => *flag,
                _ => {
                    self.impossible(key, value, "true or false");
                    otherwise
                }
            },
        }
    }

    /// The table of a key.
    pub(crate) fn section(&self, key: &str) -> Option<Section<'_>> {
        let value = self.value(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.impossible(key, value, "a table in braces: { latency = \"20ms\" }");
            return None;
        };
        Some(Section {
            source: self.source,
            table,
            title: format!("`{key}`"),
            at: value.span().start,
        })
    }

    /// The tables of a key: `[[key]]`, or a list of tables in braces.
    pub(crate) fn sections(&self, key: &str) -> Vec<Section<'_>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(values) = value.get_ref() else {
            self.impossible(key, value, "a list of tables, each headed by two brackets");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for value in self.bounded(key, value, values, MAX_TABLES) {
            match value.get_ref() {
                DeValue::Table(table) => sections.push(Section {
                    source: self.source,
                    table,
                    title: format!("[[{key}]]"),
                    at: value.span().start,
                }),
                _ => self.impossible(key, value, "a table"),
            }
        }
        sections
    }
}

fn text_of<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    match value {
        DeValue::String(text) => Some(text.as_ref()),
        DeValue::Integer(number) => Some(number.as_str()),
        DeValue::Float(number) => Some(number.as_str()),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A text as it is shown to a person, in one line.
fn shortened(text: &str) -> String {
    let shown = text.chars().filter(|letter| !letter.is_control());
    let mut shown: String = shown.take(MOST_SHOWN + 1).collect();
    if shown.chars().count() > MOST_SHOWN {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// Letters of a text that are shown.
const MOST_SHOWN: usize = 60;

/// How many letters have to be changed, put in, left out or swapped to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.to_lowercase().chars().take(64).collect();
    let other: Vec<char> = other.to_lowercase().chars().take(64).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(a != b);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

/// A suggestion for a word that is not known: the nearest of these, or all of them if they are few.
pub(crate) fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().min_by_key(|name| distance(word, name));
    match nearest {
        None => "there is none that could be meant".to_owned(),
        Some(name) if distance(word, name) <= 1 + word.chars().count() / 3 => {
            format!("did you mean `{name}`?")
        }
        Some(_) if known.len() <= 24 => format!("known: {}", known.join(", ")),
        Some(name) => format!("the nearest is `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found() {
        assert_eq!(distance("latency", "latency"), 0);
        assert_eq!(distance("latncy", "latency"), 1);
        assert_eq!(distance("latnecy", "latency"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(
            meant("conut", ["count", "site"].into_iter()),
            "did you mean `count`?"
        );
        assert_eq!(
            meant("zzzzz", ["count", "site"].into_iter()),
            "known: count, site"
        );
        assert_eq!(
            meant("x", [].into_iter()),
            "there is none that could be meant"
        );
    }
}
