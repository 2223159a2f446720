//! The environment of a server: a few variables of its user, and what its app declares. Nothing else of the agent's,
//! whose variables may hold secrets.

use super::{
    secrets::{SecretError, Value},
    user::RunAs,
};
use crate::resource::EnvValue;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// Where programs are looked for when the agent has no usable PATH.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the environment is made of besides the app.
#[derive(Clone, Debug)]
pub struct Ambient<'a> {
    /// Without a home, the server gets no HOME here, and so its private directory as HOME when it is launched.
    pub run_as: &'a RunAs,
    /// The agent's own PATH, LANG and TZ, as far as set.
    pub agent: &'a BTreeMap<String, OsString>,
    /// The agent's variables that its configuration allows apps to take over (`allow_from_agent`), `None` where the
    /// agent has no such variable.
    pub allowed: &'a BTreeMap<String, Option<OsString>>,
    /// The secrets that the app asks for, by name.
    pub secrets: &'a BTreeMap<String, Result<Value, SecretError>>,
}

/// Why an environment cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    #[error("`env.{variable}`: the agent's configuration does not list `{name}` in `allow_from_agent`")]
    NotAllowed { variable: String, name: String },
    #[error("`env.{variable}`: the agent has no variable `{name}`")]
    NotSet { variable: String, name: String },
    #[error("`env.{variable}`: {error}")]
    Secret { variable: String, error: SecretError },
    #[error("`env.{variable}`: secret `{name}` was not looked up")]
    Unknown { variable: String, name: String },
}

/// The whole environment of a server.
///
/// PATH is the agent's own, without relative folders, so that what can be started from where the agent was started can
/// be started by it too (Node.js and uv often live in folders of a version manager). What the app declares goes first.
///
/// # Errors
/// See [`EnvironmentError`].
pub fn environment(
    ambient: &Ambient<'_>,
    declared: &BTreeMap<String, EnvValue>,
) -> Result<BTreeMap<String, OsString>, EnvironmentError> {
    let user = &ambient.run_as.user;
    let mut environment = BTreeMap::from([
        ("PATH".to_string(), path(ambient.agent)),
        ("USER".to_string(), user.name.clone().into()),
        ("LOGNAME".to_string(), user.name.clone().into()),
        ("SHELL".to_string(), user.shell.clone().into()),
        ("LANG".to_string(), ambient.agent.get("LANG").cloned().unwrap_or_else(|| "C.UTF-8".into())),
        ("TMPDIR".to_string(), "/tmp".into()),
    ]);
    if ambient.run_as.has_home {
        environment.insert("HOME".into(), user.home.clone().into());
    }
    if let Some(zone) = ambient.agent.get("TZ") {
        environment.insert("TZ".into(), zone.clone());
    }
    for (variable, value) in declared {
        environment.insert(variable.clone(), resolve(variable, value, ambient)?);
    }
    Ok(environment)
}

fn resolve(variable: &str, value: &EnvValue, ambient: &Ambient<'_>) -> Result<OsString, EnvironmentError> {
    let variable = || variable.to_string();
    match value {
        EnvValue::Literal(text) => Ok(text.into()),
        EnvValue::FromAgent(name) => match ambient.allowed.get(name) {
            Some(Some(value)) => Ok(value.clone()),
            Some(None) => Err(EnvironmentError::NotSet { variable: variable(), name: name.clone() }),
            None => Err(EnvironmentError::NotAllowed { variable: variable(), name: name.clone() }),
        },
        EnvValue::Secret(name) => match ambient.secrets.get(name) {
            Some(Ok(value)) => Ok(OsStr::from_bytes(value.reveal()).to_owned()),
            Some(Err(error)) => Err(EnvironmentError::Secret { variable: variable(), error: error.clone() }),
            None => Err(EnvironmentError::Unknown { variable: variable(), name: name.clone() }),
        },
    }
}

fn path(agent: &BTreeMap<String, OsString>) -> OsString {
    let agents = agent.get("PATH").map(OsString::as_os_str).unwrap_or_default();
    let folders: Vec<&[u8]> = agents
        .as_bytes()
        .split(|byte| *byte == b':')
        .filter(|folder| Path::new(std::ffi::OsStr::from_bytes(folder)).is_absolute())
        .collect();
    match folders.is_empty() {
        true => DEFAULT_PATH.into(),
        false => std::os::unix::ffi::OsStringExt::from_vec(folders.join(&b':')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::launch::HostUser;

    fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, OsString> {
        pairs.into_iter().map(|(name, value)| (name.to_string(), value.into())).collect()
    }

    fn made(
        has_home: bool,
        agent: &BTreeMap<String, OsString>,
        declared: &BTreeMap<String, EnvValue>,
    ) -> Result<BTreeMap<String, OsString>, EnvironmentError> {
        let user = HostUser {
            name: "alice".into(),
            uid: 1000,
            gid: 1000,
            groups: vec![],
            home: "/home/alice".into(),
            shell: "/bin/bash".into(),
        };
        let allowed = BTreeMap::from([("PROXY".to_string(), Some("p:1".into())), ("GONE".to_string(), None)]);
        let run_as = RunAs { user, switch: false, has_home };
        let missing = SecretError::NotGranted { secret: "key".into(), app: "a".into() };
        let token = Value::new(b"hush\n".to_vec().into());
        let secrets = BTreeMap::from([
            ("token".to_string(), token.map_err(|_| missing.clone())),
            ("key".to_string(), Err(missing)),
        ]);
        environment(&Ambient { run_as: &run_as, agent, allowed: &allowed, secrets: &secrets }, declared)
    }

    #[test]
    fn a_server_gets_its_users_variables_and_no_other() {
        let agent = strings([("PATH", "/opt/node/bin::bin:/usr/bin"), ("TZ", "Europe/Berlin"), ("AWS_SECRET", "x")]);
        let expected = strings([
            ("HOME", "/home/alice"),
            ("LANG", "C.UTF-8"),
            ("LOGNAME", "alice"),
            ("PATH", "/opt/node/bin:/usr/bin"),
            ("SHELL", "/bin/bash"),
            ("TMPDIR", "/tmp"),
            ("TZ", "Europe/Berlin"),
            ("USER", "alice"),
        ]);
        assert_eq!(made(true, &agent, &BTreeMap::new()).unwrap(), expected);
    }

    #[test]
    fn without_a_path_or_a_home_there_are_defaults() {
        for agent in [strings([]), strings([("PATH", "")]), strings([("PATH", ".:bin")])] {
            let made = made(false, &agent, &BTreeMap::new()).unwrap();
            assert_eq!(made.get("PATH").unwrap(), DEFAULT_PATH);
            assert_eq!(made.get("HOME"), None);
            assert_eq!(made.get("TZ"), None);
        }
    }

    #[test]
    fn what_is_declared_wins_and_is_looked_up() {
        let declared = |value: EnvValue| BTreeMap::from([("PATH".to_string(), value)]);
        let agent = strings([]);
        let value = |value| made(true, &agent, &declared(value)).map(|made| made["PATH"].clone());
        let (variable, name) = ("PATH".to_string(), "HOME".to_string());
        assert_eq!(value(EnvValue::Literal("/x $HOME".into())), Ok("/x $HOME".into()));
        assert_eq!(value(EnvValue::FromAgent("PROXY".into())), Ok("p:1".into()));
        assert_eq!(
            value(EnvValue::FromAgent("HOME".into())),
            Err(EnvironmentError::NotAllowed { variable: variable.clone(), name })
        );
        assert_eq!(
            value(EnvValue::FromAgent("GONE".into())),
            Err(EnvironmentError::NotSet { variable: variable.clone(), name: "GONE".into() })
        );
        assert_eq!(value(EnvValue::Secret("token".into())), Ok("hush".into()));
        let error = SecretError::NotGranted { secret: "key".into(), app: "a".into() };
        assert_eq!(
            value(EnvValue::Secret("key".into())),
            Err(EnvironmentError::Secret { variable: variable.clone(), error })
        );
        let name = "unheard-of".to_string();
        assert_eq!(value(EnvValue::Secret(name.clone())), Err(EnvironmentError::Unknown { variable, name }));
    }
}
