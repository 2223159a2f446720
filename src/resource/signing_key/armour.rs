//! The armour around keys and signatures: base64 between `-----BEGIN X-----` and `-----END X-----`.

use super::decode_base64;

/// Armoured bytes and the label that they have.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    pub label: &'a str,
    pub bytes: Vec<u8>,
}

/// What is wrong with an armoured text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmourError {
    /// There is no armour, or it does not end, or something stands around it or is no base64.
    Damaged,
    /// There is another block after the first.
    Several,
}

/// Takes the armour off. Only blank lines may stand around it. The checksum that OpenPGP's has is not looked at: what
/// is inside is checked by better means.
pub fn remove(text: &str) -> Result<Block<'_>, ArmourError> {
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| line.is_empty());
    let label = lines.next().and_then(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    let label = label.ok_or(ArmourError::Damaged)?;
    let end = format!("-----END {label}-----");
    let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
    // Without an end everything is inside, and the dashes of whatever it may be are no base64.
    let rest: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    if rest.iter().any(|line| line.starts_with("-----BEGIN ")) {
        return Err(ArmourError::Several);
    }
    if !rest.is_empty() || !text.lines().any(|line| line.trim_end() == end) {
        return Err(ArmourError::Damaged);
    }
    // Headers such as `Version: …` stand before the first blank line, if there are any.
    let body = match inside.iter().position(|line| line.is_empty()) {
        Some(blank) if inside.iter().take(blank).all(|line| line.contains(':')) => inside.get(blank + 1..),
        _ => Some(inside.as_slice()),
    };
    let body: String = body.unwrap_or_default().iter().filter(|line| !is_checksum(line)).copied().collect();
    let bytes = decode_base64(&body).filter(|bytes| !bytes.is_empty()).ok_or(ArmourError::Damaged)?;
    Ok(Block { label, bytes })
}

/// `=` and four more characters. The padding of base64 has two `=` at most, and never before something else.
fn is_checksum(line: &str) -> bool {
    line.len() == 5 && line.starts_with('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_comes_off() {
        let plain = "-----BEGIN X Y-----\naGVs\nbG8=\n-----END X Y-----";
        let headers = "\n-----BEGIN X Y-----\r\nVersion: 1\r\n\r\naGVsbG8=\r\n=abcd\r\n-----END X Y-----\r\n\n";
        let no_headers = "-----BEGIN X Y-----\n\naGVsbG8=\n-----END X Y-----\n";
        for text in [plain, headers, no_headers] {
            assert_eq!(remove(text), Ok(Block { label: "X Y", bytes: b"hello".to_vec() }), "{text:?}");
        }
    }

    #[test]
    fn nothing_else_is_armour() {
        use ArmourError::{Damaged, Several};
        let two = "-----BEGIN X-----\naGVs\n-----END X-----\n";
        for (text, error) in [
            ("", Damaged),
            ("aGVs", Damaged),
            ("-----BEGIN X-----\naGVs", Damaged),
            ("-----BEGIN X-----\naGVs\n-----END Y-----", Damaged),
            ("-----BEGIN X-----\n-----END X-----", Damaged),
            ("-----BEGIN X-----\naGV\n-----END X-----", Damaged),
            ("-----BEGIN X-----\naGV!\n-----END X-----", Damaged),
            ("-----BEGIN X-----\nnot a header\n\naGVs\n-----END X-----", Damaged),
            ("-----BEGIN X-----\naGVs\n-----END X-----\nmore", Damaged),
            ("more\n-----BEGIN X-----\naGVs\n-----END X-----", Damaged),
            (&two.repeat(2), Several),
        ] {
            assert_eq!(remove(text), Err(error), "{text:?}");
        }
    }
}
