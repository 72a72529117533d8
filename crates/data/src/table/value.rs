//! Values of a CSV file: features and labels, and what is wrong with those that are neither.

use super::columns::Column;
use super::records::Record;
use crate::error::{RowFault, shown};
use crate::source::{LabelFault, check_label, scaled};

/// The feature in `column`, divided by `scale`.
///
/// # Errors
/// When it is no finite number.
pub(super) fn feature(
    record: &Record<'_>,
    column: &Column,
    scale: Option<f32>,
) -> Result<f32, RowFault> {
    let field = field(record, column);
    let value = std::str::from_utf8(field).ok().and_then(|text| text.parse::<f32>().ok());
    let fault = match value {
        Some(value) if value.is_finite() => match scaled(value, scale) {
            Some(value) => return Ok(value),
            None => "is out of the range of a 32-bit float once it is divided by `scale`",
        },
        Some(value) if value.is_nan() => "is no number: leave the row out, or put a number there",
        Some(_) if field.iter().any(u8::is_ascii_digit) => "is out of the range of a 32-bit float",
        Some(_) => "is not finite: leave the row out, or put a number there",
        None if field.is_empty() => "is empty: leave the row out, or put a number there",
        None if field.contains(&b',') => "is no number: write a decimal point, not a comma",
        None => "is no number: exclude the column if it is no feature",
    };
    Err(record.fault(&column.name, format!("'{}' {fault}", shown(field))))
}

/// The label in `column`.
///
/// # Errors
/// When it is no whole number, negative, or not below the number of classes.
pub(super) fn label(
    record: &Record<'_>,
    column: &Column,
    classes: Option<u32>,
) -> Result<u32, RowFault> {
    let field = field(record, column);
    let text = String::from_utf8_lossy(field);
    // Wide enough for a label far out of range to be named as what it is.
    let fault = match text.parse::<i128>() {
        Ok(label) => match check_label(label, classes) {
            Ok(label) => return Ok(label),
            Err(LabelFault(fault)) => fault,
        },
        Err(_) if field.is_empty() => {
            "the label is empty: give the row a class, or leave it out".to_owned()
        }
        Err(_) => format!("label '{}' is no whole number: number the classes from 0", shown(field)),
    };
    Err(record.fault(&column.name, fault))
}

/// The value in `column` as text.
///
/// # Errors
/// When it is no UTF-8.
pub(super) fn text(record: &Record<'_>, column: &Column) -> Result<String, RowFault> {
    let field = record.fields.get(column.index).unwrap_or_default();
    let text = std::str::from_utf8(field);
    let fault = |_| record.fault(&column.name, format!("'{}' is no UTF-8", shown(field)));
    Ok(text.map_err(fault)?.to_owned())
}

/// The field in `column`, without blanks around it.
fn field<'a>(record: &Record<'a>, column: &Column) -> &'a [u8] {
    record.fields.get(column.index).unwrap_or_default().trim_ascii()
}
