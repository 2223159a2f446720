//! Opens an address in the user's browser.
//!
//! What is secret in an address must not be among a program's arguments, which all users of a machine can see, the servers of an
//! agent too. The browser is given a file of the user's own that leads there.

use std::{
    env, fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

/// A program that has not ended by then, and so has not failed, is the browser itself.
const STARTED: Duration = Duration::from_secs(3);

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    #[error("there is no display here, and $BROWSER is not set")]
    NoDisplay,
    #[error("browsers do not run as root; set $BROWSER to have one tried all the same")]
    Root,
    #[error("there is no folder of yours for the file that leads there (XDG_RUNTIME_DIR, HOME)")]
    NoFolder,
    #[error("the file that leads there cannot be written to {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{0}")]
    Failed(String),
}

/// What the environment says of browsers.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    pub browser: Option<String>,
    pub has_display: bool,
    pub is_root: bool,
    /// Where the file goes.
    pub folder: Option<PathBuf>,
}

impl Desk {
    pub fn of_this_user() -> Desk {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let absolute = |name: &str| set(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = || absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        Desk {
            browser: set("BROWSER").and_then(|value| value.into_string().ok()),
            has_display: set("DISPLAY").is_some() || set("WAYLAND_DISPLAY").is_some(),
            is_root: nix::unistd::geteuid().is_root(),
            folder: absolute("XDG_RUNTIME_DIR").or_else(cache).map(|folder| folder.join("mcpfleet")),
        }
    }

    /// The programs to try, in order: as `$BROWSER` has them, or the desktop's own.
    fn programs(&self) -> Result<Vec<&str>, NotOpened> {
        let named: Vec<&str> = self
            .browser
            .iter()
            .flat_map(|named| named.split(':'))
            .map(str::trim)
            .filter(|one| !one.is_empty())
            .collect();
        match (named.is_empty(), self.is_root, self.has_display) {
            (false, ..) => Ok(named),
            (true, true, _) => Err(NotOpened::Root),
            (true, false, false) => Err(NotOpened::NoDisplay),
            (true, false, true) => Ok(vec!["xdg-open"]),
        }
    }

    /// Opens `url`.
    ///
    /// # Errors
    /// Nothing could be opened.
    pub async fn open(&self, url: &str) -> Result<(), NotOpened> {
        let programs = self.programs()?;
        let folder = self.folder.as_deref().ok_or(NotOpened::NoFolder)?;
        let path = folder.join("web.html");
        write(folder, &path, &page(url)).map_err(|error| NotOpened::File { path: path.clone(), error })?;
        let mut failed = Vec::new();
        for program in programs {
            match start(program, &path).await {
                Ok(()) => return Ok(()),
                Err(error) => failed.push(format!("{program}: {error}")),
            }
        }
        Err(NotOpened::Failed(failed.join("; ")))
    }
}

/// Starts a program with the file, by itself and never by a shell.
async fn start(program: &str, file: &Path) -> Result<(), String> {
    let [name, arguments @ ..] = &words(program, &file.display().to_string())[..] else {
        return Err("it names no program".into());
    };
    let mut child = tokio::process::Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| error.to_string())?;
    match tokio::time::timeout(STARTED, child.wait()).await {
        Ok(Ok(status)) if !status.success() => Err(status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// A program and its arguments. `%s` is where the file goes; without one it is the last.
fn words(program: &str, file: &str) -> Vec<String> {
    let mut words: Vec<String> = program.split_ascii_whitespace().map(|word| word.replace("%s", file)).collect();
    if !program.contains("%s") {
        words.push(file.to_owned());
    }
    words
}

/// A page that leads to another.
fn page(url: &str) -> String {
    let url = url.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>mcpfleet</title>\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\">\n<p><a href=\"{url}\">Go on to mcpfleet</a></p>\n"
    )
}

/// Writes a file that is for nobody else, in the place of an earlier one.
fn write(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Made for its owner alone, before there is anything in it.
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried() {
        let desk = |browser: Option<&str>, has_display, is_root| Desk {
            browser: browser.map(str::to_owned),
            has_display,
            is_root,
            folder: None,
        };
        assert_eq!(desk(None, true, false).programs().unwrap(), ["xdg-open"]);
        assert_eq!(desk(Some("a: b %s::c"), false, true).programs().unwrap(), ["a", "b %s", "c"]);
        assert!(matches!(desk(Some(" : "), false, false).programs(), Err(NotOpened::NoDisplay)));
        assert!(matches!(desk(None, true, true).programs(), Err(NotOpened::Root)));
    }

    #[test]
    fn a_file_is_one_argument() {
        let file = "/home/a b/$(x);'\"/web.html";
        assert_eq!(words("firefox", file), ["firefox", file]);
        assert_eq!(words("b --new %s -x", file), ["b", "--new", file, "-x"]);
        assert_eq!(words("b --url=%s", file), ["b", &format!("--url={file}")]);
        assert_eq!(words("", file), [file]);
    }

    #[tokio::test]
    async fn the_first_that_does_not_fail() {
        let home = tempfile::tempdir().unwrap();
        let seen = home.path().join("seen");
        let desk = Desk {
            browser: Some(format!("/does/not/exist:false:cp %s {}:/also/not", seen.display())),
            folder: Some(home.path().join("of/mine")),
            ..Desk::default()
        };
        desk.open("http://x/web/open#\"><b>&").await.unwrap();
        let page = fs::read_to_string(&seen).unwrap();
        assert!(page.contains("url=http://x/web/open#&quot;&gt;&lt;b&gt;&amp;\""), "{page}");
        let file = fs::metadata(home.path().join("of/mine/web.html")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(home.path().join("of/mine")).unwrap().permissions().mode() & 0o777, 0o700);
        let none = Desk { browser: Some("false:/does/not/exist".into()), ..desk };
        let failed = none.open("http://x").await.unwrap_err().to_string();
        assert!(failed.contains("false: exit status: 1; /does/not/exist: "), "{failed}");
    }
}
