//! Where a commit has its signature, and what it signs.
//!
//! A commit is lines of headers, an empty line and the message. A line that begins with a space continues the header
//! before it. The signature is the value of the header `gpgsig` and signs all other bytes.

/// What there is of signatures.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    None,
    /// More than one header of a signature. One of them would sign nothing that is verified here, and git, which takes
    /// every header whose name begins with `gpgsig` out of what is signed, would let anybody add it.
    Several,
    /// The only one is over another form of the commit: `gpgsig-sha256` or the like.
    OtherFormat,
    One {
        signature: Vec<u8>,
        /// The commit without it.
        payload: Vec<u8>,
    },
}

/// Looks for signatures in a commit.
pub fn signature_of(commit: &[u8]) -> Found {
    let mut found = Found::None;
    // The header that continuation lines belong to is the signature.
    let mut inside = false;
    let mut rest = commit;
    let mut payload = Vec::with_capacity(rest.len());
    while let Some(line) = first_line(rest) {
        if line == b"\n" {
            break;
        }
        rest = rest.get(line.len()..).unwrap_or_default();
        match line.strip_prefix(b" ") {
            Some(more) if inside => {
                if let Found::One { signature, .. } = &mut found {
                    signature.extend_from_slice(more);
                }
            }
            Some(_) => payload.extend_from_slice(line),
            None => {
                inside = line.starts_with(b"gpgsig");
                if !inside {
                    payload.extend_from_slice(line);
                } else if found != Found::None {
                    return Found::Several;
                } else if let Some(value) = line.strip_prefix(b"gpgsig ") {
                    found = Found::One { signature: value.to_vec(), payload: Vec::new() };
                } else {
                    found = Found::OtherFormat;
                }
            }
        }
    }
    payload.extend_from_slice(rest);
    if let Found::One { payload: whole, .. } = &mut found {
        *whole = payload;
    }
    found
}

/// The first line with its end; `None` at the end of the text.
fn first_line(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1);
    text.get(..end).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(commit: &str) -> Found {
        signature_of(commit.as_bytes())
    }

    fn one(signature: &str, payload: &str) -> Found {
        Found::One { signature: signature.into(), payload: payload.into() }
    }

    #[test]
    fn the_signature_is_a_header_and_the_rest_is_signed() {
        for (commit, expected) in [
            ("", Found::None),
            ("\n", Found::None),
            ("tree 1\n\nm\n", Found::None),
            ("tree 1\n\ngpgsig a\n", Found::None),
            (" gpgsig a\n\nm", Found::None),
            ("mergetag x\n gpgsig a\n\nm", Found::None),
            ("Gpgsig a\n\nm", Found::None),
            (
                "tree 1\ngpgsig a\n b\n  c\nx y\n z\n\nm\n\ngpgsig q\n r\n",
                one("a\nb\n c\n", "tree 1\nx y\n z\n\nm\n\ngpgsig q\n r\n"),
            ),
            ("gpgsig a\n \n b\n\nm", one("a\n\nb\n", "\nm")),
            ("gpgsig a", one("a", "")),
            ("x y\r\ngpgsig a\r\n b\r\n\nm\r\n", one("a\r\nb\r\n", "x y\r\n\nm\r\n")),
            ("gpgsig a\nx y\ngpgsig b\n\nm", Found::Several),
            ("gpgsig a\ngpgsig-sha256 b\n\nm", Found::Several),
            ("gpgsig-sha256 a\n b\ngpgsig b\n\nm", Found::Several),
            ("gpgsig-sha256 a\n b\n\nm", Found::OtherFormat),
            ("gpgsig\n a\n\nm", Found::OtherFormat),
        ] {
            assert_eq!(found(commit), expected, "{commit:?}");
        }
    }
}
