//! What a commit says, read from the bytes that git keeps. Hostile: a header is what the first bytes say, nothing else.

use super::{ObjectId, signature::Evidence};
use std::collections::BTreeSet;

/// The trailer by which a commit approves content that was refused.
const VOUCH: &str = "vouch-for";

/// What the judgement needs of a commit.
#[derive(Clone, Debug)]
pub struct Commit {
    pub tree: ObjectId,
    /// As written, in lower case. Proves nothing.
    pub author_email: String,
    /// The refused commits that it vouches for.
    pub vouches: BTreeSet<ObjectId>,
    pub evidence: Evidence,
}

/// The tree and the parents of a commit. `None`: these bytes are no commit.
pub fn links(bytes: &[u8]) -> Option<(ObjectId, Vec<ObjectId>)> {
    let mut lines = bytes.split(|b| *b == b'\n');
    let tree = id(lines.next()?.strip_prefix(b"tree ")?)?;
    let parents = lines.map_while(|line| line.strip_prefix(b"parent ")).map(id).collect::<Option<Vec<_>>>()?;
    Some((tree, parents))
}

/// The e-mail address of the author, in lower case; empty when there is none to be read.
pub fn author_email(bytes: &[u8]) -> String {
    let headers = bytes.split(|b| *b == b'\n').take_while(|line| !line.is_empty());
    let author = headers.filter_map(|line| line.strip_prefix(b"author ")).next().unwrap_or_default();
    let author = String::from_utf8_lossy(author);
    let email = author.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(email, _)| email);
    email.unwrap_or_default().trim().to_ascii_lowercase()
}

/// The commits that the trailers of the message name: lines `Vouch-For: ID` in its last paragraph.
pub fn vouches(bytes: &[u8]) -> BTreeSet<ObjectId> {
    let Some(end) = memchr::memmem::find(bytes, b"\n\n") else { return BTreeSet::new() };
    let message = String::from_utf8_lossy(bytes.get(end + 2..).unwrap_or_default());
    let lines: Vec<&str> = message.lines().map(str::trim_end).collect();
    let written = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let lines = lines.get(..written).unwrap_or_default();
    let start = lines.iter().rposition(|line| line.is_empty()).map_or(0, |blank| blank + 1);
    let trailer = |line: &&str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(VOUCH).then(|| value.trim().parse().ok())?
    };
    lines.get(start..).unwrap_or_default().iter().filter_map(trailer).collect()
}

fn id(hex: &[u8]) -> Option<ObjectId> {
    std::str::from_utf8(hex).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn commit(headers: &str, message: &str) -> Vec<u8> {
        format!("tree {ID}\n{headers}author A <A@Example.com> 1 +0000\ncommitter B <b@b> 1 +0000\n\n{message}").into()
    }

    #[test]
    fn links_are_the_first_headers_only() {
        let parent = format!("parent {ID}\n");
        let id: ObjectId = ID.parse().expect("an id");
        assert_eq!(links(&commit("", "")), Some((id, vec![])));
        assert_eq!(links(&commit(&parent.repeat(2), "")), Some((id, vec![id, id])));
        assert_eq!(links(&commit("", &parent)), Some((id, vec![])), "that is the message");
        for bad in [&b""[..], b"tree 01\n", b"parent 0123456789abcdef0123456789abcdef01234567\n"] {
            assert_eq!(links(bad), None);
        }
        assert_eq!(links(&commit("parent 0123\n", "")), None);
    }

    #[test]
    fn the_author_is_a_header() {
        assert_eq!(author_email(&commit("", "author X <x@x> 1 +0000\n")), "a@example.com");
        assert_eq!(author_email(b"tree x\n\nauthor X <x@x> 1 +0000\n"), "");
        assert_eq!(author_email(b"author nobody\n"), "");
    }

    #[test]
    fn vouches_stand_in_the_last_paragraph() {
        let found = |message: &str| vouches(&commit("", message)).len();
        assert_eq!(found(&format!("Subject\n\nVouch-For: {ID}\n")), 1);
        assert_eq!(found(&format!("Subject\n\nSigned-off-by: X\nvouch-for:{ID}\nOther: y\n\n\n")), 1);
        assert_eq!(found(&format!("Subject\r\n\r\nVouch-For: {ID}\r\n")), 1);
        assert_eq!(found(&format!("Subject\n\nVouch-For: {ID}\n\nMore text.\n")), 0, "not the last paragraph");
        assert_eq!(found("Subject\n\nVouch-For: 0123456\n"), 0, "not a full id");
        assert_eq!(found(&format!("Subject\n\n    Vouch-For: {ID}\n")), 0, "quoted");
        assert_eq!(found(&format!("Subject\n\nVouch-For: {ID} {ID}\n")), 0);
    }
}
