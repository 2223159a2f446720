//! Strings, numbers and booleans.

use super::Context;
use crate::manifest::{
    Code,
    text::quoted,
    yaml::{Amount, Node, Value},
};
use std::{fmt::Display, ops::RangeInclusive};

/// A string. An unquoted number, boolean or null is none: what it would become depends on the reader.
pub fn string(node: &Node, context: &Context) -> Option<String> {
    text(node, context).map(str::to_owned)
}

/// [`string`] without a copy.
pub fn text<'n>(node: &'n Node, context: &Context) -> Option<&'n str> {
    let (shown, kind) = match &node.value {
        Value::String(text) if memchr::memchr(0, text.as_bytes()).is_none() => return Some(text),
        Value::String(_) => {
            return context.error(Code::NulCharacter, node.mark, "a NUL character cannot be part of this value");
        }
        Value::Null => {
            let help = "write `\"\"` for an empty string, or put quotes around the word";
            let message = "expected a string, found nothing (or an unquoted `null` or `~`)";
            return context.error_with_help(Code::EmptyValue, node.mark, message, help);
        }
        Value::Bool(value) => (value.to_string(), "a boolean"),
        Value::Number(number) => (number.text.to_string(), "a number"),
        other => {
            return context.error(Code::WrongType, node.mark, format!("expected a string, found {}", other.describe()));
        }
    };
    let message = format!("{} is {kind} where a string is expected", quoted(&shown));
    context.error_with_help(
        Code::Unquoted,
        node.mark,
        message,
        format!("quote it: {}", quoted(&format!("\"{shown}\""))),
    )
}

/// `true` or `false`.
pub fn boolean(node: &Node, context: &Context) -> Option<bool> {
    match &node.value {
        Value::Bool(value) => Some(*value),
        other => {
            let message = format!("expected `true` or `false`, found {}", found(other));
            let meant = match other {
                Value::String(word) if matches!(&*word.to_lowercase(), "yes" | "on" | "true") => "true",
                Value::String(word) if matches!(&*word.to_lowercase(), "no" | "off" | "false") => "false",
                _ => return context.error(Code::WrongType, node.mark, message),
            };
            context.error_with_help(Code::WrongType, node.mark, message, format!("write `{meant}`, without quotes"))
        }
    }
}

/// A whole number within bounds.
pub fn integer<N>(bounds: RangeInclusive<N>) -> impl Fn(&Node, &Context) -> Option<N>
where
    N: TryFrom<i128> + PartialOrd + Display,
{
    move |node, context| {
        let Value::Number(number) = &node.value else {
            return wrong_number("a whole number", node, context);
        };
        match number.amount {
            Amount::Integer(amount) => N::try_from(amount).ok().filter(|n| bounds.contains(n)).or_else(|| {
                let message = format!("{} is not within {} to {}", number.text, bounds.start(), bounds.end());
                context.error(Code::OutOfRange, node.mark, message)
            }),
            Amount::Float(_) | Amount::Unclear => wrong_number("a whole number", node, context),
        }
    }
}

/// A number, whole or not, that is finite and within bounds.
pub fn number(bounds: RangeInclusive<f64>) -> impl Fn(&Node, &Context) -> Option<f64> {
    move |node, context| {
        let amount = match &node.value {
            Value::Number(number) => match number.amount {
                Amount::Integer(amount) => amount as f64,
                Amount::Float(amount) => amount,
                Amount::Unclear => return wrong_number("a number", node, context),
            },
            _ => return wrong_number("a number", node, context),
        };
        if bounds.contains(&amount) {
            return Some(amount);
        }
        context.error(
            Code::OutOfRange,
            node.mark,
            format!("{amount} is not within {} to {}", bounds.start(), bounds.end()),
        )
    }
}

/// One of a few words.
pub fn one_of<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Node, &Context) -> Option<T> {
    move |node, context| {
        let word = text(node, context)?;
        if let Some((_, value)) = words.iter().find(|(name, _)| *name == word) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let help = match nearest(word, &names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("it must be one of `{}`", names.join("`, `")),
        };
        context.error_with_help(Code::UnknownValue, node.mark, format!("unknown value {}", quoted(word)), help)
    }
}

/// The candidate that was probably meant.
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    // Whatever is longer than any name is no slip of the pen, and comparing it would cost.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    // `runAsHostUser` and `run-as-host-user` are `run_as_host_user`.
    let plain = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let wanted = plain(word);
    let tolerance = (word.chars().count() / 3).max(1);
    candidates
        .iter()
        .map(|c| (if plain(c) == wanted { 0 } else { strsim::damerau_levenshtein(word, c) }, *c))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn wrong_number<T>(expected: &str, node: &Node, context: &Context) -> Option<T> {
    let message = format!("expected {expected}, found {}", found(&node.value));
    match &node.value {
        Value::String(text) if text.parse::<f64>().is_ok() => {
            context.error_with_help(Code::WrongType, node.mark, message, "remove the quotes")
        }
        Value::Number(number) if number.amount == Amount::Unclear => {
            context.error_with_help(Code::WrongType, node.mark, message, "remove the leading zeros")
        }
        _ => context.error(Code::WrongType, node.mark, message),
    }
}

/// What stands there: the word if it is one, else the type.
fn found(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string {}", quoted(text)),
        Value::Number(number) => quoted(&number.text),
        Value::Bool(value) => format!("`{value}`"),
        other => other.describe().to_owned(),
    }
}
