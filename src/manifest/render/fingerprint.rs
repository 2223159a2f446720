//! What tells one finding from another, from one run to the next.

use crate::{manifest::Diagnostic, resource::Digest};
use std::collections::HashMap;

/// A name for each diagnostic, in hexadecimal digits: the same in the next run although lines were added above it or
/// the message is worded differently, and no two are the same.
pub(super) fn fingerprints(diagnostics: &[Diagnostic]) -> Vec<String> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let one = |diagnostic: &Diagnostic| {
        let Diagnostic { code, path, line_text, message, pointer, .. } = diagnostic;
        let what = line_text.as_deref().unwrap_or(message).trim();
        let key = format!("{code}\0{path}\0{what}\0{}", pointer.as_deref().unwrap_or_default());
        // What is written alike in one file is told apart by its order.
        let number = seen.entry(key.clone()).or_default();
        *number += 1;
        let digest = Digest::of_bytes(format!("{key}\0{number}").as_bytes());
        digest.as_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    };
    diagnostics.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Code, Position};
    use std::collections::BTreeSet;

    #[test]
    fn they_stay_when_lines_move_and_are_never_the_same() {
        let at = |line: u32, text: &str| Diagnostic {
            position: Some(Position { line, column: 1 }),
            line_text: Some(text.to_owned()),
            ..Diagnostic::about_file(Code::Tag, "a.yaml", format!("at {line}"))
        };
        let before = fingerprints(&[at(1, "a: !b c"), at(2, "a: !b c"), at(3, "d: !e")]);
        let after = fingerprints(&[at(5, "  a: !b c"), at(6, "a: !b c"), at(9, "d: !e")]);
        assert_eq!(before, after);
        assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), 3);
        let elsewhere = Diagnostic { path: "b.yaml".into(), ..at(1, "a: !b c") };
        assert!(!before.contains(&fingerprints(&[elsewhere])[0]));
    }
}
