//! The rules for source files: allowed imports, the home of each external crate, and sizes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{root, source_files};

/// The modules that each module may import. A module includes its children.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("app", &["clock", "config", "issuer_keys", "keys", "password_hash", "scope", "store", "throttle"]),
    ("bin", &["app", "aws", "clock", "config", "gateway", "keys", "log"]),
    ("authorization", &["client", "error", "params", "pkce", "redirect_uri", "resource", "scope"]),
    ("aws", &[]),
    (
        "cli",
        &[
            "aws",
            "client",
            "client_auth",
            "clock",
            "config",
            "consent",
            "grant",
            "introspection",
            "issuer_keys",
            "jwt",
            "keys",
            "login",
            "password_hash",
            "random",
            "redirect_uri",
            "refresh_token",
            "revocation",
            "scope",
            "store",
            "throttle",
            "token",
            "user",
        ],
    ),
    ("client", &["jwt", "keys", "password_hash", "random", "redirect_uri", "resource", "scope"]),
    (
        "client_auth",
        &[
            "app",
            "client",
            "confirmation",
            "encoding",
            "error",
            "issuer_keys",
            "jwt",
            "params",
            "password_hash",
            "store",
            "throttle",
        ],
    ),
    ("clock", &[]),
    ("confirmation", &[]),
    ("config", &["aws", "keys", "password_hash", "throttle"]),
    ("consent", &["random", "scope"]),
    ("date", &[]),
    ("dpop", &["confirmation", "encoding", "hmac_keys", "jwt"]),
    ("durations", &[]),
    ("encoding", &[]),
    ("error", &["keys", "resource", "scope", "store"]),
    ("gateway", &["app", "http"]),
    (
        "grant",
        &[
            "app",
            "authorization",
            "client",
            "confirmation",
            "consent",
            "error",
            "keys",
            "login",
            "params",
            "password_hash",
            "pkce",
            "random",
            "refresh_token",
            "resource",
            "risk",
            "scope",
            "session",
            "store",
            "throttle",
            "token",
            "user",
        ],
    ),
    ("hmac_keys", &[]),
    (
        "http",
        &[
            "app",
            "authorization",
            "client",
            "client_auth",
            "config",
            "confirmation",
            "consent",
            "date",
            "dpop",
            "durations",
            "encoding",
            "error",
            "grant",
            "introspection",
            "jwt",
            "keys",
            "login",
            "params",
            "random",
            "refresh_token",
            "revocation",
            "scope",
            "session",
            "store",
            "throttle",
            "token",
            "user",
            "userinfo",
        ],
    ),
    ("introspection", &["client", "confirmation", "refresh_token", "revocation", "scope", "token", "user"]),
    ("issuer_keys", &["aws", "clock", "jwt"]),
    ("jwt", &["encoding"]),
    ("keys", &["aws", "clock", "dpop", "encoding", "hmac_keys", "jwt", "random", "refresh_token", "session", "user"]),
    ("lib", &[]),
    ("log", &[]),
    ("login", &["app", "error", "keys", "params", "password_hash", "risk", "store", "throttle", "user"]),
    ("params", &["error"]),
    ("password_hash", &["durations", "encoding", "error", "random", "throttle"]),
    ("pkce", &["encoding"]),
    ("random", &[]),
    ("redirect_uri", &[]),
    (
        "refresh_token",
        &["client", "confirmation", "consent", "encoding", "hmac_keys", "pkce", "random", "scope", "session", "user"],
    ),
    ("resource", &[]),
    ("revocation", &["encoding", "refresh_token", "token"]),
    ("risk", &["user"]),
    ("scope", &[]),
    ("session", &["encoding", "hmac_keys", "random", "user"]),
    (
        "store",
        &[
            "aws",
            "client",
            "config",
            "consent",
            "durations",
            "password_hash",
            "random",
            "refresh_token",
            "revocation",
            "scope",
            "session",
            "throttle",
            "user",
        ],
    ),
    ("throttle", &["app", "clock", "encoding", "error", "random", "risk", "store"]),
    ("token", &["client", "confirmation", "jwt", "keys", "random", "refresh_token", "scope", "user"]),
    ("user", &["password_hash", "scope"]),
    ("userinfo", &["refresh_token", "scope", "token", "user"]),
];

/// The modules that may use an external crate. Crates that all modules may use (base64, serde, tokio, tracing) are not
/// listed.
const HOMES: &[(&str, &[&str])] = &[
    ("argon2", &["password_hash"]),
    ("argon2id", &["password_hash"]),
    ("askama", &["http"]),
    ("aws_config", &["app", "aws", "bin", "cli", "keys", "store"]),
    (
        "aws_lc_rs",
        &[
            "cli",
            "dpop",
            "encoding",
            "hmac_keys",
            "http",
            "issuer_keys",
            "keys",
            "password_hash",
            "pkce",
            "random",
            "refresh_token",
            "session",
            "throttle",
            "token",
        ],
    ),
    ("aws_sdk_cloudwatchlogs", &["cli"]),
    ("aws_sdk_dynamodb", &["aws", "cli", "store"]),
    ("aws_sdk_secretsmanager", &["keys"]),
    ("aws_smithy_http_client", &["aws"]),
    ("aws_smithy_runtime_api", &["aws"]),
    ("aws_smithy_types", &["aws", "cli"]),
    ("aws_types", &["aws"]),
    ("axum", &["gateway", "http", "issuer_keys"]),
    ("bcrypt", &["password_hash"]),
    ("http_body_util", &["http", "issuer_keys"]),
    ("hyper", &["issuer_keys"]),
    ("hyper_rustls", &["issuer_keys"]),
    ("hyper_util", &["issuer_keys"]),
    ("jsonwebtoken", &["cli", "jwt", "keys", "token"]),
    ("lambda_http", &["bin", "gateway"]),
    ("md5", &["password_hash"]),
    ("precis_profiles", &["user"]),
    ("rustls", &["issuer_keys"]),
    ("rustls_pki_types", &["client_auth", "config", "keys"]),
    ("scrypt", &["password_hash"]),
    ("serde_dynamo", &["client", "redirect_uri", "resource", "scope", "store"]),
    ("serde_path_to_error", &["cli", "client", "store"]),
    ("tower", &["gateway", "issuer_keys"]),
    ("tower_http", &["http"]),
    ("tracing_subscriber", &["log"]),
    ("unicode_normalization", &["password_hash"]),
    ("url", &["authorization", "cli", "client", "http", "issuer_keys", "redirect_uri"]),
    ("x509_cert", &["client_auth"]),
    ("zxcvbn", &["cli"]),
];

/// Returns every source file with its root module and its code without comments.
fn sources() -> Vec<(PathBuf, String, String)> {
    let mut sources = Vec::new();
    for path in ["src", "cli/src"].into_iter().flat_map(source_files) {
        let below = path.strip_prefix(root()).unwrap().with_extension("");
        let names: Vec<_> = below.iter().map(|name| name.to_str().unwrap()).collect();
        let module = if names[0] == "cli" { names[0] } else { names[1] }.to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        sources.push((path, module, code.join("\n")));
    }
    assert!(sources.len() > 20);
    sources
}

/// Returns the names after the start of a path, from `use crate::{a, b}` and from `crate::a::x`.
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
fn modules_import_only_allowed_modules() {
    for (path, module, code) in sources() {
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{} has no row in the table", path.display()));
        let start = if ["bin", "cli"].contains(&module.as_str()) { "countersign::" } else { "crate::" };
        // `named_after` does not find these imports.
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
fn external_crates_are_used_only_in_their_home() {
    for (path, module, code) in sources() {
        for &(name, homes) in HOMES {
            let used = code.match_indices(&format!("{name}::")).any(|(position, _)| {
                !code[..position].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            });
            assert!(!used || homes.contains(&module.as_str()), "{} may not use {name}", path.display());
        }
    }
}

fn line_count(path: &Path) -> usize {
    fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn no_file_has_more_than_400_lines() {
    let files = ["src", "argon2id", "cli", "testing", "tests"].into_iter().flat_map(source_files);
    let long: Vec<_> = files.filter(|path| line_count(path) > 400).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn the_median_file_of_src_has_at_most_120_lines() {
    let mut lines: Vec<_> = source_files("src").iter().map(|path| line_count(path)).collect();
    lines.sort_unstable();
    assert!(lines[lines.len() / 2] <= 120, "{lines:?}");
}

/// With jitter entropy the first random number of a process takes half a second in a small function.
#[test]
fn aws_lc_is_built_without_jitter_entropy() {
    assert_eq!(option_env!("AWS_LC_SYS_NO_JITTER_ENTROPY"), Some("1"));
}
