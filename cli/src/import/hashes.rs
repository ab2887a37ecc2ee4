//! Converts hashes as other systems write them into the stored forms, which `countersign::password_hash` lists.
//!
//! | written | by |
//! |---|---|
//! | `$argon2id$..`, `$2y$..`, `$wp$2y$..`, `bcrypt_sha256$$2b$..`, `$P$..`, `$H$..`, `$S$..` | stored as they are |
//! | a label before any of these: `{bcrypt}`, `{CRYPT}`, `{BLF-CRYPT}`, `{ARGON2}`, `{argon2@..}` | Spring, LDAP, Dovecot |
//! | `argon2$argon2id$..`, `bcrypt$$2b$..` | Django |
//! | `$pbkdf2-sha256$29000$salt$hash`, `$pbkdf2-sha256$i=29000,l=32$salt$hash` | passlib; Kratos |
//! | `pbkdf2_sha256$600000$salt$hash`, `pbkdf2:sha256:600000$salt$hash` | Django, Werkzeug: the salt is text |
//! | base64 that begins with 0 or 1 | ASP.NET Identity v2 and v3 |
//! | `{pbkdf2@SpringSecurity_v5_8}` and hex, `{pbkdf2}` and hex | Spring, with its default parameters |
//! | `{"secretData":..,"credentialData":..}` | Keycloak: PBKDF2 or argon2 |
//! | `$scrypt$ln=16,r=8,p=1$salt$hash` | passlib; Kratos, where a large `ln` is N itself |
//! | `scrypt:32768:8:1$salt$hash`, `scrypt$16384$salt$8$5$hash` | Werkzeug, Django: the salt is text |
//! | `salt:hash` in hex | better-auth: scrypt, and the salt is the hex text |

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use countersign::password_hash::{Hash, HashError};
use serde_json::Value;

/// The forms that need conversion. Each function returns the stored form, or `None` if the text is not in its form.
const FORMS: [fn(&str) -> Option<String>; 10] = [
    passlib_pbkdf2,
    django_pbkdf2,
    werkzeug_pbkdf2,
    aspnet,
    spring_pbkdf2,
    keycloak,
    phc_scrypt,
    werkzeug_scrypt,
    django_scrypt,
    better_auth,
];

/// Parses a hash in any of these forms. The error does not quote the hash.
pub fn parse(text: &str) -> Result<Hash, String> {
    let text = without_label(text.trim());
    let stored = FORMS.iter().find_map(|convert| convert(text)).unwrap_or_else(|| text.to_owned());
    Hash::try_from(stored).map_err(|error| match error {
        HashError::TooCostly => format!("{error}; {WHAT_TO_DO}"),
        HashError::Malformed => rejection(text),
    })
}

const WHAT_TO_DO: &str = "leave it out, and set a new one after the import";

/// Returns why a text is not an accepted hash.
fn rejection(text: &str) -> String {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    let (label, _) = label(text).unwrap_or_default();
    let labelled = |parts: &[&str]| parts.iter().any(|part| label.contains(part));
    let is_digest = [32, 40, 56, 64, 96, 128].contains(&text.len()) && hex(text).is_some();
    if starts(&["$1$", "$5$", "$6$", "$y$", "$gy$", "$7$", "_"]) || labelled(&["-crypt"]) {
        format!("a hash of crypt(3), which is not supported; {WHAT_TO_DO}")
    } else if is_digest
        || starts(&["md5$", "sha1$", "sha256$", "sha512$", "unsalted_", "U$"])
        || labelled(&["md4", "md5", "sha"])
    {
        format!("a fast hash like MD5 or SHA, which is too easy to guess; {WHAT_TO_DO}")
    } else if labelled(&["noop", "plain", "clear"]) {
        format!("a secret in plain text; {WHAT_TO_DO}")
    } else {
        "not a hash in a known form; docs/cli.md lists the forms".to_owned()
    }
}

/// Removes the label that Spring, LDAP servers and Dovecot write before a hash, and the one of Django.
fn without_label(text: &str) -> &str {
    let hash = label(text).filter(|(label, _)| {
        ["bcrypt", "crypt", "blf-crypt", "argon2", "argon2i", "argon2id"].contains(&label.as_str())
            || label.starts_with("argon2@")
    });
    let text = hash.map_or(text, |(_, hash)| hash);
    let text = text.strip_prefix("bcrypt$").unwrap_or(text);
    text.strip_prefix("argon2").filter(|hash| hash.starts_with("$argon2")).unwrap_or(text)
}

/// Splits `{label}hash`; the label comes in lower case.
fn label(text: &str) -> Option<(String, &str)> {
    let (label, hash) = text.strip_prefix('{')?.split_once('}')?;
    let is_label = label.chars().all(|character| character.is_ascii_alphanumeric() || "-_@.".contains(character));
    is_label.then(|| (label.to_ascii_lowercase(), hash))
}

/// Returns PBKDF2 in its stored form.
fn pbkdf2(digest: &str, iterations: u32, salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$pbkdf2-{digest}$i={iterations}${salt}${hash}")
}

fn passlib_pbkdf2(text: &str) -> Option<String> {
    let [digest, params, salt, hash] = fields(text.strip_prefix("$pbkdf2")?)?;
    let digest = if digest.is_empty() { "sha1" } else { digest.strip_prefix('-')? };
    let iterations = params.split(',').find_map(|param| param.strip_prefix("i=")).unwrap_or(params);
    Some(pbkdf2(digest, iterations.parse().ok()?, &base64(salt)?, &base64(hash)?))
}

fn django_pbkdf2(text: &str) -> Option<String> {
    let [digest, iterations, salt, hash] = fields(text.strip_prefix("pbkdf2_")?)?;
    Some(pbkdf2(digest, iterations.parse().ok()?, salt.as_bytes(), &base64(hash)?))
}

fn werkzeug_pbkdf2(text: &str) -> Option<String> {
    let (digest, rest) = text.strip_prefix("pbkdf2:")?.split_once(':')?;
    let [iterations, salt, hash] = fields(rest)?;
    Some(pbkdf2(digest, iterations.parse().ok()?, salt.as_bytes(), &hex(hash)?))
}

/// Version 2: 0, 16 bytes of salt, 32 of hash. Version 3: 1, then the digest, the iterations and the length of the salt
/// in 4 bytes each, then salt and hash.
fn aspnet(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).ok()?;
    let (version, mut rest) = bytes.split_first()?;
    if *version == 0 && rest.len() == 48 {
        let (salt, hash) = rest.split_at_checked(16)?;
        return Some(pbkdf2("sha1", 1000, salt, hash));
    }
    let mut number = || {
        let (number, after) = rest.split_first_chunk()?;
        rest = after;
        Some(u32::from_be_bytes(*number))
    };
    let (digest, iterations, salt_bytes) = (number()?, number()?, number()?);
    let digest = ["sha1", "sha256", "sha512"].get(usize::try_from(digest).ok()?)?;
    let (salt, hash) = rest.split_at_checked(usize::try_from(salt_bytes).ok()?)?;
    (*version == 1).then(|| pbkdf2(digest, iterations, salt, hash))
}

fn spring_pbkdf2(text: &str) -> Option<String> {
    // The parameters that each label stands for.
    let labels = [("{pbkdf2@SpringSecurity_v5_8}", "sha256", 310_000, 16), ("{pbkdf2}", "sha1", 185_000, 8)];
    labels.into_iter().find_map(|(label, digest, iterations, salt_bytes)| {
        let bytes = hex(text.strip_prefix(label)?)?;
        let (salt, hash) = bytes.split_at_checked(salt_bytes)?;
        (hash.len() == 32).then(|| pbkdf2(digest, iterations, salt, hash))
    })
}

fn keycloak(text: &str) -> Option<String> {
    let credential: Value = serde_json::from_str(text).ok()?;
    // Each part is JSON in a string; tools that convert exports unpack them.
    let part = |name| match credential.get(name)? {
        Value::String(text) => serde_json::from_str(text).ok(),
        unpacked => Some(unpacked.clone()),
    };
    let (secret, data): (Value, Value) = (part("secretData")?, part("credentialData")?);
    let bytes = |name| base64(secret.get(name)?.as_str()?);
    let (salt, hash) = (bytes("salt")?, bytes("value")?);
    let iterations = data.get("hashIterations")?.as_u64()?.try_into().ok()?;
    match data.get("algorithm")?.as_str()? {
        "argon2" => keycloak_argon2(data.get("additionalParameters")?, iterations, &salt, &hash),
        "pbkdf2" => Some(pbkdf2("sha1", iterations, &salt, &hash)),
        algorithm => Some(pbkdf2(algorithm.strip_prefix("pbkdf2-")?, iterations, &salt, &hash)),
    }
}

/// Each parameter is a list with one text.
fn keycloak_argon2(params: &Value, iterations: u32, salt: &[u8], hash: &[u8]) -> Option<String> {
    let param = |name| params.get(name)?.get(0)?.as_str();
    let variant = param("type")?;
    let version = match param("version")? {
        "1.0" => 16,
        "1.3" => 19,
        _ => return None,
    };
    let (memory, parallelism) = (param("memory")?, param("parallelism")?);
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Some(format!("$argon2{variant}$v={version}$m={memory},t={iterations},p={parallelism}${salt}${hash}"))
}

/// Returns scrypt in its stored form.
fn scrypt([n, r, p]: [u64; 3], salt: &[u8], hash: &[u8]) -> Option<String> {
    let log_n = n.is_power_of_two().then(|| n.ilog2())?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Some(format!("$scrypt$ln={log_n},r={r},p={p}${salt}${hash}"))
}

fn phc_scrypt(text: &str) -> Option<String> {
    let [params, salt, hash] = fields(text.strip_prefix("$scrypt$")?)?;
    let param = |name| params.split(',').find_map(|param| param.strip_prefix(name)?.parse().ok());
    let (ln, r, p) = (param("ln=")?, param("r=")?, param("p=")?);
    // Up to 63 it is the logarithm of N.
    let n = if ln < 64 { 1u64 << ln } else { ln };
    scrypt([n, r, p], &base64(salt)?, &base64(hash)?)
}

fn werkzeug_scrypt(text: &str) -> Option<String> {
    let [params, salt, hash] = fields(text.strip_prefix("scrypt:")?)?;
    let numbers: Vec<_> = params.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    scrypt(numbers.try_into().ok()?, salt.as_bytes(), &hex(hash)?)
}

fn django_scrypt(text: &str) -> Option<String> {
    let [n, salt, r, p, hash] = fields(text.strip_prefix("scrypt$")?)?;
    scrypt([n.parse().ok()?, r.parse().ok()?, p.parse().ok()?], salt.as_bytes(), &base64(hash)?)
}

fn better_auth(text: &str) -> Option<String> {
    let (salt, hash) = text.split_once(':')?;
    let bytes = hex(hash).filter(|hash| hash.len() == 64)?;
    hex(salt).filter(|salt| salt.len() == 16)?;
    scrypt([16_384, 16, 1], salt.as_bytes(), &bytes)
}

fn fields<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

/// Decodes base64 with or without padding, also with passlib's `.` for `+`.
fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('=').replace('.', "+")).ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<_> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    digits
        .chunks(2)
        .map(|pair| <[u32; 2]>::try_from(pair).ok())
        .map(|pair| u8::try_from(pair?[0] * 16 + pair?[1]).ok())
        .collect()
}
