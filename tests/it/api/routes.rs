//! Every route is described. They are read out of the source: there is no way to add one that is not seen here.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{collections::BTreeSet, fs, path::Path};

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "any"];

/// Path and method of each route of the agent's own listeners.
fn routes() -> BTreeSet<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for folder in ["gateway", "status"] {
        let entries = walkdir::WalkDir::new(root.join(folder)).into_iter();
        for path in entries.map(|entry| entry.unwrap().into_path()).chain([root.join(folder).with_extension("rs")]) {
            if path.extension().is_some_and(|extension| extension == "rs") && path.exists() {
                read(fs::read_to_string(&path).unwrap().parse().unwrap(), &mut found);
            }
        }
    }
    found
}

fn read(tokens: TokenStream, found: &mut BTreeSet<(String, String)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            let before = |by| index.checked_sub(by).and_then(|before| tokens.get(before)).map(ToString::to_string);
            let called = before(1).as_deref() == Some("route") && before(2).as_deref() == Some(".");
            let several = group.stream().into_iter().any(|token| token.to_string() == ",");
            if called && several && group.delimiter() == Delimiter::Parenthesis {
                route(group.stream(), found);
            }
            read(group.stream(), found);
        }
    }
}

/// The inside of `.route("PATH", get(…).post(…))`.
fn route(tokens: TokenStream, found: &mut BTreeSet<(String, String)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let [TokenTree::Literal(path), _, rest @ ..] = &tokens[..] else { panic!("a route whose path is no literal") };
    let path = path.to_string().trim_matches('"').to_owned();
    let mut methods = 0;
    for pair in rest.windows(2) {
        if let [TokenTree::Ident(name), TokenTree::Group(_)] = pair
            && METHODS.contains(&&*name.to_string())
        {
            found.insert((path.clone(), name.to_string()));
            methods += 1;
        }
    }
    assert!(methods > 0, "{path}: no method is seen");
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let described: BTreeSet<(String, String)> = super::schemas::description()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| METHODS.contains(&&***key));
            methods.map(|method| (path.clone(), method.clone())).collect::<Vec<_>>()
        })
        .collect();
    let routes = routes();
    assert!(routes.len() > 15, "{routes:?}");
    for (path, method) in &routes {
        let is = |method: &str| described.contains(&(path.clone(), method.to_owned()));
        // Three of the methods of a client of MCP are one route.
        let all = if method == "any" { ["get", "post", "delete"].into_iter().all(is) } else { is(method) };
        assert!(all, "{method} {path} is not described: add its handler to src/status/api/description.rs");
    }
    for (path, method) in &described {
        let there = |method: &str| routes.contains(&(path.clone(), method.to_owned()));
        // It is answered before there is a route.
        let before = path.starts_with("/.well-known/");
        assert!(before || there(method) || there("any"), "{method} {path} is described and not there");
    }
}
