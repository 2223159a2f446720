//! Bytes cut into lines of bounded length, without secrets.

use super::super::redact::Redaction;
use std::mem;

/// The longest line, in bytes; the rest is cut off.
pub(super) const MAX_LINE: usize = 16 << 10;

/// Cuts bytes into lines, however they arrive.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The line so far, without what is beyond the bound.
    line: Vec<u8>,
    /// The length of what is beyond.
    cut: usize,
}

impl Lines {
    pub fn feed(&mut self, bytes: &[u8], redaction: &Redaction, mut each: impl FnMut(String)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (head, tail) = rest.split_at(end);
            self.append(head);
            each(self.take(redaction, false));
            rest = tail.get(1..).unwrap_or_default();
        }
        self.append(rest);
    }

    /// The last line, if it has no end.
    pub fn finish(mut self, redaction: &Redaction) -> Option<String> {
        (!self.line.is_empty()).then(|| self.take(redaction, true))
    }

    fn append(&mut self, bytes: &[u8]) {
        let (fits, beyond) = bytes.split_at(bytes.len().min(MAX_LINE.saturating_sub(self.line.len())));
        self.line.extend_from_slice(fits);
        self.cut += beyond.len();
    }

    /// `unfinished`: who wrote it ended in the middle of it, perhaps of a secret.
    fn take(&mut self, redaction: &Redaction, unfinished: bool) -> String {
        let bytes = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let clean = if unfinished || self.cut > 0 { redaction.cut_line(bytes) } else { redaction.line(bytes) };
        let mut text = String::from_utf8_lossy(&clean).into_owned();
        self.line.clear();
        match mem::take(&mut self.cut) {
            0 => {}
            cut => text.push_str(&format!(" … {cut} bytes cut off")),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(input: &[u8], sizes: usize, redaction: &Redaction) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in input.chunks(sizes) {
            lines.feed(piece, redaction, |text| found.push(text));
        }
        found.extend(lines.finish(redaction));
        found
    }

    #[test]
    fn lines_are_cut_at_newlines_however_they_arrive() {
        let input = b"one\ntwo\r\n\nth\xffree\nlast";
        for size in 1..input.len() {
            let found = lines(input, size, &Redaction::default());
            assert_eq!(found, ["one", "two", "", "th\u{fffd}ree", "last"], "in pieces of {size}");
        }
    }

    #[test]
    fn a_long_line_is_cut_off() {
        let input = [vec![b'x'; MAX_LINE + 7], b"\nnext\n".to_vec()].concat();
        let found = lines(&input, 1000, &Redaction::default());
        assert_eq!(found, ["x".repeat(MAX_LINE) + " … 7 bytes cut off", "next".into()]);
    }

    #[test]
    fn secrets_go_also_where_a_line_is_cut_or_its_writer_ended() {
        let redaction = Redaction::new(["hunter2-hunter2"]);
        for inside in 4..15 {
            let input = "x".repeat(MAX_LINE - inside) + "hunter2-hunter2 and more\n";
            let found = lines(input.as_bytes(), 999, &redaction);
            let expected = format!("{}[secret] … {} bytes cut off", "x".repeat(MAX_LINE - inside), 24 - inside);
            assert_eq!(found, [expected], "{inside} bytes of the secret before the cut");
        }
        assert_eq!(lines(b"token=hunter2-h", 4, &redaction), ["token=[secret]"]);
    }

    proptest! {
        /// However reads split them, no secret is seen.
        #[test]
        fn secrets_are_found_over_reads(
            secrets in proptest::collection::vec("[ab]{6,9}", 1..3),
            words in proptest::collection::vec((any::<proptest::sample::Index>(), "[abx\n]{0,5}"), 0..20),
            size in 1usize..20,
        ) {
            let redaction = Redaction::new(&secrets);
            let input: String = words.iter().map(|(index, noise)| format!("{}{noise}", index.get(secrets.as_slice()))).collect();
            let found = lines(input.as_bytes(), size, &redaction);
            prop_assert_eq!(&found, &lines(input.as_bytes(), input.len().max(1), &redaction));
            for line in &found {
                for secret in &secrets {
                    prop_assert!(!line.contains(secret), "{} in {}", secret, line);
                }
            }
        }
    }
}
