//! Client credentials in a body and in `Authorization`.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};

use super::Parameters;
use super::parameters::{form_text, is_valid};

/// A client id and a secret.
pub(super) type Pair = (String, String);

/// The types of assertions. No client of the model has a key, so no assertion authenticates.
const ASSERTION_TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe",
];

/// Returns the credentials that may authenticate the client: none, those of the body, or those of Basic, form-decoded
/// first and then as they are. Returns an error if they are not valid.
pub(super) fn credentials(authorization: &[&[u8]], parameters: &Parameters) -> Result<Vec<Pair>, ()> {
    let in_body = |name| parameters.get(name).cloned();
    let basic = match *authorization {
        [] => None,
        [value] if elements(&String::from_utf8_lossy(value)).iter().skip(1).any(|one| is_header(one)) => {
            return Err(());
        }
        [value] => basic(value)?,
        _ => return Err(()),
    };
    let has_assertion = match (in_body("client_assertion_type"), in_body("client_assertion")) {
        (None, None) => false,
        (Some(name), Some(_)) if ASSERTION_TYPES.contains(&name.as_str()) => true,
        _ => return Err(()),
    };
    match basic {
        None if has_assertion && in_body("client_secret").is_none() => Ok(Vec::new()),
        _ if has_assertion => Err(()),
        None => {
            Ok(in_body("client_id").map(|id| (id, in_body("client_secret").unwrap_or_default())).into_iter().collect())
        }
        Some(_) if in_body("client_secret").is_some() => Err(()),
        Some(pairs) if in_body("client_id").is_some_and(|id| pairs.iter().all(|(known, _)| *known != id)) => Err(()),
        Some(pairs) => Ok(pairs.into()),
    }
}

/// Splits a header at the commas outside quotes, because the gateway joins headers of one name with commas.
pub fn elements(text: &str) -> Vec<String> {
    let (mut elements, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for character in text.chars() {
        let is_escaped = std::mem::take(&mut escaped);
        match character {
            '"' if !is_escaped => quoted = !quoted,
            '\\' if quoted && !is_escaped => escaped = true,
            ',' if !quoted => {
                elements.push(String::new());
                continue;
            }
            _ => {}
        }
        elements.last_mut().unwrap().push(character);
    }
    elements
}

/// Returns true if an element of `Authorization` is a header with a scheme and not a parameter.
fn is_header(element: &str) -> bool {
    let Some((scheme, rest)) = element.trim().split_once(' ') else { return false };
    let is_parameter = rest.trim_start_matches(' ').starts_with('=');
    !is_parameter && scheme.chars().all(|one| one.is_ascii_alphanumeric() || one == '-')
}

/// Returns the credentials of an `Authorization: Basic`, form-decoded and as they are, or `None` for another scheme.
fn basic(header: &[u8]) -> Result<Option<[Pair; 2]>, ()> {
    let text = String::from_utf8_lossy(header);
    let scheme = text.split(' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let halves = base64(text[scheme.len()..].trim_start_matches(' ')).ok_or(())?;
    let halves = String::from_utf8(halves).map_err(|_| ())?;
    let (id, secret) = halves.split_once(':').ok_or(())?;
    if !is_valid("client_id", id) || !is_valid("client_secret", secret) {
        return Err(());
    }
    let decoded = |name, half: &str| form_text(half.as_bytes()).filter(|text| is_valid(name, text)).unwrap_or_default();
    let decoded = (decoded("client_id", id), decoded("client_secret", secret));
    Ok(Some([decoded, (id.to_owned(), secret.to_owned())]))
}

/// Decodes base64. Returns `None` unless encoding the bytes results in the same text.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(text).ok()?;
    (STANDARD.encode(&bytes) == text).then_some(bytes)
}
