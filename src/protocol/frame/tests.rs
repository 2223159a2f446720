use super::*;
use proptest::prelude::*;

fn kind(json: &str) -> Result<Kind, FrameError> {
    Message::parse(json.as_bytes()).map(|m| m.kind)
}

#[test]
fn kinds() {
    for (json, expected) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Kind::Request),
        (r#" {"id":"a","method":"ping","params":{}} "#, Kind::Request),
        (r#"{"method":"notifications/initialized"}"#, Kind::Notification),
        (r#"{"id":1,"result":{}}"#, Kind::Response),
        (r#"{"id":null,"error":{"code":-32700,"message":""}}"#, Kind::Response),
    ] {
        assert_eq!(kind(json), Ok(expected), "{json}");
    }
    for json in [
        "[]",
        "1",
        "null",
        "{}",
        r#"{"id":1}"#,
        r#"{"id":1,"result":{},"error":{}}"#,
        r#"{"id":null,"method":"x"}"#,
        r#"{"id":{},"method":"x"}"#,
        r#"{"id":true,"method":"x"}"#,
        r#"{"method":1}"#,
        r#"{"method":"x","params":[1]}"#,
    ] {
        assert!(matches!(kind(json), Err(FrameError::Invalid(_))), "{json}");
    }
    for json in ["", "{", "{]", r#"{"a":1}x"#, r#"{"a":01}"#, "nul", r#"{"method":"x\q"}"#] {
        assert!(matches!(kind(json), Err(FrameError::Json(_))), "{json}");
    }
    assert!(matches!(Message::parse(b"{\"a\":\"\xff\"}"), Err(FrameError::Json(_))));
}

#[test]
fn deep_nesting_is_no_problem() {
    let deep = format!(r#"{{"method":"x","params":{{"a":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(kind(&deep), Ok(Kind::Notification));
}

#[test]
fn escaped_keys_are_what_they_say() {
    let message = Message::parse(br#"{"\u006dethod":"to\u006fls/call","id":7}"#).unwrap();
    assert_eq!((message.method.as_ref(), message.kind), ("tools/call", Kind::Request));
}

#[test]
fn a_key_that_is_no_text_hides_nothing() {
    let json = br#"{"\ud800":1,"id":7,"method":"x","params":{"\udc00":1,"name":"n","_meta":{"\ud800x":1,"progressToken":"t"}}}"#;
    let message = Message::parse(json).unwrap();
    let params = message.params();
    assert_eq!((params.name, params.meta_progress_token), (Some("\"n\""), Some("\"t\"")));
    assert_eq!(check_unambiguous(&message, &message.params()), Ok(()));
}

#[test]
fn mapped_ids_have_one_form() {
    for (raw, expected) in [("12", Some(12)), ("-1", None), ("1.0", None), ("1e1", None), ("\"1\"", None)] {
        assert_eq!(RawId(raw).as_mapped(), expected, "{raw}");
    }
}

#[test]
fn an_id_is_the_same_in_every_form() {
    for (one, other) in
        [(r#""gr\u00fc\u00df \/""#, r#""grüß /""#), (r#""\"""#, r#""\u0022""#), ("1.0", "1"), ("-2e3", "-2000")]
    {
        assert_eq!(RawId(one).value(), RawId(other).value());
    }
    let large = "12345678901234567890123456789012345678901234567890";
    for (one, other) in [("1", "\"1\""), ("1.5", "1"), (large, "1e49"), (r#""\ud800""#, r#""\ud801""#)] {
        assert_ne!(RawId(one).value(), RawId(other).value());
    }
}

#[test]
fn smuggling_is_refused() {
    for json in [
        r#"{"id":1,"method":"a","method":"b"}"#,
        r#"{"id":1,"method":"a","\u006dethod":"b"}"#,
        r#"{"id":1,"method":"a","Method":"b"}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"a","aRGuments":{}}}"#,
        "{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"argument\u{17f}\":{}}}",
        r#"{"id":1,"method":"tools/call","param\u017f":{"name":"a"}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"a","_Meta":{}}}"#,
        r#"{"method":"notifications/cancelled","params":{"requestId":1,"requestID":2}}"#,
        r#"{"id":1,"method":"x","params":{"_meta":{"progressToken":1,"progressToken":2}}}"#,
        r#"{"id":1,"method":"x","params":{"_meta":{"progressToken":1,"ProgressToken":2}}}"#,
        r#"{"id":1,"method":"x","params":{"_meta":{"progresstoken":1}}}"#,
        r#"{"id":1,"method":"x","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"i":2}"#,
        r#"{"id":1,"method":"x","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"a":2}"#,
    ] {
        let message = Message::parse(json.as_bytes()).unwrap();
        assert!(check_unambiguous(&message, &message.params()).is_err(), "{json}");
    }
    for json in [
        r#"{"id":1,"method":"tools/call","params":{"name":"a","arguments":{"name":1,"name":2,"Name":3},"_meta":{"a":1,"a":2}}}"#,
        r#"{"id":1,"method":"x","A":1,"a":2}"#,
    ] {
        let message = Message::parse(json.as_bytes()).unwrap();
        assert!(check_unambiguous(&message, &message.params()).is_ok(), "{json}");
    }
}

#[test]
fn an_edit_changes_nothing_else() {
    let json = "{\"id\" : \"x\",\n \"method\":\"m\", \"params\":{\"n\":1.0e+5,\r\n\"s\":\"\\n\"}}";
    let message = Message::parse(json.as_bytes()).unwrap();
    let mut out = Vec::new();
    one_line(message.raw, &[Edit { at: message.span(message.id.unwrap().0), with: "42" }], &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\"id\" : 42,  \"method\":\"m\", \"params\":{\"n\":1.0e+5,  \"s\":\"\\n\"}}"
    );
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::parse(&bytes) {
            let _ = (check_unambiguous(&message, &message.params()), message.params(), message.error_code());
        }
    }

    /// Any JSON object with an id comes through with only the id changed.
    #[test]
    fn survives_to_the_byte(extra in "[ -~]{0,40}", number in "-?[1-9][0-9]{0,50}(\\.[0-9]{1,30})?", space in "[ \t]{0,3}") {
        let extra = serde_json::to_string(&extra).unwrap();
        let json = |id: &str| format!("{{{space}\"x\":{extra},\"id\":{space}{id},{space}\"method\":\"m\",\"params\":{{\"n\":{number}}}}}");
        let written = json("\"client id\"");
        let message = Message::parse(written.as_bytes()).unwrap();
        let mut out = Vec::new();
        one_line(message.raw, &[Edit { at: message.span(message.id.unwrap().0), with: "7" }], &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), json("7"));
    }
}
