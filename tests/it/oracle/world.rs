//! A small fleet: what its files may say, and who may change them, without a line of YAML.

use std::fmt;

/// The files that change. Others stay as they were in the first commit.
pub const PATHS: [&str; 7] = [
    "apps/a.yaml",
    "apps/b.yaml",
    "apps/c.yaml",
    "roles/team-a.yaml",
    "users/ann.yaml",
    "users/ben.yaml",
    "users/root.yaml",
];
const TEAM_A: usize = 3;
/// Where the file of each of [`PEOPLE`] is.
const USERS: [(usize, Person); 3] = [(4, Person::Ann), (5, Person::Ben), (6, Person::Root)];

/// Whether the file at an index of [`PATHS`] is for a role or a user.
fn is_policy(path: usize) -> bool {
    path >= TEAM_A
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Person {
    Ann,
    Ben,
    Root,
    /// Nobody whom the policy knows.
    Eve,
}

pub const PEOPLE: [Person; 4] = [Person::Ann, Person::Ben, Person::Root, Person::Eve];

impl Person {
    pub fn name(self) -> &'static str {
        match self {
            Person::Ann => "ann",
            Person::Ben => "ben",
            Person::Root => "root",
            Person::Eve => "eve",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Team {
    A,
    B,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Everything with apps of team a.
    All,
    /// The same, and no app may be deleted.
    NoDelete,
    Nothing,
}

/// What a file says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// `twin`: it has the name of the app in the first file.
    App {
        twin: bool,
        team: Team,
        version: u8,
    },
    Role(Grant),
    User {
        admin: bool,
        team_a: bool,
        team_b: bool,
    },
    Broken,
}

impl Content {
    pub fn is_policy(self) -> bool {
        matches!(self, Content::Role(_) | Content::User { .. })
    }
}

pub type Slot = Option<Content>;
pub type Tree = [Slot; PATHS.len()];

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::App { twin, team, version } => {
                write!(f, "{team:?}{version}{}", if *twin { "twin" } else { "" })
            }
            Content::Role(grant) => write!(f, "{grant:?}"),
            Content::User { admin, team_a, team_b } => {
                let roles = [(admin, "admin"), (team_a, "team-a"), (team_b, "team-b")];
                write!(f, "{:?}", roles.iter().filter(|(has, _)| **has).map(|(_, role)| role).collect::<Vec<_>>())
            }
            Content::Broken => f.write_str("broken"),
        }
    }
}

/// What the first commit has.
pub const START: Tree = [
    Some(Content::App { twin: false, team: Team::A, version: 0 }),
    Some(Content::App { twin: false, team: Team::B, version: 0 }),
    None,
    Some(Content::Role(Grant::All)),
    Some(Content::User { admin: false, team_a: true, team_b: false }),
    Some(Content::User { admin: false, team_a: false, team_b: true }),
    Some(Content::User { admin: true, team_a: false, team_b: false }),
];

fn roles(tree: &Tree, person: Person) -> Option<(bool, bool, bool)> {
    let (path, _) = USERS.into_iter().find(|(_, user)| *user == person)?;
    match tree[path] {
        Some(Content::User { admin, team_a, team_b }) => Some((admin, team_a, team_b)),
        _ => None,
    }
}

pub fn is_user(tree: &Tree, person: Person) -> bool {
    roles(tree, person).is_some()
}

/// Whether the policy in a tree lets somebody do anything at all.
pub fn has_rights(tree: &Tree, person: Person) -> bool {
    let by_team_a = !matches!(tree[TEAM_A], None | Some(Content::Role(Grant::Nothing)));
    roles(tree, person).is_some_and(|(admin, team_a, team_b)| admin || team_b || team_a && by_team_a)
}

/// Whether everything in a tree is valid, no name is there twice, and somebody may change roles.
pub fn is_valid(tree: &Tree) -> bool {
    let name = |path: usize| match tree[path] {
        Some(Content::App { twin, .. }) => Some(if twin { 0 } else { path }),
        _ => None,
    };
    let twice = (0..TEAM_A).any(|a| (0..a).any(|b| name(a).is_some() && name(a) == name(b)));
    let broken = tree.contains(&Some(Content::Broken));
    let missing_role = tree[TEAM_A].is_none() && PEOPLE.iter().any(|p| matches!(roles(tree, *p), Some((_, true, _))));
    let administrator = PEOPLE.iter().any(|person| matches!(roles(tree, *person), Some((true, ..))));
    !twice && !broken && !missing_role && administrator
}

#[derive(Clone, Copy)]
enum Verb {
    Create,
    Update,
    Delete,
}

/// Whether the policy in a tree lets somebody change a file.
pub fn is_allowed(policy: &Tree, person: Person, path: usize, from: Slot, to: Slot) -> bool {
    if from == to {
        return true;
    }
    if to == Some(Content::Broken) {
        return false;
    }
    // Where somebody without rights broke it before, nothing can be read in it.
    let from = from.filter(|content| *content != Content::Broken);
    let twin = |slot: Slot| matches!(slot, Some(Content::App { twin: true, .. }));
    let changes: Vec<(Verb, Vec<Content>)> = match (from, to) {
        (Some(before), Some(after)) if twin(from) == twin(to) => vec![(Verb::Update, vec![before, after])],
        _ => {
            let delete = from.map(|before| (Verb::Delete, vec![before]));
            delete.into_iter().chain(to.map(|after| (Verb::Create, vec![after]))).collect()
        }
    };
    let Some((admin, team_a, team_b)) = roles(policy, person) else { return false };
    let grant = match policy[TEAM_A] {
        Some(Content::Role(grant)) if team_a => grant,
        _ => Grant::Nothing,
    };
    changes.iter().all(|(verb, states)| {
        let of = |team: Team| states.iter().all(|s| matches!(s, Content::App { team: t, .. } if *t == team));
        let denied = grant == Grant::NoDelete && matches!(verb, Verb::Delete) && !is_policy(path);
        let by_team_a = grant != Grant::Nothing && of(Team::A);
        !denied && (admin || by_team_a || team_b && of(Team::B))
    })
}
