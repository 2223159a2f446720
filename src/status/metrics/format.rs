//! In which of two formats metrics are written, and the older from the newer one. Pure.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
}

impl Format {
    /// What whoever asks likes best. Who does not say gets what every program reads.
    pub fn of(headers: &HeaderMap) -> Format {
        let (mut open, mut classic) = (0.0, 0.0);
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut quality = 1.0;
            let mut known = true;
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = value.trim().parse().unwrap_or(0.0),
                    "version" if kind == OPEN => known = matches!(value.trim(), "1.0.0" | "0.0.1"),
                    _ => {}
                }
            }
            match kind.as_str() {
                OPEN if known => open = f64::max(open, quality),
                "text/plain" | "text/*" | "*/*" => classic = f64::max(classic, quality),
                _ => {}
            }
        }
        if open > 0.0 && open >= classic { Format::OpenMetrics } else { Format::Prometheus }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

const OPEN: &str = "application/openmetrics-text";

/// The older format: there metrics are described by the names that their samples have, without a unit, and the end is the
/// end.
pub fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len() + 1_024);
    let mut help = None;
    for line in open.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), told) => help = told,
            (Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                let help = help.take().unwrap_or_default();
                for part in ["# HELP ", name, suffix, " ", help, "\n# TYPE ", name, suffix, " ", kind, "\n"] {
                    text.push_str(part);
                }
            }
            // UNIT and EOF.
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_liked_best() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            (&[prometheus][..], Format::OpenMetrics),
            (&["application/openmetrics-text"], Format::OpenMetrics),
            (&["text/plain", "Application/OpenMetrics-Text ; q=0.9"], Format::Prometheus),
            (&["application/openmetrics-text; q=0", "*/*;q=0.1"], Format::Prometheus),
            (&["application/openmetrics-text; version=2.0.0"], Format::Prometheus),
            (&["*/*"], Format::Prometheus),
            (&[";;q==,,"], Format::Prometheus),
            (&[], Format::Prometheus),
        ] {
            let mut headers = HeaderMap::new();
            accept.iter().for_each(|value| _ = headers.append(ACCEPT, value.parse().unwrap()));
            assert_eq!(Format::of(&headers), expected, "{accept:?}");
        }
    }

    #[test]
    fn the_older_format() {
        let open = "# HELP a_seconds Help with\\nmore\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total{x=\"# \"} 1\n\
                    # HELP b B\n# TYPE b info\nb_info{v=\"1\"} 1\n# HELP c C\n# TYPE c gauge\n# EOF\n";
        let expected = "# HELP a_seconds_total Help with\\nmore\n# TYPE a_seconds_total counter\na_seconds_total{x=\"# \"} 1\n\
                        # HELP b_info B\n# TYPE b_info gauge\nb_info{v=\"1\"} 1\n# HELP c C\n# TYPE c gauge\n";
        assert_eq!(classic(open), expected);
    }
}
