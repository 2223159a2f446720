//! Which host user a server runs as.

use super::launch::HostUser;
use nix::{
    errno::Errno,
    unistd::{Uid, User, getgrouplist},
};
use std::{collections::BTreeSet, ffi::CString, path::Path};

/// What the agent's configuration says about host users, for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSettings {
    /// For apps that name none, under a root agent.
    pub default_host_user: Option<String>,
    pub allow_root: bool,
    /// The users that this app may name. `None`: any.
    pub granted: Option<BTreeSet<String>>,
}

/// The answer to `run_as_host_user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserDecision {
    /// Stay the agent's own user.
    Own,
    /// Become this one.
    Switch(String),
}

/// Decides for which user to look.
///
/// An agent that is root runs nothing as root unless that is asked for and allowed; one that is not root can run
/// things only as itself. Whoever has a user name with the number of root is found out by [`resolve`].
///
/// # Errors
/// Why the app may not run, for people.
pub fn decide_user(requested: Option<&str>, agent: &HostUser, settings: &UserSettings) -> Result<UserDecision, String> {
    if let (Some(name), Some(granted)) = (requested, &settings.granted)
        && !granted.contains(name)
    {
        return Err(format!("host user `{name}` is not granted to this app by the agent's `host_users`"));
    }
    if agent.uid != 0 {
        return match requested {
            Some(name) if name != agent.name => Err(format!(
                "`run_as_host_user: {name}` needs an agent that runs as root; this one runs as `{}`",
                agent.name
            )),
            _ => Ok(UserDecision::Own),
        };
    }
    match requested.or(settings.default_host_user.as_deref()) {
        None => Err("the agent runs as root and the app names no `run_as_host_user`; \
                     set one, or `default_host_user` in the agent's configuration"
            .into()),
        Some("root") if !settings.allow_root => Err(refused_root("root")),
        Some(name) => Ok(UserDecision::Switch(name.into())),
    }
}

fn refused_root(name: &str) -> String {
    format!("host user `{name}` is root, which `allow_root` in the agent's configuration does not permit")
}

/// Who a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    pub user: HostUser,
    /// Whether it is another user than the agent's.
    pub switch: bool,
    /// Whether the user has a home directory. `nobody`, for one, has none.
    pub has_home: bool,
}

/// Decides and looks up.
///
/// Asks the host's user database, which may be slow where it is on a network: not for async code.
///
/// # Errors
/// Why the app may not run, for people.
pub fn resolve(requested: Option<&str>, agent: &HostUser, settings: &UserSettings) -> Result<RunAs, String> {
    let (user, switch) = match decide_user(requested, agent, settings)? {
        UserDecision::Own => (agent.clone(), false),
        UserDecision::Switch(name) => {
            let user = look_up(&name)?;
            if user.uid == 0 && !settings.allow_root {
                return Err(refused_root(&name));
            }
            (user, true)
        }
    };
    // Some systems write `/` for users without a home.
    let has_home = user.home != Path::new("/") && user.home.is_dir();
    Ok(RunAs { user, switch, has_home })
}

/// What is said where there are no users at all: a container without /etc/passwd.
const NO_DATABASE: Errno = Errno::ENOENT;

/// A user of this host by name.
///
/// # Errors
/// There is no such user, or the database cannot be asked.
pub fn look_up(name: &str) -> Result<HostUser, String> {
    match User::from_name(name) {
        Ok(Some(user)) => with_groups(user),
        Ok(None) | Err(NO_DATABASE) => Err(format!("there is no host user `{name}`")),
        Err(errno) => Err(format!("cannot look up host user `{name}`: {}", errno.desc())),
    }
}

/// The user that this process runs as. A container may run it under a number that has no name.
///
/// # Errors
/// The database cannot be asked.
pub fn current() -> Result<HostUser, String> {
    let uid = Uid::effective();
    match User::from_uid(uid) {
        Ok(Some(user)) => with_groups(user),
        Ok(None) | Err(NO_DATABASE) => Ok(HostUser {
            name: uid.to_string(),
            uid: uid.as_raw(),
            gid: nix::unistd::Gid::effective().as_raw(),
            groups: Vec::new(),
            home: "/".into(),
            shell: "/bin/sh".into(),
        }),
        Err(errno) => Err(format!("cannot look up host user {uid}: {}", errno.desc())),
    }
}

fn with_groups(user: User) -> Result<HostUser, String> {
    let name = CString::new(user.name.as_str()).map_err(|_| "a user name with a NUL".to_string())?;
    let groups = getgrouplist(&name, user.gid)
        .map_err(|errno| format!("cannot look up the groups of host user `{}`: {}", user.name, errno.desc()))?;
    Ok(HostUser {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: groups.into_iter().map(|gid| gid.as_raw()).collect(),
        home: user.dir,
        shell: user.shell,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, uid: u32) -> HostUser {
        let (home, shell) = (format!("/home/{name}").into(), "/bin/sh".into());
        HostUser { name: name.into(), uid, gid: uid, groups: vec![uid], home, shell }
    }

    #[test]
    fn nobody_becomes_root_by_accident() {
        let default = |name: &str| UserSettings { default_host_user: Some(name.into()), ..UserSettings::default() };
        let root_allowed = UserSettings { allow_root: true, ..UserSettings::default() };
        let switch = |name: &str| Some(UserDecision::Switch(name.into()));
        let (root, alice) = (user("root", 0), user("alice", 1000));
        let none = UserSettings::default();
        let cases = [
            (&root, None, &none, None),
            (&root, None, &default("nobody"), switch("nobody")),
            (&root, Some("docker"), &default("nobody"), switch("docker")),
            (&root, Some("root"), &none, None),
            (&root, None, &default("root"), None),
            (&root, Some("root"), &root_allowed, switch("root")),
            (&root, None, &root_allowed, None),
            (&alice, None, &none, Some(UserDecision::Own)),
            (&alice, None, &default("nobody"), Some(UserDecision::Own)),
            (&alice, Some("alice"), &none, Some(UserDecision::Own)),
            (&alice, Some("bob"), &none, None),
            (&alice, Some("root"), &root_allowed, None),
        ];
        for (agent, requested, settings, expected) in cases {
            let decided = decide_user(requested, agent, settings);
            assert_eq!(decided.clone().ok(), expected, "{} asked for {requested:?}: {decided:?}", agent.name);
        }
    }

    #[test]
    fn a_user_has_to_be_granted() {
        let granted = Some(BTreeSet::from(["docker".to_string()]));
        let settings = UserSettings { default_host_user: Some("nobody".into()), allow_root: false, granted };
        let root = user("root", 0);
        assert!(decide_user(Some("docker"), &root, &settings).is_ok());
        assert!(decide_user(Some("nobody"), &root, &settings).is_err());
        // What the configuration itself names needs no grant.
        assert_eq!(decide_user(None, &root, &settings), Ok(UserDecision::Switch("nobody".into())));
    }

    #[test]
    fn users_are_looked_up_with_their_groups() {
        let root = look_up("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(look_up("no-such-user-here").unwrap_err(), "there is no host user `no-such-user-here`");
        assert_eq!(current().unwrap().uid, Uid::effective().as_raw());
    }

    #[test]
    fn another_name_for_root_is_still_root() {
        let agent = user("root", 0);
        let settings = UserSettings { default_host_user: Some("root".into()), ..UserSettings::default() };
        assert!(resolve(None, &agent, &settings).is_err());
        let settings = UserSettings { allow_root: true, ..settings };
        assert_eq!(resolve(None, &agent, &settings).unwrap().user.uid, 0);
    }
}
