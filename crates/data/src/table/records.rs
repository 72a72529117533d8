//! The rows of a CSV file, each with the line on which it stands.

use std::ops::Range;
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::error::{Error, RowFault, shown};
use crate::file::Content;

/// Goes through the rows of a file, the header among them.
pub(super) struct Records<'a> {
    content: &'a Content,
    /// What the reader reads: the content without a byte order mark.
    text: &'a [u8],
    reader: Reader<&'a [u8]>,
    record: ByteRecord,
}

/// One row: its fields, and where in the text it lies.
pub(super) struct Record<'a> {
    content: &'a Content,
    text: &'a [u8],
    /// The fields, unquoted.
    pub(super) fields: &'a ByteRecord,
    /// The row's bytes in [`Records::text`], without the end of its line.
    pub(super) span: Range<usize>,
}

impl<'a> Records<'a> {
    /// The rows of `content`.
    ///
    /// # Errors
    /// When it is no text in UTF-8, as far as its first bytes tell.
    pub(super) fn new(content: &'a Content, delimiter: u8) -> Result<Self, Error> {
        let text = text(content)?;
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text);
        Ok(Self { content, text, reader, record: ByteRecord::new() })
    }

    /// The text of which the spans are parts.
    pub(super) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The next row; empty lines are passed over.
    ///
    /// # Errors
    /// When a quote is opened and never closed.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, Error> {
        let start = self.reader.position().byte() as usize;
        let more = self.reader.read_byte_record(&mut self.record);
        if !more.map_err(|fault| self.content.fault(fault.to_string()))? {
            return Ok(None);
        }
        let end = self.reader.position().byte() as usize;
        let span = trim_line_ends(self.text, start..end);
        if end == self.text.len() && has_open_quote(&self.text[span.clone()]) {
            let line = line(self.text, span.start);
            return Err(self.content.fault(format!(
                "line {line}: a quote is opened here and never closed: close it, or write it twice"
            )));
        }
        Ok(Some(Record { content: self.content, text: self.text, fields: &self.record, span }))
    }
}

impl Record<'_> {
    /// The line, from 1, on which the row begins.
    ///
    /// Counted when it is needed: the `csv` crate's own count is behind where lines end in CR and LF,
    /// and after empty lines.
    pub(super) fn line(&self) -> u64 {
        line(self.text, self.span.start)
    }

    /// The file in which it stands.
    pub(super) fn path(&self) -> &Path {
        &self.content.path
    }

    /// Refuses a row of another width than the header.
    pub(super) fn check_width(&self, expected: usize) -> Result<(), RowFault> {
        let fields = self.fields.len();
        if fields == expected {
            return Ok(());
        }
        let fault = format!("{fields} fields, {expected} expected as in the header");
        Err(RowFault { line: self.line(), column: None, fault })
    }

    /// A fault of the value in `column`.
    pub(super) fn fault(&self, column: &str, fault: String) -> RowFault {
        RowFault { line: self.line(), column: Some(shown(column.as_bytes())), fault }
    }

    /// A fault of the row as a header.
    pub(super) fn header_fault(&self, fault: String) -> Error {
        Error::Header { path: self.content.path.clone(), line: self.line(), fault }
    }
}

/// The line, from 1, on which the byte `at` of `text` stands: lines end in LF, CR LF, or CR alone.
fn line(text: &[u8], at: usize) -> u64 {
    let before = &text[..at];
    let ends = before.iter().enumerate().filter(|(i, byte)| match byte {
        b'\n' => true,
        b'\r' => text.get(i + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64 + 1
}

/// The content as text: without its byte order mark.
fn text(content: &Content) -> Result<&[u8], Error> {
    let bytes = content.bytes.as_slice();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(content.fault("it is UTF-16, as its byte order mark says: save it as UTF-8"));
    }
    let text = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first_line.contains(&0) {
        return Err(content.fault(
            "its first line has zero bytes, so it is no CSV file in UTF-8: is it UTF-16, or binary?",
        ));
    }
    Ok(text)
}

/// The span without line ends on either side.
fn trim_line_ends(text: &[u8], span: Range<usize>) -> Range<usize> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let leading = text[span.clone()].iter().take_while(|byte| is_end(byte)).count();
    let start = span.start + leading;
    let trailing = text[start..span.end].iter().rev().take_while(|byte| is_end(byte)).count();
    start..span.end - trailing
}

/// Whether the last row of a file swallowed further lines because a quote is never closed.
fn has_open_quote(row: &[u8]) -> bool {
    let quotes = row.iter().filter(|byte| **byte == b'"').count();
    quotes % 2 == 1 && row.contains(&b'\n')
}
