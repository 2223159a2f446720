use super::*;

fn removal(marker: &str) -> Removal {
    Removal {
        marker: marker.into(),
        program: "docker".into(),
        options: vec![],
        environment: vec![],
        user: None,
        record: format!("/nowhere/{marker}.container").into(),
    }
}

#[test]
fn one_sees_to_all_and_no_more_than_a_bound_are_kept() {
    let removals = Removals::default();
    assert!(removals.add(removal("a.b.c-0")), "nobody sees to the first yet");
    for number in 1..MAX + 5 {
        assert!(!removals.add(removal(&format!("a.b.c-{number}"))));
    }
    let taken = removals.take();
    assert_eq!(taken.len(), MAX);
    assert!(!removals.add(removal("a.b.c-x")), "while they are tried somebody sees to them");
    assert_eq!(removals.take().len(), 1);
    assert!(removals.take().is_empty());
    assert!(removals.add(removal("a.b.c-y")), "that one has gone home");
}

/// A keeper that does nothing but leave a trace stands for an engine that is away.
#[tokio::test]
async fn what_fails_is_tried_again_until_there_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (keeper, tried) = (dir.path().join("keeper"), dir.path().join("tried"));
    std::fs::write(&keeper, format!("#!/bin/sh\necho x >>{}\n", tried.display())).unwrap();
    std::fs::set_permissions(&keeper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let launcher = Launcher::with_keeper(keeper);
    assert_eq!(launcher.remove_surely(removal("a.b.c-1")).await.unwrap(), None);
    let kept = || launcher.removals().waiting().removals.len();
    assert_eq!(kept(), 1);
    let tries = || std::fs::read_to_string(&tried).unwrap_or_default().len() / 2;
    let again = async {
        while tries() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = launcher.remove_all(Duration::from_millis(1)) => panic!("it is not removed yet"),
        () = again => {}
        () = tokio::time::sleep(Duration::from_secs(30)) => panic!("{} attempts", tries()),
    }
    launcher.removals().take();
    launcher.remove_all(Duration::from_millis(1)).await;
    assert!(!launcher.removals().waiting().is_seen_to);
}
