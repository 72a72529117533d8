//! A scanner for the JSON that a header consists of: it does not recurse, so nothing can be too deep.

use std::borrow::Cow;

use super::Syntax;

/// The characters of what was found that an error shows at most.
const FOUND: usize = 24;

/// Reads a header from front to back.
#[derive(Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Reads an object; `member` reads each value, given its key.
    pub(super) fn object<E: From<Syntax>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.token(b'{', "an object")?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string("a key in quotes")?;
            self.token(b':', "a colon")?;
            member(self, key)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.token(b',', "a comma or the closing brace")?;
        }
    }

    /// Reads a list of whole numbers, `most` at the most.
    pub(super) fn wholes(&mut self, most: usize) -> Result<Vec<u64>, Syntax> {
        let mut numbers = Vec::new();
        self.token(b'[', "a list")?;
        if self.take(b']') {
            return Ok(numbers);
        }
        loop {
            if numbers.len() == most {
                return Err(self.fault("no more numbers than there may be"));
            }
            numbers.push(self.whole()?);
            if self.take(b']') {
                return Ok(numbers);
            }
            self.token(b',', "a comma or the closing bracket")?;
        }
    }

    /// Reads a whole number from 0 to 2^64 - 1, written in digits only.
    fn whole(&mut self) -> Result<u64, Syntax> {
        self.space();
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = &self.text[self.at..self.at + digits];
        let next = self.rest().get(digits);
        let plain = !matches!(next, Some(b'.' | b'e' | b'E' | b'+' | b'-'));
        let canonical = number == "0" || !number.starts_with('0');
        match number.parse() {
            Ok(value) if plain && canonical => {
                self.at += digits;
                Ok(value)
            }
            _ => Err(self.fault("a whole number from 0 to 2^64 - 1")),
        }
    }

    /// Reads a string, called `expected` in the error; borrows it if it contains no escape.
    pub(super) fn string(&mut self, expected: &'static str) -> Result<Cow<'a, str>, Syntax> {
        self.token(b'"', expected)?;
        let run = self.run()?;
        if self.take_byte(b'"') {
            return Ok(Cow::Borrowed(run));
        }
        let mut text = run.to_owned();
        while !self.take_byte(b'"') {
            text.push(self.escape()?);
            text.push_str(self.run()?);
        }
        Ok(Cow::Owned(text))
    }

    /// Nothing may follow but white space.
    pub(super) fn end(&mut self) -> Result<(), Syntax> {
        self.space();
        if self.at == self.text.len() {
            return Ok(());
        }
        Err(self.fault("only spaces after the closing brace"))
    }

    /// An error at the present place.
    pub(super) fn fault(&self, expected: &'static str) -> Syntax {
        let rest = &self.text[self.at..];
        let found = match rest.char_indices().nth(FOUND) {
            _ if rest.is_empty() => "the end of the header".to_owned(),
            Some((cut, _)) => format!("{}…", &rest[..cut]),
            None => rest.to_owned(),
        };
        Syntax { at: self.at, expected, found }
    }

    fn token(&mut self, byte: u8, expected: &'static str) -> Result<(), Syntax> {
        if self.take(byte) { Ok(()) } else { Err(self.fault(expected)) }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        self.take_byte(byte)
    }

    fn take_byte(&mut self, byte: u8) -> bool {
        let found = self.rest().first() == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().iter().take_while(space).count();
    }

    /// The characters of a string up to its end or to an escape.
    fn run(&mut self) -> Result<&'a str, Syntax> {
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let Some(length) = self.rest().iter().position(special) else {
            self.at = self.text.len();
            return Err(self.fault("the closing quote"));
        };
        let run = &self.text[self.at..self.at + length];
        self.at += length;
        if self.rest()[0] < 0x20 {
            return Err(self.fault("no raw control character"));
        }
        Ok(run)
    }

    fn escape(&mut self) -> Result<char, Syntax> {
        const EXPECTED: &str = "one of the escapes of JSON";
        let Some(&[b'\\', kind]) = self.rest().get(..2) else {
            return Err(self.fault(EXPECTED));
        };
        let character = match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.fault(EXPECTED)),
        };
        self.at += 2;
        Ok(character)
    }

    /// `\uXXXX`, or two of them that make up a surrogate pair.
    fn unicode(&mut self) -> Result<char, Syntax> {
        const EXPECTED: &str = "four hexadecimal digits, surrogates in pairs";
        let Some(first) = self.unit(self.at) else {
            return Err(self.fault(EXPECTED));
        };
        let units = [first].into_iter().chain(self.unit(self.at + 6));
        let Some(Ok(character)) = char::decode_utf16(units).next() else {
            return Err(self.fault(EXPECTED));
        };
        self.at += 6 * character.len_utf16();
        Ok(character)
    }

    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        // from_str_radix would take a sign.
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }
}
