//! What git tells a hook about a push: one line a reference.

use crate::authorize::ObjectId;
use std::io::{self, Read};

/// The most that is read, in bytes: some hundred thousand references.
const MAX: u64 = 16 << 20;

/// A reference that is to be moved. `None` is where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    pub old: Option<ObjectId>,
    pub new: Option<ObjectId>,
    /// Where it is pushed to: `refs/heads/main`.
    pub reference: String,
}

/// Reads everything that git says.
///
/// # Errors
/// When it is too much: among what is left out could be the one reference that matters.
pub fn all(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    if input.take(MAX + 1).read_to_string(&mut text)? as u64 > MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too many references are pushed at once"));
    }
    Ok(text)
}

/// Reads the lines of `pre-receive`: `OLD NEW REFERENCE`.
pub fn received(text: &str) -> Result<Vec<Update>, String> {
    each(text, |words| match words {
        [old, new, reference] => Some(Update { old: id(old)?, new: id(new)?, reference: (*reference).to_owned() }),
        _ => None,
    })
}

/// Reads the lines of `pre-push`: `LOCAL-REFERENCE LOCAL REMOTE-REFERENCE REMOTE`.
pub fn pushed(text: &str) -> Result<Vec<Update>, String> {
    each(text, |words| match words {
        [_, local, reference, remote] => {
            Some(Update { old: id(remote)?, new: id(local)?, reference: (*reference).to_owned() })
        }
        _ => None,
    })
}

fn each(text: &str, read: impl Fn(&[&str]) -> Option<Update>) -> Result<Vec<Update>, String> {
    let line = |line: &str| read(&line.split(' ').collect::<Vec<_>>()).ok_or_else(|| line.to_owned());
    text.lines().filter(|text| !text.is_empty()).map(line).collect()
}

/// A full name; nothing but zeros means that there is none.
fn id(text: &str) -> Option<Option<ObjectId>> {
    let id: ObjectId = text.parse().ok()?;
    Some((id.as_bytes() != &[0; 20]).then_some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_refused_and_not_cut_off() {
        let most = all(io::repeat(b' ').take(MAX)).map(|text| text.len() as u64);
        assert_eq!(most.ok(), Some(MAX));
        let more = all(io::repeat(b' ').take(MAX).chain(&b"x"[..]));
        assert!(more.is_err_and(|error| error.to_string().contains("too many references")));
    }

    #[test]
    fn lines() {
        let (one, none) = ("01".repeat(20), "0".repeat(40));
        let id = one.parse().ok();
        let update = |old, new| Update { old, new, reference: "refs/heads/main".into() };
        let text = format!("{one} {one} refs/heads/main\n{none} {one} refs/heads/main\n{one} {none} refs/heads/main\n");
        assert_eq!(received(&text), Ok(vec![update(id, id), update(None, id), update(id, None)]));
        let text = format!("HEAD {one} refs/heads/main {none}\n(delete) {none} refs/heads/main {one}\n");
        assert_eq!(pushed(&text), Ok(vec![update(None, id), update(id, None)]));
        assert_eq!(received(""), Ok(vec![]));
        for bad in ["x", "x y refs/heads/main", &format!("{one} {one}"), &format!("{one}  {one} refs/heads/main")] {
            assert_eq!(received(bad), Err(bad.to_owned()), "{bad}");
        }
    }
}
