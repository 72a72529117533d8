//! CSV files: a header, then one row of numbers and a class per line.

mod columns;
mod records;
mod value;

use std::path::{Path, PathBuf};

use flare_core::fault::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Error, MAX_FAULTS, RowFault};
use crate::file::Content;
use crate::source::{check_numbers, class_count};
use columns::{Columns, Header};
use records::{Record, Records};

/// The name of the CSV file in a folder that is given as a data set's path.
pub const SPLIT_FILE: &str = "data.csv";

/// How a CSV file is read.
///
/// The file has a header; columns go by name, wherever they stand. It may be packed by gzip, and begin
/// with a byte order mark. Line breaks, delimiters and doubled quotes may stand within quotes; lines
/// end in LF or CR LF; empty lines are passed over. Numbers are written with a decimal point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvOptions {
    /// The column with the class of each row: whole numbers from 0.
    pub label: String,
    /// The feature columns, in the order in which the learner gets them. Default: all columns but the
    /// label and those in `exclude`, in the order of the file; where files of several sites could differ
    /// in that, name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// Columns that are no features, such as text. Only without `features`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// How many classes there are; a label must be below it. Default: one more than the largest label,
    /// which only does where all clients' data are read as one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<u32>,
    /// Each feature is divided by this number. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
    /// What stands between two fields. Default: a comma.
    #[serde(default = "comma", skip_serializing_if = "is_comma")]
    pub delimiter: char,
}

impl CsvOptions {
    /// All columns but `label` are features, taken as they are.
    pub fn new(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            features: None,
            exclude: Vec::new(),
            classes: None,
            scale: None,
            delimiter: comma(),
        }
    }

    /// Checks what can be checked without a file.
    ///
    /// # Errors
    /// Names each option that can hold for no file.
    pub(crate) fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        let (shown, expected) =
            (format_args!("{:?}", self.delimiter), "one such as ',' ';' or '\\t'");
        faults.expect(self.delimiter_byte().is_some(), "delimiter", shown, expected);
        check_numbers(self.classes, self.scale, &mut faults);
        let both = self.features.is_some() && !self.exclude.is_empty();
        let shown = format_args!("{:?}", self.exclude);
        faults.expect(!both, "exclude", shown, "nothing, since `features` lists the columns");
        faults.result()
    }

    /// The delimiter as the byte it must be.
    fn delimiter_byte(&self) -> Option<u8> {
        let byte = u8::try_from(self.delimiter).ok();
        byte.filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0))
    }
}

/// The file in the folder `path`, or `path` itself where it is a file.
pub(crate) fn file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(SPLIT_FILE) } else { path.to_owned() }
}

/// Reads a data set.
///
/// # Errors
/// When the file is not as the options say, at the first fault in it.
pub(crate) fn read(content: &Content, options: &CsvOptions) -> Result<Dataset, Error> {
    let (mut records, header) = open(content, options)?;
    let columns = Columns::choose(&header, options)?;
    let mut rows = Rows { features: Vec::new(), labels: Vec::new() };
    let mut faults = Vec::new();
    while let Some(record) = records.next()? {
        if let Err(fault) = rows.push(&record, &header, &columns, options) {
            faults.push(fault);
        }
        if faults.len() > MAX_FAULTS {
            faults.pop();
            return Err(content.row_faults(faults, true));
        }
    }
    if !faults.is_empty() {
        return Err(content.row_faults(faults, false));
    }
    let Rows { mut features, mut labels } = rows;
    check_rows(content, labels.len())?;
    features.shrink_to_fit();
    labels.shrink_to_fit();
    Ok(Dataset {
        classes: class_count(options.classes, &labels),
        columns: columns.features.len(),
        feature_names: columns.features.into_iter().map(|column| column.name).collect(),
        features,
        labels,
    })
}

/// The rows read so far.
struct Rows {
    features: Vec<f32>,
    labels: Vec<u32>,
}

impl Rows {
    /// Reads one more row; after a fault they are of no more use.
    fn push(
        &mut self,
        record: &Record<'_>,
        header: &Header,
        columns: &Columns,
        options: &CsvOptions,
    ) -> Result<(), RowFault> {
        record.check_width(header.names.len())?;
        for column in &columns.features {
            self.features.push(value::feature(record, column, options.scale)?);
        }
        self.labels.push(value::label(record, &columns.label, options.classes)?);
        Ok(())
    }
}

/// The values of one column as text, by row.
///
/// # Errors
/// When there is no such column, or a value in it is no UTF-8.
pub(crate) fn column(
    content: &Content,
    options: &CsvOptions,
    name: &str,
) -> Result<Vec<String>, Error> {
    let (mut records, header) = open(content, options)?;
    let column = header.find(name)?;
    let mut values = Vec::new();
    while let Some(record) = records.next()? {
        let value = record.check_width(header.names.len());
        let value = value.and_then(|()| value::text(&record, &column));
        values.push(value.map_err(|fault| content.row_faults(vec![fault], true))?);
    }
    Ok(values)
}

/// The header and the rows of a CSV file as they stand in it, for splitting it.
pub(crate) struct RawTable<'a> {
    /// The header, without the end of its line.
    pub(crate) header: &'a [u8],
    /// Each row, without the end of its line.
    pub(crate) rows: Vec<&'a [u8]>,
}

impl RawTable<'_> {
    /// A file with the header and these rows only.
    pub(crate) fn with_rows(&self, numbers: &[u32]) -> Vec<u8> {
        let rows = numbers.iter().map(|number| self.rows[*number as usize]);
        let mut bytes = Vec::new();
        for line in std::iter::once(self.header).chain(rows) {
            bytes.extend(line);
            bytes.push(b'\n');
        }
        bytes
    }
}

/// The rows as they stand in the file.
///
/// # Errors
/// When a row has another width than the header.
pub(crate) fn raw<'a>(content: &'a Content, options: &CsvOptions) -> Result<RawTable<'a>, Error> {
    let (mut records, header) = open(content, options)?;
    let text = records.text();
    let mut rows = Vec::new();
    while let Some(record) = records.next()? {
        let checked = record.check_width(header.names.len());
        checked.map_err(|fault| content.row_faults(vec![fault], true))?;
        rows.push(&text[record.span]);
    }
    Ok(RawTable { header: &text[header.span], rows })
}

/// The rows after the header, and the header.
fn open<'a>(content: &'a Content, options: &CsvOptions) -> Result<(Records<'a>, Header), Error> {
    options.check().map_err(Error::Options)?;
    let delimiter = options.delimiter_byte().expect("the options were checked just now");
    let mut records = Records::new(content, delimiter)?;
    let Some(first) = records.next()? else {
        return Err(
            content.fault("it is empty: it should begin with a header that names the columns")
        );
    };
    let header = Header::read(&first, options.delimiter)?;
    Ok((records, header))
}

/// Refuses a file without rows, and one with more than a row number can say.
fn check_rows(content: &Content, rows: usize) -> Result<(), Error> {
    if rows == 0 {
        return Err(content.fault("it has a header and no rows"));
    }
    if u32::try_from(rows).is_err() {
        return Err(content.fault(format!("it has {rows} rows, more than {}: divide it", u32::MAX)));
    }
    Ok(())
}

/// The delimiter that is meant where none is named.
fn comma() -> char {
    ','
}

/// Whether a delimiter need not be written.
fn is_comma(delimiter: &char) -> bool {
    *delimiter == comma()
}
