use super::super::{Permit, permitted_tools};
use crate::resource::selector::Pattern;
use proptest::{collection, prelude::*};
use serde_json::{Value, json};

fn only(patterns: &[&str]) -> Permit {
    Permit::new(vec![patterns.iter().map(|pattern| Pattern::new(pattern).unwrap()).collect()], Vec::new())
}

#[test]
fn whole_elements_go_and_the_rest_stays_to_the_byte() {
    let permit = only(&["a*"]);
    for (before, after) in [
        // Nothing to take away.
        (r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#, None),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#, None),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[ ]}}"#, None),
        (r#"{"id":1,"error":{"code":1,"message":"tools","data":{"tools":[{"name":"b"}]}}}"#, None),
        (r#"{"id":1,"result":{"other":[{"name":"b"}]}}"#, None),
        (r#"{"id":1,"result":null}"#, None),
        // First, middle, last, all.
        (
            r#"{"id":1e0, "result": { "x":1.50, "tools" : [ {"name":"b"} , {"name":"a","n":1e400} ] , "nextCursor":"c"}}"#,
            Some(r#"{"id":1e0, "result": { "x":1.50, "tools" : [ {"name":"a","n":1e400} ] , "nextCursor":"c"}}"#),
        ),
        (
            r#"{"result":{"tools":[{"name":"a1"}, {"name":"b"},  {"name":"a2"}]},"id":1}"#,
            Some(r#"{"result":{"tools":[{"name":"a1"},  {"name":"a2"}]},"id":1}"#),
        ),
        (r#"{"result":{"tools":[{"name":"a1"} , {"name":"b"}]}}"#, Some(r#"{"result":{"tools":[{"name":"a1"}]}}"#)),
        (r#"{"result":{"tools":[{"name":"b"},{"name":"c"} ]}}"#, Some(r#"{"result":{"tools":[]}}"#)),
        // What cannot be told to be a tool that is permitted is none.
        (
            r#"{"result":{"tools":[{}, 1, "a", null, [], {"name":1}, {"title":"a"}]}}"#,
            Some(r#"{"result":{"tools":[]}}"#),
        ),
        (r#"{"result":{"tools":[{"name":"a","name":"b"}]}}"#, Some(r#"{"result":{"tools":[]}}"#)),
        (r#"{"result":{"tools":[{"name":"a","Name":"b"}]}}"#, Some(r#"{"result":{"tools":[]}}"#)),
        (r#"{"result":{"tools":[{"name":"a","name":"a2"}]}}"#, None),
        (
            r#"{"result":{"tools":[{"n\u0061me":"\u0061"},{"name":"\u0062"}]}}"#,
            Some(r#"{"result":{"tools":[{"n\u0061me":"\u0061"}]}}"#),
        ),
        (r#"{"result":{"tools":[{"name":"a\ud800"}]}}"#, Some(r#"{"result":{"tools":[]}}"#)),
        // Where there should be a list.
        (r#"{"result":{"tools":{"name":"b"}}}"#, Some(r#"{"result":{"tools":[]}}"#)),
        (r#"{"result":{"tools":"b"}}"#, Some(r#"{"result":{"tools":[]}}"#)),
        // Whichever of two a reader takes.
        (
            r#"{"result":{"tools":[{"name":"b"}],"tools":[{"name":"c"}],"Tools":[{"name":"d"}]}}"#,
            Some(r#"{"result":{"tools":[],"tools":[],"Tools":[]}}"#),
        ),
        (
            r#"{"result":{"tools":[{"name":"b"}]},"result":{"to\u006fls":[{"name":"c"}]}}"#,
            Some(r#"{"result":{"tools":[]},"result":{"to\u006fls":[]}}"#),
        ),
        (
            r#"{"result":{"tools":[{"name":"b","tools":[{"name":"a"}]},{"name":"a","tools":[{"name":"b"}]}]}}"#,
            Some(r#"{"result":{"tools":[{"name":"a","tools":[{"name":"b"}]}]}}"#),
        ),
    ] {
        assert_eq!(permitted_tools(before, &permit).as_deref(), after, "{before}");
        assert_eq!(permitted_tools(before, &Permit::everything()), None, "{before}");
    }
    assert_eq!(permitted_tools("", &permit), None);
    assert_eq!(permitted_tools("[1", &permit), None);
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(""), Just(" "), Just("\n\t ")]
}

proptest! {
    /// Against the plain way: parse, filter, compare as values; and nothing outside of the list has changed.
    #[test]
    fn agrees_with_values(
        names in collection::vec(("[ab][0-9]{0,2}", space(), space()), 0..8),
        head in "\\PC{0,12}",
    ) {
        let head = json!(head);
        let elements: Vec<String> = names
            .iter()
            .map(|(name, before, after)| format!("{before}{{ \"description\":{head}, \"name\":\"{name}\" }}{after}"))
            .collect();
        let around = |list: &str| format!("{{\"x\":{head}, \"result\":{{\"tools\":{list} ,\"y\": 1.0}} }}");
        let answer = around(&format!("[{}]", elements.join(",")));
        let filtered = permitted_tools(&answer, &only(&["a*"])).unwrap_or_else(|| answer.clone());
        let value: Value = serde_json::from_str(&filtered).map_err(|e| TestCaseError::fail(format!("{e}: {filtered}")))?;
        let left: Vec<&str> = value["result"]["tools"].as_array().into_iter().flatten().filter_map(|t| t["name"].as_str()).collect();
        let expected: Vec<&str> = names.iter().map(|(name, ..)| name.as_str()).filter(|name| name.starts_with('a')).collect();
        prop_assert_eq!(&left, &expected);
        let (start, end) = (around("[").find('[').unwrap_or(0), " ,\"y\": 1.0}} }".len());
        prop_assert_eq!(filtered.get(..start), answer.get(..start));
        prop_assert_eq!(filtered.get(filtered.len() - end..), answer.get(answer.len() - end..));
        if left.len() == names.len() {
            prop_assert_eq!(filtered, answer);
        }
    }

    #[test]
    fn survives_anything(text in "[\\[\\]{}:,\" a-z0-9\\\\]{0,60}") {
        for answer in [text.clone(), format!("{{\"result\":{{\"tools\":{text}}}}}"), format!("{{\"result\":{{\"tools\":[{text}]}}}}")] {
            let valid = serde_json::from_str::<Value>(&answer).is_ok();
            if let Some(filtered) = permitted_tools(&answer, &only(&[]))  {
                prop_assert!(!valid || serde_json::from_str::<Value>(&filtered).is_ok(), "{} became {}", answer, filtered);
            }
        }
    }
}
