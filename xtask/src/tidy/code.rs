//! Rust text with its comments and literals blanked out, so that a rule about code sees only code.

/// The text with every comment, string and character literal replaced by spaces; lines stay where
/// they are. A small scanner, not a parser: enough for well-formed files.
pub(super) fn only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let blank = blank_length(rest, after_word);
        if blank == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (gone, left) = rest.split_at(blank);
            out.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = left;
        }
    }
    out
}

/// The numbers, from 1, of the lines whose code has `word` as a whole word.
pub(super) fn lines_with_word(text: &str, word: &str) -> Vec<usize> {
    numbered(text, |line| line.split(|c: char| !is_word(c)).any(|part| part == word))
}

/// The numbers, from 1, of the lines whose code has `fragment` with no word running into it.
pub(super) fn lines_with(text: &str, fragment: &str) -> Vec<usize> {
    numbered(text, |line| {
        line.match_indices(fragment).any(|(at, _)| !line[..at].ends_with(is_word))
    })
}

fn numbered(text: &str, holds: impl Fn(&str) -> bool) -> Vec<usize> {
    let code = only(text);
    code.lines().zip(1..).filter(|(line, _)| holds(line)).map(|(_, number)| number).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment or literal that starts here; 0 where none does.
fn blank_length(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    if !after_word && rest.starts_with(['r', 'b', 'c']) {
        return raw_string(rest);
    }
    0
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(rest: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == mark => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal, or 0 for a lifetime or label.
fn character(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => quoted(rest, '\''),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 0,
    }
}

/// `r"…"`, `r#"…"#`, `br"…"` and their kin; 0 for a word that merely starts so.
fn raw_string(rest: &str) -> usize {
    let Some(hashes) = rest.trim_start_matches(['b', 'c']).strip_prefix('r') else { return 0 };
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    let Some(body) = hashes[count..].strip_prefix('"') else { return 0 };
    let end = format!("\"{}", "#".repeat(count));
    let before = rest.len() - body.len();
    body.find(&end).map_or(rest.len(), |at| before + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let text = "a // b\n/* c /* d */ e\n*/ f \"g\\\"h\" 'i' '\\'' r#\"j\"k\"# br\"l\" b'm' n";
        let code = only(text);
        let words: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(words, ["a", "f", "b", "n"]);
        assert_eq!(code.lines().count(), 3);
        assert_eq!(code.chars().count(), text.chars().count());
    }

    #[test]
    fn lifetimes_and_words_that_start_like_literals_are_code() {
        let text = "fn f<'a>(x: &'a str) -> &'a str { bar; crate::b; r#type }";
        assert_eq!(only(text), text);
    }

    #[test]
    fn words_and_fragments_are_found_whole() {
        let text = "use x::flare_core;\n\"flare_core\"\nflare_core_more\n";
        assert_eq!(lines_with_word(text, "flare_core"), [1]);
        assert_eq!(lines_with("my_macro!()\nmacro!()\n", "macro!"), [2]);
    }
}
