//! `--set KEY=VALUE` and `--seed`: changes to a job before it is checked.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::Error;

/// Changes to a job's text, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Fields that get another value.
    pub set: Vec<Set>,
    /// Another seed.
    pub seed: Option<u64>,
}

/// One field and its new value: `controller.rounds=5`, `model.tensors.0.name="w"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    key: String,
    value: String,
}

impl std::str::FromStr for Set {
    type Err = Error;

    /// Reads `KEY=VALUE`.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('=') {
            Some((key, value)) if key.split('.').all(|part| !part.trim().is_empty()) => {
                Ok(Self { key: key.trim().into(), value: value.trim().into() })
            }
            _ => Err(Error::Override {
                set: flare_core::shown(text).to_string(),
                fault: "expected KEY=VALUE, such as controller.rounds=5".into(),
            }),
        }
    }
}

impl Overrides {
    pub(super) fn apply(&self, table: &mut Table) -> Result<(), Error> {
        self.set.iter().try_for_each(|set| set.apply(table))
    }

    pub(super) fn apply_seed(&self, job: &mut Json) {
        if let (Some(seed), Some(job)) = (self.seed, job.as_object_mut()) {
            job.insert("seed".into(), seed.into());
        }
    }
}

impl Set {
    fn apply(&self, table: &mut Table) -> Result<(), Error> {
        let mut parts: Vec<&str> = self.key.split('.').map(str::trim).collect();
        let last = parts.pop().unwrap_or_default();
        let Some((first, rest)) = parts.split_first() else {
            table.insert(last.into(), self.value());
            return Ok(());
        };
        let mut place = table.entry(*first).or_insert_with(|| Value::Table(Table::new()));
        for part in rest {
            place = self.step(place, part)?;
        }
        match place {
            Value::Table(table) => drop(table.insert(last.into(), self.value())),
            _ => *self.step(place, last)? = self.value(),
        }
        Ok(())
    }

    /// The place called `part` within `place`.
    fn step<'a>(&self, place: &'a mut Value, part: &str) -> Result<&'a mut Value, Error> {
        match place {
            Value::Table(table) => {
                Ok(table.entry(part).or_insert_with(|| Value::Table(Table::new())))
            }
            Value::Array(values) => {
                let length = values.len();
                let index = part.parse::<usize>().ok();
                index.and_then(|index| values.get_mut(index)).ok_or_else(|| {
                    self.fault(format!(
                        "{part:?} is no place in a list of {length}, counted from 0"
                    ))
                })
            }
            other => Err(self.fault(format!(
                "{part:?} is looked for within a {}, which has no fields",
                other.type_str()
            ))),
        }
    }

    /// The value as TOML reads it; what TOML cannot read is a text.
    fn value(&self) -> Value {
        let table = format!("value = {}", self.value).parse::<Table>().ok();
        let value =
            table.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
        value.unwrap_or_else(|| Value::String(self.value.clone()))
    }

    fn fault(&self, fault: String) -> Error {
        let set = format!("{}={}", self.key, self.value);
        Error::Override { set: flare_core::shown(&set).to_string(), fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sets: &[&str]) -> Result<Table, String> {
        let mut table: Table = "a = 1\n[b]\nc = 2\n[[d]]\ne = 3".parse().unwrap();
        let set = sets.iter().map(|text| text.parse()).collect::<Result<_, Error>>();
        let overrides = Overrides { set: set.map_err(|error| error.to_string())?, seed: None };
        overrides.apply(&mut table).map_err(|error| error.to_string())?;
        Ok(table)
    }

    #[test]
    fn values_are_toml_or_else_text_and_tables_are_made() {
        let table = set(&["a=1.5", "b.c=x y", "d.0.e=[1, 2]", "f.g.h='z'", "b.i=true"]).unwrap();
        let expected = "a = 1.5\n[b]\nc = 'x y'\ni = true\n[[d]]\ne = [1, 2]\n[f.g]\nh = 'z'";
        assert_eq!(table, expected.parse::<Table>().unwrap());
    }

    #[test]
    fn a_value_cannot_smuggle_in_another_field() {
        let table = set(&["a=1\nname = 'forged'"]).unwrap();
        assert_eq!(table["a"].as_str(), Some("1\nname = 'forged'"));
        assert!(!table.contains_key("name"));
    }

    #[test]
    fn what_has_no_place_is_named() {
        let error = |text: &str| set(&[text]).unwrap_err();
        assert_eq!(
            error("a.b=1"),
            "--set a.b=1: \"b\" is looked for within a integer, which has no fields"
        );
        assert_eq!(
            error("d.1.e=1"),
            "--set d.1.e=1: \"1\" is no place in a list of 1, counted from 0"
        );
        for text in ["a", "=1", "b..c=1"] {
            assert!(error(text).contains("expected KEY=VALUE"), "{text}");
        }
    }
}
