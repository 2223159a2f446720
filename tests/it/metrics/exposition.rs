//! Reads what an agent exports, in the older of the two formats.

use std::collections::{BTreeMap, BTreeSet};

/// A page of metrics.
#[derive(Debug, Default)]
pub struct Exposition {
    /// Name to type, as `# TYPE` has it.
    pub types: BTreeMap<String, String>,
    pub help: BTreeMap<String, String>,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Exposition {
    /// Panics where the text is not what every reader understands.
    pub fn read(text: &str) -> Exposition {
        let mut read = Exposition::default();
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            match line.strip_prefix("# ").map(|comment| comment.splitn(3, ' ').collect::<Vec<_>>()).as_deref() {
                Some(["HELP", name, help]) => drop(read.help.insert((*name).to_owned(), (*help).to_owned())),
                Some(["TYPE", name, kind]) => {
                    assert!(read.types.insert((*name).to_owned(), (*kind).to_owned()).is_none(), "{line}");
                }
                Some(_) => panic!("not a comment that is known: {line}"),
                None => {
                    let (series, _) = line.rsplit_once(' ').expect("a sample");
                    assert!(seen.insert(series.to_owned()), "twice: {line}");
                    read.samples.push(sample(line));
                }
            }
        }
        read
    }

    /// The metric that a sample is of.
    pub fn family<'s>(&self, sample: &'s str) -> Option<&'s str> {
        if self.types.contains_key(sample) {
            return Some(sample);
        }
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| sample.strip_suffix(suffix))?;
        (self.types.get(stem)? == "histogram").then_some(stem)
    }

    /// The value of the one sample that has these labels among its own.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|has| has == value))
        };
        let mut found = self.samples.iter().filter(has);
        let value = found.next()?.value;
        assert_eq!(found.next(), None, "{name} {labels:?} is more than one");
        Some(value)
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let value = value.replace("+Inf", "inf").parse().unwrap_or_else(|_| panic!("a number: {line}"));
    let Some((name, labels)) = series.split_once('{') else {
        return Sample { name: series.to_owned(), labels: BTreeMap::new(), value };
    };
    let mut rest = labels.strip_suffix('}').unwrap_or_else(|| panic!("an end of the labels: {line}"));
    let mut read = BTreeMap::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("a label: {line}"));
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().unwrap_or_else(|| panic!("an end of the label: {line}")) {
                (_, '\\') => value.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, other @ ('"' | '\\'))) => other,
                    other => panic!("{other:?} is no escape: {line}"),
                }),
                (at, '"') => break at,
                (_, other) => value.push(other),
            }
        };
        assert!(read.insert(key.to_owned(), value).is_none(), "twice {key}: {line}");
        rest = after[end + 1..].trim_start_matches(',');
    }
    Sample { name: name.to_owned(), labels: read, value }
}

#[test]
fn lines_are_read() {
    let read = Exposition::read(
        "# HELP a_total A b\n# TYPE a_total counter\na_total{x=\"1\\\"\\n,}\",y=\"\"} 2.5\n# HELP h H\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n",
    );
    assert_eq!(read.value("a_total", &[("x", "1\"\n,}")]), Some(2.5));
    assert_eq!((read.family("h_count"), read.family("a_count")), (Some("h"), None));
    assert_eq!(read.help["a_total"], "A b");
}
