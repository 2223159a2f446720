use super::*;

const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

fn name(text: &str) -> Result<String, String> {
    SigningKey::parse(text).map(|key| key.name().to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_key_has_one_name_however_it_is_written() {
    let expected = name(&format!("ssh-ed25519 {ED25519}")).expect("a key");
    assert!(expected.starts_with("SHA256:"), "{expected}");
    for text in
        [format!("  ssh-ed25519   {ED25519} \n"), format!("ssh-ed25519 {ED25519} bob@desktop x"), expected.clone()]
    {
        assert_eq!(name(&text).as_ref(), Ok(&expected), "{text:?}");
    }
    let print = "0123456789ABCDEF0123456789ABCDEF01234567";
    for text in
        [print, "0x0123456789abcdef0123456789abcdef01234567", "0123 4567 89AB CDEF 0123  4567 89ab CDEF 0123 4567"]
    {
        assert_eq!(name(text).as_deref(), Ok(print), "{text:?}");
    }
    assert_eq!(SigningKey::parse(print).map(|key| key.is_openpgp_fingerprint()), Ok(true));
    assert_eq!(SigningKey::parse(&expected).map(|key| key.is_openpgp_fingerprint()), Ok(false));
}

#[test]
fn what_is_no_key_is_refused() {
    for (text, why) in [
        ("", "is not a signing key"),
        ("hello", "is not a signing key"),
        ("rsa-sha2-512 AAAA", "is not a signing key"),
        ("x-key@example.com AAAA", "is not a signing key"),
        ("DEADBEEF", "is a short key id, which others can imitate"),
        ("ssh-ed25519", "is damaged: it does not contain a key of its kind"),
        (&format!("ssh-rsa {ED25519}"), "is damaged: it does not contain a key of its kind"),
        (&format!("ssh-ed25519 {ED25519}AAAA"), "is damaged: it does not contain a key of its kind"),
        ("ssh-dss AAAA", "is a DSA key, which is too weak"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "is a certificate, and only the key itself can be listed"),
        ("SHA256:abcd", "is not a whole SHA256 fingerprint"),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----\ncut off", "is not a whole armoured OpenPGP public key"),
        ("-----BEGIN PUBLIC KEY-----\naGVs\n-----END PUBLIC KEY-----", "is not an armoured OpenPGP public key"),
        (
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\naGVs\n-----END PGP PUBLIC KEY BLOCK-----",
            "is damaged: it does not contain an OpenPGP public key",
        ),
    ] {
        assert_eq!(name(text), Err(why.to_owned()), "{text:?}");
    }
}
