//! A chain of filters: in order, and closed where one of them fails.

use std::sync::Arc;

use flare_core::Shareable;
use flare_core::executor::Error;
use flare_core::filter::{self, Filter, Passage, Point};

/// Writes its number behind those of the filters before it; 13 panics, 0 stops.
struct Mark(i64);

impl Filter for Mark {
    fn apply(&self, shareable: Shareable, _: Passage<'_>) -> Result<Shareable, Error> {
        match self.0 {
            0 => Err("stopped".into()),
            13 => panic!("thirteen"),
            number => {
                let before = shareable.headers.get("marks").and_then(flare_core::Value::as_i64);
                Ok(shareable.with("marks", before.unwrap_or(0) * 10 + number))
            }
        }
    }
}

fn pass(marks: &[i64]) -> Result<Option<i64>, String> {
    let chain: Vec<Arc<dyn Filter>> =
        marks.iter().map(|mark| Arc::new(Mark(*mark)) as Arc<dyn Filter>).collect();
    let passage = Passage { point: Point::ReplyIn, client: None, task: None };
    let passed = filter::pass(&chain, Shareable::default(), passage);
    let passed = passed.map_err(|error| error.to_string())?;
    Ok(passed.headers.get("marks").and_then(flare_core::Value::as_i64))
}

#[test]
fn f1_an_error_or_a_panic_lets_nothing_through() {
    assert_eq!(pass(&[1, 2, 3]), Ok(Some(123)));
    assert_eq!(pass(&[]), Ok(None));
    assert_eq!(pass(&[1, 0, 3]), Err("stopped".into()));
    assert_eq!(pass(&[1, 13, 3]), Err("a filter panicked: thirteen".into()));
}
