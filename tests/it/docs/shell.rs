//! Just enough of the shell's grammar to find the commands in an example.

use std::iter::Peekable;

/// The simple commands of a script, each as its words: those in `$(…)` too, without redirections, here-documents and
/// comments. What a variable or a substitution stands for is not known, so it stands as it is written.
pub fn commands(script: &str) -> Vec<Vec<String>> {
    let mut reader =
        Reader { rest: script.chars().peekable(), apart: false, commands: Vec::new(), documents: Vec::new() };
    reader.list(None);
    reader.commands
}

struct Reader<'s> {
    rest: Peekable<std::str::Chars<'s>>,
    /// Whether there is white space between the last word and what comes.
    apart: bool,
    commands: Vec<Vec<String>>,
    /// The ends of the here-documents that begin with the next line.
    documents: Vec<String>,
}

impl Reader<'_> {
    /// Reads commands up to `end`, which is the parenthesis that closes a substitution.
    fn list(&mut self, end: Option<char>) {
        let mut words = Vec::new();
        while let Some(&next) = self.rest.peek() {
            match next {
                _ if Some(next) == end => {
                    self.rest.next();
                    break;
                }
                '\n' => {
                    self.rest.next();
                    self.finish(&mut words);
                    self.skip_documents();
                }
                '#' => while self.rest.next_if(|c| *c != '\n').is_some() {},
                '|' | '&' | ';' | '(' | ')' => {
                    self.rest.next();
                    self.finish(&mut words);
                }
                '<' | '>' => self.redirection(&mut words),
                c if c.is_whitespace() => {
                    self.rest.next();
                    self.apart = true;
                }
                _ => {
                    words.extend(self.word());
                    self.apart = false;
                }
            }
        }
        self.finish(&mut words);
    }

    fn finish(&mut self, words: &mut Vec<String>) {
        if !words.is_empty() {
            self.commands.push(std::mem::take(words));
        }
    }

    fn redirection(&mut self, words: &mut Vec<String>) {
        // `2>` is no argument, and `2 >` is one.
        if !self.apart
            && words.last().is_some_and(|word| word.len() == 1 && word.starts_with(|c: char| c.is_ascii_digit()))
        {
            words.pop();
        }
        let mut operator = String::new();
        while let Some(c) = self.rest.next_if(|c| "<>&-".contains(*c)) {
            operator.push(c);
        }
        while self.rest.next_if_eq(&' ').is_some() {}
        let target = self.word();
        if operator.starts_with("<<") && operator != "<<<" {
            self.documents.extend(target);
        }
    }

    fn skip_documents(&mut self) {
        for end in std::mem::take(&mut self.documents) {
            while self.rest.peek().is_some() {
                let mut line = String::new();
                while let Some(c) = self.rest.next_if(|c| *c != '\n') {
                    line.push(c);
                }
                self.rest.next();
                if line.trim() == end {
                    break;
                }
            }
        }
    }

    /// The next word; nothing where only a line was continued.
    fn word(&mut self) -> Option<String> {
        let mut word = String::new();
        let mut is_word = false;
        while let Some(c) = self.rest.next_if(|c| !c.is_whitespace() && !"|&;()<>".contains(*c)) {
            match c {
                '\\' if self.rest.next_if_eq(&'\n').is_some() => continue,
                '\\' => word.extend(self.rest.next()),
                '\'' => {
                    while let Some(c) = self.rest.next_if(|c| *c != '\'') {
                        word.push(c);
                    }
                    self.rest.next();
                }
                '"' => self.quoted(&mut word),
                '$' => self.dollar(&mut word),
                _ => word.push(c),
            }
            is_word = true;
        }
        is_word.then_some(word)
    }

    fn quoted(&mut self, word: &mut String) {
        while let Some(c) = self.rest.next() {
            match c {
                '"' => break,
                '\\' => word.extend(self.rest.next()),
                '$' => self.dollar(word),
                _ => word.push(c),
            }
        }
    }

    fn dollar(&mut self, word: &mut String) {
        if self.rest.next_if_eq(&'(').is_some() {
            self.list(Some(')'));
            word.push_str("substituted");
        } else if self.rest.next_if_eq(&'{').is_some() {
            while self.rest.next().is_some_and(|c| c != '}') {}
            word.push_str("variable");
        } else {
            word.push('$');
        }
    }
}

#[test]
fn commands_are_found_in_a_script() {
    let script =
        "a 'b c' \"d $(e f | g) h\" > i 2>&1 && X=1 j k\\ l # m\nn <<'END' | o\np\nEND\nq --r=s \\\n  t; ${u:-v} w\n";
    let found: Vec<String> = commands(script).iter().map(|words| words.join("_")).collect();
    assert_eq!(found, ["e_f", "g", "a_b c_d substituted h", "X=1_j_k l", "n", "o", "q_--r=s_t", "variable_w"]);
}
