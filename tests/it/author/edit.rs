//! `mcpfleet edit`, with editors that are scripts.

use super::world::{World, app};
use std::fs;

/// The texts that an editor got, each time that it was opened.
fn seen(world: &World) -> Vec<String> {
    (1..).map_while(|n| fs::read_to_string(world.path(&format!("seen{n}"))).ok()).collect()
}

impl World {
    /// Runs `edit` with an editor that does one thing after the other.
    async fn edit(&self, arguments: &[&str], steps: &[&str]) -> super::world::Answer {
        let home = self.home.path().display();
        let mut script =
            format!("n=$(ls {home}/seen* 2>/dev/null | wc -l); n=$((n+1)); cp \"$1\" {home}/seen$n\ncase $n in\n");
        for (index, step) in steps.iter().enumerate() {
            script += &format!("{}) {step} ;;\n", index + 1);
        }
        let editor = self.script("editor", &(script + "esac\n"));
        let arguments = [&["edit"], arguments].concat();
        self.mcpfleet_with(&arguments, "", &[("EDITOR", editor.to_str().unwrap())]).await
    }
}

#[tokio::test]
async fn the_document_is_edited_and_nothing_else() {
    let world = World::new().await;
    let file = format!("# head\n{}---\n# about b\n{}---\n{}", app("a"), app("b"), app("c"));
    world.mcpfleet_with(&["create", "-", "--path", "all.yaml"], &file, &[]).await.good();
    let said = world.edit(&["app/b"], &["sed -i 's/command: x/command: y/' \"$1\""]).await.good();
    assert!(said.starts_with("updated app/b in all.yaml\n"), "{said}");
    assert_eq!(seen(&world), [format!("# about b\n{}", app("b"))]);
    let expected = app("b").replace("command: x", "command: y");
    assert_eq!(world.read("all.yaml"), file.replace(&app("b"), &expected));
    assert_eq!(world.git(&["log", "-1", "--format=%s"]).await, "Update app/b");
    assert!(kept(&world).is_empty());
}

/// The files with edited texts that were left behind.
fn kept(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.home.path()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("mcpfleet-"));
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[tokio::test]
async fn mistakes_come_back_as_comments_until_they_are_corrected() {
    let world = World::new().await;
    let steps =
        ["sed -i s/command:/comand:/ \"$1\"", "sed -i -e s/comand:/command:/ -e 's/env: dev/env: test/' \"$1\""];
    world.edit(&["app/demo"], &steps).await.good();
    let texts = seen(&world);
    assert_eq!(texts.len(), 2);
    assert!(texts[1].starts_with("#! error[missing-field]"), "{}", texts[1]);
    assert!(texts[1].contains("#!    = help: did you mean `command`?\n"), "{}", texts[1]);
    assert!(texts[1].ends_with(&texts[0].replace("command:", "comand:")), "{}", texts[1]);
    assert_eq!(world.read_all("apps/demo.yaml"), texts[0].replace("env: dev", "env: test"));
}

#[tokio::test]
async fn a_text_that_is_not_used_is_kept() {
    let world = World::new().await;
    let before = world.state().await;
    // Saved twice with the same mistake: the user gives up.
    let said = world.edit(&["app/demo"], &["sed -i s/command:/comand:/ \"$1\"", "true"]).await.bad(1);
    assert!(said.contains("your text is in ") && said.contains("did you mean `command`?"), "{said}");
    let [text] = &*kept(&world) else { panic!("{said}") };
    assert!(text.contains("comand: mcpfleet") && !text.contains("#!"), "{text}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn to_change_nothing_or_to_empty_the_text_is_to_give_up() {
    let world = World::new().await;
    let before = world.state().await;
    for step in ["true", ": > \"$1\"", "sed -i 's/$/\\r/' \"$1\""] {
        assert_eq!(world.edit(&["app/demo"], &[step]).await.good(), "nothing changes\n", "{step}");
        fs::remove_file(world.path("seen1")).unwrap();
    }
    let said = world.edit(&["app/demo"], &["echo '# x' >> \"$1\"; exit 7"]).await.bad(1);
    assert!(said.contains("failed (exit status: 7)") && said.contains("your text is in "), "{said}");
    assert_eq!(kept(&world).len(), 1);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_resource_stays_the_one_that_it_is() {
    let world = World::new().await;
    let before = world.state().await;
    for step in
        ["sed -i 's/name: demo/name: other/' \"$1\"", "printf -- '---\\nkind: app\\nmetadata: {name: b}\\n' >> \"$1\""]
    {
        let said = world.edit(&["app/demo"], &[step, "true"]).await.bad(1);
        assert!(said.contains("this must stay the one resource app/demo"), "{said}");
        assert!(seen(&world)[1].starts_with("#! this must stay"), "{:?}", seen(&world));
        fs::remove_file(world.path("seen1")).unwrap();
        fs::remove_file(world.path("seen2")).unwrap();
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_text_that_cannot_be_committed_is_kept() {
    let world = World::new().await;
    let hook = world.script("pre-commit", "exit 1\n");
    fs::rename(hook, world.folder().join(".git/hooks/pre-commit")).unwrap();
    let said = world.edit(&["app/demo"], &["sed -i 's/env: dev/env: test/' \"$1\""]).await.bad(1);
    assert!(said.contains("your text is in "), "{said}");
    assert_eq!(kept(&world), [world.read_all("apps/demo.yaml").replace("env: dev", "env: test")]);
}

#[tokio::test]
async fn what_changed_meanwhile_is_not_overwritten() {
    let world = World::plain(&[("a.yaml", &app("a"))]);
    let file = world.folder().join("a.yaml");
    let step = format!(
        "sed -i 's/command: x/command: theirs/' {}; sed -i 's/command: x/command: mine/' \"$1\"",
        file.display()
    );
    let said = world.edit(&["app/a"], &[&step]).await.bad(1);
    assert!(said.contains("app/a has changed meanwhile"), "{said}");
    assert_eq!(world.read("a.yaml"), app("a").replace("command: x", "command: theirs"));
    assert_eq!(kept(&world), [app("a").replace("command: x", "command: mine")]);
}

#[tokio::test]
async fn no_mishap_after_the_editor_loses_the_text() {
    let world = World::plain(&[("a.yaml", &app("a"))]);
    let folder = world.folder();
    let step = format!("sed -i 's/command: x/command: mine/' \"$1\"; mv {0} {0}.gone", folder.display());
    let said = world.edit(&["app/a"], &[&step]).await.bad(3);
    assert!(said.contains("your text is in "), "{said}");
    assert_eq!(kept(&world), [app("a").replace("command: x", "command: mine")]);
    fs::remove_file(world.path("seen1")).unwrap();
    fs::rename(folder.with_extension("gone"), folder).unwrap();
    // Nothing was typed here that could be lost.
    let said = world.edit(&["app/a"], &["exit 7"]).await.bad(1);
    assert!(!said.contains("your text"), "{said}");
    assert_eq!(kept(&world).len(), 1);
}

#[tokio::test]
async fn a_text_that_was_only_tried_is_kept() {
    let world = World::new().await;
    let before = world.state().await;
    let said = world.edit(&["app/demo", "--dry-run"], &["sed -i 's/env: dev/env: test/' \"$1\""]).await;
    assert!(said.err.contains("your text is in "), "{said:?}");
    assert!(said.good().contains("+    env: test"));
    assert_eq!(kept(&world), [world.read_all("apps/demo.yaml").replace("env: dev", "env: test")]);
    assert_eq!(world.state().await, before);
}
