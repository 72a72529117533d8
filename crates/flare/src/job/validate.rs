//! A job's plain values against schemas, types and each other: all faults at once.

mod message;

use flare_core::component::{Registry, Role};
use flare_core::job::{Fault, Job};
use flare_core::value::{self, Value};
use flare_data::{Partition, PartitionError};
use serde_json::Value as Json;

use super::schema;
use message::check;

/// The typed job, if nothing is wrong with it; `faults` are those that were found before.
///
/// # Errors
/// Everything that is wrong, in the order of the sections.
pub(super) fn job(
    job: &Json,
    mut faults: Vec<Fault>,
    registry: &Registry,
) -> Result<Job, Vec<Fault>> {
    add(&mut faults, by_schema(job, registry));
    let (sound, left_out) = sound(job, &faults);
    let plain: Value =
        serde_json::from_value(sound).map_err(|error| vec![Fault::words("", error.to_string())])?;
    let (typed, replaced, by_type) = typed(&plain);
    add(&mut faults, by_type);
    let by_meaning =
        typed.check(registry).into_iter().chain(of_data(&typed)).chain(injected(&typed));
    let unjudged: Vec<String> = replaced.into_iter().chain(left_out).collect();
    let meant = by_meaning.filter(|fault| !unjudged.iter().any(|path| fault.is_within(path)));
    meant.for_each(|fault| add(&mut faults, vec![fault]));
    if faults.is_empty() {
        return Ok(typed);
    }
    faults.sort_by_key(|fault| section_order(&fault.path));
    Err(faults)
}

/// Adds what is new: not what another fault at the same place, or within it, says already.
fn add(faults: &mut Vec<Fault>, more: Vec<Fault>) {
    let known = faults.clone();
    let is_new = |fault: &Fault| {
        !known.iter().any(|known| known.is_within(&fault.path) || fault.is_within(&known.path))
    };
    faults.extend(more.into_iter().filter(is_new));
}

/// The job without those settings of components, data and injected faults in which something was found, so that
/// the others are judged by their meaning as well; and the paths of what was left out.
fn sound(job: &Json, faults: &[Fault]) -> (Json, Vec<String>) {
    let (mut job, mut left_out) = (job.clone(), Vec::new());
    for fault in faults {
        let Some((table, field)) = setting(&fault.path) else { continue };
        let pointer = format!("/{}", table.replace(['[', '.'], "/").replace(']', ""));
        let Some(settings) = job.pointer_mut(&pointer).and_then(Json::as_object_mut) else {
            continue;
        };
        match INSTEAD.iter().find(|(needed, _)| *needed == field) {
            Some((_, harmless)) => drop(settings.insert(field.into(), (*harmless).into())),
            None => drop(settings.remove(field)),
        }
        left_out.push(format!("{table}.{field}"));
    }
    (job, left_out)
}

/// What stands in for settings without which their table cannot be read.
const INSTEAD: [(&str, &str); 3] = [("kind", "none"), ("at", "task_in"), ("label", "none")];

/// The table that a path leads into and the setting there, where the table's settings can be judged one by one.
fn setting(path: &str) -> Option<(&str, &str)> {
    const TABLES: [&str; 5] = ["controller", "learner", "data.partition", "data", "faults"];
    let of_filter = || path.find("].").filter(|_| path.starts_with("filters[")).map(|at| at + 1);
    let of_table =
        |table: &&str| path.strip_prefix(*table)?.starts_with('.').then_some(table.len());
    let at = TABLES.iter().find_map(of_table).or_else(of_filter)?;
    let field = path[at + 1..].split(['.', '[']).next()?;
    (field != "format" && field != "partition").then_some((&path[..at], field))
}

fn section_order(path: &str) -> usize {
    const ORDER: [&str; 9] =
        ["name", "seed", "clients", "controller", "learner", "model", "data", "filters", "faults"];
    let section = path.split(['.', '[']).next().unwrap_or_default();
    ORDER.iter().position(|known| *known == section).unwrap_or(ORDER.len())
}

fn by_schema(job: &Json, registry: &Registry) -> Vec<Fault> {
    let mut faults = check(&schema::job(), job, "");
    for (section, role) in [("controller", Role::Controller), ("learner", Role::Executor)] {
        faults.extend(component(&job[section], section, role, registry));
    }
    let filters = job["filters"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, filter) in filters.iter().enumerate() {
        faults.extend(component(filter, &format!("filters[{index}]"), Role::Filter, registry));
    }
    if job["data"].is_object() {
        faults.extend(data(&job["data"]));
    }
    #[cfg(feature = "local")]
    if job["faults"].is_object() {
        faults.extend(check(&schema::injected(), &job["faults"], "faults"));
    }
    let mut found = Vec::new();
    for fault in faults {
        add(&mut found, vec![fault]);
    }
    found
}

/// A component against its own schema; what has none is found by its meaning.
fn component(value: &Json, at: &str, role: Role, registry: &Registry) -> Vec<Fault> {
    let known = value["kind"].as_str().and_then(|kind| registry.get(role, kind).ok());
    known.map_or_else(Vec::new, |known| check(&schema::component(known), value, at))
}

fn data(data: &Json) -> Vec<Fault> {
    let formats = schema::formats();
    let names: Vec<&str> = formats.iter().map(|(name, _)| *name).collect();
    let names = format!("one of {}", names.join(", "));
    match data["format"].as_str() {
        None => vec![Fault::missing("data.format", names)],
        Some(format) => match formats.iter().find(|(name, _)| *name == format) {
            Some((_, schema)) => check(schema, data, "data"),
            None => vec![Fault::new("data.format", format_args!("{format:?}"), names)],
        },
    }
}

/// The typed job. A section that does not become one is replaced by a harmless one, so that the others
/// can be judged; its name is in the list.
fn typed(plain: &Value) -> (Job, Vec<String>, Vec<Fault>) {
    let mut good = harmless();
    let (mut replaced, mut faults) = (Vec::new(), Vec::new());
    let sections = plain.as_map().cloned().unwrap_or_default();
    for missing in ["name", "clients", "controller", "learner"] {
        if !sections.contains_key(missing) {
            replaced.push(missing.to_owned());
        }
    }
    for (name, section) in sections {
        let mut with = good.clone();
        with.insert(name.clone(), section);
        match Value::Map(with.clone()).parse::<Job>() {
            Ok(_) => good = with,
            Err(error) => {
                faults.push(fault(&name, &error));
                replaced.push(name);
            }
        }
    }
    let job = Value::Map(good).parse().expect("each section was parsed with the others harmless");
    (job, replaced, faults)
}

/// A parse error at its path, or else at its section.
fn fault(section: &str, error: &value::Error) -> Fault {
    match error {
        value::Error::Parse { path, message } if !path.is_empty() => {
            let said = Fault::said(path, message);
            if said.is_within(section) { said } else { Fault::said(section, message) }
        }
        other => Fault::said(section, &other.to_string()),
    }
}

fn harmless() -> std::collections::BTreeMap<String, Value> {
    let count: Value = [("count", Value::from(u32::MAX))].into_iter().collect();
    let kind: Value = [("kind", Value::from("none"))].into_iter().collect();
    [
        ("name".to_owned(), Value::from("none")),
        ("clients".to_owned(), count),
        ("controller".to_owned(), kind.clone()),
        ("learner".to_owned(), kind),
    ]
    .into()
}

/// What data readers and partitions say of their options.
fn of_data(job: &Job) -> Vec<Fault> {
    let Some(data) = &job.data else { return Vec::new() };
    let mut faults = Vec::new();
    match super::data_options(data) {
        Ok(options) => {
            let options = options.check().err().into_iter().flatten();
            faults.extend(options.map(|fault| fault.at("data")));
        }
        Err(error) => faults.push(Fault::said("", &error.to_string())),
    }
    match super::partition(data) {
        Ok(partition) => {
            faults.extend(Partition::check(&partition).err().map(of_partition));
        }
        Err(error) => faults.push(Fault::said("", &error.to_string())),
    }
    faults
}

fn of_partition(error: PartitionError) -> Fault {
    match error {
        PartitionError::Config { field, value, expected } => {
            let expected = expected.strip_prefix("write ").unwrap_or(&expected);
            Fault::new(format!("data.partition.{field}"), value, expected)
        }
        other => Fault::words("data.partition", other.to_string()),
    }
}

#[cfg(feature = "local")]
fn injected(job: &Job) -> Vec<Fault> {
    let Some(faults) = &job.faults else { return Vec::new() };
    match faults.parse::<flare_transport_local::Faults>() {
        Ok(faults) => {
            let faults = faults.faults().into_iter();
            faults.map(|(path, says)| Fault::said("faults", &format!("{path}: {says}"))).collect()
        }
        Err(error) => vec![Fault::said("faults", &error.to_string())],
    }
}

#[cfg(not(feature = "local"))]
fn injected(_: &Job) -> Vec<Fault> {
    Vec::new()
}
