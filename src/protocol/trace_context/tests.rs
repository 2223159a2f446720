use super::*;
use crate::protocol::{Edit, one_line};
use proptest::prelude::*;

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const SPAN: u64 = 0x00f0_67aa_0ba9_02b7;
const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn parents() {
    let good = TraceParent { trace_id: TRACE, span_id: SPAN, sampled: true };
    assert_eq!(TraceParent::parse(GOOD), Some(good));
    assert_eq!(good.to_string(), GOOD);
    let flagged = GOOD.replace("-01", "-02");
    assert_eq!(TraceParent::parse(&flagged), Some(TraceParent { sampled: false, ..good }));
    // Of a version to come, what this one knows.
    assert_eq!(TraceParent::parse(&format!("cc{}-what-the-future-will-be", &GOOD[2..])), Some(good));
    for bad in [
        "",
        "00",
        &GOOD.to_uppercase(),
        &format!("{GOOD}-"),
        &format!("{GOOD}-more"),
        &format!(" {GOOD}"),
        &format!("ff{}", &GOOD[2..]),
        &format!("+0{}", &GOOD[2..]),
        &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
        &GOOD.replace("00f067aa0ba902b7", "0000000000000000"),
        &GOOD.replace("4bf9", "4bf"),
        &GOOD.replace("02b7", "02b77"),
        &GOOD.replace("-01", "-1"),
        &GOOD.replace("-01", "-0g"),
        &GOOD.replace("4bf9", "4bfé"),
    ] {
        assert_eq!(TraceParent::parse(bad), None, "{bad}");
    }
}

#[test]
fn what_meta_says() {
    let raw = format!(r#"{{"a":1,"traceparent":"{GOOD}","tracestate":"a=1","baggage":"x=y"}}"#);
    let carried = Carried::read(Some(&raw));
    assert_eq!((carried.traceparent.as_deref(), carried.tracestate.as_deref()), (Some(GOOD), Some("a=1")));
    for nothing in [None, Some("{}"), Some("7"), Some(r#"{"traceparent":7,"tracestate":null}"#)] {
        assert_eq!(Carried::read(nothing), Carried::default(), "{nothing:?}");
    }
    let long = format!(r#"{{"tracestate":"{}"}}"#, "x".repeat(MAX_STATE + 1));
    assert_eq!(Carried::read(Some(&long)).tracestate, None);
}

fn carried(raw: &str, parent: &str, state: &str) -> String {
    let message = Message::parse(raw.as_bytes()).unwrap();
    let edits = carry(&message, &message.params(), parent, state);
    let edits: Vec<_> = edits.iter().map(|(at, with)| Edit { at: at.clone(), with }).collect();
    let mut out = Vec::new();
    one_line(message.raw, &edits, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn everything_else_stays_to_the_byte() {
    for (raw, state, expected) in [
        (r#"{"id":1,"method":"m"}"#, "", r#"{"id":1,"method":"m","params":{"_meta":{"traceparent":"P"}}}"#),
        (r#"{"id":1,"method":"m","params":{}}"#, "", r#"{"id":1,"method":"m","params":{"_meta":{"traceparent":"P"}}}"#),
        (
            r#"{"id":1,"method":"m","params": { "a" : 1.0 } }"#,
            "a=1",
            r#"{"id":1,"method":"m","params": {"_meta":{"traceparent":"P","tracestate":"a=1"}, "a" : 1.0 } }"#,
        ),
        (
            r#"{"params":{"_meta":{ },"a":1e2},"id":1,"method":"m"}"#,
            "",
            r#"{"params":{"_meta":{"traceparent":"P" },"a":1e2},"id":1,"method":"m"}"#,
        ),
        (
            r#"{"params":{"_meta":{"progressToken":7}},"id":1,"method":"m"}"#,
            "",
            r#"{"params":{"_meta":{"traceparent":"P","progressToken":7}},"id":1,"method":"m"}"#,
        ),
        (
            r#"{"params":{"_meta":{"tracestate": "x=1" ,"traceparent":"old", "baggage":"b=1"}},"id":1,"method":"m"}"#,
            "x=1",
            r#"{"params":{"_meta":{"tracestate": "x=1" ,"traceparent":"P", "baggage":"b=1"}},"id":1,"method":"m"}"#,
        ),
        // A state of another trace must not go on under this one.
        (
            r#"{"params":{"_meta":{"tracestate":"x=1"}},"id":1,"method":"m"}"#,
            "",
            r#"{"params":{"_meta":{"traceparent":"P","tracestate":""}},"id":1,"method":"m"}"#,
        ),
        (
            r#"{"params":{"_meta":{"traceparent":7,"traceparent":"twice"}},"id":1,"method":"m"}"#,
            "a=\"\\",
            r#"{"params":{"_meta":{"tracestate":"a=\"\\","traceparent":"P","traceparent":"P"}},"id":1,"method":"m"}"#,
        ),
        (r#"{"params":{"_meta":[1]},"id":1,"method":"m"}"#, "", r#"{"params":{"_meta":[1]},"id":1,"method":"m"}"#),
        (r#"{"params":{"_meta":null},"id":1,"method":"m"}"#, "", r#"{"params":{"_meta":null},"id":1,"method":"m"}"#),
    ] {
        assert_eq!(carried(raw, "P", state), expected, "{raw}");
    }
}

proptest! {
    #[test]
    fn what_is_carried_is_read_and_nothing_else_changes(
        before in proptest::collection::btree_map("[a-z]{1,12}", any::<i64>(), 0..4),
        meta in proptest::option::of(proptest::collection::btree_map("[a-z/]{1,12}", ".{0,8}", 0..4)),
        (trace, span) in (1..u128::MAX, 1..u64::MAX),
        state in "[a-z]{0,3}=[ -~&&[^,=]]{1,8}",
    ) {
        let mut params = serde_json::json!(before);
        if let Some(meta) = &meta {
            params["_meta"] = serde_json::json!(meta);
        }
        let mut expected = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "m", "params": params });
        let parent = TraceParent { trace_id: trace, span_id: span, sampled: true }.to_string();
        let out = carried(&expected.to_string(), &parent, &state);
        expected["params"]["_meta"]["traceparent"] = parent.clone().into();
        expected["params"]["_meta"]["tracestate"] = state.clone().into();
        prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
        let message = Message::parse(out.as_bytes()).unwrap();
        let params = message.params();
        let found = Carried::read(params.meta);
        prop_assert_eq!(found.traceparent.as_deref(), Some(parent.as_str()));
        prop_assert_eq!(found.tracestate.as_deref(), Some(state.as_str()));
    }
}
