//! The one right answer to a token request, worked out anew and in the simplest way: nothing here is the library's. Most
//! faults share a code, so that their order among each other does not count.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};

use crate::cloud::{CLIENTS, Client, FAMILY_SCOPES, LIVE, PASSWORD, USERNAME};
use crate::model::json::Json;

mod json;

/// What is expected of an answer.
#[derive(Debug)]
pub enum Expected {
    /// A token.
    Issued(Issued),
    /// This status and code.
    Refused(u16, &'static str),
    /// A token, if the username is another form of the user's; or else no such user.
    IssuedOrInvalidGrant(Issued),
}

/// What a token is to say.
pub struct Issued {
    pub version: u8,
    pub client: &'static Client,
    pub user: bool,
    /// By the refresh token, and not by a login.
    pub refreshed: bool,
    pub scope: Vec<String>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "a token of version {} for {}: {:?}", self.version, self.client.id, self.scope)
    }
}

/// A request to the token endpoint, without a `Content-Encoding`.
#[derive(Default)]
pub struct Asked<'a> {
    /// True for JSON, false for a form.
    pub json: bool,
    pub query: &'a [u8],
    pub accept: Vec<&'a [u8]>,
    pub authorization: Vec<&'a [u8]>,
    pub body: &'a [u8],
}

const INVALID_REQUEST: Expected = Expected::Refused(400, "invalid_request");
const INVALID_SCOPE: Expected = Expected::Refused(400, "invalid_scope");
const INVALID_GRANT: Expected = Expected::Refused(400, "invalid_grant");

/// The parameters that count, and the most bytes that each may have.
const PARAMETERS: [(&str, usize); 10] = [
    ("grant_type", usize::MAX),
    ("client_id", 256),
    ("client_secret", 1024),
    ("username", 1024),
    ("password", 4096),
    ("scope", 4096),
    ("refresh_token", 1024),
    ("code", usize::MAX),
    ("redirect_uri", usize::MAX),
    ("code_verifier", usize::MAX),
];

impl Asked<'_> {
    pub fn expected(&self) -> Expected {
        if self.body.len() > 16 * 1024 {
            return Expected::Refused(413, "invalid_request");
        }
        if !form_parameters(self.query).is_some_and(|parameters| parameters.is_empty()) {
            return INVALID_REQUEST;
        }
        let parameters = if self.json { json_parameters(self.body) } else { form_parameters(self.body) };
        let (Some(version), Some(mut parameters)) = (version(&self.accept), parameters) else {
            return INVALID_REQUEST;
        };
        if let Some(username) = parameters.get_mut("username") {
            *username = username.trim_start_matches(' ').trim_end_matches(' ').to_owned();
        }
        parameters.retain(|_, value| !value.is_empty());
        let Ok(credentials) = self.credentials(&parameters) else {
            return INVALID_REQUEST;
        };
        match parameters.get("grant_type").map(String::as_str) {
            None => return INVALID_REQUEST,
            Some("password" | "client_credentials" | "refresh_token") => {}
            Some(_) => return Expected::Refused(400, "unsupported_grant_type"),
        }
        let proven = |client: &&Client| {
            let is_one_of =
                |pairs: &[Pair]| pairs.iter().any(|(id, secret)| id == client.id && secret == client.secret);
            let presented = &credentials[..credentials.len().min(1)];
            client.enabled && (is_one_of(presented) || client.imported && is_one_of(&credentials))
        };
        CLIENTS
            .iter()
            .find(proven)
            .map_or(Expected::Refused(401, "invalid_client"), |client| granted(client, &parameters, version))
    }

    /// The ids and secrets that may prove the client: none; one pair; or of Basic the decoded one and the raw one.
    fn credentials(&self, parameters: &BTreeMap<&str, String>) -> Result<Vec<Pair>, ()> {
        let in_body = |name| parameters.get(name).cloned();
        let basic = match self.authorization[..] {
            [] => None,
            [value] if elements(&String::from_utf8_lossy(value)).iter().skip(1).any(|one| is_header(one)) => {
                return Err(());
            }
            [value] => basic(value)?,
            _ => return Err(()),
        };
        match basic {
            None => Ok(in_body("client_id")
                .map(|id| (id, in_body("client_secret").unwrap_or_default()))
                .into_iter()
                .collect()),
            Some(_) if in_body("client_secret").is_some() => Err(()),
            Some(pairs) if in_body("client_id").is_some_and(|id| pairs.iter().all(|(known, _)| *known != id)) => {
                Err(())
            }
            Some(pairs) => Ok(pairs.into()),
        }
    }
}

/// The elements of a header that a gateway may have joined: separated by commas outside quotes.
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

/// Returns true if an element of `Authorization` is a header with a scheme, and not a parameter.
fn is_header(element: &str) -> bool {
    let scheme = element.trim().split_once(' ').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.chars().all(|one| one.is_ascii_alphanumeric() || one == '-'))
}

/// What a client that proved itself is granted.
fn granted(client: &'static Client, parameters: &BTreeMap<&str, String>, version: u8) -> Expected {
    let parameter = |name| parameters.get(name).map(String::as_str);
    let grant_type = parameter("grant_type").unwrap_or_default();
    if !client.grant_types.contains(&grant_type) {
        return Expected::Refused(400, "unauthorized_client");
    }
    let asked_for = match parameter("scope").map(|text| scope(client, text)) {
        Some(None) => Err(INVALID_SCOPE),
        Some(Some(scope)) => Ok(Some(scope)),
        None => Ok(None),
    };
    let defaults = || client.default_scopes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let issued = |user, refreshed, scope: Vec<String>| Issued { version, client, user, refreshed, scope };
    match grant_type {
        "refresh_token" => {
            let Some(token) = parameter("refresh_token") else { return INVALID_REQUEST };
            let asked_for = match asked_for {
                Ok(asked_for) => asked_for,
                Err(refused) => return refused,
            };
            if token != LIVE || client.id != "autonomy-web" {
                return INVALID_GRANT;
            }
            match asked_for {
                None => Expected::Issued(issued(true, true, FAMILY_SCOPES.map(str::to_owned).to_vec())),
                Some(scope) if scope.iter().all(|token| FAMILY_SCOPES.contains(&token.as_str())) => {
                    Expected::Issued(issued(true, true, scope))
                }
                Some(_) => INVALID_SCOPE,
            }
        }
        "password" => {
            let (Some(username), Some(password)) = (parameter("username"), parameter("password")) else {
                return INVALID_REQUEST;
            };
            let scope = match asked_for {
                Ok(asked_for) => asked_for.unwrap_or_else(defaults),
                Err(refused) => return refused,
            };
            match () {
                () if scope.is_empty() => INVALID_SCOPE,
                () if password != PASSWORD => INVALID_GRANT,
                () if username.eq_ignore_ascii_case(USERNAME) => Expected::Issued(issued(true, false, scope)),
                () if username.is_ascii() => INVALID_GRANT,
                () => Expected::IssuedOrInvalidGrant(issued(true, false, scope)),
            }
        }
        _ => match asked_for.map(|asked_for| asked_for.unwrap_or_else(defaults)) {
            Ok(scope) if scope.is_empty() => INVALID_SCOPE,
            Ok(scope) => Expected::Issued(issued(false, false, scope)),
            Err(refused) => refused,
        },
    }
}

/// The tokens of a scope, each once, if it is well-formed and the client may have all of it.
fn scope(client: &Client, text: &str) -> Option<Vec<String>> {
    let mut scope: Vec<String> = Vec::new();
    for token in text.split(' ') {
        let allowed = client.scopes.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(prefix) => token.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
            None => token == *allowed,
        });
        let wrong = |character: char| !character.is_ascii_graphic() || "\"\\*".contains(character);
        if !allowed || token.contains(wrong) {
            return None;
        }
        if !scope.iter().any(|known| known == token) {
            scope.push(token.to_owned());
        }
    }
    Some(scope)
}

/// Whether a value is within the limit and the grammar of its parameter.
fn is_right(name: &str, value: &str) -> bool {
    let limit = PARAMETERS.iter().find_map(|(known, limit)| (*known == name).then_some(*limit));
    value.len() <= limit.unwrap_or(usize::MAX)
        && match name {
            "client_id" | "client_secret" => value.chars().all(|one| one == ' ' || one.is_ascii_graphic()),
            "username" | "password" => !value.chars().any(|one| "\0\r\n".contains(one)),
            "scope" => value.split(' ').filter(|token| !token.is_empty()).count() <= 100,
            _ => true,
        }
}

/// Takes pairs of name and value, if all are right and none that counts is repeated.
fn parameters(pairs: Vec<(String, String)>) -> Option<BTreeMap<&'static str, String>> {
    let mut parameters = BTreeMap::new();
    if pairs.len() > 64 {
        return None;
    }
    for (name, value) in pairs {
        let known = PARAMETERS.iter().find(|(known, _)| *known == name);
        if name.len() > 64 || !is_right(&name, &value) {
            return None;
        }
        if let Some((name, _)) = known
            && parameters.insert(*name, value).is_some()
        {
            return None;
        }
    }
    Some(parameters)
}

fn form_parameters(body: &[u8]) -> Option<BTreeMap<&'static str, String>> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        Some((form_text(name)?, form_text(value)?))
    });
    parameters(pairs.collect::<Option<_>>()?)
}

/// Strictly decodes form-encoded text: what stands between the `%`s, and two hex digits behind each.
fn form_text(encoded: &[u8]) -> Option<String> {
    let mut runs = encoded.split(|byte| *byte == b'%');
    let mut bytes = runs.next()?.to_vec();
    for run in runs {
        let digits = run.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        let text = std::str::from_utf8(digits).ok()?;
        // A plus that is encoded stays one; it is told apart from those that are a space by a byte that is no text.
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

fn json_parameters(body: &[u8]) -> Option<BTreeMap<&'static str, String>> {
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

/// An id and a secret.
type Pair = (String, String);

/// The credentials of an `Authorization: Basic`, decoded and raw; none of another scheme.
fn basic(header: &[u8]) -> Result<Option<[Pair; 2]>, ()> {
    let text = String::from_utf8_lossy(header);
    let scheme = text.split(' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let halves = base64(text[scheme.len()..].trim_start_matches(' ')).ok_or(())?;
    let halves = String::from_utf8(halves).map_err(|_| ())?;
    let (id, secret) = halves.split_once(':').ok_or(())?;
    if !is_right("client_id", id) || !is_right("client_secret", secret) {
        return Err(());
    }
    let decoded = |name, half: &str| form_text(half.as_bytes()).filter(|text| is_right(name, text)).unwrap_or_default();
    let decoded = (decoded("client_id", id), decoded("client_secret", secret));
    Ok(Some([decoded, (id.to_owned(), secret.to_owned())]))
}

/// The bytes whose base64 this is, to the letter.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(text).ok()?;
    (STANDARD.encode(&bytes) == text).then_some(bytes)
}

/// Returns the token version that a request accepts: in all its entries, the first parameter of the name decides.
fn version(accept: &[&[u8]]) -> Option<u8> {
    for header in accept {
        let header = String::from_utf8_lossy(header);
        let (mut quoted, mut escaped, mut part) = (false, false, String::new());
        // One more, so that the last part ends too.
        for character in header.chars().map(Some).chain([None]) {
            match character {
                Some(';' | ',') if !quoted => {}
                None => {}
                Some(character) => {
                    part.push(character);
                    match character {
                        _ if escaped => escaped = false,
                        '\\' if quoted => escaped = true,
                        '"' => quoted = !quoted,
                        _ => {}
                    }
                    continue;
                }
            }
            if let Some((name, value)) = part.split_once('=')
                && name.trim().eq_ignore_ascii_case("version")
            {
                return token_version(value.trim());
            }
            part.clear();
        }
    }
    Some(2)
}

fn token_version(value: &str) -> Option<u8> {
    let inner = value.len().checked_sub(1).and_then(|last| value.get(1..last));
    let value = inner.filter(|_| value.starts_with('"') && value.ends_with('"')).unwrap_or(value);
    let parts: Vec<_> = value.split('.').collect();
    if parts.len() > 2 || !parts.iter().all(|part| !part.is_empty() && part.chars().all(|one| one.is_ascii_digit())) {
        return None;
    }
    match parts[0].bytes().fold(0, |number: u32, digit| number.saturating_mul(10).saturating_add((digit - b'0').into()))
    {
        0 => None,
        1 => Some(1),
        _ => Some(2),
    }
}
