//! JSON texts of every form.

use super::template::{Hole, Template};
use proptest::{collection::vec, prelude::*};

fn white() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 2 => Just(" "), 1 => Just("\n"), 1 => Just("\r\n\t"), 1 => Just("  \n ")]
}

/// Numbers in forms that no program would keep: of 50 digits, too small and too large to be computed with.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,3})",
        "-?[1-9][0-9]{49}",
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,50})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// The inside of a string: characters, and escapes where none are needed or half of a pair is missing.
fn inside() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[ !#-\\[\\]-~]{0,8}",
        1 => r#"\\["\\/bfnrt]"#,
        1 => r"\\u[0-9a-fA-F]{4}",
        1 => "[^\u{0}-\u{1f}\"\\\\]",
        1 => Just("\u{2028}\u{feff}\u{7f}😀".to_owned()),
    ];
    vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

pub fn string() -> impl Strategy<Value = String> {
    inside().prop_map(|inside| format!("\"{inside}\""))
}

pub fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("false".to_owned()), number(), string()]
}

/// Deeper than what common readers take.
fn deep() -> impl Strategy<Value = String> {
    (scalar(), 100_usize..3000, any::<bool>()).prop_map(|(inner, depth, objects)| {
        let (open, close) = if objects { (r#"{"":"#, "}") } else { ("[", "]") };
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    })
}

/// Any value. In what is passed on, a key may stand twice in an object.
pub fn value() -> BoxedStrategy<String> {
    let nested = scalar().prop_recursive(5, 40, 5, |inner| {
        let spaced =
            (white(), inner, white()).prop_map(|(before, value, after)| format!("{before}{value}{after}")).boxed();
        let member = (white(), string(), white(), spaced.clone());
        let member = member.prop_map(|(before, key, after, value)| format!("{before}{key}{after}:{value}"));
        prop_oneof![
            vec(spaced, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    });
    prop_oneof![20 => nested, 1 => deep()].boxed()
}

/// An id of a request: a string or a number.
pub fn id() -> impl Strategy<Value = String> {
    prop_oneof![number(), string()]
}

/// An object with these members among others that nobody knows, in any order.
pub fn object(known: Vec<(&'static str, Template)>) -> impl Strategy<Value = Template> {
    // Keys of which none can be taken for another, or for one that is known.
    let unknown = vec((inside(), value()), 0..4).prop_map(|members| {
        let members = members.into_iter().enumerate();
        members.map(|(n, (key, value))| (format!("x{n}{key}"), Template::from(value))).collect::<Vec<_>>()
    });
    let known: Vec<_> = known.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let members = unknown.prop_map(move |unknown| known.iter().cloned().chain(unknown).collect::<Vec<_>>());
    let members = members.prop_shuffle();
    let spaces = vec((white(), white(), white(), white()), 16);
    (members, spaces, any::<bool>())
        .prop_map(|(members, spaces, escaped)| {
            let mut object = Template::from("{");
            let count = members.len();
            for (n, ((key, value), (a, b, c, d))) in members.into_iter().zip(spaces).enumerate() {
                // The first letter of a key may be written as an escape; it is the same key.
                let key = match key.chars().next().filter(|_| escaped) {
                    Some(first) => format!("\\u{:04x}{}", u32::from(first), &key[first.len_utf8()..]),
                    None => key,
                };
                let end = if n + 1 < count { "," } else { "" };
                object = object.then(format!("{a}\"{key}\"{b}:{c}")).then(value).then(format!("{d}{end}"));
            }
            object.then("}")
        })
        .boxed()
}

/// A message: a JSON-RPC object with these members.
pub fn message(known: Vec<(&'static str, Template)>) -> impl Strategy<Value = Template> {
    let known = [("jsonrpc", r#""2.0""#.into())].into_iter().chain(known).collect();
    (white(), object(known), white())
        .prop_map(|(before, object, after)| Template::from(before).then(object).then(after))
        .boxed()
}

/// The answer to the client's request: a result with unknown members and the line that the server has read, or an
/// error.
pub fn answer(listens: bool) -> BoxedStrategy<Template> {
    let result = result(listens).prop_flat_map(|result| message(vec![("id", Hole::Id.into()), ("result", result)]));
    let code = prop_oneof![Just("-32000"), Just("-1"), Just("7")];
    let error = code.prop_flat_map(|code| {
        let known = vec![("code", code.into()), ("message", r#""refused""#.into()), ("data", Hole::Line.into())];
        object(known).prop_flat_map(|error| message(vec![("id", Hole::Id.into()), ("error", error)]))
    });
    prop_oneof![3 => result.boxed(), 1 => error.boxed()].boxed()
}

fn result(listens: bool) -> BoxedStrategy<Template> {
    let line = ("line", Template::from(Hole::Line));
    if !listens {
        return object(vec![line]).boxed();
    }
    let meta = object(vec![("io.modelcontextprotocol/subscriptionId", Hole::Id.into())]);
    meta.prop_flat_map(move |meta| object(vec![line.clone(), ("_meta", meta)])).boxed()
}
