//! `audit`.

use super::{path, set};
use crate::{
    config::{Audit, Environment, Rotate},
    manifest::{
        Code,
        decode::{Context, boolean, duration_within, fields, integer, size},
        yaml::Node,
    },
};
use std::{ops::RangeInclusive, time::Duration};

/// Bounds of a file: less would be another file every few seconds.
const SIZE: RangeInclusive<u64> = 1 << 20..=1 << 40;
/// Of its age: from a minute to ten years.
const AGE: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(3_650 * 24 * 3_600);

pub(super) fn audit(node: &Node, environment: &Environment, context: &Context) -> Option<Audit> {
    let mut f = fields(node, "audit", context)?;
    let file = f.nullable("file", |node, context| path(node, environment, context));
    let mut audit = Audit { file, ..Audit::default() };
    set(&mut audit.arguments, f.optional("arguments", boolean));
    set(&mut audit.rotate, f.optional("rotate", rotate));
    f.finish();
    Some(audit)
}

fn rotate(node: &Node, context: &Context) -> Option<Rotate> {
    let mut f = fields(node, "audit.rotate", context)?;
    let mut rotate = Audit::default().rotate;
    set(&mut rotate.size, f.optional("size", bytes));
    set(&mut rotate.age, f.optional("age", duration_within(AGE)));
    set(&mut rotate.keep, f.optional("keep", integer(0..=10_000)));
    f.finish();
    Some(rotate)
}

fn bytes(node: &Node, context: &Context) -> Option<u64> {
    let bytes = size(node, context)?;
    if SIZE.contains(&bytes) {
        return Some(bytes);
    }
    context.error(Code::OutOfRange, node.mark, "a file of the audit has 1Mi to 1Ti")
}
