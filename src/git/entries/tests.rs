use super::*;
use std::{io::Write as _, time::Duration};

const TREE: u8 = 2;
const BLOB: u8 = 3;
const LARGE: u64 = 3 << 30;

/// The bytes of a number; all but the last have their highest bit set.
fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn entry(kind: u8, size: u64, between: &[u8], content: &[u8]) -> Vec<u8> {
    let (first, rest) = (kind << 4 | (size & 0x0f) as u8, size >> 4);
    let mut bytes = match rest {
        0 => vec![first],
        _ => [vec![first | 0x80], number(rest)].concat(),
    };
    bytes.extend_from_slice(between);
    let mut encoder = flate2::write::ZlibEncoder::new(bytes, flate2::Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

fn delta(kind: u8, between: &[u8], before: u64, after: u64) -> Vec<u8> {
    let content = [number(before), number(after), b"\x05hello".to_vec()].concat();
    entry(kind, content.len() as u64, between, &content)
}

fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("a few").to_be_bytes();
    [b"PACK\0\0\0\x02".as_slice(), &count, &entries.concat(), &[0; 20]].concat()
}

/// Whether a pack passes, in pieces of so many bytes; how many bytes of objects it has.
fn pass(pack: &[u8], piece: usize, max_bytes: u64) -> Result<u64, &'static str> {
    let bounds = Bounds::new("the remote".to_owned(), Duration::from_secs(60), max_bytes);
    let mut entries = Entries::new(&bounds);
    pack.chunks(piece).try_for_each(|bytes| entries.pass(bytes)).map_err(|error| error.code())?;
    assert!(matches!(entries.at, At::End) || pack.len() < 32, "not all of it was understood");
    Ok(entries.unpacked)
}

#[test]
fn claims_are_held_against_the_bounds_however_they_come_in() {
    let hello = || entry(BLOB, 5, &[], b"hello");
    let by_name = |before, after| delta(NAMED_DELTA, &[0xff; ID], before, after);
    let by_offset = |before, after| delta(OFFSET_DELTA, &[0x81, 0x80, 0x03], before, after);
    let long = "a line that is repeated\n".repeat(10_000);
    let table = [
        ("nothing", pack(&[]), Ok(0)),
        ("a blob", pack(&[hello()]), Ok(5)),
        ("an empty tree", pack(&[entry(TREE, 0, &[], b"")]), Ok(0)),
        ("a long one, and another", pack(&[entry(BLOB, 240_000, &[], long.as_bytes()), hello()]), Ok(240_005)),
        ("deltas", pack(&[hello(), by_name(5, 300), by_offset(5, 5)]), Ok(5 + (9 + 305) + (8 + 10))),
        ("a large one", pack(&[entry(BLOB, LARGE, &[], b"hello")]), Err("too-large")),
        ("a delta that makes much", pack(&[hello(), by_offset(5, LARGE)]), Err("too-large")),
        ("a delta of much", pack(&[by_name(LARGE, 5)]), Err("too-large")),
        ("much in all", pack(&vec![by_name(5, 90 << 20); 3]), Err("too-large")),
        ("more than it says", pack(&[entry(BLOB, 4, &[], b"hello")]), Err("truncated")),
        ("less than it says", pack(&[entry(BLOB, 6, &[], b"hello")]), Err("truncated")),
        ("a delta without its sizes", pack(&[entry(NAMED_DELTA, 1, &[0; ID], &[0x85])]), Err("truncated")),
        ("a kind that is none", pack(&[entry(5, 5, &[], b"hello")]), Err("truncated")),
        ("a size that is no number", [&pack(&[vec![]])[..12], &[0xbf], &[0xff; 12]].concat(), Err("truncated")),
        (
            "content that is not packed",
            [&pack(&[vec![0x35]])[..13], b"hello there".as_slice()].concat(),
            Err("truncated"),
        ),
    ];
    for (what, pack, expected) in table {
        for piece in [1, 7, pack.len()] {
            assert_eq!(pass(&pack, piece, 1 << 20), expected, "{what}, {piece} bytes at a time");
        }
    }
}

#[test]
fn too_many_objects_are_refused_before_they_come() {
    let header = |count: u32| [b"PACK\0\0\0\x02".as_slice(), &count.to_be_bytes()].concat();
    assert_eq!(pass(&header(100_000), 12, 1 << 20), Ok(0));
    assert_eq!(pass(&header(u32::MAX), 12, 1 << 20), Err("too-large"));
}
