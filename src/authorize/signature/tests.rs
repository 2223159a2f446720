use super::*;
use proptest::prelude::*;
use ssh_key::{HashAlg, LineEnding, PrivateKey, private::Ed25519Keypair};
use std::{collections::BTreeMap, fs, path::Path};

const COMMIT: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.com> 1 +0000\n\nChange\n";

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn listed(key: &PrivateKey) -> SigningKey {
    SigningKey::parse(&key.public_key().to_openssh().expect("it can be written")).expect("a key")
}

fn armoured(key: &PrivateKey, payload: &[u8]) -> String {
    let signature = key.sign("git", HashAlg::Sha512, payload).expect("a signature");
    signature.to_pem(LineEnding::LF).expect("it can be written")
}

/// The commit with a header after its others.
fn with_header(commit: &[u8], name: &str, value: &str) -> Vec<u8> {
    let end = memchr::memmem::find(commit, b"\n\n").expect("an end of the headers") + 1;
    let header = format!("{name} {}\n", value.trim_end().replace('\n', "\n "));
    [&commit[..end], header.as_bytes(), &commit[end..]].concat()
}

fn signed(commit: &[u8], key: &PrivateKey) -> Vec<u8> {
    with_header(commit, "gpgsig", &armoured(key, commit))
}

/// What came out, in a word or two.
fn outcome(commit: &[u8], key: &SigningKey) -> String {
    match evidence(commit) {
        Evidence::Unsigned => "unsigned".to_owned(),
        Evidence::Several => "several".to_owned(),
        Evidence::Bad(why) => why,
        Evidence::Signed(signature) => match signature.check(key) {
            Check::Good => "good".to_owned(),
            Check::OtherKey => "other key".to_owned(),
            Check::Bad(why) => format!("key: {why}"),
            Check::FingerprintOnly => "fingerprint only".to_owned(),
        },
    }
}

#[test]
fn the_headers_count_and_all_bytes_are_signed() {
    let (alice, bob) = (key(1), key(2));
    let commit = COMMIT.as_bytes();
    let good = signed(commit, &alice);
    let signature = armoured(&alice, commit);
    let odd: [&[u8]; 3] = [
        b"tree 1\n\nline\r\nline\r\n\r\n",
        b"tree 1\nmergetag object 2\n -----BEGIN PGP SIGNATURE-----\n \n x\n\nNot UTF-8: \xff\n",
        &[commit, &vec![b'm'; 1 << 20]].concat(),
    ];
    for commit in odd {
        assert_eq!(outcome(&signed(commit, &alice), &listed(&alice)), "good");
    }
    let changed = String::from_utf8(good.clone()).expect("text").replace("Change", "Changed");
    for (commit, expected) in [
        (good.clone(), "good"),
        (commit.to_vec(), "unsigned"),
        ([commit, b"gpgsig ", signature.as_bytes()].concat(), "unsigned"),
        (changed.into_bytes(), "does not fit the commit"),
        (signed(&good, &alice), "several"),
        (with_header(&good, "gpgsig-sha256", &signature), "several"),
        (with_header(&good, "gpgsig-other", "x"), "several"),
        (with_header(commit, "gpgsig", &signature.repeat(2)), "several"),
        (
            with_header(commit, "gpgsig-sha256", &signature),
            "signs only the form that the commit has in a SHA-256 repository",
        ),
        (with_header(&good, "note", "x"), "does not fit the commit"),
        (with_header(commit, "gpgsig", ""), "is damaged"),
        (with_header(commit, "gpgsig", &signature[..80]), "is damaged"),
        (with_header(commit, "gpgsig", &format!("{signature}more")), "is damaged"),
        (with_header(commit, "gpgsig", &signature.replace('\n', &"\n".repeat(40_000))), "is too long"),
        (with_header(commit, "gpgsig", &signature.replace("SSH SIG", "A SIG")), "is of an unknown format"),
        (
            with_header(commit, "gpgsig", &signature.replace("SSH SIGNATURE", "SIGNED MESSAGE")),
            "is of X.509, which is not supported",
        ),
        (signed(b"tree 1\nauthor A\0B\n\nm", &alice), "is of a commit with a NUL character"),
        (signed(b"tree 1\n\nm\0Vouch-For: x\n", &alice), "is of a commit with a NUL character"),
        (signed(commit, &bob), "other key"),
    ] {
        assert_eq!(outcome(&commit, &listed(&alice)), expected, "{}", String::from_utf8_lossy(&commit));
    }
}

#[test]
fn an_ssh_key_is_found_by_its_fingerprint() {
    let (alice, bob) = (key(1), key(2));
    let Evidence::Signed(signature) = evidence(&signed(COMMIT.as_bytes(), &alice)) else { panic!("it is signed") };
    let fingerprint = alice.fingerprint(HashAlg::Sha256).to_string();
    assert_eq!(signature.shown(), fingerprint);
    assert_eq!(signature.names(), listed(&alice).names());
    assert_eq!(signature.check(&SigningKey::parse(&fingerprint).expect("a fingerprint")), Check::Good);
    assert_eq!(signature.check(&listed(&bob)), Check::OtherKey);
    assert_eq!(signature.check(&SigningKey::parse(&"ab".repeat(20)).expect("a fingerprint")), Check::OtherKey);
}

const OUTCOMES: &str = "\
pgp-dsa: the key has no part that may sign: the primary key is of a kind that cannot be verified
pgp-ecdsa: good
pgp-ed25519: good
pgp-expired: good
pgp-fingerprint: fingerprint only
pgp-notation: has a condition that is not understood here
pgp-other-key: other key
pgp-revoked: the key is revoked
pgp-revoked-subkey: key: is by a key that is revoked
pgp-rsa: good
pgp-rsa-1024: the key has no part that may sign: the primary key is an RSA key of 1024 bits; 2048 are the least
pgp-sha1: uses SHA1, which is too weak
pgp-subkey: good
pgp-tampered: does not fit the commit
pgp-text: is not over a file as it is
pgp-truncated: is damaged
pgp-two-blocks: several
pgp-two-packets: several
ssh-certificate: is by a certificate, and only keys can be listed
ssh-ed25519: good
ssh-ed25519-sha256: good
ssh-namespace-file: was made for \"file\" and not for git
ssh-rsa-1024: the key is an RSA key of 1024 bits; 2048 to 4096 will do; is by a key that is an RSA key of 1024 bits; \
2048 to 4096 will do
ssh-rsa-sha1: is damaged
ssh-rsa-sha256: good
ssh-rsa-sha512: good
ssh-sk-ecdsa: good
ssh-sk-ecdsa-untouched: was made by a security key that nobody touched
ssh-sk-ed25519: good
ssh-sk-untouched: was made by a security key that nobody touched
";

/// Commits of other programs: see the README beside them.
#[test]
fn the_signatures_of_others() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signatures");
    let mut outcomes = BTreeMap::new();
    for entry in fs::read_dir(&folder).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "commit") {
            let commit = fs::read(&path).expect("a commit");
            let key = fs::read_to_string(path.with_extension("key")).expect("a key");
            let outcome = match SigningKey::parse(&key) {
                Ok(key) => outcome(&commit, &key),
                Err(error) => {
                    // What the signature itself says of such a key, if anything.
                    let alone = evidence(&commit);
                    let bad = if let Evidence::Bad(why) = alone { format!("; {why}") } else { String::new() };
                    format!("the key {error}{bad}")
                }
            };
            outcomes.insert(path.file_stem().expect("a name").to_string_lossy().into_owned(), outcome);
        }
    }
    let list: String = outcomes.iter().map(|(name, outcome)| format!("{name}: {outcome}\n")).collect();
    assert_eq!(list, OUTCOMES);
}

#[test]
fn an_openpgp_signature_names_its_key() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signatures");
    let read = |name: &str| fs::read(folder.join(name)).expect("a fixture");
    let text = |name: &str| String::from_utf8(read(name)).expect("text");
    let Evidence::Signed(signature) = evidence(&read("pgp-subkey.commit")) else { panic!("it is signed") };
    let key = SigningKey::parse(&text("pgp-subkey.key")).expect("a key");
    let [primary, subkey] = &key.names()[..] else { panic!("one primary key and one subkey that signs: {key:?}") };
    assert_eq!(signature.names(), std::slice::from_ref(subkey));
    assert_eq!(signature.shown(), subkey.0);
    assert_eq!(key.name(), primary);
    assert_eq!(SigningKey::parse(&primary.0).as_ref(), Ok(&key));

    let fingerprint = SigningKey::parse(&subkey.0).expect("a fingerprint");
    assert_eq!(signature.check(&fingerprint), Check::FingerprintOnly);
    assert_eq!(signature.check(&SigningKey::parse(&primary.0).expect("a fingerprint")), Check::OtherKey);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_judged(commit: Vec<u8>, signature: Vec<u8>, label in "(SSH|PGP) SIGNATURE") {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        evidence(&commit);
        let text = STANDARD.encode(&signature);
        let armoured = format!("-----BEGIN {label}-----\n\n{text}\n-----END {label}-----");
        evidence(&with_header(COMMIT.as_bytes(), "gpgsig", &armoured));
    }

    /// Whatever is changed in a signature or its key, nothing panics, and what is signed stays what was signed.
    #[test]
    fn changed_bytes_are_judged(
        which: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_key: bool,
    ) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signatures");
        let names = [
            "pgp-ed25519", "pgp-rsa", "pgp-ecdsa", "pgp-dsa", "pgp-subkey", "pgp-notation", "ssh-ed25519",
            "ssh-rsa-sha512", "ssh-sk-ed25519", "ssh-sk-ecdsa", "ssh-certificate", "pgp-revoked-subkey",
        ];
        let name = names[which.index(names.len())];
        let commit = fs::read(folder.join(format!("{name}.commit"))).expect("a commit");
        let mut key = fs::read_to_string(folder.join(format!("{name}.key"))).expect("a key");
        let Found::One { signature, payload } = commit::signature_of(&commit) else { panic!("it is signed") };
        let change = |bytes: &mut Vec<u8>| {
            for (index, byte) in &changes {
                let index = index.index(bytes.len());
                bytes[index] = *byte;
            }
        };
        let signature = String::from_utf8(signature).expect("text");
        let mut block = armour::remove(&signature).expect("armour");
        if in_key && let Ok(mut armoured) = armour::remove(&key) {
            change(&mut armoured.bytes);
            let text = STANDARD.encode(&armoured.bytes);
            key = format!("-----BEGIN {0}-----\n\n{text}\n-----END {0}-----", armoured.label);
        } else {
            change(&mut block.bytes);
        }
        let text = STANDARD.encode(&block.bytes);
        let text = format!("-----BEGIN {0}-----\n\n{text}\n-----END {0}-----", block.label);
        let commit = with_header(&payload, "gpgsig", &text);
        if let Ok(key) = SigningKey::parse(&key) {
            outcome(&commit, &key);
            let moved = with_header(&[&payload[..], b"more"].concat(), "gpgsig", &text);
            prop_assert_ne!(outcome(&moved, &key), "good");
        }
    }
}
