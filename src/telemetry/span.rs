//! Spans: what took how long, and on whose account. All of it does nothing where nobody collects them.

use crate::{escape::escape, protocol::TraceParent};
use futures_util::future::Either;
use opentelemetry::{
    Context, ContextGuard,
    trace::{
        FutureExt as _, SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
    },
};
pub use opentelemetry::{
    KeyValue,
    trace::{Link, SpanKind},
};
use opentelemetry_sdk::trace::SdkTracer;
use std::{borrow::Cow, str::FromStr as _, sync::OnceLock, time::SystemTime};

/// The longest text of strangers that a span has, in bytes.
pub const MAX_TEXT: usize = 256;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// From now on spans are made. Later calls do nothing.
pub(super) fn collect(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// Whether anybody collects spans.
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// The ids of the span that this thread works for, for logs.
pub fn current_ids() -> Option<(String, String)> {
    if !is_on() {
        return None;
    }
    Context::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        ids.is_valid().then(|| (ids.trace_id().to_string(), ids.span_id().to_string()))
    })
}

/// Text of a stranger as a span may have it: short, and without what could lead an eye astray.
pub fn text(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    escape(text.get(..end).unwrap_or_default()).into_owned()
}

/// What is the parent of new spans: a span here or elsewhere, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Parent(Option<Context>);

impl Parent {
    /// Nothing: the span begins a trace.
    pub fn none() -> Parent {
        Parent(None)
    }

    /// The span that this thread works for.
    pub fn current() -> Parent {
        if !is_on() {
            return Parent(None);
        }
        Parent(Context::map_current(|context| context.has_active_span().then(|| context.clone())))
    }

    /// A span elsewhere, by the text of `traceparent` and `tracestate`. `None`: there is none that can be understood.
    pub fn remote(traceparent: &str, tracestate: Option<&str>) -> Option<Parent> {
        if !is_on() {
            return None;
        }
        let parent = TraceParent::parse(traceparent)?;
        // As the standard has it, one that makes no sense is left behind, and says nothing of the other.
        let state = tracestate.and_then(|text| TraceState::from_str(text).ok()).unwrap_or_default();
        let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let ids = (TraceId::from(parent.trace_id), SpanId::from(parent.span_id));
        let context = SpanContext::new(ids.0, ids.1, flags, true, state);
        Some(Parent(Some(Context::new().with_remote_span_context(context))))
    }

    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// That a span has to do with this, although it is not its parent.
    pub fn link(&self) -> Option<Link> {
        let context = self.0.as_ref()?.span().span_context().clone();
        context.is_valid().then(|| Link::with_context(context))
    }

    /// What tells those further on of it: the texts of `traceparent` and `tracestate`, the latter mostly empty.
    pub fn carried(&self) -> Option<(String, String)> {
        let span = self.0.as_ref()?.span();
        let context = span.span_context();
        let parent = TraceParent {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(context.span_id().to_bytes()),
            sampled: context.is_sampled(),
        };
        context.is_valid().then(|| (parent.to_string(), context.trace_state().header()))
    }

    /// Whether spans below it are collected.
    pub fn is_sampled(&self) -> bool {
        self.0.as_ref().is_some_and(|context| context.span().span_context().is_sampled())
    }

    /// Has this thread work for it, until the guard is dropped, which must not live across an `await`.
    pub fn enter(&self) -> Option<ContextGuard> {
        self.0.clone().map(Context::attach)
    }

    /// Has a future work for it.
    pub fn within<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        match self.0.clone() {
            Some(context) => Either::Left(future.with_context(context)),
            None => Either::Right(future),
        }
    }
}

/// Something under way. It ends when this is dropped.
#[derive(Debug, Default)]
pub struct Span(Option<Context>);

impl Span {
    /// Where nobody collects spans, and for what is not to be seen.
    pub const fn none() -> Span {
        Span(None)
    }

    /// Begins one. The rest is only made where it is collected.
    pub fn start(kind: SpanKind, parent: &Parent, describe: impl FnOnce() -> Described) -> Span {
        let Some(tracer) = TRACER.get() else { return Span(None) };
        let nothing = Context::new();
        let parent = parent.0.as_ref().unwrap_or(&nothing);
        let Described { name, attributes, links, since } = describe();
        let mut builder = tracer.span_builder(name).with_kind(kind).with_attributes(attributes).with_links(links);
        builder.start_time = since;
        let span = tracer.build_with_context(builder, parent);
        Span(Some(Context::new().with_span(span)))
    }

    /// As the parent of others.
    pub fn as_parent(&self) -> Parent {
        Parent(self.0.clone())
    }

    /// Whether what is said of it is kept.
    pub fn is_recording(&self) -> bool {
        self.0.as_ref().is_some_and(|context| context.span().is_recording())
    }

    pub fn set(&self, attribute: KeyValue) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(attribute);
        }
    }

    /// It has to do with another.
    pub fn add_link(&self, link: Option<Link>) {
        if let (Some(context), Some(link)) = (&self.0, link) {
            context.span().add_link(link.span_context, link.attributes);
        }
    }

    /// It has come to nothing, for a reason out of few.
    pub fn failed(&self, error_type: impl Into<Cow<'static, str>>) {
        if let Some(context) = &self.0 {
            let span = context.span();
            span.set_attribute(KeyValue::new("error.type", error_type.into()));
            span.set_status(Status::error(""));
        }
    }

    /// Whether it has ended, or never was one.
    pub fn is_over(&self) -> bool {
        !self.is_recording()
    }

    /// Ends it as failed, unless it is over.
    pub fn failed_unless_over(&self, error_type: &'static str) {
        if !self.is_over() {
            self.failed(error_type);
            self.end();
        }
    }

    /// Ends it before it is dropped.
    pub fn end(&self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        // Others may hold the context, as their parent.
        self.end();
    }
}

/// Does a part of what this thread works for, with a span of its own, if there is anything that it works for.
pub fn scoped<T>(name: &'static str, work: impl FnOnce(&Span) -> T) -> T {
    let parent = Parent::current();
    if parent.is_none() {
        return work(&Span::none());
    }
    let span = Span::start(SpanKind::Internal, &parent, || Described { name: name.into(), ..Described::default() });
    let _working = span.as_parent().enter();
    work(&span)
}

/// What a span is of.
#[derive(Debug, Default)]
pub struct Described {
    pub name: Cow<'static, str>,
    pub attributes: Vec<KeyValue>,
    pub links: Vec<Link>,
    /// When it began, if that was before now.
    pub since: Option<SystemTime>,
}
