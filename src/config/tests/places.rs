//! Where things are if nobody says, for the system's agent and for a user's.

use super::*;

#[test]
fn paths_follow_the_user_and_the_environment() {
    let user = |home: Option<&str>, state: Option<&str>, runtime: Option<&str>| Environment {
        home: home.map(Into::into),
        xdg_state_home: state.map(Into::into),
        xdg_runtime_dir: runtime.map(Into::into),
        ..Environment::default()
    };
    let paths = |environment: &Environment, text: &str| {
        let read = Config::read("agent.yaml", text.as_bytes(), &[], environment);
        read.value.map(|c| format!("{} {}", c.state_dir.display(), c.control_socket.display()))
    };
    for (environment, expected) in [
        (root(), "/var/lib/mcpfleet /run/mcpfleet/control.sock"),
        (user(Some("/h"), None, None), "/h/.local/state/mcpfleet /h/.local/state/mcpfleet/control.sock"),
        (user(Some("/h"), Some("/s"), Some("/r")), "/s/mcpfleet /r/mcpfleet/control.sock"),
        (
            user(Some("/h"), Some("relative"), Some("")),
            "/h/.local/state/mcpfleet /h/.local/state/mcpfleet/control.sock",
        ),
    ] {
        assert_eq!(paths(&environment, "").as_deref(), Some(expected));
        // Where the commands look for an agent first.
        let sockets = environment.control_sockets();
        assert!(expected.ends_with(&format!(" {}", sockets.first().unwrap().display())));
        assert_eq!(sockets.last().unwrap(), Path::new("/run/mcpfleet/control.sock"));
    }
    let nowhere = user(None, None, None);
    assert_eq!(paths(&nowhere, ""), None);
    assert_eq!(paths(&nowhere, "state_dir: /s").as_deref(), Some("/s /s/control.sock"));
    assert_eq!(Config::for_directory("/d".into(), &nowhere), Err(NoHome));
}

#[test]
fn secrets_are_where_the_system_or_the_user_keeps_them() {
    let user = |home: Option<&str>, config: Option<&str>| Environment {
        home: home.map(Into::into),
        xdg_config_home: config.map(Into::into),
        xdg_state_home: Some("/s".into()),
        ..Environment::default()
    };
    for (environment, expected) in [
        (root(), "/run/secrets/mcpfleet"),
        (Environment { root: true, ..user(Some("/root"), Some("/c")) }, "/run/secrets/mcpfleet"),
        (user(Some("/h"), None), "/h/.config/mcpfleet/secrets"),
        (user(Some("/h"), Some("relative")), "/h/.config/mcpfleet/secrets"),
        (user(Some("/h"), Some("/c")), "/c/mcpfleet/secrets"),
        (user(None, None), "/run/secrets/mcpfleet"),
    ] {
        let config = Config::read("agent.yaml", b"", &[], &environment).value.unwrap();
        assert_eq!(config.app_service.secrets_dir, Path::new(expected));
    }
}

#[test]
fn an_agent_without_a_file() {
    let config = Config::for_directory("/d".into(), &root()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.app_service.default_host_user.as_deref(), Some("nobody"));
    let expected = good(
        "sources: [{name: directory, directory: {path: /d}}]
app_service: {resources: [{labels: {'*': '*'}}], default_host_user: nobody}
gateway: {auth: open}",
    );
    assert_eq!(config, expected);
    let user = Environment { home: Some("/h".into()), ..Environment::default() };
    let config = Config::for_directory("/d".into(), &user).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.app_service.default_host_user, None);
}
