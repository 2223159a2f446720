//! JSON texts with places in which the gateway may write something else.

/// What stands in such a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// The id of the client's request.
    Id,
    /// Its progress token.
    Token,
    /// The line that reached the server, as a JSON string.
    Line,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Hole(Hole),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Part>);

impl From<&str> for Template {
    fn from(text: &str) -> Template {
        Template(vec![Part::Text(text.to_owned())])
    }
}

impl From<String> for Template {
    fn from(text: String) -> Template {
        Template(vec![Part::Text(text)])
    }
}

impl From<Hole> for Template {
    fn from(hole: Hole) -> Template {
        Template(vec![Part::Hole(hole)])
    }
}

impl Template {
    pub fn then(mut self, other: impl Into<Template>) -> Template {
        self.0.extend(other.into().0);
        self
    }

    pub fn with(&self, mut fill: impl FnMut(Hole) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Hole(hole) => fill(*hole),
        });
        parts.collect()
    }

    /// As one line of the server's script: texts, and between each two of them the name of a hole.
    pub fn script(&self) -> Vec<String> {
        let mut script = vec![String::new()];
        for part in &self.0 {
            match part {
                // A server cannot break a line, but for the carriage returns.
                Part::Text(text) => {
                    script.last_mut().expect("it begins with a text").push_str(&text.replace('\n', " "));
                }
                Part::Hole(hole) => {
                    script.push(format!("{hole:?}").to_lowercase());
                    script.push(String::new());
                }
            }
        }
        script
    }
}

/// A text as it is on one line: line breaks are white space between the parts of a JSON text.
pub fn on_one_line(text: &str) -> String {
    text.trim_matches([' ', '\t', '\r', '\n']).replace(['\r', '\n'], " ")
}
