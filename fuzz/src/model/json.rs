//! A parser for JSON (RFC 8259) with two rules of this API: no repeated members, and a depth of at most 4.

use std::iter::Peekable;
use std::str::Chars;

/// A value, with the content that a parameter may have.
pub(super) enum Json {
    Object(Vec<(String, Self)>),
    Text(String),
    /// The text of the number.
    Number(String),
    Null,
    Other,
}

/// Reads one value and the end of the text.
pub(super) fn read(text: &[u8]) -> Option<Json> {
    let mut reader = Reader(std::str::from_utf8(text).ok()?.chars().peekable());
    let value = reader.value(1)?;
    reader.space();
    reader.0.next().is_none().then_some(value)
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn space(&mut self) {
        while self.0.next_if(|one| " \t\r\n".contains(*one)).is_some() {}
    }

    /// Reads this character, after any white space.
    fn take(&mut self, expected: char) -> Option<()> {
        self.space();
        self.0.next_if_eq(&expected).map(|_| ())
    }

    fn value(&mut self, depth: u8) -> Option<Json> {
        self.space();
        match *self.0.peek()? {
            '{' if depth <= 4 => self.object(depth),
            '[' if depth <= 4 => self.array(depth),
            '"' => self.text().map(Json::Text),
            '-' | '0'..='9' => self.number(),
            'n' => self.word("null").map(|()| Json::Null),
            't' => self.word("true").map(|()| Json::Other),
            'f' => self.word("false").map(|()| Json::Other),
            _ => None,
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        word.chars().try_for_each(|one| self.0.next_if_eq(&one).map(|_| ()))
    }

    fn object(&mut self, depth: u8) -> Option<Json> {
        let mut members: Vec<(String, Json)> = Vec::new();
        self.take('{')?;
        if self.take('}').is_some() {
            return Some(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.text()?;
            self.take(':')?;
            let value = self.value(depth + 1)?;
            if members.iter().any(|(known, _)| *known == name) {
                return None;
            }
            members.push((name, value));
            if self.take(',').is_none() {
                return self.take('}').map(|()| Json::Object(members));
            }
        }
    }

    fn array(&mut self, depth: u8) -> Option<Json> {
        self.take('[')?;
        if self.take(']').is_some() {
            return Some(Json::Other);
        }
        loop {
            self.value(depth + 1)?;
            if self.take(',').is_none() {
                return self.take(']').map(|()| Json::Other);
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        self.0.next_if_eq(&'"')?;
        // Escapes are UTF-16 units. A surrogate without its other half is not text.
        let mut units = Vec::new();
        loop {
            match self.0.next()? {
                '"' => return String::from_utf16(&units).ok(),
                '\0'..='\u{1f}' => return None,
                '\\' => units.push(self.escape()?),
                other => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        Some(match self.0.next()? {
            one @ ('"' | '\\' | '/') => one as u16,
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let digit = |unit: u16, one: char| Some(unit << 4 | u16::try_from(one.to_digit(16)?).ok()?);
                (0..4).try_fold(0, |unit, _| digit(unit, self.0.next()?))?
            }
            _ => return None,
        })
    }

    fn digits(&mut self, number: &mut String) -> Option<()> {
        let before = number.len();
        while let Some(digit) = self.0.next_if(char::is_ascii_digit) {
            number.push(digit);
        }
        (number.len() > before).then_some(())
    }

    fn number(&mut self) -> Option<Json> {
        let mut number = String::new();
        number.extend(self.0.next_if_eq(&'-'));
        if let Some(zero) = self.0.next_if_eq(&'0') {
            number.push(zero);
        } else {
            self.digits(&mut number)?;
        }
        if let Some(point) = self.0.next_if_eq(&'.') {
            number.push(point);
            self.digits(&mut number)?;
        }
        if let Some(e) = self.0.next_if(|one| matches!(one, 'e' | 'E')) {
            number.push(e);
            number.extend(self.0.next_if(|one| matches!(one, '+' | '-')));
            self.digits(&mut number)?;
        }
        // A number beyond the range of f64 is not valid.
        number.parse::<f64>().ok()?.is_finite().then_some(Json::Number(number))
    }
}
