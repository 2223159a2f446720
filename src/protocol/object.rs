//! A JSON object as text, of which some members are known: the others stay as they are, to the byte.

use super::frame::members;
use std::borrow::Cow;

/// The members of an object, in order.
#[derive(Clone, Debug, Default)]
pub struct Object<'a> {
    members: Vec<Member<'a>>,
}

#[derive(Clone, Debug)]
struct Member<'a> {
    key: Cow<'a, str>,
    value: &'a str,
    /// Key, colon and value as they stand there.
    text: &'a str,
}

impl<'a> Object<'a> {
    /// Reads an object that is known to be valid JSON; anything else has no members.
    pub fn read(raw: &'a str) -> Self {
        let mut found = Vec::new();
        let mut at = 1;
        // Not to be read to the end is to have the members before; there are no others in valid JSON.
        let _ = members(raw, |key, value| {
            let end = (value.as_ptr() as usize).saturating_sub(raw.as_ptr() as usize) + value.len();
            let text = raw.get(at..end).unwrap_or_default().trim_start_matches([' ', '\t', '\r', '\n', ',']);
            at = end;
            found.push(Member { key, value, text });
        });
        Object { members: found }
    }

    /// The raw value of a member; of several with the same key the last.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.members.iter().rev().find(|member| member.key == key).map(|member| member.value)
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Keys with their raw values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members.iter().map(|member| (member.key.as_ref(), member.value))
    }

    /// Without the members that `unwanted` names.
    pub fn without(mut self, unwanted: &[&str]) -> Self {
        self.members.retain(|member| !unwanted.contains(&member.key.as_ref()));
        self
    }

    /// The object as text, with members set to raw values: in place of those of the same key, or at the end.
    pub fn with(&self, set: &[(&str, &str)]) -> String {
        let kept = self.members.iter().filter(|member| set.iter().all(|(key, _)| member.key != *key));
        let length: usize = self.members.iter().map(|member| member.text.len() + 1).sum();
        let mut out = String::with_capacity(length + 2 + set.iter().map(|(k, v)| k.len() + v.len() + 4).sum::<usize>());
        let separate = |out: &mut String| out.push(if out.is_empty() { '{' } else { ',' });
        for member in kept {
            separate(&mut out);
            out.push_str(member.text);
        }
        for (key, value) in set {
            separate(&mut out);
            out.push_str(&serde_json::Value::from(*key).to_string());
            out.push(':');
            out.push_str(value);
        }
        if out.is_empty() {
            out.push('{');
        }
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays() {
        let raw = "{ \"a\" : 1.0e400,\n\"\\u0062\":[1, {\"a\":2}] , \"c\":null}";
        let object = Object::read(raw);
        assert_eq!(
            (object.get("a"), object.get("b"), object.get("d")),
            (Some("1.0e400"), Some("[1, {\"a\":2}]"), None)
        );
        assert_eq!(object.with(&[]), "{\"a\" : 1.0e400,\"\\u0062\":[1, {\"a\":2}],\"c\":null}");
        assert_eq!(
            object.with(&[("c", "3"), ("d", "{}")]),
            "{\"a\" : 1.0e400,\"\\u0062\":[1, {\"a\":2}],\"c\":3,\"d\":{}}"
        );
        assert_eq!(object.clone().without(&["a", "b"]).with(&[]), "{\"c\":null}");
        assert_eq!(object.without(&["a", "b", "c"]).with(&[]), "{}");
    }

    #[test]
    fn empty_ones_and_others() {
        assert_eq!(Object::read("{ }").with(&[("x", "1")]), "{\"x\":1}");
        assert_eq!(Object::read("[1]").with(&[]), "{}");
        assert!(Object::read("").is_empty());
        let twice = Object::read("{\"a\":1,\"a\":2}");
        assert_eq!((twice.get("a"), twice.with(&[("a", "3")])), (Some("2"), "{\"a\":3}".to_owned()));
    }
}
