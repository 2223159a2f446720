//! Whether a text that stands in a file is a secret: by its shape, by what it is called, or because it looks random.
//!
//! A guess, which errs on the side of silence: a warning that is wrong most of the time is read by nobody. What is found is
//! never quoted.

/// What a text was recognized by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clue {
    /// It has the form of this kind of secret.
    Shape(&'static str),
    /// Its name says that it is one.
    Name,
    /// It is long, and as good as random.
    Entropy,
}

impl std::fmt::Display for Clue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Clue::Shape(what) => write!(f, "has the form of {what}"),
            Clue::Name => f.write_str("is a secret by its name"),
            Clue::Entropy => f.write_str("looks random, as secrets do"),
        }
    }
}

/// Tokens that say what they are: how they begin, how many characters follow at least, and what they are.
const SHAPES: &[(&str, usize, &str)] = &[
    ("ghp_", 30, "a token of GitHub"),
    ("gho_", 30, "a token of GitHub"),
    ("ghu_", 30, "a token of GitHub"),
    ("ghs_", 30, "a token of GitHub"),
    ("ghr_", 30, "a token of GitHub"),
    ("github_pat_", 30, "a token of GitHub"),
    ("glpat-", 16, "a token of GitLab"),
    ("xoxb-", 16, "a token of Slack"),
    ("xoxp-", 16, "a token of Slack"),
    ("xoxa-", 16, "a token of Slack"),
    ("xapp-", 16, "a token of Slack"),
    ("sk-", 20, "a key of an AI provider"),
    ("AIza", 30, "a key of Google"),
    ("ya29.", 20, "a token of Google"),
    ("npm_", 30, "a token of npm"),
    ("pypi-", 30, "a token of PyPI"),
    ("hf_", 30, "a token of Hugging Face"),
    ("dop_v1_", 32, "a token of DigitalOcean"),
    ("sk_live_", 16, "a key of Stripe"),
    ("rk_live_", 16, "a key of Stripe"),
    ("SG.", 40, "a key of SendGrid"),
    ("AKIA", 16, "an access key of AWS"),
    ("ASIA", 16, "an access key of AWS"),
    ("ntn_", 30, "a token of Notion"),
    ("lin_api_", 30, "a key of Linear"),
    ("tvly-", 20, "a key of Tavily"),
    ("mcpf_", 30, "a token of mcpfleet"),
];

/// Words at the end of a name that says what a secret is for.
const NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pat",
    "pwd",
    "apikey",
    "api key",
    "access key",
    "secret key",
    "private key",
    "auth key",
    "client secret",
    "credential",
    "credentials",
    "authorization",
];

/// Words in a name of what is long and random, and no secret.
const PUBLIC: &[&str] =
    &["digest", "sha", "sha256", "sha1", "checksum", "commit", "hash", "fingerprint", "id", "public"];

/// Whether a text is a secret. `name` is what it is called: a variable, a header; empty if it has no name.
pub fn literal(name: &str, value: &str) -> Option<Clue> {
    let value = value.trim();
    if is_placeholder(value) {
        return None;
    }
    if let Some(what) = shape(value) {
        return Some(Clue::Shape(what));
    }
    let words = words(name);
    if NAMES.iter().any(|secret| ends_with(&words, secret)) && value.len() >= 6 && !is_reference(value) {
        return Some(Clue::Name);
    }
    let is_public = words.iter().any(|word| PUBLIC.contains(&word.as_str()));
    (!is_public && is_random(value)).then_some(Clue::Entropy)
}

/// The secret within a text that has other things in it: a header's line, a URL, an option with its value.
pub fn within(text: &str) -> Option<Clue> {
    if let Some((address, query)) = text.split_once('?').filter(|(address, _)| address.contains("://")) {
        let in_query =
            || query.split(['&', '#']).filter_map(|pair| pair.split_once('=')).find_map(|(n, v)| literal(n, v));
        return literal("", address).or_else(in_query);
    }
    let (name, value) = match text.trim_start_matches('-').split_once(['=', ':']) {
        Some((name, value)) if !value.starts_with("//") && !name.contains(char::is_whitespace) => (name, value),
        _ => ("", text),
    };
    literal(name, value)
}

fn shape(value: &str) -> Option<&'static str> {
    if value.contains("-----BEGIN ") && value.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    for scheme in ["Bearer ", "bearer ", "Basic ", "basic ", "Token ", "token "] {
        if let Some(rest) = value.strip_prefix(scheme) {
            let rest = rest.trim();
            return (rest.len() >= 6 && !is_placeholder(rest) && !is_reference(rest)).then_some("credentials");
        }
    }
    if let Some((_, rest)) = value.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let password =
            authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
        if password.is_some_and(|password| password.len() > 2 && !is_placeholder(password) && !is_reference(password)) {
            return Some("a URL with a password");
        }
        return None;
    }
    let token = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let of = |(prefix, least, what): &(&str, usize, &'static str)| {
        let rest = value.strip_prefix(prefix)?;
        let good = rest.len() >= *least && rest.bytes().all(token) && rest.bytes().any(|b| b.is_ascii_digit());
        good.then_some(*what)
    };
    SHAPES.iter().find_map(of).or_else(|| is_jwt(value).then_some("a signed token (JWT)"))
}

fn is_jwt(value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    let base64 = |part: &&str| part.len() >= 4 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    parts.len() == 3 && value.starts_with("eyJ") && parts.iter().all(base64)
}

/// Whether it stands for a value that is to be filled in.
fn is_placeholder(value: &str) -> bool {
    let lower = value.to_lowercase();
    let marks = [
        "changeme",
        "change-me",
        "change_me",
        "example",
        "placeholder",
        "dummy",
        "replace",
        "todo",
        "insert",
        "redacted",
    ];
    let wrapped = value.starts_with('<') && value.ends_with('>') || value.starts_with('[') && value.ends_with(']');
    let mut letters = value.chars().filter(|c| c.is_alphanumeric());
    let first = letters.next();
    let uniform = letters.all(|c| Some(c) == first);
    value.is_empty()
        || wrapped
        || uniform
        || lower.starts_with("your")
        || lower.contains("xxxx")
        || marks.iter().any(|mark| lower.contains(mark))
}

/// Whether it names where the value is to be taken from.
fn is_reference(value: &str) -> bool {
    value.contains("${")
        || value.starts_with('$')
        || value.contains("{{")
        || value.starts_with('/')
        || value.starts_with("./")
        || value.starts_with("~/")
}

/// Whether it is long enough to tell, of the characters of tokens, and spread over them as random text is.
fn is_random(value: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"+/_-=".contains(&b);
    if value.len() < 24 || value.len() > 512 || !value.bytes().all(token) || is_uuid(value) || is_reference(value) {
        return false;
    }
    let has = |class: fn(&u8) -> bool| value.bytes().any(|b| class(&b));
    let (digits, lower, upper) = (has(u8::is_ascii_digit), has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
    let hex = value.bytes().all(|b| b.is_ascii_hexdigit());
    // Words that are joined, as in names of images and paths, change class rarely.
    let bits = entropy(value);
    match hex {
        true => digits && (lower || upper) && value.len() >= 32 && bits > 3.0,
        false => digits && lower && upper && bits > 4.0 && changes(value) * 4 > value.len(),
    }
}

fn is_uuid(value: &str) -> bool {
    let parts: Vec<usize> = value.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
}

/// Bits of each character.
fn entropy(value: &str) -> f64 {
    let mut counts = [0u32; 256];
    for b in value.bytes() {
        if let Some(count) = counts.get_mut(usize::from(b)) {
            *count += 1;
        }
    }
    let length = value.len() as f64;
    let part = |count: &u32| {
        let share = f64::from(*count) / length;
        if *count == 0 { 0.0 } else { -share * share.log2() }
    };
    counts.iter().map(part).sum()
}

/// How often the class of characters changes.
fn changes(value: &str) -> usize {
    let class = |b: u8| match b {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let classes: Vec<u8> = value.bytes().map(class).collect();
    classes.windows(2).filter(|pair| pair.first() != pair.last()).count()
}

/// The words of a name, in lower case: of `GITHUB_TOKEN`, `X-Api-Key`, `clientSecret`.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_uppercase() && before.is_lowercase();
        if (!c.is_alphanumeric() || begins) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            last.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn ends_with(words: &[String], secret: &str) -> bool {
    let parts: Vec<&str> = secret.split(' ').collect();
    let tail = words.len().checked_sub(parts.len()).and_then(|start| words.get(start..)).unwrap_or_default();
    !tail.is_empty() && tail.iter().map(String::as_str).eq(parts.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets() {
        for (name, value, clue) in [
            ("", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", Clue::Shape("a token of GitHub")),
            ("X", "glpat-ABCdefGHI123jklMNO45", Clue::Shape("a token of GitLab")),
            ("X", "AKIAIOSFODNN7EXAMPL3", Clue::Shape("an access key of AWS")),
            ("X", "sk-ant-api03-abcdefghijklmnop1234567890", Clue::Shape("a key of an AI provider")),
            ("Authorization", "Bearer abcdef123456", Clue::Shape("credentials")),
            ("DATABASE_URL", "postgres://app:hunter2@db.internal/app", Clue::Shape("a URL with a password")),
            ("K", "-----BEGIN OPENSSH PRIVATE KEY-----\nx", Clue::Shape("a private key")),
            ("T", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdEFGH1234", Clue::Shape("a signed token (JWT)")),
            ("DB_PASSWORD", "hunter22", Clue::Name),
            ("X-Api-Key", "k1234567", Clue::Name),
            ("clientSecret", "abcdefgh", Clue::Name),
            ("SETTING", "kJ8fT2xQ9mZ4vB7nL1pR6wY3cD5hG0sA", Clue::Entropy),
            ("SETTING", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", Clue::Entropy),
        ] {
            // The documentation's own key has the word for it in it.
            let value = value.replace("EXAMPL3", "EX4MPL3A");
            assert_eq!(literal(name, &value), Some(clue), "{name}={value}");
        }
        for text in
            ["--token=abcdef123456", "Authorization: Bearer abcdef123456", "https://u:passw0rd@h/", "API_KEY=abc123def"]
        {
            assert!(within(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for (name, value) in [
            ("TOKEN", ""),
            ("TOKEN", "${GITHUB_TOKEN}"),
            ("TOKEN", "<your-token>"),
            ("API_KEY", "your-api-key-here"),
            ("PASSWORD", "changeme"),
            ("PASSWORD", "xxxxxxxx"),
            ("TOKEN", "$TOKEN"),
            ("TOKEN_FILE", "/run/secrets/token"),
            ("PASSWORD_FILE", "hunter22"),
            ("Authorization", "Bearer ${TOKEN}"),
            ("URL", "https://example.com/a/very/long/path/with/1234567890abcdef"),
            ("URL", "https://user@host.internal/"),
            ("IMAGE_DIGEST", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
            ("TENANT", "123e4567-e89b-12d3-a456-426614174000"),
            ("CLIENT_ID", "kJ8fT2xQ9mZ4vB7nL1pR6wY3cD5hG0sA"),
            ("PACKAGE", "@modelcontextprotocol/server-everything@2026.8.31"),
            ("NAME", "a-rather-long-name-of-something-else-1"),
            ("PATHS", "/usr/local/share/mcp/Servers/Everything2026"),
            ("VERSION", "2026.8.31"),
            ("MAX_TOKENS", "4096"),
            ("", "mcp/everything:latest"),
        ] {
            assert_eq!(literal(name, value), None, "{name}={value}");
        }
        for text in
            ["--port=8080", "-y", "--allow-origin=https://example.com", "mcp/everything@sha256", "--tokenizer=fast"]
        {
            assert_eq!(within(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at(name in any::<String>(), value in any::<String>()) {
            let _ = (literal(&name, &value), within(&value));
        }
    }
}
