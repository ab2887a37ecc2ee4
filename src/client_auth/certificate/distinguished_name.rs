//! Distinguished names as text (RFC 4514).

use std::fmt::Write;

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::{Encode, Tag, Tagged};
use x509_cert::name::Name;

use crate::encoding::hex;

/// The types that have a name (section 3). Every other type is written as its object identifier.
const TYPES: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// Returns the text of a name: the last part first (section 2.1), the attributes of a part in the order of the certificate.
pub(super) fn rfc4514(name: &Name) -> String {
    let part = |attributes: Vec<String>| attributes.join("+");
    let mut parts: Vec<_> = name.iter_rdn().map(|rdn| part(rdn.iter().map(attribute).collect())).collect();
    parts.reverse();
    parts.join(",")
}

/// Returns the text of an attribute (sections 2.3 and 2.4). A value without a text, or of a type without a name, is written
/// as the hex of its DER.
fn attribute(attribute: &AttributeTypeAndValue) -> String {
    let oid = attribute.oid.to_string();
    let name = TYPES.into_iter().find_map(|(known, name)| (known == oid).then_some(name));
    let text = match attribute.value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => str::from_utf8(attribute.value.value()).ok(),
        _ => None,
    };
    if let Some((name, text)) = name.zip(text) {
        return format!("{name}={}", escaped(text));
    }
    format!("{}=#{}", name.unwrap_or(&oid), hex(&attribute.value.to_der().unwrap_or_default()))
}

/// Escapes the characters that have a meaning (section 2.4), and control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for (at, character) in text.char_indices() {
        let is_last = at + character.len_utf8() == text.len();
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', character]),
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || is_last => escaped.push_str("\\ "),
            _ if character.is_control() => {
                for byte in character.to_string().bytes() {
                    let _ = write!(escaped, "\\{byte:02x}");
                }
            }
            _ => escaped.push(character),
        }
    }
    escaped
}
