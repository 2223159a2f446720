//! The language of `where` in a role's rules.
//!
//! ```text
//! equals(resource.metadata.labels["team"], "web") && !contains(user.spec.traits.groups, "interns")
//! ```
//!
//! Terms are `equals(a, b)` and `contains(list, x)`, joined by `&&`, `||`, `!` and parentheses with the usual
//! precedence; operands are string literals and fields. Every field is known to the parser, so that a misspelt one
//! is an error where it is written and not a condition that never holds.
//!
//! What a predicate means where something is missing:
//! * One that names a field of the resource is false as a whole where there is no resource, also under `!`.
//! * A field that is absent equals the literal `""`, as in the reference system, and nothing else: two absent fields
//!   are not equal. It contains nothing.
//! * Numbers and booleans are compared by their text; lists are equal when their elements are, one by one; anything
//!   else, a list with a text say, is not equal.

mod field;
mod parse;

use field::{Field, Root};
use serde_json::Value;
use std::borrow::Cow;

/// A parsed predicate.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate {
    expression: Expression,
    needs_resource: bool,
}

/// Why a text is not a predicate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {offset})")]
pub struct PredicateError {
    /// Bytes from the start of the text.
    pub offset: usize,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    Equals(Operand, Operand),
    Contains(Operand, Operand),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Text(String),
    Field(Field),
}

/// Checks a predicate without keeping it.
pub fn check(text: &str) -> Result<(), PredicateError> {
    Predicate::parse(text).map(drop)
}

impl Predicate {
    pub fn parse(text: &str) -> Result<Predicate, PredicateError> {
        let expression = parse::parse(text)?;
        let needs_resource = expression.names_resource();
        Ok(Predicate { expression, needs_resource })
    }

    /// Whether the predicate holds. Both values have the shape of the written documents: `metadata` and `spec` with
    /// the fields of the resource reference. `resource` is `None` where a rule is not about one resource.
    pub fn eval(&self, resource: Option<&Value>, user: &Value) -> bool {
        if self.needs_resource && resource.is_none() {
            return false;
        }
        self.expression.eval(&Context { resource: resource.unwrap_or(&Value::Null), user })
    }
}

struct Context<'a> {
    resource: &'a Value,
    user: &'a Value,
}

impl Expression {
    fn eval(&self, context: &Context) -> bool {
        match self {
            Expression::Any(terms) => terms.iter().any(|term| term.eval(context)),
            Expression::All(terms) => terms.iter().all(|term| term.eval(context)),
            Expression::Not(term) => !term.eval(context),
            Expression::Equals(a, b) => equals(a, b, context),
            Expression::Contains(list, item) => contains(list, item, context),
        }
    }

    fn names_resource(&self) -> bool {
        match self {
            Expression::Any(terms) | Expression::All(terms) => terms.iter().any(Expression::names_resource),
            Expression::Not(term) => term.names_resource(),
            Expression::Equals(a, b) | Expression::Contains(a, b) => [a, b]
                .into_iter()
                .any(|operand| matches!(operand, Operand::Field(field) if field.root == Root::Resource)),
        }
    }
}

fn equals(a: &Operand, b: &Operand, context: &Context) -> bool {
    match (a, b) {
        (Operand::Text(a), Operand::Text(b)) => a == b,
        (Operand::Text(text), Operand::Field(field)) | (Operand::Field(field), Operand::Text(text)) => {
            match field.find(context) {
                None => text.is_empty(),
                Some(value) => scalar(value).is_some_and(|value| value == *text),
            }
        }
        (Operand::Field(a), Operand::Field(b)) => match (a.find(context), b.find(context)) {
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Some(a), Some(b)) => same(a, b),
            _ => false,
        },
    }
}

fn contains(list: &Operand, item: &Operand, context: &Context) -> bool {
    let Operand::Field(list) = list else { return false };
    let Some(Value::Array(list)) = list.find(context) else { return false };
    let item = match item {
        Operand::Text(text) => Some(Cow::from(text)),
        Operand::Field(field) => field.find(context).and_then(scalar),
    };
    item.is_some_and(|item| list.iter().any(|element| scalar(element).is_some_and(|element| element == item)))
}

fn same(a: &Value, b: &Value) -> bool {
    matches!((scalar(a), scalar(b)), (Some(a), Some(b)) if a == b)
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::from(text)),
        Value::Number(number) => Some(Cow::from(number.to_string())),
        Value::Bool(flag) => Some(Cow::from(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
