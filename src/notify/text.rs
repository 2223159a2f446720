//! Text of strangers, cut to what its reader takes. Pure.

use crate::escape::escape;

/// One line of at most so many characters, with nothing in it that could lead anybody astray.
pub fn line(text: &str, characters: usize) -> String {
    // What could not be in the result anyway is not looked at: an escape is at most ten times as long.
    let end = text.floor_char_boundary(characters.saturating_mul(4));
    let first = text.get(..end).unwrap_or_default();
    let joined = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let safe = escape(&joined);
    if safe.chars().count() <= characters && end == text.len() {
        return safe.into_owned();
    }
    let mut cut: String = safe.chars().take(characters.saturating_sub(1)).collect();
    if characters > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::line;
    use proptest::prelude::*;

    #[test]
    fn what_is_cut() {
        let table = [
            ("", 10, ""),
            ("as it is", 10, "as it is"),
            ("two\nlines\t of  it", 20, "two lines of it"),
            ("0123456789", 10, "0123456789"),
            ("0123456789x", 10, "012345678…"),
            ("äöüäöüäöüäöü", 4, "äöü…"),
            ("a\u{202e}b", 20, "a\\u{202e}b"),
            ("a\u{1b}[31m", 20, "a\\u{1b}[31m"),
            ("anything", 0, ""),
        ];
        for (text, characters, expected) in table {
            assert_eq!(line(text, characters), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_one_short_line(text in ".*", characters in 0usize..300) {
            let line = line(&text, characters);
            prop_assert!(line.chars().count() <= characters);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
