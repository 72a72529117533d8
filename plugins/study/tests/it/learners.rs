//! Learners that wait, and learners that fail.

use flare_core::executor::Cancel;
use flare_core::outcome::Weight;
use flare_core::tensor::DType;
use flare_plugin_study::{Answer, Failing, How, Sleepy, Study};

use crate::work::{evaluate, name, task, tensors, train, train_with};

#[test]
fn a_sleeper_replies_after_its_delay_with_what_it_is_told() {
    let reply = Answer { examples: 3, ..Answer::default() };
    let sleepy = Sleepy { delay: 0.003, jitter: 0.002, reply, ..Sleepy::default() };
    let update = train(Study::sleepy(&sleepy), "a", &task(1, tensors([1.0; 2], 0))).unwrap();
    assert_eq!((update.tensors, update.weight), (tensors([1.0; 2], 0), Weight::Count(3)));
}

#[test]
fn a_sleeper_wakes_when_it_is_cancelled() {
    let (cancel, sleepy) = (Cancel::default(), Sleepy { delay: 3600.0, ..Sleepy::default() });
    cancel.set();
    let input = task(1, tensors([1.0; 2], 0));
    let fault = train_with(Study::sleepy(&sleepy), "a", &input, &cancel).unwrap_err();
    assert_eq!(fault.to_string(), "cancelled");
    let deaf = Sleepy { delay: 0.003, deaf: true, ..Sleepy::default() };
    assert!(train_with(Study::sleepy(&deaf), "a", &input, &cancel).is_ok());
    // A client with a delay of its own does not wait for the others'.
    let own = Sleepy { clients: [(name("b"), 0.0)].into(), ..sleepy };
    assert!(train_with(Study::sleepy(&own), "b", &input, &cancel).is_ok());
}

#[test]
fn a_failing_learner_fails_where_and_when_it_is_told() {
    let failing = Failing { rounds: vec![2, 4], clients: vec![name("b")], ..Failing::default() };
    let fails = |client: &str, round| {
        train(Study::failing(&failing), client, &task(round, tensors([1.0; 2], 0))).is_err()
    };
    let failed: Vec<(&str, u64)> = ["a", "b"]
        .into_iter()
        .flat_map(|client| (1..=5).map(move |round| (client, round)))
        .filter(|(client, round)| fails(client, *round))
        .collect();
    assert_eq!(failed, [("b", 2), ("b", 4)]);
}

#[test]
fn each_way_of_failing_is_what_it_says() {
    let of = |how| {
        let failing = Failing { how, ..Failing::default() };
        train(Study::failing(&failing), "a", &task(1, tensors([1.0; 2], 5)))
    };
    assert!(of(How::Error).unwrap_err().to_string().contains("round 1"));
    let panic = std::panic::catch_unwind(|| of(How::Panic).is_ok()).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("round 1"));
    let nan = of(How::Nan).unwrap().tensors;
    assert!(nan.first_non_finite() == Some(("w", 0)) && nan.slice::<i64>("n").unwrap() == [5]);
    let shaped = of(How::WrongShape).unwrap().tensors;
    assert_eq!(shaped.get("w").unwrap().shape, [2, 1]);
    assert_eq!(of(How::WrongDtype).unwrap().tensors.get("w").unwrap().dtype, DType::U8);
}

#[test]
fn evaluation_fails_only_where_it_is_told_to() {
    let fails = |evaluation| {
        let failing = Failing { evaluation, ..Failing::default() };
        evaluate(Study::failing(&failing), "a", &task(1, tensors([1.0; 2], 0))).is_err()
    };
    assert!(fails(true) && !fails(false));
}
