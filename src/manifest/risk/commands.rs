//! What a command line really runs: behind `sudo`, `env` and the like, and in the script of a shell.

use crate::manifest::text::Mark;

/// One word of a command line, and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) mark: Mark,
}

/// How many times a command may hold another one; what is deeper is left alone.
const MAX_DEPTH: usize = 4;

const SHELLS: &[&str] = &["ash", "bash", "dash", "ksh", "sh", "zsh"];

/// Programs that run the rest of their command line: their options that are followed by a value, and how many words
/// stand before the command.
const WRAPPERS: &[(&str, &[&str], usize)] = &[
    ("command", &[], 0),
    ("doas", &["-u", "-C"], 0),
    ("env", &["-u", "--unset", "-C", "--chdir"], 0),
    ("exec", &[], 0),
    ("nice", &["-n", "--adjustment"], 0),
    ("nohup", &[], 0),
    ("stdbuf", &["-i", "-o", "-e"], 0),
    ("sudo", &["-u", "--user", "-g", "--group", "-h", "-p", "-C", "-T", "-R", "-D", "-r", "-t"], 0),
    ("timeout", &["-k", "--kill-after", "-s", "--signal"], 1),
];

impl Word {
    pub(super) fn new(text: &str, mark: Mark) -> Word {
        Word { text: text.to_owned(), mark }
    }
}

/// The name of a program without its folder.
pub(super) fn name(words: &[Word]) -> &str {
    words.first().map_or("", |word| word.text.rsplit('/').next().unwrap_or_default())
}

/// The commands that a command line runs.
pub(super) fn commands(words: Vec<Word>) -> Vec<Vec<Word>> {
    let mut found = Vec::new();
    unfold(words, MAX_DEPTH, &mut found);
    found
}

fn unfold(words: Vec<Word>, depth: usize, found: &mut Vec<Vec<Word>>) {
    if words.is_empty() {
        return;
    }
    let program = name(&words).to_owned();
    let rest = || words.iter().skip(1).cloned();
    if depth > 0 && SHELLS.contains(&program.as_str()) {
        let script = rest().skip_while(|word| !is_script_option(&word.text)).nth(1);
        for command in script.iter().flat_map(|script| split(&script.text, script.mark)) {
            unfold(command, depth - 1, found);
        }
        return;
    }
    match WRAPPERS.iter().find(|(wrapper, ..)| *wrapper == program).filter(|_| depth > 0) {
        Some((_, with_value, before)) => {
            let mut words = rest().peekable();
            while let Some(word) = words.next_if(|word| word.text.starts_with('-') || is_assignment(&word.text)) {
                if with_value.contains(&word.text.as_str()) {
                    words.next();
                }
            }
            unfold(words.skip(*before).collect(), depth - 1, found);
        }
        None => found.push(words),
    }
}

/// `-c`, also among other letters: `-lc`.
fn is_script_option(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains('c'))
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// The commands of a script, roughly: words and quotes are understood, what the shell would put into them is not.
fn split(script: &str, mark: Mark) -> Vec<Vec<Word>> {
    let mut commands: Vec<Vec<Word>> = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut characters = script.chars().peekable();
    let mut quote = None;
    while let Some(c) = characters.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(characters.next()),
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() || ";&|()".contains(c) => {
                if let (Some(text), Some(last)) = (word.take(), commands.last_mut()) {
                    last.push(Word { text, mark });
                }
                if c == '\n' || ";&|()".contains(c) {
                    commands.push(Vec::new());
                }
            }
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    if let (Some(text), Some(last)) = (word, commands.last_mut()) {
        last.push(Word { text, mark });
    }
    let without_variables = |command: Vec<Word>| command.into_iter().skip_while(|word| is_assignment(&word.text));
    commands
        .into_iter()
        .map(|command| without_variables(command).collect())
        .filter(|c: &Vec<_>| !c.is_empty())
        .collect()
}
