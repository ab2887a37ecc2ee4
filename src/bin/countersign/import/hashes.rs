//! Hashes as other systems write them, brought into the form in which they are stored.
//!
//! | written | by |
//! |---|---|
//! | `$argon2id$v=19$m=..,t=..,p=..$salt$hash`, `$2y$..`, `$pbkdf2-sha256$i=..$salt$hash` | most: stored as they are |
//! | `$pbkdf2-sha256$29000$salt$hash` | passlib: no name before the rounds, `.` for `+` |
//! | `pbkdf2_sha256$600000$salt$hash` | Django: the salt is text |
//! | `argon2$argon2id$..`, `bcrypt$$2b$..` | Django |
//! | `pbkdf2:sha256:600000$salt$hash` | Werkzeug: the salt is text, the hash in hex |

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use countersign::password_hash::Hash;

/// Reads a hash in any of these forms. The fault says nothing of the hash itself.
pub fn parse(text: &str) -> Result<Hash, String> {
    // Django puts a name of its own before these.
    let text = text.strip_prefix("bcrypt$").unwrap_or(text);
    let text = text.strip_prefix("argon2").filter(|rest| rest.starts_with("$argon2")).unwrap_or(text);
    let stored = passlib(text).or_else(|| django(text)).or_else(|| werkzeug(text));
    Hash::try_from(stored.unwrap_or_else(|| text.to_owned())).map_err(|fault| fault.to_string())
}

/// The PHC string form, which is the stored one.
fn phc(digest: &str, rounds: &str, salt: &[u8], hash: &[u8]) -> Option<String> {
    let rounds: u32 = rounds.parse().ok()?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    ["sha256", "sha512"].contains(&digest).then(|| format!("$pbkdf2-{digest}$i={rounds}${salt}${hash}"))
}

fn passlib(text: &str) -> Option<String> {
    let (digest, rest) = text.strip_prefix("$pbkdf2-")?.split_once('$')?;
    let [rounds, salt, hash] = fields(rest)?;
    let decode = |part: &str| STANDARD_NO_PAD.decode(part.replace('.', "+")).ok();
    phc(digest, rounds, &decode(salt)?, &decode(hash)?)
}

fn django(text: &str) -> Option<String> {
    let (digest, rest) = text.strip_prefix("pbkdf2_")?.split_once('$')?;
    let [rounds, salt, hash] = fields(rest)?;
    phc(digest, rounds, salt.as_bytes(), &STANDARD.decode(hash).ok()?)
}

fn werkzeug(text: &str) -> Option<String> {
    let (digest, rest) = text.strip_prefix("pbkdf2:")?.split_once(':')?;
    let [rounds, salt, hash] = fields(rest)?;
    phc(digest, rounds, salt.as_bytes(), &hex(hash)?)
}

fn fields(text: &str) -> Option<[&str; 3]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<_> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    digits
        .chunks(2)
        .map(|pair| <[u32; 2]>::try_from(pair).ok())
        .map(|pair| u8::try_from(pair?[0] * 16 + pair?[1]).ok())
        .collect()
}
