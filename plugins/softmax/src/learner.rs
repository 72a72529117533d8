//! The learner: data in, model in, model out.

use flare_core::executor::{self, Context, Error, Task, Update};
use flare_core::metric::{Direction, Metric};
use flare_core::outcome::Weight;
use flare_core::tensor::Tensors;
use flare_core::value::Value;
use flare_data::{Source, View};
use flare_kernels::product::accumulate_outer;

use crate::batch::{Batch, Score};
use crate::control::{Control, PARTS, layout};
use crate::{BIAS, Config, Descent, Pull, WEIGHTS};

/// Rows that are scored at a time.
const SCORED_AT_ONCE: usize = 256;
/// The task's header with mu of FedProx.
const PROXIMAL_MU: &str = "proximal_mu";
/// The task's header that says how replies are weighed.
const WEIGHTING: &str = "weighting";

/// Softmax regression over one client's rows.
///
/// Headers of a task that it heeds: `proximal_mu` (a number), `weighting` ("examples" or "uniform": then
/// the weight is 1 for whoever has rows), and SCAFFOLD's tensors `control/…`. Metrics: `loss` (cross-entropy
/// in nats; of training: the mean over all batches, each before its step) and `accuracy`. A client without
/// rows replies with the model that it got and weight 0.
pub struct Learner {
    config: Config,
    view: Option<View>,
}

/// What training works on.
struct Work {
    batch: Batch,
    model: Parts,
    gradient: Parts,
}

/// The model's two tensors, in the order of [`PARTS`].
type Parts = [Vec<f32>; 2];

impl Learner {
    /// A learner without data yet; `config` was checked.
    pub fn new(config: Config) -> Self {
        Self { config, view: None }
    }

    fn view(&self) -> Result<&View, Error> {
        self.view.as_ref().ok_or_else(|| "the learner was not set up".into())
    }

    fn weight(&self, task: &Task) -> Result<Weight, Error> {
        let rows = self.view()?.len() as u64;
        match task.input.headers.get(WEIGHTING).map(Value::as_text) {
            None | Some(Some("examples")) => Ok(Weight::Count(rows)),
            Some(Some("uniform")) => Ok(Weight::Count(rows.min(1))),
            _ => Err(format!("the header {WEIGHTING} must be \"examples\" or \"uniform\"").into()),
        }
    }

    /// All epochs; gives the score on the way and the number of steps.
    fn descend(
        &self,
        work: &mut Work,
        pull: [Pull<'_>; 2],
        ctx: &Context<'_>,
    ) -> Result<(Score, u64), Error> {
        let view = self.view()?;
        let [mut first, mut second] =
            work.model.each_ref().map(|part| Descent::new(&self.config, part.len()));
        let (mut score, mut steps, mut shuffle) = (Score::default(), 0, ctx.random("shuffle"));
        let epochs = self.config.epochs.get();
        for epoch in 0..epochs {
            ctx.progress(epoch as f32 / epochs as f32);
            for rows in shuffle.permutation(view.len()).chunks(self.config.batch_size.get()) {
                if ctx.cancelled() {
                    return Err("cancelled".into());
                }
                work.batch.gather(view, rows.iter().copied());
                work.differentiate(&mut score);
                let (model, gradient) = (&mut work.model, &mut work.gradient);
                first.step(&mut model[0], &mut gradient[0], pull[0]);
                second.step(&mut model[1], &mut gradient[1], pull[1]);
                steps += 1;
            }
        }
        Ok((score, steps))
    }

    /// The gradient of the mean loss over all the client's rows at the work's model.
    fn full_gradient(&self, work: &mut Work, like: &Tensors) -> Result<Tensors, Error> {
        let view = self.view()?;
        work.batch.gather(view, 0..view.len());
        work.differentiate(&mut Score::default());
        together(&work.gradient, like)
    }
}

impl executor::Learner for Learner {
    fn setup(&mut self, ctx: &mut Context<'_>) -> Result<(), Error> {
        let source = ctx.data(&self.config.data)?;
        let dataset = Source::new(source.path, source.options.parse()?).load()?;
        self.view = Some(View::new(dataset, source.rows)?);
        Ok(())
    }

    fn train(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Update, Error> {
        let input = &task.input.tensors;
        let control = Control::of(task, ctx)?;
        let weight = self.weight(task)?;
        let mut work = Work::new(self.view()?, input)?;
        let start = work.model.clone();
        let before = together(&start, input)?;
        let renewed_first = match &control {
            Some(control) if control.by_gradient && !self.view()?.is_empty() => {
                Some(self.full_gradient(&mut work, &before)?)
            }
            _ => None,
        };
        let mu = proximal_mu(task)?;
        let mut pull = [Pull::default(); 2];
        for ((pull, start), part) in pull.iter_mut().zip(&start).zip(PARTS) {
            pull.proximal = Some((mu, start));
            pull.control = control.as_ref().map(|control| control.part(part)).transpose()?;
        }
        let (score, steps) = self.descend(&mut work, pull, ctx)?;
        let model = together(&work.model, input)?;
        let metrics = score.metrics()?;
        let Some(control) = control else { return Ok(Update { tensors: model, weight, metrics }) };
        let renewed = match renewed_first {
            Some(renewed) => renewed,
            None if steps == 0 => control.unchanged().clone(),
            None => control.on_the_way(&before, &model, steps, self.config.learning_rate)?,
        };
        ctx.set_state(renewed.encoded().clone())?;
        Ok(Update { tensors: control.reply(&model, &renewed)?, weight, metrics })
    }

    fn evaluate(&mut self, task: &Task, ctx: &mut Context<'_>) -> Result<Vec<Metric>, Error> {
        let view = self.view()?;
        let mut work = Work::new(view, &task.input.tensors)?;
        let mut score = Score::default();
        for first in (0..view.len()).step_by(SCORED_AT_ONCE) {
            if ctx.cancelled() {
                return Err("cancelled".into());
            }
            work.batch.gather(view, first..view.len().min(first + SCORED_AT_ONCE));
            let [weights, bias] = &work.model;
            work.batch.forward(weights, bias, &mut score);
        }
        score.metrics()
    }
}

impl Work {
    fn new(view: &View, model: &Tensors) -> Result<Self, Error> {
        let unknown =
            |name: &str| !PARTS.contains(&name) && !name.starts_with(crate::control::PREFIX);
        if let Some(tensor) = model.iter().find(|tensor| unknown(tensor.name)) {
            let name = flare_core::shown(tensor.name);
            return Err(format!(
                "a softmax regression has the tensors `{WEIGHTS}` and `{BIAS}`, not \"{name}\""
            )
            .into());
        }
        let shapes = (model.require(WEIGHTS)?.shape, model.require(BIAS)?.shape);
        let batch = Batch::new(view, shapes.0, shapes.1)?;
        let model = [model.slice::<f32>(WEIGHTS)?.to_vec(), model.slice::<f32>(BIAS)?.to_vec()];
        let gradient = model.each_ref().map(|part| vec![0.0; part.len()]);
        Ok(Self { batch, model, gradient })
    }

    /// The gradient of the batch's mean loss, rows in order.
    fn differentiate(&mut self, score: &mut Score) {
        let [weights, bias] = &self.model;
        self.batch.forward(weights, bias, score);
        self.batch.errors();
        let [of_weights, of_bias] = &mut self.gradient;
        of_weights.fill(0.0);
        of_bias.fill(0.0);
        accumulate_outer(self.batch.sizes(), &self.batch.rows, &self.batch.outputs, of_weights);
        for errors in self.batch.outputs.chunks_exact(of_bias.len().max(1)) {
            for (sum, error) in of_bias.iter_mut().zip(errors) {
                *sum += error;
            }
        }
    }
}

impl Score {
    /// Accuracy and loss; none where there are no rows.
    fn metrics(self) -> Result<Vec<Metric>, Error> {
        if self.rows == 0 {
            return Ok(Vec::new());
        }
        let rows = self.rows as f64;
        Ok(vec![
            Metric::new("accuracy", self.correct as f64 / rows, rows, Direction::HigherIsBetter)?,
            Metric::new("loss", self.loss / rows, rows, Direction::LowerIsBetter)?,
        ])
    }
}

fn together(parts: &Parts, like: &Tensors) -> Result<Tensors, Error> {
    let mut tensors = Tensors::builder(&layout(like, "")?);
    for (name, part) in PARTS.iter().zip(parts) {
        tensors.slice_mut::<f32>(name)?.copy_from_slice(part);
    }
    Ok(tensors.finish())
}

fn proximal_mu(task: &Task) -> Result<f32, Error> {
    match task.input.headers.get(PROXIMAL_MU) {
        None => Ok(0.0),
        Some(value) => {
            match value.as_f64().or(value.as_i64().map(|mu| mu as f64)) {
                Some(mu) if mu.is_finite() && mu >= 0.0 => Ok(mu as f32),
                _ => Err(format!("the header {PROXIMAL_MU} must be a finite number of at least 0")
                    .into()),
            }
        }
    }
}
