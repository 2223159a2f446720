//! The tools that each definition had at first, on disk: one small file an app.

use super::ToolSet;
use crate::resource::Digest;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The definitions of an app that are remembered: one that is brought back by a revert is still known.
const KEPT: usize = 8;
/// A longer file is not one of ours.
const MAX_FILE: u64 = 16 << 20;

/// Remembers tools. Clones share what they know.
#[derive(Clone, Debug)]
pub struct ToolBook {
    folder: Arc<Path>,
    /// One at a time reads and writes; each does so for moments only.
    turn: Arc<Mutex<()>>,
}

/// What is known of one app, the newest definition first.
#[derive(Default, Serialize, Deserialize)]
struct Page(Vec<Record>);

#[derive(Serialize, Deserialize)]
struct Record {
    spec: String,
    tools: ToolSet,
}

impl ToolBook {
    /// A book in a folder, which is made when there is something to write.
    pub fn new(folder: impl Into<PathBuf>) -> ToolBook {
        ToolBook { folder: folder.into().into(), turn: Arc::default() }
    }

    /// What differs between `tools` and those that the definition had at first. If it had none yet, these are they.
    pub async fn compare(&self, app: &str, spec: Digest, tools: &ToolSet) -> Option<String> {
        let (book, app, spec, tools) = (self.clone(), app.to_owned(), spec.to_string(), tools.clone());
        let compared = tokio::task::spawn_blocking(move || book.compare_blocking(&app, spec, tools)).await;
        compared.unwrap_or_default()
    }

    fn compare_blocking(&self, app: &str, spec: String, tools: ToolSet) -> Option<String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = self.read(app);
        if let Some(known) = page.0.iter().find(|record| record.spec == spec) {
            return tools.changes_from(&known.tools);
        }
        page.0.insert(0, Record { spec, tools });
        page.0.truncate(KEPT);
        if let Err(error) = self.write(app, &page) {
            let file = self.file(app);
            tracing::warn!(app, file = %file.display(), %error, "the server's tools cannot be remembered");
        }
        None
    }

    /// Forgets an app: the next tools that it has are its first.
    pub fn forget(&self, app: &str) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::remove_file(self.file(app)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(app, %error, "the tools of a server cannot be forgotten");
            }
            _ => {}
        }
    }

    /// What cannot be read is not known.
    fn read(&self, app: &str) -> Page {
        let file = self.file(app);
        let short = fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= MAX_FILE);
        let read = || serde_json::from_slice(&fs::read(&file)?).map_err(io::Error::from);
        match short.then(read) {
            Some(Ok(page)) => page,
            Some(Err(error)) => {
                tracing::warn!(app, file = %file.display(), %error, "what is known of the server's tools is lost");
                Page::default()
            }
            None => Page::default(),
        }
    }

    fn write(&self, app: &str, page: &Page) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, page)?;
        file.persist(self.file(app))?;
        Ok(())
    }

    /// Names of apps are names of files.
    fn file(&self, app: &str) -> PathBuf {
        self.folder.join(format!("{app}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tools(names: &[&str]) -> ToolSet {
        let mut set = ToolSet::default();
        set.add(&names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>());
        set
    }

    #[tokio::test]
    async fn the_first_tools_of_a_definition_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (Digest::of_bytes(b"old"), Digest::of_bytes(b"new"));
        let book = || ToolBook::new(folder.path().join("tools"));
        assert_eq!(book().compare("app", old, &tools(&["a"])).await, None);
        assert_eq!(book().compare("app", old, &tools(&["a"])).await, None);
        assert_eq!(book().compare("app", new, &tools(&["b"])).await, None, "another definition");
        assert_eq!(book().compare("other", old, &tools(&["b"])).await, None, "another app");
        let change = Some("new: b; gone: a".to_owned());
        assert_eq!(book().compare("app", old, &tools(&["b"])).await, change, "as after a revert");
        assert_eq!(book().compare("app", old, &tools(&["b"])).await, change, "until somebody accepts it");
        book().forget("app");
        assert_eq!(book().compare("app", old, &tools(&["b"])).await, None);
        for n in 0..KEPT as u8 {
            assert_eq!(book().compare("app", Digest::of_bytes(&[n]), &tools(&["a"])).await, None);
        }
        assert_eq!(book().compare("app", old, &tools(&["c"])).await, None, "too long ago");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.json"), "{").unwrap();
        let book = ToolBook::new(folder.path());
        let spec = Digest::of_bytes(b"spec");
        assert_eq!(book.compare("app", spec, &tools(&["a"])).await, None);
        assert!(book.compare("app", spec, &tools(&["b"])).await.is_some(), "and is known again");
    }
}
