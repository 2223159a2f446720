use super::{
    Outcome, Output,
    author::PlaceArgs,
    terminal::{escape, print, print_structured},
};
use crate::{
    author::Draft,
    gateway::identity::token::{RANDOM, Token},
    manifest::{FileState, write},
    resource::{GatewayIdentity, GitIdentity, Kind, Metadata, Resource, ResourceId, User, check_name},
};
use anyhow::Context;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// Make tokens, by which clients of the gateway show who they are.
#[derive(clap::Subcommand)]
pub enum Command {
    Create(Create),
}

/// Make a token for a user, and show what to commit.
///
/// The token is shown this once and kept nowhere; resources have its digest alone, which is of no use to who reads it. In a git
/// repository it says in which file the user is. A user may have several tokens: one is revoked by a commit without its
/// digest.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet token create ada
  mcpfleet token create ci -o json | jq -r .token > ~/.config/mcpfleet/token
  mcpfleet mcp ls --agent http://fleet.example.com:7420 --token-file ~/.config/mcpfleet/token

Exit codes: 0 it is printed, 2 wrong usage, 3 something went wrong")]
pub struct Create {
    /// The user
    #[arg(value_parser = user_name)]
    user: String,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    place: PlaceArgs,
}

fn user_name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

pub fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Create(args) => create(&args),
    }
}

#[derive(Serialize)]
struct Created<'a> {
    user: &'a str,
    token: &'a str,
    token_sha256: String,
    /// Where the user is, from the root of the repository; null where there is none.
    file: Option<&'a str>,
}

fn create(args: &Create) -> anyhow::Result<Outcome> {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random)
        .context("this machine gives no random numbers, without which a token could be guessed")?;
    let token = Token::new(&random);
    let file = file_of(args);
    let created = Created {
        user: &args.user,
        token: token.reveal(),
        token_sha256: token.digest().to_string(),
        file: file.as_deref(),
    };
    if print_structured(args.output, &created)?.is_none() {
        print(&text(&created)?)?;
    }
    Ok(Outcome::Fine)
}

/// The file of the user in the repository that this is called in. A folder that is none may be anything, and is not read.
fn file_of(args: &Create) -> Option<String> {
    let place = args.place.open().ok().filter(|place| place.is_git())?;
    let draft = Draft::new(&place).ok()?;
    let id = ResourceId { kind: Kind::User, name: args.user.clone() };
    let file = draft.tree().iter().find(|(_, state)| match state {
        FileState::Parsed(file) => file.resources.iter().any(|located| located.resource.id() == id),
        FileState::Unreadable(_) => false,
    });
    file.map(|(path, _)| path.to_string())
}

fn text(created: &Created<'_>) -> anyhow::Result<String> {
    let Created { user, token, token_sha256, file } = created;
    let what = match file {
        Some(file) => format!(
            "Add its digest to user {user} in {}, as `mcpfleet edit user/{user}` does, and commit that:\n\n\
             spec:\n  gateway:\n    token_sha256:\n      - {token_sha256}\n",
            escape(file)
        ),
        None => format!(
            "Commit its digest as a user of the source, with the roles that it is to have (or add it to the user's others):\n\n{}",
            document(user, token_sha256)?
        ),
    };
    Ok(format!(
        "The token of {user}. It is shown this once, and kept nowhere:\n\n  {token}\n\n{what}\n\
         Clients send it as `Authorization: Bearer TOKEN`; mcpfleet reads it from the file of --token-file or \
         MCPFLEET_TOKEN_FILE.\n"
    ))
}

/// The document of a user who has nothing but this token.
fn document(name: &str, digest: &str) -> anyhow::Result<String> {
    let gateway = GatewayIdentity { token_sha256: vec![digest.to_owned()], ..GatewayIdentity::default() };
    let (roles, traits, git) = (Vec::new(), BTreeMap::new(), GitIdentity::default());
    let user = User { metadata: Metadata::named(name), roles, traits, git, gateway };
    Ok(write(&Resource::User(Arc::new(user)))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse_file;

    #[test]
    fn what_is_shown_can_be_committed() {
        let token = Token::new(&[1; RANDOM]);
        let digest = token.digest().to_string();
        let created = |file| Created { user: "ada", token: token.reveal(), token_sha256: digest.clone(), file };
        let shown = text(&created(None)).unwrap();
        assert!(shown.contains(token.reveal()), "{shown}");
        let start = shown.find("kind: user").unwrap();
        let document = shown[start..].split("\n\n").next().unwrap();
        let parsed = parse_file("ada.yaml", document.as_bytes());
        assert!(parsed.is_valid(), "{document}: {:?}", parsed.diagnostics);
        match &parsed.resources[0].resource {
            Resource::User(user) => assert_eq!(user.gateway.token_sha256, std::slice::from_ref(&digest)),
            other => panic!("{other:?}"),
        }
        let shown = text(&created(Some("users/ada.yaml"))).unwrap();
        assert!(shown.contains("in users/ada.yaml") && shown.contains(&digest), "{shown}");
    }
}
