//! The rules of the house: which module may import which, and where each outside crate lives. Read from the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom of ours. A module stands for its children too.
const MAY_IMPORT: [(&str, &[&str]); 23] = [
    ("bin", &["app", "aws", "clock", "config", "gateway", "keys", "log"]),
    ("app", &["clock", "config", "keys", "password_hash", "store"]),
    ("aws", &[]),
    ("client", &["keys", "password_hash", "random", "scope"]),
    ("client_auth", &["app", "client", "error", "params"]),
    ("clock", &[]),
    ("config", &["aws", "password_hash"]),
    (
        "cli",
        &[
            "aws",
            "client",
            "client_auth",
            "clock",
            "config",
            "grant",
            "keys",
            "password_hash",
            "random",
            "scope",
            "store",
            "token",
            "user",
        ],
    ),
    ("error", &["keys", "scope", "store"]),
    ("gateway", &["app", "http"]),
    (
        "grant",
        &[
            "app",
            "client",
            "error",
            "keys",
            "params",
            "password_hash",
            "random",
            "refresh_token",
            "scope",
            "store",
            "token",
            "user",
        ],
    ),
    ("http", &["app", "client", "client_auth", "error", "grant", "params", "random", "token"]),
    ("keys", &["aws", "clock", "random", "refresh_token", "user"]),
    ("lib", &[]),
    ("log", &[]),
    ("params", &["error"]),
    ("password_hash", &["random"]),
    ("random", &[]),
    ("refresh_token", &["random", "scope"]),
    ("scope", &[]),
    ("store", &["aws", "client", "config", "password_hash", "refresh_token", "user"]),
    ("token", &["client", "keys", "random", "refresh_token", "scope", "user"]),
    ("user", &["password_hash", "scope"]),
];

/// The homes of the crates that have one. Those that are everyone's (base64, serde, tokio, tracing) are not listed.
const HOMES: [(&str, &[&str]); 23] = [
    ("argon2", &["password_hash"]),
    ("aws_config", &["app", "aws", "bin", "cli", "keys", "store"]),
    ("aws_lc_rs", &["http", "keys", "password_hash", "random", "refresh_token"]),
    ("aws_sdk_dynamodb", &["aws", "cli", "store"]),
    ("aws_sdk_secretsmanager", &["keys"]),
    ("aws_smithy_http_client", &["aws"]),
    ("aws_smithy_runtime_api", &["aws"]),
    ("aws_smithy_types", &["aws", "cli"]),
    ("axum", &["gateway", "http"]),
    ("bcrypt", &["password_hash"]),
    ("jsonwebtoken", &["keys", "token"]),
    ("lambda_http", &["bin", "gateway"]),
    ("md5", &["password_hash"]),
    ("precis_profiles", &["user"]),
    ("rustls_pki_types", &["config", "keys"]),
    ("scrypt", &["password_hash"]),
    ("serde_dynamo", &["client", "scope", "store"]),
    ("serde_path_to_error", &["cli", "client", "store"]),
    ("tower_http", &["http"]),
    ("tracing_subscriber", &["log"]),
    ("unicode_normalization", &["password_hash"]),
    ("url", &["client", "cli"]),
    ("zxcvbn", &["cli"]),
];

/// Every source file, with the module at the root that it belongs to.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("cli/src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(root).unwrap().with_extension("");
            let names: Vec<_> = below.iter().map(|name| name.to_str().unwrap()).collect();
            let module = if names[0] == "cli" { names[0] } else { names[1] }.to_owned();
            let code: Vec<_> = fs::read_to_string(&path)
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(ToOwned::to_owned)
                .collect();
            sources.push((path, module, code.join("\n")));
        }
    }
    assert!(sources.len() > 20);
    sources
}

/// The names that follow a path's beginning: `use crate::{a, b}` and `crate::a::x` alike.
fn named_after(code: &str, start: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (position, _) in code.match_indices(start) {
        if code[..position].ends_with(|before: char| before.is_alphanumeric() || matches!(before, '_' | ':')) {
            continue;
        }
        let rest = &code[position + start.len()..];
        let group = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
        for item in group.map_or(vec![rest], |group| group.split(',').collect()) {
            let name: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(name);
        }
    }
    names.remove("");
    names
}

#[test]
fn modules_import_only_whom_they_may() {
    for (path, module, code) in sources() {
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{} has no place in the table", path.display()));
        let start = if ["bin", "cli"].contains(&module.as_str()) { "countersign::" } else { "crate::" };
        // What the reading below would not see.
        let at_root = path.parent().unwrap().ends_with("src");
        assert!(!at_root || !code.contains("super::"), "{}: write crate::", path.display());
        let nested = code.split(start).skip(1).any(|rest| {
            rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).is_some_and(|group| group.contains('{'))
        });
        assert!(!nested, "{}: one import for each module", path.display());
        for import in named_after(&code, start) {
            let may = import == module || allowed.contains(&import.as_str());
            assert!(may, "{} may not import {import}", path.display());
        }
    }
}

#[test]
fn each_outside_crate_has_one_home() {
    for (path, module, code) in sources() {
        for (name, homes) in HOMES {
            let used = code.match_indices(&format!("{name}::")).any(|(position, _)| {
                !code[..position].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            });
            assert!(!used || homes.contains(&module.as_str()), "{} may not use {name}", path.display());
        }
    }
}

#[test]
fn no_file_has_grown_beyond_one_thing() {
    for (path, _, _) in sources() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 450, "{} has {lines} lines", path.display());
    }
}

/// Without it the first random number of a process costs half a second of a small function's time.
#[test]
fn aws_lc_is_built_without_jitter_entropy() {
    assert_eq!(option_env!("AWS_LC_SYS_NO_JITTER_ENTROPY"), Some("1"));
}
