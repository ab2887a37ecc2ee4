//! The common grammar of header fields: lists, and parameters after semicolons (RFC 9110 section 5.6).

/// Splits at the separators outside quotes, and trims the parts.
pub fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        if escaped {
            escaped = false;
        } else if quoted && character == '\\' {
            escaped = true;
        } else if character == '"' {
            quoted = !quoted;
        }
        character == separator && !quoted
    })
    .map(str::trim)
}

/// Returns the name of a parameter and its value, without quotes. Returns `None` if the text is not a parameter.
pub fn parameter(part: &str) -> Option<(&str, &str)> {
    let (name, value) = part.split_once('=')?;
    let value = value.trim();
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some((name.trim(), unquoted.unwrap_or(value)))
}
