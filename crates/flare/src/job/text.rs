//! TOML text to plain JSON values, with the place of what is wrong.

use flare_core::job::Fault;
use flare_core::shown;
use serde_json::{Map, Number, Value as Json};
use toml::{Table, Value};

use super::Error;

/// Reads TOML.
///
/// # Errors
/// [`Error::Syntax`], with line and column.
pub(super) fn table(text: &str, origin: &str) -> Result<Table, Error> {
    text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        syntax(text, at, origin, error.message())
    })
}

/// The error for a text that is no UTF-8.
pub(super) fn not_utf8(bytes: &[u8], origin: &str) -> Error {
    let whole = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let text = String::from_utf8_lossy(&bytes[..whole]);
    syntax(&text, whole, origin, "the text is not UTF-8 from here on")
}

/// Plain values, as schemas judge them; and as faults numbers that are not finite, and dates, which a job
/// does not have.
pub(super) fn json(table: Table) -> (Json, Vec<Fault>) {
    let mut faults = Vec::new();
    let value = convert(Value::Table(table), "", &mut faults);
    (value, faults)
}

fn syntax(text: &str, at: usize, origin: &str, message: &str) -> Error {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = shown(&message.trim().replace('\n', ", ")).to_string();
    Error::Syntax { origin: origin.into(), line, column, message }
}

fn convert(value: Value, path: &str, faults: &mut Vec<Fault>) -> Json {
    match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Boolean(value) => value.into(),
        Value::Float(number) => Number::from_f64(number).map(Json::Number).unwrap_or_else(|| {
            faults.push(Fault::new(path, number, "a finite number"));
            Json::Null
        }),
        Value::Datetime(date) => {
            faults.push(Fault::new(
                path,
                date,
                "a number, a text, a list or a table: jobs have no dates",
            ));
            Json::Null
        }
        Value::Array(values) => {
            let values = values.into_iter().enumerate();
            values.map(|(i, value)| convert(value, &format!("{path}[{i}]"), faults)).collect()
        }
        Value::Table(table) => {
            let mut map = Map::new();
            for (key, value) in table {
                let dot = if path.is_empty() { "" } else { "." };
                let value = convert(value, &format!("{path}{dot}{key}"), faults);
                map.insert(key, value);
            }
            Json::Object(map)
        }
    }
}
