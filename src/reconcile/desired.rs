//! Which apps this agent is to run, and why it does not run the others.

use crate::{
    manifest::{Entry, Snapshot},
    resource::{App, Resource, Selector},
};
use jiff::Timestamp;
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

/// What a source says now.
#[derive(Clone, Debug)]
pub struct SourceInput {
    pub name: Arc<str>,
    pub snapshot: Arc<Snapshot>,
}

/// What of it this agent runs: `app_service` of its configuration.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Without it nothing runs, static apps included.
    pub enabled: bool,
    /// An app of a source runs when any of these matches its labels; none match nothing.
    pub selectors: Vec<Selector>,
    /// Apps of the agent's own configuration: not subject to selectors, and never replaced by a resource.
    pub static_apps: Vec<Arc<App>>,
}

/// What is to run, and what is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// By name. No two names are equal when case is ignored.
    pub apps: BTreeMap<String, DesiredApp>,
    /// Definitions that do not run, by name and then in the order of the sources. A name may be in both maps: then
    /// these are the definitions behind the one that runs.
    pub others: BTreeMap<String, Vec<Idle>>,
    /// When the next app expires, and all this has to be decided again.
    pub next_expiry: Option<Timestamp>,
}

/// An app that is to run.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredApp {
    pub app: Arc<App>,
    /// `None`: the agent's own configuration.
    pub origin: Option<Origin>,
    /// The selector that chose it, for people; `None` for a static app.
    pub selected_by: Option<Arc<str>>,
}

/// Where a definition comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub source: Arc<str>,
    pub entry: Arc<Entry>,
}

/// A definition that does not run.
#[derive(Clone, Debug, PartialEq)]
pub struct Idle {
    pub app: Arc<App>,
    pub origin: Option<Origin>,
    pub why: Why,
}

/// Why a definition does not run. Its `Display` is a clause for people: "no selector matches its labels".
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    NotSelected,
    /// `app_service.enabled` is false.
    Disabled,
    Expired(Timestamp),
    /// Another definition of the name goes before it.
    Shadowed {
        /// Its name, which may differ in case.
        by: String,
        /// Its source; `None`: the agent's own configuration.
        source: Option<Arc<str>>,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NotSelected => f.write_str("no selector matches its labels"),
            Why::Disabled => f.write_str("app_service is not enabled"),
            Why::Expired(at) => write!(f, "expired at {at}"),
            Why::Shadowed { by, source: None } => write!(f, "shadowed by `{by}` of the agent's configuration"),
            Why::Shadowed { by, source: Some(source) } => write!(f, "shadowed by `{by}` of source `{source}`"),
        }
    }
}

/// Decides what runs.
///
/// `sources` are in the order of the configuration: on a name clash the earlier one wins, whether or not its app is
/// selected. An app that has expired counts as absent and so leaves its name to others; only a static one keeps it.
pub fn desired(sources: &[SourceInput], selection: &Selection, now: Timestamp) -> Desired {
    let selectors: Vec<(&Selector, Arc<str>)> =
        selection.selectors.iter().map(|selector| (selector, Arc::from(selector.to_string()))).collect();
    let mut out = Choice::default();
    let all = sources.iter().map(|source| source.snapshot.resources.len()).sum::<usize>();
    let mut names = Names(HashMap::with_capacity(all + selection.static_apps.len()));

    for app in &selection.static_apps {
        let verdict = match names.claim(&app.metadata.name, None) {
            Err(shadowed) => Err(shadowed),
            Ok(()) => out.alive(app, now).and_then(|()| enabled(selection)).map(|()| None),
        };
        out.put(app, None, verdict);
    }
    for SourceInput { name, snapshot } in sources {
        for entry in snapshot.resources.values() {
            let Resource::App(app) = &entry.located.resource else { continue };
            let verdict = out
                .alive(app, now)
                .and_then(|()| names.claim(&app.metadata.name, Some(name)))
                .and_then(|()| enabled(selection))
                .and_then(|()| {
                    let chosen = selectors.iter().find(|(selector, _)| selector.matches(&app.metadata.labels));
                    chosen.map(|(_, shown)| Some(shown.clone())).ok_or(Why::NotSelected)
                });
            let origin = Origin { source: name.clone(), entry: entry.clone() };
            out.put(app, Some(origin), verdict);
        }
    }
    // All at once, because most of them are in order already.
    Desired { apps: out.apps.into_iter().collect(), others: out.others, next_expiry: out.next_expiry }
}

/// What has been chosen so far. No name is chosen twice.
#[derive(Default)]
struct Choice {
    apps: Vec<(String, DesiredApp)>,
    others: BTreeMap<String, Vec<Idle>>,
    next_expiry: Option<Timestamp>,
}

fn enabled(selection: &Selection) -> Result<(), Why> {
    if selection.enabled { Ok(()) } else { Err(Why::Disabled) }
}

impl Choice {
    /// Whether the app has not expired, and if so, remembers when it will.
    fn alive(&mut self, app: &App, now: Timestamp) -> Result<(), Why> {
        match app.metadata.expires {
            Some(at) if at <= now => Err(Why::Expired(at)),
            Some(at) => {
                self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn put(&mut self, app: &Arc<App>, origin: Option<Origin>, verdict: Result<Option<Arc<str>>, Why>) {
        let (name, app) = (app.metadata.name.clone(), app.clone());
        match verdict {
            Ok(selected_by) => self.apps.push((name, DesiredApp { app, origin, selected_by })),
            Err(why) => self.others.entry(name).or_default().push(Idle { app, origin, why }),
        }
    }
}

/// Who has a name, in lower case: two names that differ only in case are the same.
struct Names<'a>(HashMap<Cow<'a, str>, (&'a str, Option<&'a Arc<str>>)>);

impl<'a> Names<'a> {
    fn claim(&mut self, name: &'a str, source: Option<&'a Arc<str>>) -> Result<(), Why> {
        use std::collections::hash_map::Entry;
        let folded = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        match self.0.entry(folded) {
            Entry::Vacant(entry) => {
                entry.insert((name, source));
                Ok(())
            }
            Entry::Occupied(entry) => {
                let (by, source) = *entry.get();
                Err(Why::Shadowed { by: by.to_owned(), source: source.cloned() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::fixture::{app, at, selector, source};

    fn selection(static_apps: &[&str]) -> Selection {
        Selection {
            enabled: true,
            selectors: vec![selector("env", "prod"), selector("env", "*")],
            static_apps: static_apps.iter().map(|name| app(name, "static", &[])).collect(),
        }
    }

    fn why<'d>(desired: &'d Desired, name: &str) -> Vec<&'d Why> {
        desired.others.get(name).into_iter().flatten().map(|idle| &idle.why).collect()
    }

    #[test]
    fn selectors_choose_and_say_which() {
        let one =
            source("one", [app("a", "x", &[("env", "prod")]), app("b", "x", &[("env", "t")]), app("c", "x", &[])]);
        let d = desired(&[one], &selection(&[]), at(0));
        let chosen: Vec<_> = d.apps.iter().map(|(n, a)| (n.as_str(), a.selected_by.as_deref())).collect();
        assert_eq!(chosen, [("a", Some("env=prod")), ("b", Some("env=*"))]);
        assert_eq!(why(&d, "c"), [&Why::NotSelected]);
    }

    #[test]
    fn without_selectors_only_static_apps_run_and_disabled_none() {
        let one = source("one", [app("a", "x", &[("env", "prod")])]);
        let mut settings = Selection { selectors: Vec::new(), ..selection(&["s"]) };
        let d = desired(std::slice::from_ref(&one), &settings, at(0));
        assert_eq!(d.apps.keys().collect::<Vec<_>>(), ["s"]);
        assert_eq!(d.apps.get("s").map(|a| (a.origin.is_none(), a.selected_by.is_none())), Some((true, true)));
        settings.enabled = false;
        let d = desired(&[one], &settings, at(0));
        assert!(d.apps.is_empty());
        assert_eq!((why(&d, "s"), why(&d, "a")), (vec![&Why::Disabled], vec![&Why::Disabled]));
    }

    #[test]
    fn earlier_definitions_shadow_later_ones_whatever_the_case() {
        let env: &[(&str, &str)] = &[("env", "prod")];
        let one = source("one", [app("a", "1", env), app("Static", "1", env), app("idle", "1", &[])]);
        let two = source("two", [app("A", "2", env), app("a", "2", env), app("idle", "2", env), app("b", "2", env)]);
        let d = desired(&[one, two], &selection(&["static"]), at(0));
        assert_eq!(d.apps.keys().collect::<Vec<_>>(), ["a", "b", "static"]);
        let by_one = |name: &str| Why::Shadowed { by: name.into(), source: Some("one".into()) };
        assert_eq!(why(&d, "A"), [&by_one("a")]);
        assert_eq!(why(&d, "a"), [&by_one("a")]);
        assert_eq!(why(&d, "Static"), [&Why::Shadowed { by: "static".into(), source: None }]);
        // Not selected, and still it has the name.
        assert_eq!(why(&d, "idle"), [&Why::NotSelected, &by_one("idle")]);
    }

    #[test]
    fn an_expired_app_is_absent() {
        let expiring = |name: &str, value: &str, second: i64| {
            let mut app = App::clone(&app(name, value, &[("env", "prod")]));
            app.metadata.expires = Some(at(second));
            Arc::new(app)
        };
        let sources = [
            source("one", [expiring("a", "1", 10), expiring("b", "1", 20)]),
            source("two", [app("a", "2", &[("env", "prod")])]),
        ];
        let before = desired(&sources, &selection(&[]), at(9));
        assert_eq!(before.next_expiry, Some(at(10)));
        assert_eq!(before.apps.get("a").and_then(|a| a.origin.as_ref()).map(|o| &*o.source), Some("one"));
        let after = desired(&sources, &selection(&[]), at(10));
        assert_eq!(after.next_expiry, Some(at(20)));
        assert_eq!(after.apps.get("a").and_then(|a| a.origin.as_ref()).map(|o| &*o.source), Some("two"));
        assert_eq!(why(&after, "a"), [&Why::Expired(at(10))]);
        assert_eq!(desired(&sources, &selection(&[]), at(20)).next_expiry, None);

        // A static app keeps its name to the last.
        let settings = Selection { static_apps: vec![expiring("a", "s", 5)], ..selection(&[]) };
        let d = desired(&sources, &settings, at(6));
        assert!(!d.apps.contains_key("a"));
    }
}
