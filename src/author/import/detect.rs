//! Whether a text is a secret, by the name of what it is for and by its own form. It rather says so once too often: what
//! becomes a reference by mistake can be kept with `--not-secret`, what is committed by mistake cannot be taken back.

use crate::manifest::risk::secret;

/// Words of names that are about secrets. The last word of a name counts: `TOKEN_LIMIT` is a limit.
const WORDS: &[&str] = &[
    "apikey",
    "auth",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "jwt",
    "key",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "pat",
    "pwd",
    "secret",
    "secrets",
    "token",
    "tokens",
];

/// Whether what has this name is a secret, whatever its value is: `GITHUB_TOKEN`, `x-api-key`.
pub fn is_secret_name(name: &str) -> bool {
    secret::words(name).last().is_some_and(|last| {
        WORDS.contains(&last.as_str())
            || ["apikey", "password", "token", "secret"].iter().any(|end| last.ends_with(end))
    })
}

/// Whether a value is a secret: all that `validate` would warn of, and what is one by its name.
pub fn is_secret(name: &str, value: &str) -> bool {
    let value = value.trim();
    if secret::literal(name, value).is_some() || has_password(value) {
        return true;
    }
    let word = ["true", "false", "none", "null", "yes", "no", "auto", "oauth", "basic", "bearer", "0", "1"];
    is_secret_name(name)
        && !value.is_empty()
        && !word.contains(&value.to_ascii_lowercase().as_str())
        && !value.contains("${")
        && !is_place(value)
}

/// Whether there is a secret within an argument: `Authorization: Bearer …`, `API_KEY=…`.
pub fn has_secret(argument: &str) -> bool {
    let pair = argument.split_once(['=', ':']).filter(|(name, _)| !name.contains(char::is_whitespace));
    let pair = pair.filter(|(_, value)| !value.starts_with("//"));
    secret::within(argument).is_some() || pair.is_some_and(|(name, value)| is_secret(name, value))
}

/// Whether a value only stands for one that is to be filled in: `<your token>`.
pub fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    let value = value.strip_prefix("Bearer ").unwrap_or(value).trim();
    let lower = value.to_ascii_lowercase();
    (value.starts_with('<') && value.ends_with('>'))
        || ["your_", "your-", "your ", "changeme", "replace_", "replace-", "insert_", "xxxx", "..."]
            .iter()
            .any(|word| lower.contains(word))
}

/// A path or an address, which is where a secret is and not the secret.
fn is_place(value: &str) -> bool {
    value.starts_with(['/', '~']) || value.starts_with("./") || (value.contains("://") && !has_password(value))
}

/// A URL with a password or token before its host, or with one among its parameters.
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let (authority, query) = match rest.split_once('?') {
        Some((before, query)) => (before, query),
        None => (rest, ""),
    };
    let authority = authority.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user).unwrap_or_default();
    let query = query.split('#').next().unwrap_or_default();
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
        || query.split('&').filter_map(|pair| pair.split_once('=')).any(|(name, value)| is_secret(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets() {
        for (name, value, secret) in [
            ("GITHUB_TOKEN", "anything", true),
            ("apiKey", "abc123", true),
            ("Authorization", "Bearer abcdef", true),
            ("X", "ghp_0123456789abcdefghij0123456789abcdef", true),
            ("DATABASE_URL", "postgres://u:hunter2@db/x", true),
            ("url", "https://example.com/mcp?api_key=abc", true),
            ("DATA", "q8Zt3LmX0vBn5RkW7yHd2JcFp4Gs", true),
            ("DATABASE_URL", "postgres://db/x", false),
            ("TOKEN_LIMIT", "5000", false),
            ("TOKEN_FILE", "/run/token", false),
            ("SSH_KEY", "/home/a/.ssh/id", false),
            ("AUTH", "oauth", false),
            ("LOG_LEVEL", "debug", false),
            ("X", "@modelcontextprotocol/server-everything@2026.8.31", false),
            ("X", "mcp-server-everything-2026-with-a-long-name", false),
            ("TOKEN", "", false),
        ] {
            assert_eq!(is_secret(name, value), secret, "{name}={value}");
        }
    }

    #[test]
    fn arguments() {
        for argument in ["Authorization: Bearer abcdef", "API_KEY=abcdef", "X-Api-Key:abcdef", "--token=abcdef"] {
            assert!(has_secret(argument), "{argument}");
        }
        for argument in [
            "key:none",
            "Authorization:${TOKEN}",
            "https://example.com",
            "a=b",
            "ghcr.io/a/b:1.0",
            "type=bind,src=/a,dst=/b",
            "TOKEN_FILE=/a",
        ] {
            assert!(!has_secret(argument), "{argument}");
        }
    }

    #[test]
    fn placeholders() {
        assert!(["<YOUR_TOKEN>", "your-api-key-here", "Bearer YOUR_KEY", "xxxxxxxx"].iter().all(|v| is_placeholder(v)));
        assert!(!["ghp_0123456789", "debug", "/a/b"].iter().any(|v| is_placeholder(v)));
    }
}
