//! What surrounds a task: filters, data, progress, permits.

use std::sync::Arc;

use flare_core::executor::{
    Context, DataSource, Error, Learner, LearnerExecutor, Reply, Task, Update,
};
use flare_core::filter::{Filter, Passage, Point};
use flare_core::metric::Metric;
use flare_core::names::{Name, Rank};
use flare_core::outcome::{Cause, Weight};
use flare_core::shareable::Shareable;
use flare_core::tensor::Tensors;
use flare_core::value::Value;
use flare_executor::ClientData;

use crate::bench::{Bench, doing, doubles, made_by, reply, task, with_tensors};

fn echo(task: &Task, _: &mut Context<'_>) -> Result<Reply, Error> {
    Ok(reply(task.input.tensors.clone()))
}

/// Appends the number to the tensor `x`; refuses where its tensor is too long.
struct Append(f64, Point);

impl Filter for Append {
    fn apply(&self, shareable: Shareable, passage: Passage<'_>) -> Result<Shareable, Error> {
        assert_eq!(passage.point, self.1);
        assert_eq!(passage.client.map(Name::as_str), Some("client-0"));
        let mut values = shareable.tensors.slice::<f64>("x")?.to_vec();
        if passage.point == Point::ReplyOut {
            assert_eq!(passage.task, Some(&doubles(&values[..3])), "the task as the client had it");
        }
        if values.len() > 4 {
            return Err("too long".into());
        }
        values.push(self.0);
        Ok(doubles(&values).into())
    }
}

#[test]
fn filters_run_in_order_before_and_after() {
    let filter = |number, point| Arc::new(Append(number, point)) as Arc<dyn Filter>;
    let mut options = doing(1, 1, echo);
    options.task_in = Arc::new([filter(1.0, Point::TaskIn), filter(2.0, Point::TaskIn)]);
    options.reply_out = Arc::new([filter(3.0, Point::ReplyOut)]);
    let bench = Bench::new(options);
    bench.submit(&with_tensors(1, "echo", doubles(&[0.0])), [0]);
    let output = bench.end().unwrap();
    assert_eq!(output.tensors, doubles(&[0.0, 1.0, 2.0, 3.0]).hash());
    assert_eq!(output.encoded, doubles(&[0.0, 1.0, 2.0, 3.0]).encoded());
    bench.submit(&with_tensors(2, "echo", doubles(&[0.0; 4])), [0]);
    assert_eq!(bench.end().unwrap_err(), Cause::Refused("too long".into()));
}

struct Known;

impl ClientData for Known {
    fn data(&self, rank: Rank, client: &Name, set: &str) -> Result<DataSource, Error> {
        let rows = Some([rank.0].as_slice().into());
        Ok(DataSource { path: format!("{client}/{set}").into(), rows, options: Value::Null })
    }
}

#[test]
fn data_are_the_clients_own_by_name() {
    let work = |_: &Task, ctx: &mut Context<'_>| -> Result<Reply, Error> {
        let source = ctx.data("train")?;
        assert_eq!(source.path.to_str(), Some("client-3/train"));
        assert_eq!(source.rows.as_deref(), Some([3].as_slice()));
        assert_eq!(ctx.cores(), 5);
        Ok(reply(Tensors::empty()))
    };
    let mut options = doing(4, 1, work);
    options.cores_per_task = 5.try_into().unwrap();
    let without = Bench::new(options.clone());
    let Err(Cause::Error(text)) = without.run(1, "look", 3) else { panic!("it has none") };
    assert!(text.contains("client-3") && text.contains("train"), "{text}");
    options.data = Arc::new(Known);
    Bench::new(options).run(1, "look", 3).unwrap();
}

#[test]
fn progress_is_told_in_order_and_not_a_million_times() {
    let work = |_: &Task, ctx: &mut Context<'_>| -> Result<Reply, Error> {
        for step in 0..=1_000_000 {
            ctx.progress(step as f32 / 1e6);
            ctx.progress(f32::NAN);
        }
        ctx.progress(7.0);
        ctx.progress(0.5);
        Ok(reply(Tensors::empty()))
    };
    let bench = Bench::new(doing(1, 1, work));
    bench.run(1, "work", 0).unwrap();
    let told = bench.progress.lock().unwrap();
    assert!((50..=101).contains(&told.len()), "{}", told.len());
    assert!(told.is_sorted() && told.last() == Some(&1.0));
}

#[test]
fn x2_a_cancelled_task_sees_it_and_is_told_once_and_a_released_one_not_at_all() {
    let bench = Bench::new(doing(100, 1, |_: &Task, ctx: &mut Context<'_>| {
        while !ctx.cancelled() {
            std::thread::yield_now();
        }
        Ok(reply(Tensors::empty()))
    }));
    let (operation, all) = (1, (0..100).map(Rank).collect::<Vec<_>>());
    bench.submit(&task(operation, "spin"), 0..100);
    bench.pool.handle().cancel(flare_core::operation::OperationId(operation), &all);
    let ends = bench.ends(100);
    assert_eq!(ends.len(), 100);
    assert!(ends.into_values().all(|end| end.unwrap_err() == Cause::Cancelled));
    bench.submit(&task(2, "spin"), 0..100);
    bench.pool.handle().release(flare_core::operation::OperationId(2), &[]);
    bench.pool.handle().release(flare_core::operation::OperationId(2), &[]);
    assert!(bench.rest().is_empty());
}

#[test]
fn a_large_reply_to_a_task_without_tensors_has_a_permit_too() {
    let work = |_: &Task, _: &mut Context<'_>| Ok(reply(doubles(&[0.5; 10_000])));
    let bench = Bench::new(doing(2, 1, work));
    let output = bench.run(1, "make", 0).unwrap();
    assert_eq!(bench.pool.handle().in_use(), (1, output.encoded.len() as u64));
    let part = output.encoded.slice(5..10);
    drop(output);
    assert_eq!(bench.pool.handle().in_use().0, 1, "a part of it is still in use");
    drop(part);
    assert_eq!(bench.pool.handle().in_use(), (0, 0));
}

#[test]
fn evaluation_gives_no_tensors_and_waits_for_no_permit() {
    let both = Arc::new(std::sync::Barrier::new(2));
    let mut options = doing(2, 2, move |_: &Task, _: &mut Context<'_>| {
        both.wait();
        Ok(reply(Tensors::empty()))
    });
    (options.reply_window, options.window_bytes) = (1, 0);
    let bench = Bench::new(options);
    bench.submit(&with_tensors(1, "evaluate", doubles(&[1.0; 1000])), 0..2);
    assert!(bench.ends(2).into_values().all(|end| end.is_ok()));
}

/// Knows nothing but what every learner has to.
struct Idle;

impl Learner for Idle {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn train(&mut self, task: &Task, _: &mut Context<'_>) -> Result<Update, Error> {
        let tensors = task.input.tensors.clone();
        Ok(Update { tensors, weight: Weight::Count(3), metrics: Vec::new() })
    }

    fn evaluate(&mut self, _: &Task, _: &mut Context<'_>) -> Result<Vec<Metric>, Error> {
        Ok(Vec::new())
    }
}

#[test]
fn e2_a_task_that_is_not_known_is_an_error() {
    let bench = Bench::new(made_by(1, 1, || Box::new(LearnerExecutor(Idle))));
    let Err(Cause::Error(text)) = bench.run(1, "dance", 0) else { panic!("nobody knows it") };
    assert!(text.contains("dance") && text.contains("train"), "{text}");
    assert_eq!(bench.run(2, "train", 0).unwrap().weight, Weight::Count(3));
    assert!(bench.run(3, "evaluate", 0).unwrap().metrics.is_empty());
}
