use super::*;
use crate::{manifest, resource::Resource};
use std::{fs, path::Path};

const DIR: &str = "/run/secrets/mcpfleet";

fn app(env: &str) -> Arc<App> {
    let text = format!(
        "kind: app\nversion: v3\nmetadata: {{name: github, labels: {{team: platform}}}}\nspec: {{mcp: {{command: x, env: {env}}}}}\n"
    );
    let parsed = manifest::parse_file("app.yaml", text.as_bytes());
    match parsed.resources.first().map(|located| &located.resource) {
        Some(Resource::App(app)) => app.clone(),
        _ => panic!("{:?}", parsed.diagnostics),
    }
}

fn selector(team: &str) -> Selector {
    Selector::new(BTreeMap::from([("team".to_owned(), vec![team.to_owned()])])).unwrap()
}

fn secrets(dir: &Path, granted: Option<&[(&str, &str)]>) -> Arc<Secrets> {
    let granted =
        granted.map(|granted| granted.iter().map(|(name, team)| (name.to_string(), selector(team))).collect());
    Secrets::new(SecretSettings { dir: dir.to_owned(), granted })
}

#[tokio::test]
async fn who_may_have_which_secret() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "hush").unwrap();
    let asks = app("{T: {secret: token}}");
    type Granted<'a> = Option<&'a [(&'a str, &'a str)]>;
    let table: [(Granted, bool); 5] = [
        (None, true),
        (Some(&[]), false),
        (Some(&[("token", "platform")]), true),
        (Some(&[("token", "other")]), false),
        (Some(&[("another", "platform")]), false),
    ];
    for (granted, expected) in table {
        let secrets = secrets(dir.path(), granted);
        let print = secrets.fingerprint(&asks).await;
        let value = secrets.values(&asks).remove("token").unwrap();
        assert_eq!((print.is_ok(), value.is_ok()), (expected, expected), "{granted:?}");
        if let Err(reason) = print {
            assert_eq!(reason, value.unwrap_err().to_string());
            for part in ["`token`", "`github`", "`app_service.secrets`"] {
                assert!(reason.contains(part), "{reason}");
            }
            assert!(!reason.contains("hush"), "{reason}");
        }
    }
    // Whoever asks for none needs none.
    let none = secrets(Path::new(DIR), Some(&[]));
    assert_eq!(none.fingerprint(&app("{T: x}")).await, Ok(Fingerprint::default()));
    assert!(!uses(&app("{T: x, U: {from_agent: Y}}")) && uses(&asks));
}

#[tokio::test]
async fn what_is_wrong_is_said_without_the_value() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("nul"), "hu\0sh").unwrap();
    let secrets = secrets(dir.path(), None);
    for (name, expected) in [
        (
            "gone",
            format!("secret `gone` of app `github` is missing: put it into the file {}/gone", dir.path().display()),
        ),
        (
            "nul",
            format!(
                "secret `nul` of app `github` cannot be used: {}/nul has a NUL in it, which no environment variable can",
                dir.path().display()
            ),
        ),
    ] {
        assert_eq!(secrets.fingerprint(&app(&format!("{{T: {{secret: {name}}}}}"))).await, Err(expected));
    }
}

#[tokio::test]
async fn a_change_is_told_and_what_is_the_same_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &str| fs::write(dir.path().join(name), value).unwrap();
    write("a", "one");
    write("b", "one");
    let secrets = secrets(dir.path(), None);
    let (one, two) = (app("{A: {secret: a}}"), app("{B: {secret: b}}"));
    let (first, second) = (secrets.fingerprint(&one).await, secrets.fingerprint(&two).await);
    assert!(first.is_ok() && second.is_ok());
    let mut changes = secrets.subscribe();
    let look = |secrets: &Arc<Secrets>| {
        secrets.look_again();
        changes.has_changed().unwrap().then(|| changes.mark_unchanged()).is_some()
    };
    let mut look = look;
    assert!(!look(&secrets));
    write("a", "one\n");
    assert!(!look(&secrets), "a newline at the end is not part of the value");
    write("unused", "x");
    assert!(!look(&secrets));
    write("a", "two");
    assert!(look(&secrets));
    assert_ne!(secrets.fingerprint(&one).await, first);
    assert_eq!(secrets.fingerprint(&two).await, second);
    fs::remove_file(dir.path().join("a")).unwrap();
    assert!(look(&secrets));
    assert!(secrets.fingerprint(&one).await.is_err());
    write("a", "one");
    assert!(look(&secrets));
    assert_eq!(secrets.fingerprint(&one).await, first);
}

#[tokio::test]
async fn changes_are_noticed_wherever_they_come_from() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("secrets");
    let secrets = secrets(&dir, None);
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(secrets.clone().watch(stop.clone()));
    let asks = app("{A: {secret: a}}");
    let mut changes = secrets.subscribe();
    let mut last = secrets.fingerprint(&asks).await;
    assert!(last.is_err());
    let swap = |data: &str, value: &str| {
        fs::create_dir(dir.join(data)).unwrap();
        fs::write(dir.join(data).join("a"), value).unwrap();
        std::os::unix::fs::symlink(data, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    };
    let steps: [(&str, &dyn Fn()); 6] = [
        ("a folder that appears", &|| {
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("a"), "1").unwrap();
        }),
        ("a file that is written", &|| fs::write(dir.join("a"), "2").unwrap()),
        ("a file that is replaced", &|| {
            fs::write(dir.join("new"), "3").unwrap();
            fs::rename(dir.join("new"), dir.join("a")).unwrap();
        }),
        ("another folder in its place", &|| {
            fs::rename(&dir, base.path().join("old")).unwrap();
            fs::create_dir(&dir).unwrap();
            swap("..2026_1", "4");
            std::os::unix::fs::symlink("..data/a", dir.join("a")).unwrap();
        }),
        ("a mount that is swapped", &|| swap("..2026_2", "5")),
        ("a mount that is swapped again", &|| swap("..2026_3", "6")),
    ];
    for (what, step) in steps {
        changes.mark_unchanged();
        step();
        tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                changes.changed().await.unwrap();
                let now = secrets.fingerprint(&asks).await;
                if now.is_ok() && now != last {
                    last = now;
                    break;
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("not noticed: {what}"));
    }
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_folder_that_does_not_answer_holds_one_thread_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "hush").unwrap();
    let secrets = secrets(dir.path(), None);
    let app = app("{A: {secret: a}}");
    let mut changes = secrets.subscribe();
    // Whoever looks hangs as long as this lives.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (hang, hangs) = tokio::sync::oneshot::channel();
    let held = secrets.clone();
    let holder = std::thread::spawn(move || {
        let _held = held.seen.lock().unwrap();
        hang.send(()).unwrap();
        let _ = released.recv();
    });
    hangs.await.unwrap();
    for _ in 0..3 {
        let answer = secrets.fingerprint_within(&app, Duration::from_millis(20)).await;
        assert!(answer.unwrap_err().contains("does not answer"));
    }
    // One look has the secrets, this test has them, and so has the thread that holds them up.
    assert_eq!((Arc::strong_count(&secrets), secrets.look.available_permits()), (3, 0));
    drop(release);
    holder.join().unwrap();
    tokio::time::timeout(Duration::from_secs(30), changes.changed()).await.unwrap().unwrap();
    assert!(secrets.fingerprint(&app).await.is_ok());
}

#[tokio::test]
async fn only_so_many_read_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let secrets = secrets(dir.path(), None);
    let (with, without) = (app("{A: {secret: a}}"), app("{A: plain}"));
    let mut turns = Vec::new();
    for _ in 0..READERS {
        turns.push(secrets.turn_to_read(&with).await.unwrap());
    }
    let next = async || tokio::time::timeout(Duration::from_millis(20), secrets.turn_to_read(&with)).await;
    assert!(next().await.is_err());
    assert!(secrets.turn_to_read(&without).await.is_none());
    turns.pop();
    assert!(next().await.unwrap().is_some());
}
