//! Secrets taken out of what servers write. Pure.

use aho_corasick::AhoCorasick;
use std::{borrow::Cow, collections::BTreeSet, fmt, ops::Range};

/// The shortest line of a secret that is looked for, in bytes: what is shorter would be found in every other word.
pub const MIN_SECRET: usize = 6;

/// The longest beginning of a secret, in bytes, that may be left where a line is cut.
const MAX_REMNANT: usize = 3;

/// Longer secrets are looked for in pieces of this many bytes.
const PIECE: usize = 512;

/// What stands for a secret.
const MARK: &[u8] = b"[secret]";

/// The secrets that a server knows and its log must not.
#[derive(Default)]
pub struct Redaction {
    /// `None`: there are none.
    finder: Option<Finder>,
}

struct Finder {
    automaton: AhoCorasick,
    pieces: Vec<Vec<u8>>,
}

/// Without the secrets.
impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces = self.finder.as_ref().map_or(0, |finder| finder.pieces.len());
        f.debug_struct("Redaction").field("pieces", &pieces).finish()
    }
}

impl Redaction {
    /// Of these values: each line of them that has at least [`MIN_SECRET`] bytes, without blanks around it, as it is and
    /// as it stands in JSON.
    pub fn new<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> Self {
        let mut pieces = BTreeSet::new();
        for value in values {
            for line in value.as_ref().split(|byte| *byte == b'\n' || *byte == b'\r') {
                let line = line.trim_ascii();
                pieces.extend(in_pieces(line));
                pieces.extend(in_pieces(&json_escaped(line)));
            }
        }
        let pieces: Vec<Vec<u8>> = pieces.into_iter().collect();
        if pieces.is_empty() {
            return Redaction::default();
        }
        match AhoCorasick::new(&pieces) {
            Ok(automaton) => Redaction { finder: Some(Finder { automaton, pieces }) },
            // Beyond two gigabytes of secrets, which no process can be given.
            Err(_) => Redaction::default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.finder.is_none()
    }

    /// A whole line without secrets.
    pub fn line<'t>(&self, line: &'t [u8]) -> Cow<'t, [u8]> {
        match &self.finder {
            Some(finder) => rendered(line, &finder.found(line)),
            None => Cow::Borrowed(line),
        }
    }

    /// A line that has been cut off at its end without secrets, nor with the beginning of one there.
    pub fn cut_line<'t>(&self, line: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(finder) = &self.finder else { return Cow::Borrowed(line) };
        let mut found = finder.found(line);
        let remnant = finder.pieces.iter().map(|piece| remnant(line, piece)).max().unwrap_or(0);
        if remnant > MAX_REMNANT {
            found.push(line.len() - remnant..line.len());
        }
        rendered(line, &found)
    }

    /// Text for people, which may quote a server.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.line(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

impl Finder {
    /// Where there are secrets, which may overlap, by their ends.
    fn found(&self, line: &[u8]) -> Vec<Range<usize>> {
        self.automaton.find_overlapping_iter(line).map(|found| found.range()).collect()
    }
}

/// A line of a secret as it is looked for: every piece long enough, all of them together all of it.
fn in_pieces(line: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = line.chunks(PIECE).map(<[u8]>::to_vec).collect();
    if pieces.len() > 1
        && let Some(rest) = pieces.pop_if(|last| last.len() < MIN_SECRET)
        && let Some(last) = pieces.last_mut()
    {
        last.extend(rest);
    }
    pieces.retain(|piece| piece.len() >= MIN_SECRET);
    pieces
}

/// As it stands between the quotes of a JSON string.
fn json_escaped(line: &[u8]) -> Vec<u8> {
    let quoted = std::str::from_utf8(line).ok().and_then(|line| serde_json::to_string(line).ok());
    let inner = quoted.as_deref().and_then(|quoted| quoted.strip_prefix('"')?.strip_suffix('"'));
    inner.map_or_else(|| line.to_vec(), |inner| inner.as_bytes().to_vec())
}

/// How much of the beginning of a piece, not all of it, the line ends with.
fn remnant(line: &[u8], piece: &[u8]) -> usize {
    let longest = line.len().min(piece.len().saturating_sub(1));
    (1..=longest).rev().find(|length| piece.get(..*length).is_some_and(|head| line.ends_with(head))).unwrap_or(0)
}

/// The line with one mark for each stretch that is covered by what was found.
fn rendered<'t>(line: &'t [u8], found: &[Range<usize>]) -> Cow<'t, [u8]> {
    if found.is_empty() {
        return Cow::Borrowed(line);
    }
    let mut stretches: Vec<Range<usize>> = Vec::new();
    let mut found = found.to_vec();
    found.sort_by_key(|range| range.start);
    for range in found {
        match stretches.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => stretches.push(range),
        }
    }
    let (mut out, mut done) = (Vec::with_capacity(line.len()), 0);
    for stretch in stretches {
        out.extend_from_slice(line.get(done..stretch.start).unwrap_or_default());
        out.extend_from_slice(MARK);
        done = stretch.end;
    }
    out.extend_from_slice(line.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(redaction: &Redaction, line: &str) -> String {
        redaction.text(line).into_owned()
    }

    #[test]
    fn every_line_of_a_secret_goes_and_nothing_else() {
        let redaction = Redaction::new(["hunter2-and-more", "-----BEGIN-----\n  MIIabc123 \r\nshort\n"]);
        for (line, expected) in [
            ("nothing here", "nothing here"),
            ("hunter2-and-more", "[secret]"),
            ("a=hunter2-and-more&b=hunter2-and-more", "a=[secret]&b=[secret]"),
            ("key: -----BEGIN-----", "key: [secret]"),
            ("MIIabc123MIIabc123", "[secret]"),
            ("short hunter2", "short hunter2"),
        ] {
            assert_eq!(text(&redaction, line), expected);
        }
        assert_eq!(format!("{redaction:?}"), "Redaction { pieces: 3 }");
    }

    #[test]
    fn secrets_that_overlap() {
        let redaction = Redaction::new(["abcdefg", "efghijkl"]);
        assert_eq!(text(&redaction, "xabcdefghijklx"), "x[secret]x");
        assert_eq!(text(&redaction, "abcdefgxefghijkl"), "[secret]x[secret]");
    }

    #[test]
    fn in_json() {
        let redaction = Redaction::new(["pass\"word\\1"]);
        let line = serde_json::json!({"token": "pass\"word\\1"}).to_string();
        assert_eq!(text(&redaction, &line), r#"{"token":"[secret]"}"#);
    }

    #[test]
    fn without_secrets_nothing_is_copied() {
        for redaction in [Redaction::default(), Redaction::new(["", "short", "\n\n"])] {
            assert!(redaction.is_empty());
            assert!(matches!(redaction.line(b"a line"), Cow::Borrowed(_)));
            assert!(matches!(redaction.cut_line(b"a line"), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn a_long_secret_goes_in_pieces() {
        let secret: String = (0..PIECE + 3).map(|n| char::from(b'a' + u8::try_from(n % 23).unwrap())).collect();
        let redaction = Redaction::new([&secret]);
        assert_eq!(text(&redaction, &format!("x{secret}y{secret}")), "x[secret]y[secret]");
    }

    #[test]
    fn the_beginning_of_a_secret_goes_where_a_line_is_cut() {
        let redaction = Redaction::new(["abcdefgh"]);
        for (line, expected) in [
            ("x abcdefgh", "x [secret]"),
            ("x abcdefg", "x [secret]"),
            ("x abcd", "x [secret]"),
            ("x abc", "x abc"),
            ("x abcdefghabcde", "x [secret]"),
            ("abcd x", "abcd x"),
        ] {
            assert_eq!(String::from_utf8_lossy(&redaction.cut_line(line.as_bytes())), expected);
        }
    }

    proptest! {
        #[test]
        fn no_secret_survives(
            secrets in proptest::collection::vec("[ab]{6,12}", 0..4),
            parts in proptest::collection::vec((any::<proptest::sample::Index>(), "[abx]{0,8}"), 0..12),
            cut in any::<proptest::sample::Index>(),
        ) {
            let redaction = Redaction::new(&secrets);
            let mut line = String::new();
            for (index, noise) in &parts {
                line += noise;
                if !secrets.is_empty() {
                    line += index.get(&secrets[..]).as_str();
                }
            }
            let clean = text(&redaction, &line);
            for secret in &secrets {
                prop_assert!(!clean.contains(secret), "{secret} in {clean}");
            }
            // What is left is what was there, in its order.
            let mut rest = line.as_str();
            for kept in clean.split("[secret]") {
                let at = rest.find(kept);
                prop_assert!(at.is_some(), "{kept} of {clean} is not in {rest}");
                rest = &rest[at.unwrap() + kept.len()..];
            }
            if !secrets.iter().any(|secret| line.contains(secret)) {
                prop_assert_eq!(&clean, &line);
            }
            let head = &line[..cut.index(line.len() + 1)];
            let clean = redaction.cut_line(head.as_bytes()).into_owned();
            for secret in &secrets {
                for length in MAX_REMNANT + 1..=secret.len() {
                    prop_assert!(!clean.ends_with(&secret.as_bytes()[..length]), "{secret} in {clean:?}");
                }
            }
        }
    }
}
