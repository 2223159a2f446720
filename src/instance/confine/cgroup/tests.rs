use super::*;
use std::{fs, path::Path};

/// A v2 group as the kernel would show it to an agent in it.
fn fake(controllers: &str, processes: &str) -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("cgroup.controllers", controllers),
        ("cgroup.procs", processes),
        ("cgroup.events", "populated 1\n"),
        ("cgroup.subtree_control", ""),
    ] {
        fs::write(base.path().join(file), text).unwrap();
    }
    base
}

fn v2(base: &Path) -> Groups {
    Groups::below(vec![Mount { version: Cgroup::V2, base: base.into(), controllers: vec![] }], "t")
}

fn me() -> String {
    format!("{}\n", std::process::id())
}

#[test]
fn the_agent_steps_aside_and_hands_its_controllers_down() {
    let base = fake("cpuset cpu io memory pids\n", &me());
    let groups = v2(base.path());
    for wanted in Wanted::ALL {
        assert_eq!(groups.offer(wanted), Ok(Cgroup::V2));
    }
    let own = groups.folders().remove(0);
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    assert_eq!(read(own.join("agent/cgroup.procs")), me().trim());
    // A file remembers what was written last; the kernel, all of it.
    assert_eq!(read(base.path().join("cgroup.subtree_control")), "+pids");
    assert_eq!(read(own.join("cgroup.subtree_control")), "+pids");

    let bounds = Bounds { memory: Some(64 << 20), cpu_millis: Some(500), processes: Some(9) };
    let of = groups.of("a-1", &bounds);
    let held = Held::make(&of).unwrap();
    Held::join(&of).unwrap();
    for (file, text) in [
        ("memory.max", "67108864"),
        ("memory.swap.max", "0"),
        ("memory.oom.group", "1"),
        ("cpu.max", "50000 100000"),
        ("pids.max", "9"),
        ("cgroup.procs", "0"),
    ] {
        assert_eq!(read(own.join("a-1").join(file)), text, "{file}");
    }
    assert_eq!(held.out_of_memory(), 0);
    fs::write(own.join("a-1/memory.events"), "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n").unwrap();
    assert_eq!(held.out_of_memory(), 3);
    // The `0` in it is no process, and must not be taken for one.
    held.kill();
    fs::write(own.join("a-1/cgroup.kill"), "").unwrap();
    held.kill();
    assert_eq!(read(own.join("a-1/cgroup.kill")), "1");
}

#[test]
fn who_is_not_alone_has_nothing_to_hand_down() {
    let base = fake("cpu memory pids\n", &format!("{}1\n", me()));
    let groups = v2(base.path());
    let problem = groups.offer(Wanted::Memory).unwrap_err();
    assert!(
        problem.starts_with("the agent is not alone in its cgroup /") && problem.contains("Delegate=yes"),
        "{problem}"
    );
    assert_eq!(fs::read_to_string(base.path().join("cgroup.subtree_control")).unwrap(), "");
    // It still keeps together what belongs together.
    let of = groups.of("a-1", &Bounds::default());
    assert_eq!((of.len(), of[0].settings.len()), (1, 0));
}

#[test]
fn a_hierarchy_without_controllers_leaves_limits_to_others() {
    let (unified, memory) = (fake("hugetlb\n", "1\n2\n"), tempfile::tempdir().unwrap());
    let groups = Groups::below(
        vec![
            Mount { version: Cgroup::V2, base: unified.path().into(), controllers: vec![] },
            Mount { version: Cgroup::V1, base: memory.path().into(), controllers: vec![Wanted::Memory] },
        ],
        "t",
    );
    assert_eq!(groups.offer(Wanted::Memory), Ok(Cgroup::V1));
    let problem = groups.offer(Wanted::Cpu).unwrap_err();
    assert_eq!(problem, "there is no cgroup with the cpu controller");
    let versions = |bounds: &Bounds| groups.of("a-1", bounds).iter().map(|group| group.version).collect::<Vec<_>>();
    assert_eq!(versions(&Bounds::default()), [Cgroup::V2]);
    assert_eq!(versions(&Bounds { memory: Some(1), ..Bounds::default() }), [Cgroup::V2, Cgroup::V1]);
    assert!(!groups.folders()[0].join("agent").exists());
}

/// What is joined last counts.
#[test]
fn a_hierarchy_that_is_mounted_twice_is_one() {
    let [first, second] = [(); 2].map(|()| fake("memory\n", &me()));
    let (memory, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let unified = |base: &Path| Mount { version: Cgroup::V2, base: base.into(), controllers: vec![] };
    let separate = |base: &Path| Mount { version: Cgroup::V1, base: base.into(), controllers: vec![Wanted::Cpu] };
    let nowhere = unified(Path::new("/proc/self/nowhere"));
    let mounts =
        vec![nowhere, unified(first.path()), unified(second.path()), separate(memory.path()), separate(again.path())];
    let groups = Groups::below(mounts, "t");
    let bounds = Bounds { memory: Some(1), cpu_millis: Some(10), processes: None };
    let of = groups.of("a-1", &bounds);
    let below = |group: &Group| group.path.ancestors().nth(2).unwrap().to_owned();
    assert_eq!(of.iter().map(below).collect::<Vec<_>>(), [first.path(), memory.path()]);
    assert!(of.iter().all(|group| !group.settings.is_empty()), "{of:?}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_a_reason() {
    let mount = Mount { version: Cgroup::V1, base: "/proc/self/nowhere".into(), controllers: vec![Wanted::Cpu] };
    let groups = Groups::below(vec![mount], "t");
    assert_eq!(
        groups.offer(Wanted::Cpu).unwrap_err(),
        "the agent cannot write to its cgroup v1 /proc/self/nowhere: no such file or directory; run it as root or as a \
         service with `Delegate=yes`"
    );
    assert_eq!(groups.offer(Wanted::Memory).unwrap_err(), "there is no cgroup with the memory controller");
    assert_eq!(groups.of("a-1", &Bounds::default()), []);
}

#[test]
fn what_cannot_be_limited_is_not_made() {
    let base = fake("memory\n", &me());
    let groups = v2(base.path());
    let mut of = groups.of("a-1", &Bounds { memory: Some(1), ..Bounds::default() });
    of[0].settings = vec![Setting::where_there("no/such/file", 1), Setting::needed("nor/this", 1)];
    let failure = Held::make(&of).unwrap_err().to_string();
    assert!(failure.contains("a-1/nor/this: does not exist"), "{failure}");
    assert!(!of[0].path.exists());
}

#[test]
fn the_folders_of_the_dead_are_swept_and_those_of_the_living_are_not() {
    let base = fake("hugetlb\n", &me());
    let [left, lost, foreign] = ["mcpfleet-t-1", "mcpfleet-s-1", "others"].map(|name| base.path().join(name));
    for folder in [&left, &lost, &foreign] {
        fs::create_dir_all(folder.join("a-1/made/by/its/server")).unwrap();
    }
    // As a server can that is left in it.
    let held = fs::File::open(&left).unwrap();
    held.try_lock().unwrap();
    let one = v2(base.path());
    assert_eq!([&left, &lost, &foreign].map(|folder| folder.exists()), [false, false, true]);
    let mount = Mount { version: Cgroup::V2, base: base.path().into(), controllers: vec![] };
    let two = Groups::below(vec![mount], "u");
    let folders = [&one, &two].map(|groups| groups.folders().remove(0));
    assert!(folders[0] != folders[1] && folders.iter().all(|folder| folder.is_dir()), "{folders:?}");
    drop((one, two));
    assert!(folders.iter().all(|folder| !folder.exists()));
}

#[test]
fn an_agent_that_a_server_of_the_dead_has_started_keeps_its_folders() {
    let base = fake("hugetlb\n", &me());
    let server = base.path().join("mcpfleet-s-1/a-1");
    fs::create_dir_all(&server).unwrap();
    let mount = |base: &Path| vec![Mount { version: Cgroup::V2, base: base.into(), controllers: vec![] }];
    let inner = Groups::below(mount(&server), "u");
    let folder = inner.folders().remove(0);
    v2(base.path());
    assert!(folder.exists());
    drop(inner);
    v2(base.path());
    assert!(!server.exists());
}

#[test]
fn groups_that_a_server_made_go_with_its_own() {
    let base = fake("hugetlb\n", &me());
    let groups = v2(base.path());
    let of = groups.of("a-1", &Bounds::default());
    let held = Held::make(&of).unwrap();
    fs::create_dir_all(of[0].path.join("x/y")).unwrap();
    fs::create_dir(of[0].path.join("z")).unwrap();
    held.remove();
    assert!(!of[0].path.exists());
}

#[test]
fn the_smallest_share_of_a_processor_is_one_that_the_kernel_takes() {
    assert_eq!(quota(1), (1000, 1_000_000));
    assert_eq!(quota(9), (9000, 1_000_000));
    assert_eq!(quota(10), (1000, 100_000));
    assert_eq!(quota(2500), (250_000, 100_000));
}
