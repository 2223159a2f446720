//! The spans that have ended, and the thread that sends them.

use super::collector::{Collector, NotTaken};
use crate::jitter;
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope},
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanProcessor},
};
use prost::Message;
use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// The most spans of a request.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How often a batch is offered, and how long is waited after the first time and at most.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What has become of the spans so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub sent: AtomicU64,
    /// There was no room for them.
    pub dropped: AtomicU64,
    /// The collector has not taken them.
    pub failed: AtomicU64,
}

/// What has ended and has not been sent.
#[derive(Debug)]
struct Waiting {
    spans: VecDeque<SpanData>,
    /// When the thread is to be done, if it is to end.
    stop_by: Option<Instant>,
    /// The thread has ended.
    over: bool,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// A batch begins, or is complete, or the end is near.
    news: Condvar,
    /// The thread has ended.
    end: Condvar,
    room: usize,
    tally: Arc<Tally>,
}

/// Takes spans from whoever ends them. Never waits.
#[derive(Debug)]
pub(super) struct Exporter(Arc<Shared>);

impl Exporter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there cannot be another.
    pub(super) fn start(collector: Collector, resource: &Resource, room: usize, tally: Arc<Tally>) -> io::Result<Self> {
        let waiting = Mutex::new(Waiting { spans: VecDeque::new(), stop_by: None, over: false });
        let shared = Arc::new(Shared { waiting, news: Condvar::new(), end: Condvar::new(), room, tally });
        let sender = Sender { shared: shared.clone(), collector, resource: resource.into(), failing: false, lost: 0 };
        thread::Builder::new().name("traces".into()).spawn(move || sender.run())?;
        Ok(Exporter(shared))
    }
}

impl SpanProcessor for Exporter {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let mut waiting = self.0.lock();
        if waiting.spans.len() >= self.0.room || waiting.over {
            drop(waiting);
            self.0.tally.dropped.fetch_add(1, Relaxed);
            return;
        }
        waiting.spans.push_back(span);
        let count = waiting.spans.len();
        drop(waiting);
        if count == 1 || count == BATCH {
            self.0.news.notify_one();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let by = Instant::now() + timeout;
        let mut waiting = self.0.lock();
        waiting.stop_by.get_or_insert(by);
        self.0.news.notify_one();
        while !waiting.over {
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // The thread ends with the process.
                return Err(OTelSdkError::Timeout(timeout));
            }
            waiting = self.0.end.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for spans; `None`: there will be none any more.
    fn batch(&self) -> Option<Vec<SpanData>> {
        let mut waiting = self.lock();
        while waiting.spans.is_empty() {
            if waiting.stop_by.is_some() {
                return None;
            }
            waiting = self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let complete = Instant::now() + GATHER;
        while waiting.spans.len() < BATCH && waiting.stop_by.is_none() {
            let left = complete.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = self.news.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let count = waiting.spans.len().min(BATCH);
        Some(waiting.spans.drain(..count).collect())
    }

    /// Waits for so long, or until the end is near. Whether there is time for another attempt.
    fn rest(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut waiting = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if waiting.stop_by.is_some() {
                return false;
            }
            if left.is_zero() {
                return true;
            }
            waiting = self.news.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How long a request may take.
    fn time_left(&self) -> Duration {
        let by = self.lock().stop_by;
        by.map_or(Duration::MAX, |by| by.saturating_duration_since(Instant::now()))
    }
}

/// What the thread has.
struct Sender {
    shared: Arc<Shared>,
    collector: Collector,
    resource: ResourceAttributesWithSchema,
    /// The collector has not taken the last batch, which has been said.
    failing: bool,
    /// Spans that were lost since.
    lost: u64,
}

impl Sender {
    fn run(mut self) {
        while let Some(batch) = self.shared.batch() {
            self.send(batch);
        }
        let mut waiting = self.shared.lock();
        waiting.over = true;
        drop(waiting);
        self.shared.end.notify_all();
    }

    fn send(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        let dropped = self.shared.tally.dropped.load(Relaxed);
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let mut pause = FIRST_WAIT;
        for attempt in 1.. {
            let outcome = self.collector.post(&body, self.shared.time_left());
            let (why, after) = match outcome {
                Ok(()) => {
                    self.shared.tally.sent.fetch_add(count, Relaxed);
                    return self.taken();
                }
                Err(NotTaken::Later { why, after }) => (why, Some(after)),
                Err(NotTaken::Never(why)) => (why, None),
            };
            self.not_taken(&why);
            let Some(after) = after.filter(|_| attempt < ATTEMPTS) else { break };
            if !self.shared.rest(after.unwrap_or_else(|| pause.mul_f64(0.5 + jitter::draw()))) {
                break;
            }
            pause = (pause * 2).min(LONGEST_WAIT);
        }
        self.shared.tally.failed.fetch_add(count, Relaxed);
        self.lost += count + self.shared.tally.dropped.load(Relaxed).saturating_sub(dropped);
    }

    /// Said once, until it works again: a collector that is down for a day is no news each minute.
    fn not_taken(&mut self, why: &str) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(
                collector = self.collector.url(),
                reason = why,
                "the collector does not take spans; it is tried again, and what does not fit into `telemetry.otlp.queue` \
                 meanwhile is dropped"
            );
        }
    }

    fn taken(&mut self) {
        if std::mem::take(&mut self.failing) {
            let lost = std::mem::take(&mut self.lost);
            tracing::info!(collector = self.collector.url(), lost, "the collector takes spans again");
        }
    }
}
