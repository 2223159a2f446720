//! The span of a plan: what a look at the sources has led to.

use crate::{
    manifest::Revision,
    reconcile::{Plan, Verb},
    telemetry::span::{Described, KeyValue, Parent, Span, SpanKind, text},
};
use std::{sync::Arc, time::SystemTime};

/// A source has something new.
#[derive(Clone, Debug)]
pub struct News {
    pub source: Arc<str>,
    pub revision: Revision,
    /// What found it.
    pub look: Parent,
}

/// The span of a plan that is about to be carried out, from when it was begun. One look that led to it is its parent;
/// of several, none is, and all are linked. None for a plan that is about nothing.
pub fn of_plan(plan: &Plan, news: &[News], began: SystemTime) -> Span {
    if plan.is_empty() && news.is_empty() {
        return Span::none();
    }
    let (parent, linked) = match news {
        [only] => (only.look.clone(), &[][..]),
        several => (Parent::none(), several),
    };
    Span::start(SpanKind::Internal, &parent, || {
        let mut attributes = Vec::new();
        for verb in [Verb::Start, Verb::Replace, Verb::Update, Verb::Stop] {
            let count = plan.actions.iter().filter(|action| action.verb == verb).count();
            attributes.push(KeyValue::new(format!("mcpfleet.plan.{verb}"), number(count)));
        }
        attributes.push(KeyValue::new("mcpfleet.plan.held", number(plan.held.len())));
        let list = |of: &dyn Fn(&News) -> String| text(&news.iter().map(of).collect::<Vec<_>>().join(" "));
        attributes.push(KeyValue::new("mcpfleet.source.name", list(&|news| news.source.to_string())));
        attributes.push(KeyValue::new("mcpfleet.revision", list(&|news| news.revision.to_string())));
        let links = linked.iter().filter_map(|news| news.look.link()).collect();
        Described { name: "reconcile".into(), attributes, links, since: Some(began) }
    })
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
