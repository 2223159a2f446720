//! VS Code's `mcp.json`: `servers`, and `inputs` that the editor asks the user for.

use super::{
    ImportedApp, clients,
    desk::{Desk, Meaning},
    object::Object,
};
use crate::manifest::{
    text::{Mark, quoted},
    yaml::Node,
};
use std::{cell::RefCell, collections::BTreeMap};

struct Input {
    mark: Mark,
    about: Option<String>,
    default: Option<String>,
    is_password: bool,
}

pub fn read(root: &Node, desk: &mut Desk) -> Option<Vec<ImportedApp>> {
    let mut object = Object::read(root, "", desk)?;
    // In the settings of the editor, it is all below `mcp`.
    if object.get("servers").is_none()
        && let Some(inner) = object.get("mcp")
    {
        object.finish(desk);
        object = Object::read(&inner.value, "mcp", desk)?;
    }
    let inputs = inputs(object.list("inputs", desk), desk);
    let servers = object.object("servers", desk)?;
    let used: RefCell<Vec<String>> = RefCell::default();
    let lookup = |name: &str| match name.strip_prefix("input:") {
        None => clients::meaning(name),
        Some(id) => match inputs.get(id) {
            None => Meaning::Asked { about: None },
            Some(input) => {
                used.borrow_mut().push(id.to_owned());
                match &input.default {
                    _ if input.is_password => Meaning::Secret { about: input.about.clone() },
                    Some(default) => Meaning::Value(default.clone()),
                    None => Meaning::Asked { about: input.about.clone() },
                }
            }
        },
    };
    let apps = clients::read(servers.entries(), &lookup, desk);
    object.finish(desk);
    let used = used.into_inner();
    for (id, input) in &inputs {
        let default = input.default.is_some() && !input.is_password && desk.var(&format!("input:{id}")).is_none();
        if !used.contains(id) {
            desk.note(input.mark, format!("the input {} is not used", quoted(id)));
        } else if default {
            desk.note(input.mark, format!("the input {} has become its default", quoted(id)));
        }
    }
    Some(apps)
}

fn inputs(nodes: &[Node], desk: &mut Desk) -> BTreeMap<String, Input> {
    let mut inputs = BTreeMap::new();
    for node in nodes {
        let Some(mut object) = Object::read(node, "inputs", desk) else { continue };
        let id = object.text("id", desk).map(|(id, _)| id.to_owned()).unwrap_or_default();
        let about = object.text("description", desk).map(|(text, _)| text.to_owned());
        let default = object.text("default", desk).map(|(text, _)| text.to_owned());
        let is_password = object.flag("password", desk);
        object.get("type");
        object.get("options");
        object.leave_out("command", "commands of the editor are not run", desk);
        object.leave_out("args", "commands of the editor are not run", desk);
        let mark = object.mark;
        object.finish(desk);
        inputs.insert(id, Input { mark, about, default, is_password });
    }
    inputs
}
