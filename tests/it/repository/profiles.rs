//! The profiles of `Cargo.toml`. `cargo remove` deletes the profiles of crates that are not direct dependencies, and `cargo
//! lambda build` sets what the profile of releases does not.

use std::collections::BTreeSet;

/// Returns the lines of a table of `Cargo.toml`.
fn table(name: &str) -> impl Iterator<Item = &'static str> + use<> {
    let manifest = include_str!("../../../Cargo.toml");
    let (_, rest) = manifest.split_once(&format!("\n[{name}]\n")).unwrap();
    rest.lines().take_while(|line| !line.is_empty())
}

/// Returns the crates that a profile optimises for speed.
fn optimised(profile: &str) -> BTreeSet<&'static str> {
    let lines = table(&format!("profile.{profile}.package"));
    lines.filter_map(|line| line.strip_suffix(" = { opt-level = 3 }")).collect()
}

#[test]
fn s_103_a_release_unwinds_on_panic() {
    let profile: Vec<_> = table("profile.release").collect();
    for setting in ["panic = \"unwind\"", "lto = \"fat\"", "codegen-units = 1", "strip = true"] {
        assert!(profile.contains(&setting), "{setting}");
    }
}

#[test]
fn the_crates_that_hash_and_sign_are_optimised_for_speed() {
    let crates = BTreeSet::from([
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
    assert_eq!(optimised("dev"), crates);
}
