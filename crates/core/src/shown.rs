//! Text from strangers, made safe to show: names reach terminals, logs and reports.

use std::fmt::{self, Write};

/// A display of `text` in which no character can steer a terminal, break a line or turn its
/// direction: those are written as `\u{1b}` is. Longer texts than [`LIMIT`] characters are cut, and
/// say how long they are.
pub fn shown(text: &str) -> Shown<'_> {
    Shown { text }
}

/// The characters of a text that [`shown`] shows at most.
pub const LIMIT: usize = 300;

/// What [`shown`] returns.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    text: &'a str,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, character) in self.text.chars().enumerate() {
            if count == LIMIT {
                return write!(f, "… ({} bytes)", self.text.len());
            }
            write_escaped(f, character)?;
        }
        Ok(())
    }
}

/// As [`shown`], of whatever length.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        write_escaped(&mut out, character).expect("a String takes all that is written");
    }
    out
}

fn write_escaped(out: &mut impl Write, character: char) -> fmt::Result {
    if is_harmless(character) {
        out.write_char(character)
    } else {
        write!(out, "{}", character.escape_unicode())
    }
}

/// Neither a control character nor one of the invisible ones that separate lines, mark or override
/// the direction of text, or hide in it (a byte order mark, tag characters).
fn is_harmless(character: char) -> bool {
    let invisible = matches!(
        character,
        '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !character.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        assert_eq!(shown("encoder.0/weight \"ä\" 層").to_string(), "encoder.0/weight \"ä\" 層");
    }

    #[test]
    fn what_could_forge_a_line_or_turn_it_round_is_escaped() {
        let text = "a\u{1b}[0m\n\0\u{85}\u{7f}\u{202e}\u{2066}\u{2028}\u{feff}\u{200b}";
        let expected = r"a\u{1b}[0m\u{a}\u{0}\u{85}\u{7f}\u{202e}\u{2066}\u{2028}\u{feff}\u{200b}";
        assert_eq!(shown(text).to_string(), expected);
        assert_eq!(escaped(text), expected);
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(shown(&"n".repeat(LIMIT)).to_string().len(), LIMIT);
        assert_eq!(
            shown(&"é".repeat(301)).to_string(),
            format!("{}… (602 bytes)", "é".repeat(300))
        );
    }
}
