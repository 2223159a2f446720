//! What has been read, with paths as they lead there from the current directory.

use super::changed::Changed;
use crate::{
    manifest::{Diagnostic, FileState, Located, cross_check, parse_file, text::MAX_FILE_SIZE},
    source::{Cache, Ignore, ReadError, read_file, read_tree},
};
use std::{
    collections::HashSet,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

pub struct Checked {
    /// As they are shown.
    pub files: Vec<Arc<str>>,
    pub resources: Vec<Located>,
    diagnostics: Vec<Diagnostic>,
    /// Where the files really are: one that is led to by two PATHs is read once.
    places: HashSet<PathBuf>,
    /// What findings may be about, and which of the files, as they are shown, that are.
    changed: Option<(Changed, HashSet<Arc<str>>)>,
}

impl Checked {
    pub fn new(changed: Option<Changed>) -> Checked {
        Checked {
            files: Vec::new(),
            resources: Vec::new(),
            diagnostics: Vec::new(),
            places: HashSet::new(),
            changed: changed.map(|changed| (changed, HashSet::new())),
        }
    }

    /// Reads a file, or all resource files below a folder.
    pub fn read(&mut self, path: &Path, ignore: &Ignore) -> Result<(), ReadError> {
        let shown = path.to_string_lossy();
        let shown = shown.strip_prefix("./").unwrap_or(&shown);
        if !path.is_dir() {
            if !ignore.file(shown) {
                let state = read_file(path, shown)?;
                let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                self.add(shown.into(), &state, &[&place]);
            }
            return Ok(());
        }
        let prefix = match shown.trim_end_matches('/') {
            "." | "" if !path.has_root() => String::new(),
            folder => format!("{folder}/"),
        };
        let mut read = read_tree(path, ignore, &mut Cache::default())?;
        for (below, state) in std::mem::take(&mut read.tree) {
            let places = [&*read.place(&below), &*read.visible(&below)];
            let shown = if prefix.is_empty() { below } else { format!("{prefix}{below}").into() };
            self.add(shown, &state, &places);
        }
        Ok(())
    }

    /// Reads stdin in the place of the file that is named. Whatever else is said, it counts as changed.
    pub fn read_stdin(&mut self, name: &str) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        // One byte more than a file may have is enough to find it too large.
        std::io::stdin().lock().take(MAX_FILE_SIZE as u64 + 1).read_to_end(&mut bytes)?;
        let state = FileState::Parsed(Arc::new(parse_file(name, &bytes)));
        let place = Path::new(name).canonicalize().unwrap_or_else(|_| name.into());
        if let Some((_, files)) = &mut self.changed {
            files.insert(name.into());
        }
        self.add(name.into(), &state, &[&place]);
        Ok(())
    }

    /// Takes a file in. Of the places where it is the first is where it really is.
    fn add(&mut self, shown: Arc<str>, state: &FileState, places: &[&Path]) {
        let Some(place) = places.first() else { return };
        if !self.places.insert(place.to_path_buf()) {
            return;
        }
        if let Some((changed, files)) = &mut self.changed
            && places.iter().any(|place| changed.has(place))
        {
            files.insert(shown.clone());
        }
        self.files.push(shown.clone());
        let here = |diagnostic: &Diagnostic| Diagnostic { path: shown.to_string(), ..diagnostic.clone() };
        match state {
            FileState::Unreadable(diagnostic) => self.diagnostics.push(here(diagnostic)),
            FileState::Parsed(file) => {
                self.diagnostics.extend(file.diagnostics.iter().map(here));
                let moved = |located: &Located| Located { path: shown.clone(), ..located.clone() };
                self.resources.extend(file.resources.iter().map(moved));
            }
        }
    }

    /// All diagnostics, those across files included, by file and place.
    pub fn diagnostics(&mut self) -> Vec<Diagnostic> {
        let mut all = std::mem::take(&mut self.diagnostics);
        all.extend(cross_check(&self.resources));
        if let Some((changed, files)) = &self.changed {
            all.retain(|diagnostic| changed.concerns(diagnostic, |path| files.contains(path)));
        }
        all.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        all
    }

    /// The files that a report is about.
    pub fn reported(&self) -> Vec<Arc<str>> {
        let is_reported = |file: &&Arc<str>| self.changed.as_ref().is_none_or(|(_, files)| files.contains(*file));
        self.files.iter().filter(is_reported).cloned().collect()
    }
}
