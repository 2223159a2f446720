//! Globs over paths that a source does not read. They come from the agent's configuration or the command line, never
//! from the source itself, where one change could hide a resource.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Which files are left out. Globs match the whole path from the source's root; `*` does not cross a `/`, `**` does,
/// and a glob that ends with `/` means everything below that folder.
#[derive(Clone, Debug)]
pub struct Ignore {
    files: GlobSet,
    /// The globs `X/**` as `X`: a folder that matches need not be entered, so nothing wrong in there is reported.
    folders: GlobSet,
}

/// A glob that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{glob}` is not a valid glob: {reason}")]
pub struct IgnoreError {
    pub glob: String,
    pub reason: String,
}

impl Ignore {
    /// Leaves nothing out.
    pub fn none() -> Self {
        Ignore { files: GlobSet::empty(), folders: GlobSet::empty() }
    }

    /// Compiles globs. The error names the first that is not valid.
    pub fn new(globs: &[String]) -> Result<Self, IgnoreError> {
        let (mut files, mut folders) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for glob in globs {
            let error = |e: globset::Error| IgnoreError { glob: glob.clone(), reason: e.kind().to_string() };
            let build = |text: &str| GlobBuilder::new(text).literal_separator(true).build().map_err(error);
            let folder = glob.strip_suffix("/**").or(glob.strip_suffix('/'));
            match folder {
                Some(folder) => {
                    folders.add(build(folder)?);
                    files.add(build(&format!("{folder}/**"))?);
                }
                None => {
                    files.add(build(glob)?);
                }
            }
        }
        // Each glob compiled by itself, so what is left is the size of all of them together.
        let error = |e: globset::Error| IgnoreError { glob: globs.join(", "), reason: e.kind().to_string() };
        Ok(Ignore { files: files.build().map_err(error)?, folders: folders.build().map_err(error)? })
    }

    /// Whether the file at this path is left out.
    pub fn file(&self, path: &str) -> bool {
        !self.files.is_empty() && self.files.is_match(path)
    }

    /// Whether everything below this folder is left out.
    pub fn folder(&self, path: &str) -> bool {
        !self.folders.is_empty() && self.folders.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore(globs: &[&str]) -> Ignore {
        Ignore::new(&globs.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>()).expect("valid globs")
    }

    #[test]
    fn files() {
        for (glob, path, ignored) in [
            ("drafts/**", "drafts/a.yaml", true),
            ("drafts/**", "drafts/deep/a.yaml", true),
            ("drafts/**", "other/drafts/a.yaml", false),
            ("drafts/", "drafts/deep/a.yaml", true),
            ("**/drafts/**", "other/drafts/a.yaml", true),
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "b/a.yaml", false),
            ("**/values.yaml", "values.yaml", true),
            ("**/values.yaml", "x/y/values.yaml", true),
            ("{a,b}.yml", "b.yml", true),
            ("A.yaml", "a.yaml", false),
        ] {
            assert_eq!(ignore(&[glob]).file(path), ignored, "{glob} {path}");
        }
        assert!(!Ignore::none().file("a.yaml"));
    }

    #[test]
    fn folders_are_left_out_only_as_a_whole() {
        for (glob, path, ignored) in [
            ("drafts/**", "drafts", true),
            ("drafts/", "drafts", true),
            ("**/drafts/**", "x/drafts", true),
            ("drafts/*", "drafts", false),
            ("*", "drafts", false),
            ("**/*.yaml", "drafts", false),
        ] {
            assert_eq!(ignore(&[glob]).folder(path), ignored, "{glob} {path}");
        }
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = Ignore::new(&["ok/**".into(), "a[".into()]).expect_err("unclosed class");
        assert_eq!(error.glob, "a[");
    }
}
