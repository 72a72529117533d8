//! Values: one encoding each, nothing read that is not one, and errors that name the path.

use std::collections::BTreeMap;

use flare_core::value::{Above, Error, MAX_DEPTH, MAX_ENCODED, MAX_VALUES, to_value};
use flare_core::{Shareable, Value};
use serde::{Deserialize, Serialize};

use crate::seeds::{self, Random};

#[test]
fn the_encoding_is_frozen() {
    let map: Value = [
        ("a", Value::Null),
        ("b", Value::List(vec![Value::Bool(false), Value::Bool(true)])),
        (
            "i",
            Value::List(
                vec![0_i64, -1, 1, 63, 64, i64::MAX, i64::MIN]
                    .into_iter()
                    .map(Value::Int)
                    .collect(),
            ),
        ),
        ("u", Value::from(u64::MAX)),
        ("x", Value::Float(-0.0)),
        ("ä", Value::from("é")),
    ]
    .into_iter()
    .collect();
    let expected = "0806 0161 00 0162 07020102 \
        0169 0707 0300 0301 0302 037e 038001 03feffffffffffffffff01 03ffffffffffffffffff01 \
        0175 04ffffffffffffffffff01 0178 050000000000000080 02c3a4 0602c3a9";
    let encoded: String = map.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(encoded, expected.replace(' ', ""));
    assert_eq!(Value::decode(&map.encode()), Ok(map));
}

#[test]
fn random_values_survive_every_road() {
    seeds::each(2000, |random| {
        let value = value(random, 4, |random| f64::from_bits(random.bits()));
        assert_eq!(Value::decode(&value.encode()).unwrap(), value);
        assert_eq!(to_value(&value).unwrap(), value);
        assert_eq!(value.parse::<Value>().unwrap(), value);
    });
}

#[test]
fn random_values_survive_json() {
    seeds::each(2000, |random| {
        // JSON has no NaN, and its reader rounds long fractions twice.
        let value = value(random, 4, |random| f64::from(random.bits() as i32) / 64.0);
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value, "{json}");
    });
}

#[test]
fn values_are_equal_if_and_only_if_their_encodings_are() {
    let nan = |payload: u64| Value::Float(f64::from_bits(0x7ff8_0000_0000_0000 | payload));
    let values = [
        Value::Float(0.0),
        Value::Float(-0.0),
        nan(0),
        nan(1),
        Value::Int(0),
        Value::Null,
        Value::List(vec![]),
        Value::Map(BTreeMap::new()),
    ];
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            assert_eq!(a == b, i == j, "{a:?} {b:?}");
            assert_eq!(a.encode() == b.encode(), i == j, "{a:?} {b:?}");
        }
    }
}

#[test]
fn what_is_read_is_canonical_and_nothing_panics() {
    let mut read = 0;
    seeds::each(20_000, |random| {
        let mut bytes = value(random, 3, |random| f64::from_bits(random.bits())).encode();
        for _ in 0..=random.below(2) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.insert(at, random.bits() as u8),
                _ => bytes[at] = random.pick(&[0, 1, 3, 7, 8, 0x7f, 0x80, 0xff]),
            }
        }
        if let Ok(value) = Value::decode(&bytes) {
            assert_eq!(value.encode(), bytes, "{value:?}");
            read += 1;
        }
    });
    assert!(read > 1000, "only {read} of the changed encodings could be read");
}

#[test]
fn other_forms_of_the_same_value_are_refused() {
    let cases: &[(&[u8], &str)] = &[
        (&[], "byte 0: expected the tag of a value"),
        (&[9], "byte 0: expected the tag of a value"),
        (&[0, 0], "byte 1: expected the end"),
        (&[3, 0x80, 0], "byte 1: expected a number of seven bits a byte"),
        (
            &[3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            "byte 1: expected a number",
        ),
        (&[4, 5], "byte 1: expected a number above those of tag 3"),
        (&[5, 0, 0], "byte 1: expected the 8 bytes of a float"),
        (&[6, 2, b'a'], "byte 2: expected a text of that length"),
        (&[6, 1, 0xff], "byte 2: expected a text of that length, in UTF-8"),
        (&[7, 0xff, 0xff, 0xff, 0xff, 0x0f], "byte 6: expected the tag"),
        (&[8, 2, 1, b'b', 0, 1, b'a', 0], "byte 5: expected a key above the one before"),
        (&[8, 2, 1, b'a', 0, 1, b'a', 0], "byte 5: expected a key above the one before"),
    ];
    for (bytes, expected) in cases {
        let message = Value::decode(bytes).unwrap_err().to_string();
        assert!(message.contains(expected), "{bytes:x?}: {message}");
    }
}

#[test]
fn every_limit_holds_one_past_it() {
    let nested = |depth| [[7, 1].repeat(depth), vec![0]].concat();
    let deepest = Value::decode(&nested(MAX_DEPTH)).unwrap();
    assert_eq!(Value::decode(&nested(MAX_DEPTH + 1)), Err(Error::Depth));
    assert_eq!(to_value(&deepest).unwrap(), deepest);
    assert_eq!(to_value(&[&deepest]), Err(Error::Depth));
    let json = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(serde_json::from_str::<Value>(&json(MAX_DEPTH)).is_ok());
    let error = serde_json::from_str::<Value>(&json(MAX_DEPTH + 1)).unwrap_err();
    assert!(error.to_string().contains("nested more than 64 deep"), "{error}");

    let nulls = |count| Value::List(vec![Value::Null; count]).encode();
    assert!(Value::decode(&nulls(MAX_VALUES - 1)).is_ok());
    assert_eq!(Value::decode(&nulls(MAX_VALUES)), Err(Error::Count));

    let text = |bytes| Value::Text("x".repeat(bytes)).encode();
    assert!(Value::decode(&text(MAX_ENCODED - 5)).is_ok());
    let error = Value::decode(&text(MAX_ENCODED - 4)).unwrap_err();
    assert_eq!(error, Error::Size { bytes: MAX_ENCODED + 1 });
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    controller: Controller,
    #[serde(default)]
    sites: Vec<Site>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Controller {
    rounds: u32,
    rate: f64,
    form: Form,
    best: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Form {
    Paper,
    Flower(f32),
    Pair(u8, u8),
    Other { tau: f64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Site {
    name: String,
}

fn job(form: Form) -> Job {
    let controller = Controller { rounds: 3, rate: 0.5, form, best: None };
    Job { controller, sites: vec![Site { name: "a".into() }, Site { name: "b".into() }] }
}

#[test]
fn types_become_values_and_come_back() {
    for form in [Form::Paper, Form::Flower(0.25), Form::Pair(1, 2), Form::Other { tau: 1e-3 }] {
        let job = job(form);
        let value = to_value(&job).unwrap();
        assert_eq!(serde_json::to_value(&job).unwrap(), serde_json::to_value(&value).unwrap());
        assert_eq!(value.parse::<Job>().unwrap(), job);
        assert_eq!(Value::decode(&value.encode()).unwrap(), value);
    }
}

#[test]
fn errors_name_the_path_the_expectation_and_what_is_there() {
    let cases = [
        (r#"{"rounds": "x"}"#, r#"controller.rounds: expected u32, got the text "x""#),
        (r#"{"rounds": -1}"#, "controller.rounds: expected u32, got integer `-1`"),
        (r#"{"rounds": 1.5}"#, "controller.rounds: expected u32, got floating point `1.5`"),
        (r#"{"rounds": null}"#, "controller.rounds: expected u32, got null"),
        (
            r#"{"rounds": 1, "form": "x"}"#,
            "controller.form: expected one of paper, flower, pair, other, got \"x\"",
        ),
        (
            r#"{"rounds": 1, "form": 3}"#,
            "controller.form: expected a text or a map of one entry, got integer `3`",
        ),
        (
            r#"{"form": {"pair": [1, 2, 3]}}"#,
            "controller.form.pair: expected 2 elements in sequence, got 3 elements",
        ),
        (
            r#"{"form": {"other": {"tau": []}}}"#,
            "controller.form.other.tau: expected f64, got sequence",
        ),
        (r#"{"rounds": 1}"#, "controller: the field \"rate\" is missing"),
        (r#"[]"#, "controller: expected struct Controller with 4 elements, got 0 elements"),
        (
            "{\"\\u001b\\u202e\": 1}",
            r#"the field "\u{1b}\u{202e}" is unknown; known are: rounds, rate, form, best"#,
        ),
    ];
    for (controller, expected) in cases {
        let value: Value = serde_json::from_str(controller).unwrap();
        let whole: Value = [("controller", value.clone())].into_iter().collect();
        let message = whole.parse::<Job>().unwrap_err().to_string();
        assert!(message.contains(expected), "{controller}: {message}");
        let below = value.parse_at::<Controller>("controller").unwrap_err().to_string();
        assert_eq!(below, message);
    }
}

#[test]
fn paths_go_through_lists() {
    let value: Value = serde_json::from_str(r#"[{"name": "a"}, {"name": 7}]"#).unwrap();
    let message = value.parse_at::<Vec<Site>>("sites").unwrap_err().to_string();
    assert_eq!(message, "sites[1].name: expected a string, got integer `7`");
    let message = Value::Null.parse::<u32>().unwrap_err().to_string();
    assert_eq!(message, "expected u32, got null");
}

#[test]
fn whole_numbers_have_one_form() {
    assert_eq!(Value::from(7_u64), Value::Int(7));
    assert_eq!(Above::new(i64::MAX as u64), None);
    let large = Value::UInt(Above::new(1 << 63).unwrap());
    assert_eq!(Value::from(1_u64 << 63), large);
    assert_eq!(large.parse::<u64>().unwrap(), 1 << 63);
    assert_eq!(to_value(&(1_u64 << 63)).unwrap(), large);
    assert_eq!(serde_json::from_str::<Value>("9223372036854775808").unwrap(), large);
    let error = to_value(&i128::MAX).unwrap_err().to_string();
    assert!(error.starts_with("expected a whole number from -2^63 to 2^64 - 1"), "{error}");
}

#[test]
fn keys_are_texts_and_occur_once() {
    let error = to_value(&BTreeMap::from([(1, 2)])).unwrap_err();
    assert_eq!(error.to_string(), "expected a text for a map's key, got a whole number");
    let error = serde_json::from_str::<Value>(r#"{"a": 1, "a": 1}"#).unwrap_err();
    assert!(error.to_string().contains(r#"the key "a" occurs twice"#), "{error}");
}

#[test]
fn a_shareable_is_put_together_again() {
    let tensors = crate::tensors::every_type();
    let shareable = Shareable::new(tensors.clone()).with("round", 3_i64).with("kind", "model");
    let encoded = shareable.encode_headers();
    assert_eq!(Value::decode(&encoded).unwrap(), Value::Map(shareable.headers.clone()));
    assert_eq!(Shareable::decode(&encoded, tensors.clone()).unwrap(), shareable);
    let error = Shareable::decode(&[0], tensors).unwrap_err();
    assert_eq!(error.to_string(), "headers: expected a map, got null");
}

fn value(random: &mut Random, depth: usize, float: fn(&mut Random) -> f64) -> Value {
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => Value::Bool(random.below(2) == 0),
        2 => Value::Int(random.bits() as i64 >> random.below(64)),
        3 => Value::from(random.bits() >> random.below(64)),
        4 => Value::Float(float(random)),
        5 => Value::Text(random.text(6)),
        6 => {
            let length = random.below(4);
            Value::List((0..length).map(|_| value(random, depth - 1, float)).collect())
        }
        _ => {
            let length = random.below(4);
            (0..length).map(|_| (random.text(3), value(random, depth - 1, float))).collect()
        }
    }
}
