//! What has been read, with paths as they lead there from the current directory.

use super::{
    agents::{Agent, warnings},
    changed::Changed,
};
use crate::{
    manifest::{Diagnostic, FileState, Located, check_file, cross_check, text::MAX_FILE_SIZE},
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
    /// Whether there are several PATHs, so that two of them may lead to the same file: it counts once then.
    several: bool,
    /// Where the files are that have been read.
    places: HashSet<PathBuf>,
    /// What findings may be about, and which of the files, as they are shown, that are.
    changed: Option<(Changed, HashSet<Arc<str>>)>,
}

impl Checked {
    pub fn new(several: bool, changed: Option<Changed>) -> Checked {
        Checked {
            files: Vec::new(),
            resources: Vec::new(),
            diagnostics: Vec::new(),
            several,
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
                self.add(shown.into(), state, &places(path));
            }
            return Ok(());
        }
        let prefix = match shown.trim_end_matches('/') {
            "." | "" if !path.has_root() => String::new(),
            folder => format!("{folder}/"),
        };
        let mut read = read_tree(path, ignore, &mut Cache::with_warnings())?;
        let tree = std::mem::take(&mut read.tree);
        self.files.reserve(tree.len());
        self.resources.reserve(tree.len());
        for (below, state) in tree {
            // Ten thousand files are common, and somebody who asks where they are is not.
            let places = self.wants_places().then(|| [read.visible(&below), read.place(&below)]);
            let places = places.as_ref().map_or(&[][..], |places| &places[..]);
            let shown = if prefix.is_empty() { below } else { format!("{prefix}{below}").into() };
            self.add(shown, state, places);
        }
        Ok(())
    }

    /// Whether it matters where files really are.
    fn wants_places(&self) -> bool {
        self.several || self.changed.is_some()
    }

    /// Reads stdin in the place of the file that is named. Whatever else is said, it counts as changed.
    pub fn read_stdin(&mut self, name: &str) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        // One byte more than a file may have is enough to find it too large.
        std::io::stdin().lock().take(MAX_FILE_SIZE as u64 + 1).read_to_end(&mut bytes)?;
        let state = FileState::Parsed(Arc::new(check_file(name, &bytes)));
        if let Some((_, files)) = &mut self.changed {
            files.insert(name.into());
        }
        self.add(name.into(), state, &places(Path::new(name)));
        Ok(())
    }

    /// Takes a file in. The places are where it is, of which the first is the same by whatever PATH it is found.
    fn add(&mut self, shown: Arc<str>, state: FileState, places: &[PathBuf]) {
        if let Some(place) = places.first()
            && !self.places.insert(place.clone())
        {
            return;
        }
        if let Some((changed, files)) = &mut self.changed
            && places.iter().any(|place| changed.has(place))
        {
            files.insert(shown.clone());
        }
        let here = |diagnostic: Diagnostic| Diagnostic { path: shown.to_string(), ..diagnostic };
        match state {
            FileState::Unreadable(diagnostic) => self.diagnostics.push(here(*diagnostic)),
            FileState::Parsed(file) => {
                let file = Arc::unwrap_or_clone(file);
                self.diagnostics.extend(file.diagnostics.into_iter().map(here));
                self.resources
                    .extend(file.resources.into_iter().map(|located| Located { path: shown.clone(), ..located }));
            }
        }
        self.files.push(shown);
    }

    /// All diagnostics, those across files and about agents included, by file and place.
    pub fn diagnostics(&mut self, agents: &[Agent]) -> Vec<Diagnostic> {
        let mut all = std::mem::take(&mut self.diagnostics);
        all.extend(cross_check(&self.resources));
        all.extend(warnings(agents, &self.resources, jiff::Timestamp::now()));
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

/// Where a file is, in a folder without symlinks; and where it really is, if it is a link itself.
fn places(path: &Path) -> [PathBuf; 2] {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().map(|folder| if folder == Path::new("") { Path::new(".") } else { folder });
    let visible = folder.and_then(|folder| folder.canonicalize().ok()).zip(path.file_name());
    [visible.map_or_else(|| real.clone(), |(folder, name)| folder.join(name)), real]
}
