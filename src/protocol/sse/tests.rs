use super::*;
use proptest::prelude::*;

const LIMIT: usize = 1 << 16;

fn read(pieces: &[&[u8]]) -> (Vec<Event>, Option<String>, Option<Duration>) {
    let (mut parser, mut events) = (Parser::new(LIMIT), Vec::new());
    for piece in pieces {
        parser.push(piece, &mut events).unwrap();
    }
    (events, parser.last_id().map(str::to_owned), parser.retry())
}

fn data(stream: &str) -> Vec<String> {
    let (events, ..) = read(&[stream.as_bytes()]);
    events.into_iter().map(|event| String::from_utf8(event.data).unwrap()).collect()
}

#[test]
fn streams() {
    for (stream, expected) in [
        ("", &[][..]),
        ("data: a\n\n", &["a"]),
        ("data:a\r\rdata:b\r\n\r\n", &["a", "b"]),
        // One space is taken off, no more.
        ("data:  a\n\n", &[" a"]),
        ("data: a\ndata\ndata:b\n\n", &["a\n\nb"]),
        // Cut off by the end of the stream.
        ("data: a\n\ndata: b\n", &["a"]),
        ("data: a\n\ndata: b", &["a"]),
        (": a comment\n\n:\n\ndata: a\n: another\n\n", &["a"]),
        ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["a"]),
        ("datab: a\nDATA: b\n data: c\ndata : d\n\n", &[]),
        ("id: 1\n\nevent: x\n\n", &[]),
        // Empty data is data: this is how a stream is primed.
        ("id: 1\ndata:\n\n", &[""]),
        ("data: {\"a\":\"b: c\"}\n\n\n\n", &["{\"a\":\"b: c\"}"]),
    ] {
        assert_eq!(data(stream), expected, "{stream:?}");
    }
}

#[test]
fn names() {
    let (events, ..) = read(&[b"event: endpoint\ndata: a\n\ndata: b\n\nevent: x\n\ndata: c\n\nevent:\ndata: d\n\n"]);
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["endpoint", "message", "message", "message"]);
}

#[test]
fn ids_count_when_their_event_is_complete() {
    let last = |stream: &str| read(&[stream.as_bytes()]).1;
    assert_eq!(last("id: 1\ndata: a\n"), None);
    assert_eq!(last("id: 1\ndata: a\n\n").as_deref(), Some("1"));
    assert_eq!(last("id: 1\n\ndata: a\n\nid: 2\n").as_deref(), Some("1"));
    assert_eq!(last("id: 1\n\nid: 2\0\n\n").as_deref(), Some("1"));
    assert_eq!(last("id: 1\n\nid\n\n").as_deref(), Some(""));
}

#[test]
fn retries() {
    let retry = |stream: &str| read(&[stream.as_bytes()]).2;
    assert_eq!(retry("retry: 1500\n"), Some(Duration::from_millis(1500)));
    for bad in ["retry: \n", "retry: 1s\n", "retry: -1\n", "retry: 99999999999999999999999\n"] {
        assert_eq!(retry(bad), None, "{bad:?}");
    }
}

#[test]
fn large_lines_and_events_are_refused() {
    let mut parser = Parser::new(100);
    let mut events = Vec::new();
    for _ in 0..1000 {
        parser.push(b": keep-alive\n\n", &mut events).unwrap();
    }
    parser.push(&[b'x'; 100], &mut events).unwrap();
    assert_eq!(parser.push(b"x", &mut events), Err(SseError::TooLarge(100)));

    let mut parser = Parser::new(100);
    let refused = (0..1000).map(|_| parser.push(b"data: 0123456789\n", &mut events)).find(Result::is_err);
    assert_eq!(refused, Some(Err(SseError::TooLarge(100))));
    // Empty lines of data take room as well.
    let mut parser = Parser::new(100);
    assert!((0..1000).any(|_| parser.push(b"data\n", &mut events).is_err()));
    assert_eq!(events, []);
}

/// Streams made of what matters to the parser.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just("data:".to_owned()),
        Just("data: x".to_owned()),
        Just("id: 7".to_owned()),
        Just("event: e".to_owned()),
        Just("retry: 5".to_owned()),
        Just(": c".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("\u{feff}".to_owned()),
        "[ -~é]{0,4}",
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same(stream in stream(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..10)) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        let whole = read(&[&stream]);
        prop_assert_eq!(&read(&pieces), &whole);
        prop_assert_eq!(&read(&bytes), &whole);
    }

    #[test]
    fn line_ends_mean_the_same(lines in proptest::collection::vec("(data: ?|id: |event: )[a-z:]{0,5}|", 0..30)) {
        let with = |end: &str| lines.iter().flat_map(|line| [line.as_str(), end]).collect::<String>();
        let expected = read(&[with("\n").as_bytes()]);
        prop_assert_eq!(&read(&[with("\r").as_bytes()]), &expected);
        prop_assert_eq!(&read(&[with("\r\n").as_bytes()]), &expected);
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read(&[&bytes]);
    }
}
