//! The tools that each definition had at first, on disk: one small file an app.

use super::ToolSet;
use crate::resource::Digest;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Read},
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

impl Page {
    fn put(&mut self, record: Record) {
        self.0.insert(0, record);
        self.0.truncate(KEPT);
    }
}

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
    ///
    /// # Errors
    /// What is known cannot be read, or written.
    pub async fn compare(&self, app: &str, spec: Digest, tools: &ToolSet) -> io::Result<Option<String>> {
        let (spec, tools) = (spec.to_string(), tools.clone());
        self.work(app, move |book, app| {
            let mut page = book.read(app)?;
            if let Some(known) = page.0.iter().find(|record| record.spec == spec) {
                return Ok(tools.changes_from(&known.tools));
            }
            page.put(Record { spec, tools });
            book.write(app, &page).map(|()| None)
        })
        .await
    }

    /// Makes `tools` those that the definition had at first.
    ///
    /// # Errors
    /// They cannot be written.
    pub async fn accept(&self, app: &str, spec: Digest, tools: &ToolSet) -> io::Result<()> {
        let record = Record { spec: spec.to_string(), tools: tools.clone() };
        self.work(app, move |book, app| {
            // What cannot be read is what is to be got rid of.
            let mut page = book.read(app).unwrap_or_default();
            page.0.retain(|known| known.spec != record.spec);
            page.put(record);
            book.write(app, &page)
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        app: &str,
        work: impl FnOnce(&ToolBook, &str) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (book, app) = (self.clone(), app.to_owned());
        let working = tokio::task::spawn_blocking(move || {
            let _turn = book.turn.lock().unwrap_or_else(PoisonError::into_inner);
            work(&book, &app)
        });
        working.await.map_err(io::Error::other)?
    }

    fn read(&self, app: &str) -> io::Result<Page> {
        let file = self.file(app);
        let mut bytes = Vec::new();
        match fs::File::open(&file) {
            Ok(open) => open.take(MAX_FILE + 1).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Page::default()),
            Err(error) => return Err(error),
        };
        if bytes.len() as u64 > MAX_FILE {
            return Err(io::Error::other(format!("{} is too long", file.display())));
        }
        serde_json::from_slice(&bytes).map_err(|error| io::Error::other(format!("{}: {error}", file.display())))
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
        set.add(&names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>()).unwrap();
        set
    }

    #[tokio::test]
    async fn the_first_tools_of_a_definition_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (Digest::of_bytes(b"old"), Digest::of_bytes(b"new"));
        let book = || ToolBook::new(folder.path().join("tools"));
        assert_eq!(book().compare("app", old, &tools(&["a"])).await.unwrap(), None);
        assert_eq!(book().compare("app", old, &tools(&["a"])).await.unwrap(), None);
        assert_eq!(book().compare("app", new, &tools(&["b"])).await.unwrap(), None, "another definition");
        assert_eq!(book().compare("other", old, &tools(&["b"])).await.unwrap(), None, "another app");
        let change = Some("new: b; gone: a".to_owned());
        assert_eq!(book().compare("app", old, &tools(&["b"])).await.unwrap(), change, "as after a revert");
        assert_eq!(book().compare("app", old, &tools(&["b"])).await.unwrap(), change, "until somebody accepts it");
        book().accept("app", old, &tools(&["b"])).await.unwrap();
        assert_eq!(book().compare("app", old, &tools(&["b"])).await.unwrap(), None);
        assert!(book().compare("app", old, &tools(&["a"])).await.unwrap().is_some(), "accepted is what was there");
        for n in 0..KEPT as u8 {
            assert_eq!(book().compare("app", Digest::of_bytes(&[n]), &tools(&["a"])).await.unwrap(), None);
        }
        assert_eq!(book().compare("app", old, &tools(&["c"])).await.unwrap(), None, "too long ago");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error_until_somebody_accepts() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.json"), "{").unwrap();
        let book = ToolBook::new(folder.path());
        let spec = Digest::of_bytes(b"spec");
        assert!(book.compare("app", spec, &tools(&["a"])).await.is_err());
        book.accept("app", spec, &tools(&["a"])).await.unwrap();
        assert!(book.compare("app", spec, &tools(&["b"])).await.unwrap().is_some());
    }
}
