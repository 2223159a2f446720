//! What a tool is called where the tools of all apps stand side by side. Pure.
//!
//! A name says which app the tool is of, is one that every model takes, never means two tools, and depends on nothing
//! but app and tool, so that it stays what it is whatever else there is.

use sha2::{Digest, Sha256};

/// What stands between app and tool.
const SEPARATOR: &str = "__";

/// The longest name that providers of models take.
pub const MAX: usize = 64;

/// So many hexadecimal digits stand for what a name has no room for.
const DIGITS: usize = 12;

/// The name of an app's tool.
pub fn name(app: &str, tool: &str) -> String {
    let plain = format!("{app}{SEPARATOR}{tool}");
    if is_plain(app, tool, &plain) {
        return plain;
    }
    let mut hash = Sha256::new();
    hash.update(app.as_bytes());
    // Stands in no name of an app.
    hash.update([0]);
    hash.update(tool.as_bytes());
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).take(DIGITS / 2).collect();
    let readable = plain.chars().map(|c| if is_safe(c) { c } else { '_' });
    let mut name: String = readable.take(MAX - DIGITS - 1).collect();
    name.push('-');
    name.push_str(&digest);
    name
}

/// App and tool of a name that says both; `None`: it may be a name all the same, of a tool that has to be looked for.
pub fn split(name: &str) -> Option<(&str, &str)> {
    let (app, tool) = name.split_once(SEPARATOR)?;
    is_plain(app, tool, name).then_some((app, tool))
}

/// Whether a name that cannot be read back may be that of a tool of an app.
pub fn may_be_of(name: &str, app: &str) -> bool {
    let readable = app.chars().chain(SEPARATOR.chars()).map(|c| if is_safe(c) { c } else { '_' });
    let start: String = readable.take(MAX - DIGITS - 1).collect();
    looks_shortened(name) && name.starts_with(&start)
}

/// Whether the name can be read back, and is not taken for one that stands for something longer.
fn is_plain(app: &str, tool: &str, name: &str) -> bool {
    let readable = !app.is_empty() && !tool.is_empty() && !app.contains(SEPARATOR) && !app.ends_with('_');
    readable && name.len() <= MAX && name.chars().all(is_safe) && !looks_shortened(name)
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn looks_shortened(name: &str) -> bool {
    let digits = name.rsplit_once('-').map_or("", |(_, digits)| digits);
    digits.len() == DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        for (app, tool, expected) in
            [("everything", "echo", "everything__echo"), ("a-b", "c_d", "a-b__c_d"), ("a", "__x", "a____x")]
        {
            assert_eq!(name(app, tool), expected);
            assert_eq!(split(expected), Some((app, tool)));
        }
        for (app, tool) in [
            ("a.b", "x"),
            ("a", "x/y"),
            ("a__b", "c"),
            ("a_", "_c"),
            ("a", "grüße"),
            ("a", "x-0123456789ab"),
            ("a", ""),
            ("app", "a-tool-with-a-name-that-is-much-too-long-to-be-taken-by-any-of-the-models"),
        ] {
            let name = name(app, tool);
            assert!(looks_shortened(&name) && name.len() <= MAX && name.chars().all(is_safe), "{name}");
            assert_eq!(split(&name), None, "{name}");
            assert!(may_be_of(&name, app) && !may_be_of(&name, "other"), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_two_tools_have_the_same_name(
            a in ("[a_.-]{1,4}", "[a_-]{0,4}(-[0-9a-f]{12})?"),
            b in ("[a_.-]{1,4}", "[a_-]{0,4}(-[0-9a-f]{12})?"),
        ) {
            let same = name(&a.0, &a.1) == name(&b.0, &b.1);
            prop_assert_eq!(same, a == b);
            if let Some((app, tool)) = split(&name(&a.0, &a.1)) {
                prop_assert_eq!((app, tool), (a.0.as_str(), a.1.as_str()));
            }
        }
    }
}
