use super::*;
use crate::status::model::audit::{Filter, Kind, Outcome, Record};
use std::time::Duration;
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);

struct World {
    dir: TempDir,
}

impl World {
    fn new() -> World {
        World { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log/audit.jsonl")
    }

    fn open(&self, size: u64, keep: usize) -> (AuditFile, u64) {
        AuditFile::open(&self.path(), Rotation { size, age: DAY, keep }).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        search::files(&self.path())
    }

    fn numbers(&self) -> Vec<u64> {
        let records = search::search(&self.path(), &Filter::default(), 1000, None);
        records.iter().map(|record| record.sequence).collect()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn line(sequence: u64, second: i64) -> Vec<u8> {
    let record = Record { sequence, time: at(second), ..Record::new(Kind::Request, Outcome::Ok) };
    let mut line = serde_json::to_vec(&record).unwrap();
    line.push(b'\n');
    line
}

fn append(file: &mut AuditFile, sequences: std::ops::Range<u64>, second: i64) {
    let mut lines: Vec<u8> = sequences.flat_map(|sequence| line(sequence, second)).collect();
    file.append(&mut lines, at(second)).unwrap();
    assert!(lines.is_empty());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn it_is_made_for_nobody_else_and_gone_on_with() {
    let world = World::new();
    let (mut file, next) = world.open(1 << 20, 3);
    assert_eq!((next, mode(&world.path()), mode(world.path().parent().unwrap())), (1, 0o600, 0o700));
    append(&mut file, 1..4, 10);
    drop(file);
    // A line that was cut off by the end of the machine.
    OpenOptions::new().append(true).open(world.path()).unwrap().write_all(b"{\"sequence\":9,").unwrap();
    let (mut file, next) = world.open(1 << 20, 3);
    assert_eq!(next, 4);
    append(&mut file, 4..6, 11);
    assert_eq!(world.numbers(), [1, 2, 3, 4, 5]);
    assert_eq!(fs::read_to_string(world.path()).unwrap().lines().count(), 6);
}

#[test]
fn another_file_begins_by_size_and_by_age() {
    let world = World::new();
    let length = line(1, 10).len() as u64;
    let (mut file, _) = world.open(length * 3, 2);
    append(&mut file, 1..9, 10);
    // Of four files the two that are kept besides the present one are there, each with whole lines.
    assert_eq!((world.files().len(), world.numbers()), (3, vec![1, 2, 3, 4, 5, 6, 7, 8]));
    append(&mut file, 9..11, 11);
    assert_eq!((world.files().len(), world.numbers()), (3, vec![4, 5, 6, 7, 8, 9, 10]));
    append(&mut file, 11..12, 11 + i64::try_from(DAY.as_secs()).unwrap());
    assert_eq!(world.numbers(), [7, 8, 9, 10, 11]);
    assert_eq!(fs::read_to_string(world.path()).unwrap().lines().count(), 1, "by age");
    drop(file);
    // The number goes on where the present file is empty, too.
    fs::write(world.path(), "").unwrap();
    assert_eq!(world.open(length * 3, 2).1, 11);
}

#[test]
fn a_file_that_somebody_moves_away() {
    let world = World::new();
    let (mut file, _) = world.open(1 << 20, 2);
    append(&mut file, 1..2, 10);
    fs::set_permissions(world.path(), fs::Permissions::from_mode(0o664)).unwrap();
    let moved = world.path().with_extension("old");
    fs::rename(world.path(), &moved).unwrap();
    append(&mut file, 2..3, 10);
    assert_eq!((world.numbers(), mode(&world.path())), (vec![2], 0o640), "as it was, but never for others");
    assert_eq!(fs::read_to_string(moved).unwrap().lines().count(), 1);
    fs::remove_file(world.path()).unwrap();
    append(&mut file, 3..4, 10);
    assert_eq!(world.numbers(), [3]);
}

#[test]
fn what_is_no_file_of_its_own_is_refused() {
    let world = World::new();
    let (_file, _) = world.open(1 << 20, 2);
    let refused = |path: &Path| AuditFile::open(path, Rotation { size: 1, age: DAY, keep: 1 }).unwrap_err().to_string();
    assert!(refused(&world.path()).contains("another process writes to it"));
    let fifo = world.dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(refused(&fifo).contains("audit.file"));
    let link = world.dir.path().join("link");
    std::os::unix::fs::symlink(world.path(), &link).unwrap();
    assert!(refused(&link).contains("symbolic link") || refused(&link).contains("symlink"), "{}", refused(&link));
    assert!(refused(world.dir.path()).contains("audit.file"));
}

#[test]
fn what_cannot_be_written_is_kept_in_whole_lines() {
    let world = World::new();
    let (mut file, _) = world.open(1 << 20, 2);
    append(&mut file, 1..2, 10);
    // No room at all.
    file.file = OpenOptions::new().append(true).open("/dev/full").unwrap();
    let metadata = fs::metadata(world.path()).unwrap();
    file.identity = (metadata.dev(), metadata.ino());
    let mut lines = line(2, 10);
    assert_eq!(file.append(&mut lines, at(10)).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(lines, line(2, 10));
    file.file = OpenOptions::new().append(true).open(world.path()).unwrap();
    file.append(&mut lines, at(11)).unwrap();
    assert_eq!((lines.len(), world.numbers()), (0, vec![1, 2]));
}

#[test]
fn a_folder_that_refuses_another_file_leaves_the_present_one_growing() {
    let world = World::new();
    let length = line(1, 10).len() as u64;
    let (mut file, _) = world.open(length, 2);
    append(&mut file, 1..2, 10);
    // A directory of that name cannot be taken over, and cannot be removed as a file either.
    let surplus = rotation::rotated("audit.jsonl", at(1));
    fs::create_dir(world.path().with_file_name(&surplus)).unwrap();
    file.rotation.keep = 0;
    append(&mut file, 2..4, 10);
    assert!(file.stuck().is_some());
    fs::remove_dir(world.path().with_file_name(&surplus)).unwrap();
    append(&mut file, 4..5, 10);
    assert_eq!((file.stuck(), world.numbers()), (None, vec![4]));
}

#[test]
fn searching_goes_back_as_far_as_it_must() {
    let world = World::new();
    let length = line(1, 10).len() as u64;
    let (mut file, _) = world.open(length * 2, 10);
    for sequence in 1..10 {
        append(&mut file, sequence..sequence + 1, 10 + sequence as i64);
    }
    let found = |filter: Filter, n, before| {
        let records = search::search(&world.path(), &filter, n, before);
        records.iter().map(|record| record.sequence).collect::<Vec<_>>()
    };
    assert_eq!(found(Filter::default(), 3, None), [7, 8, 9]);
    assert_eq!(found(Filter::default(), 3, Some((at(15), 5))), [2, 3, 4]);
    assert_eq!(found(Filter { since: Some(at(17)), ..Filter::default() }, 100, None), [7, 8, 9]);
    assert_eq!(found(Filter { outcome: Some("denied".into()), ..Filter::default() }, 100, None), [0; 0]);
}
