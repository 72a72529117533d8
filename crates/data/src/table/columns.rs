//! Which columns of a CSV file are features, and which is the label.

use std::collections::BTreeSet;
use std::ops::Range;

use super::CsvOptions;
use super::records::Record;
use crate::error::{Error, shown};

/// At most this many column names are listed in a message.
const LISTED: usize = 20;

/// The header of a file.
pub(super) struct Header {
    /// The columns' names, in the order of the file, without blanks around them.
    pub(super) names: Vec<String>,
    /// The header's bytes in the text.
    pub(super) span: Range<usize>,
    /// For faults that are found later: the path and the line, as an error without its fault.
    place: Place,
}

/// One column: where it stands in a row, and its name.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) index: usize,
    pub(super) name: String,
}

/// The columns that are read.
pub(super) struct Columns {
    pub(super) label: Column,
    pub(super) features: Vec<Column>,
}

/// Where the header stands.
struct Place {
    path: std::path::PathBuf,
    line: u64,
    delimiter: char,
}

impl Header {
    /// Reads the first row of a file as its header.
    ///
    /// # Errors
    /// When a name is no UTF-8, or there twice.
    pub(super) fn read(record: &Record<'_>, delimiter: char) -> Result<Self, Error> {
        let mut names = Vec::new();
        let mut seen = BTreeSet::new();
        for (i, field) in record.fields.iter().enumerate() {
            let name = std::str::from_utf8(field).map_err(|_| {
                let shown = shown(field);
                record.header_fault(format!("the name of column {} is no UTF-8: '{shown}'", i + 1))
            })?;
            let name = name.trim().to_owned();
            if !seen.insert(name.clone()) {
                let shown = shown(name.as_bytes());
                return Err(
                    record.header_fault(format!("column '{shown}' is there twice: rename one"))
                );
            }
            names.push(name);
        }
        let place = Place { path: record.path().to_owned(), line: record.line(), delimiter };
        Ok(Self { names, span: record.span.clone(), place })
    }

    /// The column of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn find(&self, name: &str) -> Result<Column, Error> {
        let index = self.names.iter().position(|known| known == name);
        let index = index.ok_or_else(|| {
            let (name, known) = (shown(name.as_bytes()), self.listed());
            let hint = self.delimiter_hint();
            self.fault(format!("there is no column '{name}'; the columns are {known}{hint}"))
        })?;
        Ok(Column { index, name: name.to_owned() })
    }

    /// A fault of the header.
    fn fault(&self, fault: String) -> Error {
        Error::Header { path: self.place.path.clone(), line: self.place.line, fault }
    }

    /// The names as a message lists them.
    fn listed(&self) -> String {
        let names =
            self.names.iter().take(LISTED).map(|name| format!("'{}'", shown(name.as_bytes())));
        let listed = names.collect::<Vec<_>>().join(", ");
        match self.names.len().saturating_sub(LISTED) {
            0 => listed,
            more => format!("{listed} and {more} more"),
        }
    }

    /// What to do where the whole header is one column only because another delimiter is used.
    fn delimiter_hint(&self) -> String {
        let [only] = self.names.as_slice() else { return String::new() };
        let other = [',', ';', '\t', '|'].into_iter().find(|c| only.contains(*c));
        other.map_or_else(String::new, |other| {
            let used = self.place.delimiter;
            format!(": it is divided at {used:?} but seems to use {other:?}; set `delimiter`")
        })
    }
}

impl Columns {
    /// The columns that `options` choose from the header.
    ///
    /// # Errors
    /// When one that is named is not there, one is named twice, or no feature is left.
    pub(super) fn choose(header: &Header, options: &CsvOptions) -> Result<Self, Error> {
        let label = header.find(&options.label)?;
        let features = match &options.features {
            Some(names) => listed_features(header, names, &label)?,
            None => other_features(header, options, &label)?,
        };
        if features.is_empty() {
            return Err(header.fault("no column is left for a feature: name some".to_owned()));
        }
        Ok(Self { label, features })
    }
}

/// The features that the options list.
fn listed_features(
    header: &Header,
    names: &[String],
    label: &Column,
) -> Result<Vec<Column>, Error> {
    let mut features: Vec<Column> = Vec::new();
    for name in names {
        let column = header.find(name)?;
        let shown = shown(name.as_bytes());
        if column.index == label.index {
            return Err(
                header.fault(format!("'{shown}' is the label and cannot be a feature, too"))
            );
        }
        if features.iter().any(|known| known.index == column.index) {
            return Err(Error::options("features", format_args!("'{shown}'"), "each column once"));
        }
        features.push(column);
    }
    Ok(features)
}

/// All columns but the label and those that are excluded.
fn other_features(
    header: &Header,
    options: &CsvOptions,
    label: &Column,
) -> Result<Vec<Column>, Error> {
    let mut skipped = BTreeSet::from([label.index]);
    for name in &options.exclude {
        skipped.insert(header.find(name)?.index);
    }
    let columns = header.names.iter().enumerate().filter(|(i, _)| !skipped.contains(i));
    let features: Vec<Column> =
        columns.map(|(index, name)| Column { index, name: name.clone() }).collect();
    if let Some(unnamed) = features.iter().find(|column| column.name.is_empty()) {
        let number = unnamed.index + 1;
        return Err(header.fault(format!(
            "column {number} has no name: name it, or put \"\" into `exclude` where it only numbers the rows"
        )));
    }
    Ok(features)
}
