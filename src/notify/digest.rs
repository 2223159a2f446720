//! Messages for people: what comes at once is one message, and what comes again and again is told now and then. Pure.

use super::{
    forge::Agent,
    notice::{Notice, Subject},
    text::line,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

/// How long is collected what comes at once.
pub const WINDOW: Duration = Duration::from_secs(3);
/// How many lines a message has.
const MAX_LINES: usize = 15;
/// How long a line's text is, in characters.
const MAX_TEXT: usize = 110;
/// Of how many subjects is remembered when they were told of last.
const MAX_SUBJECTS: usize = 10_000;

/// What is to be told, and what has been.
#[derive(Debug)]
pub struct Digest {
    interval: Duration,
    /// To be told at `due`, in the order of arrival.
    collected: BTreeMap<u64, (Subject, Line)>,
    due: Option<Instant>,
    /// Told lately: until when nothing is told of it, and what has come meanwhile.
    quiet: HashMap<Subject, Quiet>,
    arrived: u64,
}

#[derive(Clone, Debug)]
struct Line {
    source: Option<String>,
    kind: String,
    text: String,
    count: u64,
}

#[derive(Debug)]
struct Quiet {
    until: Instant,
    /// Somebody has heard that something is wrong with it.
    troubled: bool,
    last: Option<Line>,
}

impl Digest {
    pub fn new(interval: Duration) -> Digest {
        Digest { interval, collected: BTreeMap::new(), due: None, quiet: HashMap::new(), arrived: 0 }
    }

    /// Whether somebody has heard that something is wrong with this, and not that it is over.
    pub fn is_troubled(&self, subject: &Subject) -> bool {
        self.quiet.get(subject).is_some_and(|quiet| quiet.troubled)
            || self.collected.values().any(|(collected, _)| collected == subject)
    }

    /// Takes something in.
    pub fn add(&mut self, notice: &Notice, now: Instant) {
        let Notice { subject, source, kind, message, .. } = notice;
        let text = line(message, MAX_TEXT);
        let new = Line { source: source.clone(), kind: kind.clone(), text, count: 1 };
        if let Some(quiet) = self.quiet.get_mut(subject).filter(|quiet| quiet.until > now || quiet.last.is_some()) {
            let count = quiet.last.as_ref().map_or(0, |last| last.count);
            quiet.last = Some(Line { count: count + 1, ..new });
            quiet.troubled = !notice.good;
            return;
        }
        let before = self.collected.iter().find(|(_, (collected, _))| collected == subject);
        let (number, count) = match before {
            Some((number, (_, line))) => (*number, line.count),
            None => {
                self.arrived += 1;
                (self.arrived, 0)
            }
        };
        self.collected.insert(number, (subject.clone(), Line { count: count + 1, ..new }));
        let troubled = !notice.good;
        // Until it is told: the time counts from there.
        self.quiet.entry(subject.clone()).or_insert(Quiet { until: now, troubled, last: None }).troubled = troubled;
        self.due.get_or_insert(now + WINDOW);
    }

    /// When there is something to be told.
    pub fn due(&self) -> Option<Instant> {
        let again = self.quiet.values().filter(|quiet| quiet.last.is_some()).map(|quiet| quiet.until);
        again.chain(self.due).min()
    }

    /// What is to be told now, as the text of one message.
    pub fn take(&mut self, agent: &Agent, now: Instant) -> Option<String> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        let mut lines: Vec<(Subject, Line)> = std::mem::take(&mut self.collected).into_values().collect();
        self.due = None;
        for (subject, quiet) in self.quiet.iter_mut().filter(|(_, quiet)| quiet.until <= now) {
            lines.extend(quiet.last.take().map(|line| (subject.clone(), line)));
        }
        let until = now + self.interval;
        for (subject, _) in &lines {
            if let Some(quiet) = self.quiet.get_mut(subject) {
                quiet.until = until;
            }
        }
        self.forget(now);
        (!lines.is_empty()).then(|| text(agent, &lines))
    }

    /// Of what nobody has to hear any more.
    fn forget(&mut self, now: Instant) {
        let full = self.quiet.len() > MAX_SUBJECTS;
        self.quiet.retain(|_, quiet| quiet.until > now || quiet.last.is_some() || quiet.troubled && !full);
    }
}

fn text(agent: &Agent, lines: &[(Subject, Line)]) -> String {
    let mut text = format!("mcpfleet on {}:", code(&agent.name));
    for (subject, line) in lines.iter().take(MAX_LINES) {
        let what = match subject {
            Subject::App(name) => format!("app {}", code(name)),
            Subject::Source(name) => format!("source {}", code(name)),
            Subject::Commit(commit) => {
                let of = line.source.as_deref().map(|source| format!(" of {}", code(source))).unwrap_or_default();
                format!("commit {}{of}", code(commit.get(..12).unwrap_or(commit)))
            }
            Subject::Agent => "agent".to_owned(),
        };
        let times = if line.count > 1 { format!(" ({} times)", line.count) } else { String::new() };
        text.push_str(&format!("\n• {what}, {}{times}: {}", line.kind, code(&line.text)));
    }
    match lines.len().saturating_sub(MAX_LINES) {
        0 => {}
        more => text.push_str(&format!("\n… and {more} more; `mcpfleet status` shows all")),
    }
    if let Some(url) = &agent.public_url {
        text.push_str(&format!("\n{}", escaped(url)));
    }
    text
}

/// The message as incoming webhooks take it.
pub fn body(text: &str) -> String {
    json!({"text": text, "mrkdwn": true, "unfurl_links": false, "unfurl_media": false}).to_string()
}

/// Text of strangers, in which nobody finds markup, a link or a mention: as code. A mention is broken up even there.
fn code(text: &str) -> String {
    let text = line(text, MAX_TEXT).replace('`', "'").replace('@', "@\u{200b}");
    if text.trim().is_empty() { "-".to_owned() } else { format!("`{}`", escaped(&text)) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
