//! The profiles of `Cargo.toml`. `cargo remove` deletes the profiles of crates that are not direct dependencies.

use std::collections::BTreeSet;

/// Returns the crates that a profile optimises for speed.
fn optimised(profile: &str) -> BTreeSet<&'static str> {
    let manifest = include_str!("../../../Cargo.toml");
    let (_, packages) = manifest.split_once(&format!("\n[profile.{profile}.package]\n")).unwrap();
    let lines = packages.lines().take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.strip_suffix(" = { opt-level = 3 }")).collect()
}

#[test]
fn the_crates_that_hash_and_sign_are_optimised_for_speed() {
    let mut crates = BTreeSet::from([
        "argon2",
        "aws-lc-sys",
        "bcrypt",
        "blake2",
        "blowfish",
        "countersign-argon2id",
        "md-5",
        "salsa20",
        "scrypt",
    ]);
    assert_eq!(optimised("release"), crates);
    // The emulator of the tests uses SQLite.
    crates.insert("libsqlite3-sys");
    assert_eq!(optimised("dev"), crates);
}
