//! The parameters of a request, decoded from a form or from JSON.

use super::Parameters;
use super::json::{self, Json};

/// The parameter that may occur more than once. The values are joined with a space, which no valid one contains.
pub(super) const RESOURCE: &str = "resource";

/// The parameters of the endpoint, and the largest size of each in bytes.
const PARAMETERS: [(&str, usize); 13] = [
    ("grant_type", usize::MAX),
    ("client_id", 256),
    ("client_secret", 1024),
    ("client_assertion_type", usize::MAX),
    ("client_assertion", 8192),
    ("username", 1024),
    ("password", 4096),
    ("scope", 4096),
    ("refresh_token", 1024),
    ("code", 1024),
    ("redirect_uri", 2048),
    ("code_verifier", 128),
    (RESOURCE, 2048),
];

/// Returns true if a value is within the limit and the grammar of its parameter.
pub(super) fn is_valid(name: &str, value: &str) -> bool {
    let limit = PARAMETERS.iter().find_map(|(known, limit)| (*known == name).then_some(*limit));
    value.len() <= limit.unwrap_or(usize::MAX)
        && match name {
            "client_id" | "client_secret" => value.chars().all(|one| one == ' ' || one.is_ascii_graphic()),
            "username" | "password" => !value.chars().any(|one| "\0\r\n".contains(one)),
            "scope" => value.split(' ').filter(|token| !token.is_empty()).count() <= 100,
            _ => true,
        }
}

/// Returns the parameters of the endpoint. Returns `None` if a value is not valid or if one of them is repeated.
fn parameters(pairs: Vec<(String, String)>) -> Option<Parameters> {
    let mut parameters = Parameters::new();
    if pairs.len() > 64 {
        return None;
    }
    for (name, value) in pairs {
        let known = PARAMETERS.iter().find(|(known, _)| *known == name);
        if name.len() > 64 || !is_valid(&name, &value) {
            return None;
        }
        match known {
            Some((RESOURCE, _)) if value.is_empty() => {
                parameters.entry(RESOURCE).or_default();
            }
            Some((RESOURCE, _)) => {
                let joined = parameters.entry(RESOURCE).or_default();
                *joined = if joined.is_empty() { value } else { format!("{joined} {value}") };
            }
            Some((name, _)) if parameters.insert(*name, value).is_some() => return None,
            _ => {}
        }
    }
    Some(parameters)
}

/// Returns the parameters of a form, or `None` if it is not valid.
pub(super) fn form_parameters(body: &[u8]) -> Option<Parameters> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        Some((form_text(name)?, form_text(value)?))
    });
    parameters(pairs.collect::<Option<_>>()?)
}

/// Decodes form-encoded text. Returns `None` if it is not UTF-8 or if a `%` is not followed by two hex digits.
pub(super) fn form_text(encoded: &[u8]) -> Option<String> {
    let mut runs = encoded.split(|byte| *byte == b'%');
    let mut bytes = runs.next()?.to_vec();
    for run in runs {
        let digits = run.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        let text = std::str::from_utf8(digits).ok()?;
        // An encoded plus stays a plus: 0xff, which UTF-8 does not use, marks it until the plain ones are spaces.
        let byte = u8::from_str_radix(text, 16).ok()?;
        bytes.push(if byte == b'+' { 0xff } else { byte });
        if byte == 0xff {
            return None;
        }
        bytes.extend_from_slice(&run[2..]);
    }
    if encoded.contains(&0xff) {
        return None;
    }
    let bytes = bytes.into_iter().map(|byte| match byte {
        b'+' => b' ',
        0xff => b'+',
        other => other,
    });
    String::from_utf8(bytes.collect()).ok()
}

/// Returns the parameters of a JSON object, or `None` if it is not valid.
pub(super) fn json_parameters(body: &[u8]) -> Option<Parameters> {
    let Json::Object(members) = json::read(body)? else { return None };
    let pairs = members.into_iter().map(|(name, value)| match value {
        Json::Text(text) => Some((name, text)),
        Json::Number(digits)
            if name == "client_id" && digits.len() <= 15 && digits.bytes().all(|digit| digit.is_ascii_digit()) =>
        {
            Some((name, digits))
        }
        Json::Null => Some((name, String::new())),
        _ if PARAMETERS.iter().any(|(known, _)| *known == name) => None,
        _ => Some((name, String::new())),
    });
    parameters(pairs.collect::<Option<_>>()?)
}
