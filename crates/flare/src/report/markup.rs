//! Text and markup of a page, kept apart: text is escaped, markup is written by us.

use std::fmt::Write;

use flare_core::shown::escaped;

/// A page that grows.
pub(super) struct Page {
    out: String,
}

impl Page {
    /// An empty page.
    pub(super) fn new() -> Self {
        Self { out: String::with_capacity(64 << 10) }
    }

    /// Adds markup, as it is.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Adds text from anywhere. What steers a browser is written as an entity, what steers a terminal
    /// or turns the direction of text as `\u{1b}` is.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.entities(&escaped(text))
    }

    /// Adds text of several lines.
    pub(super) fn lines(&mut self, text: &str) -> &mut Self {
        for line in text.lines() {
            self.text(line).raw("\n");
        }
        self
    }

    fn entities(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                other => self.out.push(other),
            }
        }
        self
    }

    /// Adds an element of ours with what `inner` writes into it.
    pub(super) fn within(&mut self, tag: &str, inner: impl FnOnce(&mut Self) -> &mut Self) {
        self.raw("<").raw(tag).raw(">");
        inner(self).raw("</").raw(tag).raw(">\n");
    }

    /// Adds a coordinate: a tenth of a unit is finer than a screen shows.
    pub(super) fn number(&mut self, value: f64) -> &mut Self {
        write!(self.out, "{value:.1}").expect("a String takes all that is written");
        self
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.out
    }
}
