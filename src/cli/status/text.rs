//! The status as text for people. Pure.

use super::git;
use crate::{
    cli::terminal::{Cell, Table, escape},
    manifest::render,
    status::{
        PRUNE_GUARD,
        model::{
            AgentState, AppCondition, AppState, AppStatus, AuditStatus, InstanceStatus, SourceStatus, Status,
            TlsStatus, notification::NotificationStatus,
        },
    },
};
use anstyle::{AnsiColor, Style};
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const CHANGING: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// So long before its end a certificate is shown.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How an app's state is coloured.
pub fn state_style(state: AppState) -> Style {
    match state {
        AppState::Ready => GOOD,
        AppState::Pending | AppState::Starting | AppState::Draining => CHANGING,
        AppState::Degraded | AppState::Backoff | AppState::Failed => BAD,
        AppState::Suspended | AppState::Stopped => QUIET,
    }
}

/// The whole status at the time `now`.
pub fn render(status: &Status, now: Timestamp, verbose: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = agent(status, now, &mut text);
    let _ = sources(&status.sources, now, &mut text);
    let _ = apps(&status.apps, now, verbose, &mut text);
    text
}

fn agent(status: &Status, now: Timestamp, text: &mut String) -> std::fmt::Result {
    let agent = &status.agent;
    let (state, style) = match agent.state {
        AgentState::Ready => ("Ready", GOOD),
        AgentState::Reconciling => ("Reconciling", CHANGING),
        AgentState::Stalled => ("Stalled", BAD),
    };
    writeln!(text, "{style}{state}{style:#}: {}", escape(&agent.message))?;
    write!(text, "mcpfleet {}", escape(&agent.version))?;
    if let (Some(pid), Some(started)) = (agent.pid, agent.started) {
        write!(text, ", process {pid}, up {}", age(started, now))?;
    }
    match &agent.principal {
        Some(user) => writeln!(text, ", as user {} may see it", escape(user))?,
        None => writeln!(text)?,
    }
    writeln!(text, "gateway {}, authentication {}", escape(&agent.gateway), escape(&agent.auth))?;
    if let Some(tls) = &agent.tls {
        certificate(tls, now, text)?;
    }
    audit(&agent.audit, text)?;
    agent.notifications.iter().try_for_each(|notification| self::notification(notification, now, text))
}

/// A certificate of which all is well needs no line.
fn certificate(tls: &TlsStatus, now: Timestamp, text: &mut String) -> std::fmt::Result {
    let file = escape(&tls.cert_file);
    if let Some(problem) = &tls.problem {
        writeln!(text, "{BAD}certificate{BAD:#}: the one from before stays: {}", escape(problem))?;
    }
    match tls.expires {
        Some(expires) if expires <= now => {
            writeln!(text, "{BAD}certificate{BAD:#}: {file} ended {} ago", age(expires, now))
        }
        Some(expires) if expires.duration_since(now) < SOON => {
            writeln!(text, "{CHANGING}certificate{CHANGING:#}: {file} ends in {}", age(now, expires))
        }
        _ => Ok(()),
    }
}

/// An audit that is written in full needs none either.
fn audit(audit: &AuditStatus, text: &mut String) -> std::fmt::Result {
    if let Some(problem) = &audit.problem {
        writeln!(text, "{BAD}audit{BAD:#}: it cannot be written: {}", escape(problem))?;
    }
    if audit.dropped > 0 {
        writeln!(text, "{CHANGING}audit{CHANGING:#}: {} records came too fast and are missing", audit.dropped)?;
    }
    Ok(())
}

/// One that gets through needs none.
fn notification(told: &NotificationStatus, now: Timestamp, text: &mut String) -> std::fmt::Result {
    let (name, kind) = (escape(&told.name), escape(&told.kind));
    if let Some(problem) = &told.problem {
        let next = problem.next_attempt.map(|next| format!("; next attempt in {}", age(now, next))).unwrap_or_default();
        let waiting = if told.waiting > 0 { format!(", {} wait", told.waiting) } else { String::new() };
        let since = age(problem.since, now);
        writeln!(
            text,
            "{BAD}notification {name}{BAD:#} ({kind}): since {since}{waiting}: {}{next}",
            escape(&problem.message)
        )?;
    }
    if told.dropped > 0 {
        writeln!(text, "{CHANGING}notification {name}{CHANGING:#} ({kind}): {} messages are lost", told.dropped)?;
    }
    Ok(())
}

fn sources(sources: &[SourceStatus], now: Timestamp, text: &mut String) -> std::fmt::Result {
    if sources.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["SOURCE", "KIND", "REVISION", "FILES", "RESOURCES", "WATCH", "READ", "LOCATION"]);
    for source in sources {
        let read = source.last_read.map_or("never".into(), |read| age(read, now) + " ago");
        table.row(vec![
            Cell::new(&source.name),
            Cell::new(&source.kind),
            Cell::new(short(source.revision.as_deref().unwrap_or("-"))),
            Cell::new(&source.files.to_string()),
            Cell::new(&source.resources.to_string()),
            Cell::new(&source.watch),
            Cell::new(&read),
            Cell::new(&source.location),
        ]);
    }
    writeln!(text, "\n{}", table.render().trim_end())?;
    for source in sources {
        if let Some(problem) = &source.error {
            let (since, name) = (age(problem.since, now), escape(&source.name));
            let code = problem.code.as_deref().map(|code| format!("[{}]", escape(code))).unwrap_or_default();
            let next = problem.next_attempt.map(|next| format!("; next attempt in {}", age(now, next)));
            let message = escape(&problem.message);
            writeln!(
                text,
                "{BAD}error{code}{BAD:#}: {name} cannot be read for {since}: {message}{}",
                next.unwrap_or_default()
            )?;
        }
        git::describe(source, now, text)?;
        for diagnostic in &source.diagnostics {
            write!(text, "\n{}", render::text(diagnostic))?;
        }
    }
    Ok(())
}

fn apps(apps: &[AppStatus], now: Timestamp, verbose: bool, text: &mut String) -> std::fmt::Result {
    if apps.is_empty() {
        return writeln!(text, "\nNo apps.");
    }
    // Who made it what it is, where that is known.
    let authored = apps.iter().any(|app| app.author.is_some());
    let made: &[&str] = if authored { &["COMMIT", "AUTHOR"] } else { &[] };
    let columns = [&["APP", "STATE", "SINCE", "ERA", "SESSIONS", "PROCESSES", "RESTARTS"], made, &["REASON"]].concat();
    let mut table = Table::new(&columns);
    for app in apps {
        let state = match app.state {
            Some(state) => Cell::styled(&state.to_string(), state_style(state)),
            None => Cell::styled("-", QUIET),
        };
        let mut cells = vec![
            Cell::new(&app.name),
            state,
            Cell::new(&app.since.map_or("-".into(), |since| age(since, now))),
            Cell::new(app.era.as_deref().unwrap_or("-")),
            Cell::new(&app.sessions.to_string()),
            Cell::new(&app.instances.len().to_string()),
            Cell::new(&app.restarts.to_string()),
        ];
        if authored {
            let name = app.author.as_deref().map(|author| author.split(" <").next().unwrap_or(author));
            let commit = app.revision.as_deref().filter(|_| name.is_some()).map_or("-", git::short);
            cells.extend([Cell::new(commit), Cell::new(name.unwrap_or("-"))]);
        }
        cells.push(Cell::new(&reason(app, now)));
        table.row(cells);
    }
    writeln!(text, "\n{}", table.render().trim_end())?;
    if verbose {
        instances(apps, now, text)?;
        confinement(apps, text)?;
    } else {
        gaps(apps, text)?;
    }
    held(apps, text)
}

/// Why an app is as it is, with what is remarkable about its definition.
fn reason(app: &AppStatus, now: Timestamp) -> String {
    let next = app.next_attempt.map(|next| format!("next start in {}", age(now, next)));
    let conditions = app.conditions.iter().map(|condition| format!("{}: {}", condition.kind, condition.message));
    let labels = app.dynamic_label_problems.iter().map(|(key, problem)| format!("label `{key}`: {problem}"));
    app.reason.clone().into_iter().chain(next).chain(conditions).chain(labels).collect::<Vec<_>>().join("; ")
}

fn instances(apps: &[AppStatus], now: Timestamp, text: &mut String) -> std::fmt::Result {
    let mut table = Table::new(&["APP", "INSTANCE", "PID", "ROLE", "SINCE", "SPEC"]);
    for (app, instance) in apps.iter().flat_map(|app| app.instances.iter().map(move |instance| (app, instance))) {
        table.row(vec![
            Cell::new(&app.name),
            Cell::new(&instance.id),
            Cell::new(&instance.pid.map_or("-".into(), |pid| pid.to_string())),
            Cell::new(&role(instance)),
            Cell::new(&age(instance.since, now)),
            Cell::new(&instance.spec),
        ]);
    }
    writeln!(text, "\n{}", table.render().trim_end())?;
    exits(apps, now, text)
}

/// How the last process that stood for each app has ended, where one has.
fn exits(apps: &[AppStatus], now: Timestamp, text: &mut String) -> std::fmt::Result {
    let mut table = Table::new(&["APP", "LAST EXIT", "ENDED", "RESTARTS"]);
    let mut any = false;
    for app in apps {
        let Some(exit) = &app.last_exit else { continue };
        any = true;
        table.row(vec![
            Cell::new(&app.name),
            Cell::new(exit),
            Cell::new(&app.last_exit_at.map_or("-".into(), |at| age(at, now) + " ago")),
            Cell::new(&app.restarts.to_string()),
        ]);
    }
    if any { writeln!(text, "\n{}", table.render().trim_end()) } else { Ok(()) }
}

/// Limits and sandboxes, one a line.
fn confinement(apps: &[AppStatus], text: &mut String) -> std::fmt::Result {
    let all: Vec<_> = apps.iter().flat_map(|app| app.confinement.iter().map(move |one| (app, one))).collect();
    if all.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["APP", "LIMIT OR SANDBOX", "BY", "NOT IN FORCE"]);
    for (app, one) in all {
        let by = one.by.as_deref().map_or(Cell::styled("nothing", BAD), Cell::new);
        table.row(vec![Cell::new(&app.name), Cell::new(&one.what), by, Cell::new(one.gap.as_deref().unwrap_or("-"))]);
    }
    writeln!(text, "\n{}", table.render().trim_end())
}

/// What was asked for and is not in force is told to everybody.
fn gaps(apps: &[AppStatus], text: &mut String) -> std::fmt::Result {
    for app in apps {
        for one in app.confinement.iter().filter(|one| one.gap.is_some()) {
            let told = format!("{}: not all of it is in force: {one}", app.name);
            writeln!(text, "{CHANGING}warning{CHANGING:#}: {}", escape(&told))?;
        }
    }
    Ok(())
}

fn role(instance: &InstanceStatus) -> String {
    use crate::status::model::InstanceRole::{Primary, Session, Warm};
    let role = match instance.role {
        Primary => "primary",
        Warm => "warm",
        Session => "session",
    };
    if instance.draining { format!("{role}, draining") } else { role.into() }
}

fn held(apps: &[AppStatus], text: &mut String) -> std::fmt::Result {
    let by_guard = |condition: &AppCondition| condition.code.as_deref() == Some(PRUNE_GUARD);
    let is_held = |app: &&AppStatus| app.conditions.iter().any(by_guard);
    let held: Vec<_> = apps.iter().filter(is_held).map(|app| escape(&app.name)).collect();
    if held.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n{CHANGING}held{CHANGING:#}: {} would be removed: {}. `mcpfleet reconcile --prune` lets them go.",
        held.len(),
        held.join(", ")
    )
}

/// The first digits of a revision, which tell it from others.
fn short(revision: &str) -> &str {
    revision.get(..12).unwrap_or(revision)
}

/// The time from `from` to `to` in its largest unit. Clocks differ, so what lies in the future is no time at all.
pub(super) fn age(from: Timestamp, to: Timestamp) -> String {
    match to.duration_since(from).as_secs() {
        ..0 => "0s".into(),
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests;
