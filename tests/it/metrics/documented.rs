//! The table of all metrics is made from what the agent exports. `UPDATE_GOLDEN=1` writes the page anew.

use mcpfleet::status::metrics::families;
use std::{fmt::Write as _, fs, path::Path};

const BEGIN: &str = "<!-- made from the program: the table of all metrics -->\n";
const END: &str = "<!-- end of what is made -->\n";

#[test]
fn the_table_of_all_metrics_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = fs::read_to_string(&path).expect("a readable page");
    let (before, rest) = page.split_once(BEGIN).expect("the beginning of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let mut table = String::from("\n| metric | type | labels | what |\n| --- | --- | --- | --- |\n");
    for family in families::ALL {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = family.kind.as_str();
        writeln!(table, "| `{}` | {kind} | {} | {} |", family.name(), labels.join(", "), family.help).expect("text");
    }
    let expected = format!("{before}{BEGIN}{table}\n{END}{after}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, expected).expect("a writable page");
        return;
    }
    assert!(page == expected, "docs/metrics.md is out of date: UPDATE_GOLDEN=1 writes it anew");
}
