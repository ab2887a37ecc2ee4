//! The token version in `Accept`.

/// Returns the token version that a request accepts. The first `version` parameter of all media ranges decides.
pub(super) fn version(accept: &[&[u8]]) -> Option<u8> {
    for header in accept {
        let header = String::from_utf8_lossy(header);
        let (mut quoted, mut escaped, mut part) = (false, false, String::new());
        // `None` ends the last part.
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

/// Returns the token version of a parameter's value: 1, or 2 for any later version.
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
