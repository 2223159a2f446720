use super::*;
use std::{cell::RefCell, rc::Rc, time::Duration};

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const SHA256: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/// A server that says what it is told to, and remembers what it was asked.
struct Script {
    greeting: Vec<u8>,
    answers: Vec<Vec<u8>>,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Server for Script {
    fn greeting(&mut self) -> Result<Box<dyn Read + '_>, FetchError> {
        Ok(Box::new(self.greeting.as_slice()))
    }

    fn answer(&mut self, request: &[u8]) -> Result<Box<dyn Read + '_>, FetchError> {
        self.asked.borrow_mut().push(String::from_utf8_lossy(request).into_owned());
        Ok(Box::new(std::io::Cursor::new(self.answers.remove(0))))
    }
}

fn packets(lines: &[&str]) -> Vec<u8> {
    let mut stream = Vec::new();
    for text in lines {
        line(&mut stream, text);
    }
    stream.extend_from_slice(FLUSH);
    stream
}

fn look(greeting: Vec<u8>, answers: &[Vec<u8>], follow: &Follow) -> (Result<String, &'static str>, Vec<String>) {
    let bounds = Bounds::new("the remote".to_owned(), Duration::from_secs(60), 1 << 20);
    let asked = Rc::default();
    let server = Script { greeting, answers: answers.to_vec(), asked: Rc::clone(&asked) };
    let found = Session::open(Box::new(server), follow, &bounds).and_then(|session| session.look(follow));
    (found.map(|id| id.to_string()).map_err(|error| error.code()), asked.take())
}

fn main() -> Follow {
    Follow::Branch("main".to_owned())
}

#[test]
fn a_server_of_version_0_lists_all_it_has() {
    let first = format!("{A} HEAD\0side-band-64k symref=HEAD:refs/heads/main");
    let greeting = packets(&[
        &first,
        &format!("{B} refs/heads/main"),
        &format!("{A} refs/tags/v1"),
        &format!("{B} refs/tags/v1^{{}}"),
    ]);
    let over_http = [packets(&["# service=git-upload-pack"]), greeting.clone()].concat();
    let table = [
        (Follow::Default, Ok(A)),
        (main(), Ok(B)),
        (Follow::Tag("v1".to_owned()), Ok(B)),
        (Follow::Branch("other".to_owned()), Err("ref-missing")),
        (Follow::Branch("main^{}".to_owned()), Err("ref-missing")),
    ];
    for (follow, expected) in table {
        for greeting in [&greeting, &over_http] {
            assert_eq!(look(greeting.clone(), &[], &follow).0, expected.map(str::to_owned), "{follow:?}");
        }
    }
}

#[test]
fn a_server_of_version_2_is_asked_for_one_reference() {
    let greeting = packets(&["version 2", "agent=git/2", "ls-refs=unborn", "fetch=shallow", "object-format=sha1"]);
    let answer = packets(&[&format!("{A} refs/tags/v1 peeled:{B}"), &format!("{A} refs/tags/v10")]);
    let (found, asked) = look(greeting.clone(), &[answer], &Follow::Tag("v1".to_owned()));
    assert_eq!(found, Ok(B.to_owned()));
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains("ref-prefix refs/tags/v1\n") && asked[0].contains("object-format=sha1"), "{asked:?}");

    let nothing = packets(&[]);
    assert_eq!(look(greeting.clone(), std::slice::from_ref(&nothing), &main()).0, Err("ref-missing"));
    // Without HEAD, it takes a second question to tell what is missing.
    let other = packets(&[&format!("{A} refs/heads/other")]);
    let answers = [nothing.clone(), other];
    assert_eq!(look(greeting.clone(), &answers, &Follow::Default).0, Err("ref-missing"));
    let answers = [nothing.clone(), nothing];
    assert_eq!(look(greeting, &answers, &Follow::Default).0, Err("empty"));
}

#[test]
fn an_empty_repository_is_told_apart() {
    let none = "0".repeat(40);
    let named = packets(&[&format!("{none} capabilities^{{}}\0side-band-64k")]);
    assert_eq!(look(named, &[], &Follow::Default).0, Err("empty"));
    assert_eq!(look(packets(&[]), &[], &Follow::Default).0, Err("empty"));
}

#[test]
fn what_is_not_git_or_not_our_git_is_refused() {
    let table = [
        (packets(&["version 2", "object-format=sha256"]), "sha256"),
        (packets(&[&format!("{SHA256} HEAD\0side-band-64k object-format=sha256")]), "sha256"),
        (packets(&[&format!("{A} HEAD\0")]), "not-git"),
        (packets(&["hello"]), "not-git"),
        (b"<!DOCTYPE html>".to_vec(), "not-git"),
        (packets(&[&format!("{A} HEAD\0side-band-64k"), &format!("shallow {B}")]), "shallow"),
        (b"".to_vec(), "truncated"),
    ];
    for (greeting, code) in table {
        let shown = String::from_utf8_lossy(&greeting).into_owned();
        assert_eq!(look(greeting, &[], &Follow::Default).0, Err(code), "{shown}");
    }
}

#[test]
fn the_answer_to_what_we_have_ends_where_it_ends() {
    let bounds = Bounds::new("the remote".to_owned(), Duration::from_secs(60), 1 << 20);
    let common = format!("ACK {A} common");
    let ready = format!("ACK {A} ready");
    let last = format!("ACK {A}");
    let table: [&[&str]; 4] =
        [&["NAK"], &[&last], &[&common, &common, &ready, &last], &[&format!("ACK {A} continue"), &last]];
    for lines in table {
        let mut stream = packets(lines);
        stream.truncate(stream.len() - FLUSH.len());
        stream.extend_from_slice(b"0009\x01pack");
        let mut read = Packets::new(Box::new(stream.as_slice()), &bounds);
        acknowledgements(&mut read, &bounds).expect("acknowledgements");
        assert_eq!(read.next().expect("a packet"), Packet::Line(b"\x01pack"), "{lines:?}");
    }
    let stream = packets(&["what?"]);
    let mut read = Packets::new(Box::new(stream.as_slice()), &bounds);
    assert_eq!(acknowledgements(&mut read, &bounds).expect_err("no acknowledgement").code(), "not-git");
}

#[test]
fn a_server_of_version_0_is_asked_only_for_what_it_gives() {
    let bounds = Bounds::new("the remote".to_owned(), Duration::from_secs(60), 1 << 20);
    let a: ObjectId = A.parse().expect("an id");
    let b: ObjectId = B.parse().expect("an id");
    let session = |capabilities: &str, follow: &Follow| {
        let greeting = packets(&[&format!("{A} HEAD\0side-band-64k {capabilities}"), &format!("{A} refs/heads/main")]);
        let server = Script { greeting, answers: vec![], asked: Rc::default() };
        Session::open(Box::new(server), follow, &bounds).expect("a session")
    };
    let wanted = |capabilities: &str, follow: &Follow, head| {
        let session = session(capabilities, follow);
        let Version::Zero(listing) = &session.version else { panic!("version 0") };
        session.wanted(listing, head).map_err(|error| error.code())
    };
    assert_eq!(wanted("", &main(), a), Ok(vec![a]));
    assert_eq!(wanted("", &main(), b), Err("ref-moved"));
    assert_eq!(wanted("allow-reachable-sha1-in-want", &main(), b), Ok(vec![b]));
    assert_eq!(wanted("", &Follow::Commit(b), b), Ok(vec![a]));
    let request = session("multi_ack multi_ack_detailed ofs-delta agent=git/2", &main()).request_v0(&[a], &[b]);
    let request = String::from_utf8(request).expect("text");
    assert!(
        request.contains(&format!("want {A} multi_ack_detailed side-band-64k ofs-delta agent=mcpfleet/")),
        "{request}"
    );
    assert!(request.contains(&format!("\n00000032have {B}\n0009done\n")), "{request}");
}

/// As many packets as it takes to have more than so many bytes.
fn endless(line: &str, bytes: usize) -> Vec<u8> {
    let mut packet = Vec::new();
    super::line(&mut packet, line);
    packet.repeat(bytes / packet.len() + 1)
}

#[test]
fn a_server_that_never_stops_talking_is_cut_off() {
    let bounds = Bounds::new("the remote".to_owned(), Duration::from_secs(60), u64::MAX);
    let hello = |lines: &[&str]| {
        let mut stream = packets(lines);
        stream.truncate(stream.len() - FLUSH.len());
        stream
    };
    let code = |greeting: Vec<u8>, answers: Vec<Vec<u8>>| {
        let server = Script { greeting, answers, asked: Rc::default() };
        let found = Session::open(Box::new(server), &main(), &bounds).and_then(|session| session.look(&main()));
        found.map(|_| ()).map_err(|error| (error.code(), error.is_transient()))
    };
    let too_large = Err(("too-large", false));
    let feature = "x".repeat(60_000);
    assert_eq!(code([hello(&["version 2"]), endless(&feature, 1 << 20)].concat(), vec![]), too_large);
    let reference = format!("{A} refs/heads/{feature}");
    let first = hello(&[&format!("{A} HEAD\0side-band-64k")]);
    assert_eq!(code([first.clone(), endless(&reference, 64 << 20)].concat(), vec![]), too_large);
    assert_eq!(code(packets(&["version 2"]), vec![endless(&reference, 64 << 20)]), too_large);
    // Less is no reason: here it just ends early.
    assert_eq!(code([first, endless(&reference, 32 << 20)].concat(), vec![]), Err(("truncated", true)));
}
