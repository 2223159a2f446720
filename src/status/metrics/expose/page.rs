//! Writes samples, of one metric after another.

use crate::{
    measure::{BOUNDS, Distribution},
    status::metrics::families::Family,
};
use jiff::Timestamp;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use std::fmt;

/// Where samples are written to.
pub struct Page<'a>(DescriptorEncoder<'a>);

/// The samples of one metric. Two of them must not have the same labels: whoever reads that throws away all of it.
pub struct Samples<'a> {
    encoder: MetricEncoder<'a>,
    labels: &'static [&'static str],
}

impl<'a> Page<'a> {
    pub fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Page(encoder)
    }

    /// Begins a metric.
    pub fn of(&mut self, family: &'static Family) -> Result<Samples<'_>, fmt::Error> {
        let Family { kind, unit, labels, help, .. } = family;
        let encoder = self.0.encode_descriptor(family.stem(), help, unit.as_ref(), *kind)?;
        Ok(Samples { encoder, labels })
    }

    /// A metric that has no labels.
    pub fn one(&mut self, family: &'static Family, value: impl EncodeGaugeValue) -> fmt::Result {
        self.of(family)?.gauge([], value)
    }

    /// The same where there may be nothing to tell.
    pub fn maybe(&mut self, family: &'static Family, value: Option<impl EncodeGaugeValue>) -> fmt::Result {
        let mut samples = self.of(family)?;
        value.map_or(Ok(()), |value| samples.gauge([], value))
    }
}

impl Samples<'_> {
    /// A gauge, with values for the labels in their order.
    pub fn gauge<const N: usize>(&mut self, values: [&str; N], value: impl EncodeGaugeValue) -> fmt::Result {
        let labels = self.labelled(values);
        match N {
            0 => self.encoder.encode_gauge(&value),
            _ => self.encoder.encode_family(&labels)?.encode_gauge(&value),
        }
    }

    pub fn counter<const N: usize>(&mut self, values: [&str; N], value: impl EncodeCounterValue) -> fmt::Result {
        let labels = self.labelled(values);
        match N {
            0 => self.encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
            _ => self.encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None),
        }
    }

    pub fn info<const N: usize>(&mut self, values: [&str; N]) -> fmt::Result {
        let labels = self.labelled(values);
        self.encoder.encode_info(&labels)
    }

    pub fn histogram<const N: usize>(&mut self, values: [&str; N], value: &Distribution) -> fmt::Result {
        let labels = self.labelled(values);
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(value.buckets).collect();
        let (sum, count) = (value.sum, value.count());
        match N {
            0 => self.encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None),
            _ => self.encoder.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None),
        }
    }

    fn labelled<'v, const N: usize>(&self, values: [&'v str; N]) -> [(&'static str, &'v str); N] {
        debug_assert_eq!(self.labels.len(), N);
        let mut names = self.labels.iter();
        values.map(|value| (names.next().copied().unwrap_or_default(), value))
    }
}

/// Seconds since 1970.
pub fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1e3
}
