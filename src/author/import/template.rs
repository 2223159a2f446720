//! Texts with references in them: `${VARIABLE}`, `${VARIABLE:-default}` and `{variable}`.

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Reference {
        name: String,
        /// What stands after `:-`.
        default: Option<String>,
    },
}

/// A text, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pub pieces: Vec<Piece>,
}

impl Template {
    /// A text without references.
    pub fn literal(text: impl Into<String>) -> Template {
        Template { pieces: vec![Piece::Text(text.into())] }
    }

    /// The references of clients and editors. What is not closed is text.
    pub fn dollar(text: &str) -> Template {
        let mut template = Template::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((inside, behind)) = after.split_once('}') else { break };
            template.push(before);
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default.to_owned())),
                None => (inside, None),
            };
            template.pieces.push(Piece::Reference { name: name.trim().to_owned(), default });
            rest = behind;
        }
        template.push(rest);
        template
    }

    /// The references of a registry's entry: names in braces, as far as they are known.
    pub fn braces(text: &str, is_known: impl Fn(&str) -> bool) -> Template {
        let mut template = Template::default();
        let (mut rest, mut plain) = (text, String::new());
        while let Some((before, after)) = rest.split_once('{') {
            plain += before;
            match after.split_once('}') {
                Some((name, behind)) if is_known(name) => {
                    template.push(&std::mem::take(&mut plain));
                    template.pieces.push(Piece::Reference { name: name.to_owned(), default: None });
                    rest = behind;
                }
                _ => {
                    plain.push('{');
                    rest = after;
                }
            }
        }
        template.push(&(plain + rest));
        template
    }

    fn push(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(template: &Template) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => format!("[{text}]"),
            Piece::Reference { name, default } => format!("<{name}|{default:?}>"),
        };
        template.pieces.iter().map(piece).collect()
    }

    #[test]
    fn dollars() {
        for (text, expected) in [
            ("", ""),
            ("a", "[a]"),
            ("${A}", "<A|None>"),
            ("Bearer ${env:A} $B", "[Bearer ]<env:A|None>[ $B]"),
            ("${A:-x:y}/${ B }", "<A|Some(\"x:y\")>[/]<B|None>"),
            ("${A:-}", "<A|Some(\"\")>"),
            ("${A", "[${A]"),
            ("a${}b", "[a]<|None>[b]"),
        ] {
            assert_eq!(shown(&Template::dollar(text)), expected, "{text}");
        }
    }

    #[test]
    fn braces() {
        let known = |name: &str| matches!(name, "a" | "b");
        for (text, expected) in [
            ("{a}-{b}", "<a|None>[-]<b|None>"),
            ("x{c}{a}", "[x{c}]<a|None>"),
            ("{{a}", "[{]<a|None>"),
            ("{a", "[{a]"),
            ("", ""),
        ] {
            assert_eq!(shown(&Template::braces(text, known)), expected, "{text}");
        }
    }
}
