use super::*;
use rcgen::{CertificateParams, KeyPair};
use std::{fs, os::unix::fs::symlink, path::Path};

struct Made {
    cert: String,
    key: String,
}

fn made(days: i64) -> Made {
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let end = Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
    let end = end.to_zoned(jiff::tz::TimeZone::UTC);
    params.not_after = rcgen::date_time_ymd(end.year().into(), end.month() as u8, end.day() as u8);
    Made { cert: params.self_signed(&pair).unwrap().pem(), key: pair.serialize_pem() }
}

fn write(folder: &Path, cert: &str, key: &str) {
    fs::write(folder.join("tls.crt"), cert).unwrap();
    fs::write(folder.join("tls.key"), key).unwrap();
}

fn files(folder: &Path) -> Files {
    Files { cert_file: folder.join("tls.crt"), key_file: folder.join("tls.key") }
}

fn shown(tls: &Tls) -> Vec<u8> {
    tls.shown.0.read().unwrap().cert[0].to_vec()
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (made(90), made(90));
    let open = |cert: &str, key: &str| {
        write(dir.path(), cert, key);
        Tls::open(files(dir.path())).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(open(&one.cert, &one.key), Ok(()));
    assert_eq!(open(&format!("{}{}", one.cert, two.cert), &one.key), Ok(()), "a chain");
    for (cert, key, expected) in [
        (&*one.cert, &*two.key, "is not the key of the first certificate"),
        ("", &one.key, "has no certificate"),
        (&one.cert, "", "has no private key"),
        (&one.cert, &one.cert, "has no private key"),
        (&one.cert, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be used"),
        (&"x".repeat(2 << 20), &one.key, "is larger than 1 MiB"),
    ] {
        let error = open(cert, key).unwrap_err();
        assert!(error.contains(expected) && !error.contains(one.key.lines().nth(1).unwrap()), "{error}");
    }
    write(dir.path(), &one.cert, &one.key);
    fs::remove_file(dir.path().join("tls.key")).unwrap();
    let error = Tls::open(files(dir.path())).unwrap_err().to_string();
    assert!(error.starts_with("gateway.tls.key_file") && error.contains("No such file"), "{error}");
}

#[test]
fn new_files_are_shown_when_they_fit() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (made(90), made(90));
    write(dir.path(), &one.cert, &one.key);
    let tls = Tls::open(files(dir.path())).unwrap();
    let (first, now) = (shown(&tls), Timestamp::now());
    assert_eq!(tls.look(now), []);

    // Half of a replacement, seen once, is nothing to speak of.
    write(dir.path(), &two.cert, &one.key);
    assert_eq!((tls.look(now), shown(&tls) == first), (vec![], true));
    let failed = tls.look(now);
    assert!(matches!(&failed[..], [News::Failed(why)] if why.contains("is not the key")), "{failed:?}");
    assert_eq!(tls.look(now), [], "it is told once");
    assert!(tls.status().problem.is_some_and(|problem| problem.contains("is not the key")));
    assert!(shown(&tls) == first);

    write(dir.path(), &two.cert, &two.key);
    assert_eq!((tls.look(now), tls.look(now)), (vec![News::Renewed], vec![]));
    assert!(shown(&tls) != first && tls.status().problem.is_none());

    fs::remove_file(dir.path().join("tls.crt")).unwrap();
    tls.look(now);
    assert!(matches!(&tls.look(now)[..], [News::Failed(_)]));
    write(dir.path(), &two.cert, &two.key);
    assert_eq!(tls.look(now), [News::Recovered]);
}

#[test]
fn a_folder_that_is_swapped_by_a_symlink() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for (name, made) in [("..1", made(90)), ("..2", made(90))] {
        fs::create_dir(path(name)).unwrap();
        write(&path(name), &made.cert, &made.key);
    }
    // As Kubernetes mounts a secret.
    symlink("..1", path("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), path(name)).unwrap();
    }
    let tls = Tls::open(files(dir.path())).unwrap();
    let first = shown(&tls);
    symlink("..2", path("..new")).unwrap();
    fs::rename(path("..new"), path("..data")).unwrap();
    assert_eq!(tls.look(Timestamp::now()), [News::Renewed]);
    assert!(shown(&tls) != first);
}

#[test]
fn an_end_that_is_near_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let one = made(3);
    write(dir.path(), &one.cert, &one.key);
    let tls = Tls::open(files(dir.path())).unwrap();
    let end = tls.status().expires.unwrap();
    let now = Timestamp::now();
    assert_eq!((tls.look(now), tls.look(now)), (vec![News::Expires(end)], vec![]));
    let two = made(90);
    write(dir.path(), &two.cert, &two.key);
    assert_eq!(tls.look(now), [News::Renewed]);
}
