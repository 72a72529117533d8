//! What a JSON schema's validator finds, in words: path, value, what was expected.

use flare_core::job::Fault;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value as Json;

/// All that is wrong with `value`, which stands at `at` in the job.
pub(super) fn check(schema: &Json, value: &Json, at: &str) -> Vec<Fault> {
    let validator: Validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => return vec![Fault::words(at, format!("its schema is no schema: {error}"))],
    };
    let place = Place { schema, value, at };
    validator.iter_errors(value).flat_map(|error| place.faults(&error)).collect()
}

/// What is judged by what, and where it stands.
struct Place<'a> {
    schema: &'a Json,
    value: &'a Json,
    at: &'a str,
}

impl Place<'_> {
    fn faults(&self, error: &ValidationError<'_>) -> Vec<Fault> {
        let path = self.path(error.instance_path().as_str());
        let value = error.instance();
        let expected = |words: String| vec![Fault::new(path.clone(), short(value), words)];
        match error.kind() {
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let known = self.fields(error.schema_path().as_str());
                unexpected.iter().map(|name| unknown(&path, name, &value[name], &known)).collect()
            }
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                vec![Fault::missing(join(&path, name), self.required(error, name))]
            }
            Kind::Type { kind } => expected(types(kind)),
            Kind::Enum { options } => expected(format!("one of {}", list(options))),
            Kind::Constant { expected_value } => expected(short(expected_value)),
            Kind::Minimum { limit } => expected(format!("at least {limit}")),
            Kind::Maximum { limit } => expected(format!("at most {limit}")),
            Kind::ExclusiveMinimum { limit } => expected(format!("more than {limit}")),
            Kind::ExclusiveMaximum { limit } => expected(format!("less than {limit}")),
            Kind::MinLength { limit } => expected(format!("at least {limit} characters")),
            Kind::MaxLength { limit } => expected(format!("at most {limit} characters")),
            Kind::MinItems { limit } => expected(format!("at least {limit} of them")),
            Kind::MaxItems { limit } => expected(format!("at most {limit} of them")),
            Kind::Pattern { pattern } => expected(rule(pattern)),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                self.nearest(context).unwrap_or_else(|| expected("another value".into()))
            }
            _ => vec![Fault::new(path, short(value), error.to_string())],
        }
    }

    /// Of several schemas that do not fit, what the one that is meant has to say.
    fn nearest(&self, context: &[Vec<ValidationError<'static>>]) -> Option<Vec<Fault>> {
        let all_faults = |errors: &Vec<ValidationError<'static>>| -> Vec<Fault> {
            errors.iter().flat_map(|error| self.faults(error)).collect()
        };
        let is_other = |error: &&ValidationError<'static>| {
            matches!(error.kind(), Kind::Constant { .. } | Kind::Enum { .. } | Kind::Type { .. })
        };
        let others =
            |errors: &Vec<ValidationError<'static>>| errors.iter().filter(is_other).count();
        let best = context.iter().min_by_key(|errors| others(errors))?;
        let tied = context.iter().filter(|errors| others(errors) == others(best)).count();
        if others(best) == 0 && tied == 1 {
            return Some(all_faults(best));
        }
        // Each says what it would take at the same place: say all of it.
        let says = |errors: &Vec<ValidationError<'static>>| {
            let telling = errors.iter().find(is_other).or(errors.first())?;
            self.faults(telling).into_iter().next()
        };
        let firsts: Vec<Fault> = context.iter().filter_map(says).collect();
        let first = firsts.first()?.clone();
        if firsts.iter().any(|fault| fault.path != first.path || fault.value != first.value) {
            return Some(vec![first]);
        }
        let mut wanted: Vec<&str> = firsts.iter().map(|fault| fault.expected.as_str()).collect();
        wanted.dedup();
        Some(vec![Fault { expected: wanted.join(" or "), ..first }])
    }

    /// A JSON pointer as `a.b[0]`, behind the place at which the value stands.
    fn path(&self, pointer: &str) -> String {
        let mut path = self.at.to_owned();
        let mut value = self.value;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            match value {
                Json::Array(values) => {
                    path = format!("{path}[{part}]");
                    value =
                        part.parse().ok().and_then(|i: usize| values.get(i)).unwrap_or(&Json::Null);
                }
                _ => {
                    path = join(&path, &part);
                    value = &value[&*part];
                }
            }
        }
        path
    }

    /// The fields that the schema at a keyword's pointer knows.
    fn fields(&self, keyword: &str) -> Vec<String> {
        let fields = self.object(keyword).and_then(|schema| schema.get("properties")?.as_object());
        fields.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    }

    /// What a field that is missing should be.
    fn required(&self, error: &ValidationError<'_>, name: &str) -> String {
        let object = self.object(error.schema_path().as_str());
        let field = object.and_then(|schema| schema.get("properties")?.get(name));
        let field = field.map(|field| self.resolved(field));
        let types = field.and_then(|field| Some(type_words(field.get("type")?.as_str()?)));
        let of = field.and_then(|field| field.get("const").or(field.get("enum")));
        match (of, types) {
            (Some(of), _) => list(of),
            (None, Some(words)) => words.to_owned(),
            (None, None) => "a value".to_owned(),
        }
    }

    /// The schema whose keyword a pointer names, through references.
    fn object(&self, keyword: &str) -> Option<&Json> {
        let parent = keyword.rsplit_once('/')?.0;
        let mut schema = self.schema;
        for part in parent.split('/').skip(1).filter(|part| *part != "$ref") {
            let part = part.replace("~1", "/").replace("~0", "~");
            let at = self.resolved(schema);
            schema = match at {
                Json::Array(values) => values.get(part.parse::<usize>().ok()?)?,
                other => other.get(&*part)?,
            };
        }
        Some(self.resolved(schema))
    }

    fn resolved<'b>(&'b self, schema: &'b Json) -> &'b Json {
        let target = schema.get("$ref").and_then(Json::as_str);
        let target = target.and_then(|target| self.schema.pointer(target.strip_prefix('#')?));
        target.unwrap_or(schema)
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn unknown(path: &str, name: &str, value: &Json, known: &[String]) -> Fault {
    let known = match known {
        [] => "no such field".to_owned(),
        known => format!("one of the fields {}", known.join(", ")),
    };
    Fault::new(join(path, name), short(value), known)
}

/// A value in a few words.
fn short(value: &Json) -> String {
    match value {
        Json::Array(values) => format!("a list of {}", values.len()),
        Json::Object(_) => "a table".into(),
        Json::Null => "nothing".into(),
        other => other.to_string(),
    }
}

fn list(options: &Json) -> String {
    match options {
        Json::Array(values) => values.iter().map(short).collect::<Vec<_>>().join(", "),
        other => short(other),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => type_words(&kind.to_string()).to_owned(),
        TypeKind::Multiple(kinds) => kinds
            .iter()
            .map(|kind| type_words(&kind.to_string()).to_owned())
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn type_words(name: &str) -> &'static str {
    match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "a value",
    }
}

/// The rule behind a pattern that core's schemas use.
fn rule(pattern: &str) -> String {
    match pattern {
        "^[a-z0-9][a-z0-9._-]{0,63}$" => {
            "a name: 1 to 64 of a-z, 0-9, '.', '_', '-', the first a letter or digit".into()
        }
        other => format!("a text that matches {other}"),
    }
}
