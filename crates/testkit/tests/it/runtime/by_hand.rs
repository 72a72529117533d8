//! What the exact rounds of a program come to: computed from its steps alone, with whole numbers.

use std::collections::BTreeMap;

use flare_core::operation::{Key, RelayFailure};
use flare_core::random::StreamId;

use super::program::{Program, Step};

/// Values are multiples of 2^-80.
const PLACES: i32 = 80;

/// What a run of a program leaves.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// The bits of the model.
    pub(crate) model: Vec<u32>,
    /// The mean of the metric "state", by operation; of those that fail there is none.
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// Plays a program without runtime, transport, aggregator or faults.
pub(crate) fn expected(program: &Program) -> Expected {
    let clients: Vec<u32> = (0..program.clients).collect();
    let mut world = World::default();
    let mut model = vec![0.25; program.floats];
    for (at, step) in program.steps.iter().enumerate() {
        let label = |part: &str| format!("step-{at}{part}");
        let key = |world: &mut World| if program.labels { label("") } else { world.ordinal() };
        let next = match step {
            Step::Train { failing, .. } => {
                let key = key(&mut world);
                world.train(&key, &model, &without(&clients, failing))
            }
            Step::Look { failing, .. } => {
                let key = key(&mut world);
                world.look(&key, &without(&clients, failing));
                None
            }
            Step::Relay { order, failing, on_failure } => {
                let key = key(&mut world);
                let ends = *on_failure == RelayFailure::End;
                let stops = without(order, failing);
                let fails = stops.is_empty() || ends && stops.len() < order.len();
                if !fails { world.double(&key, &model, &stops) } else { None }
            }
            Step::Send { to, failing } => {
                let key = key(&mut world);
                world.double(&key, &model, &without(to, failing))
            }
            Step::Both { first, second } => {
                world.train(&label("-a"), &model, first);
                world.train(&label("-b"), &model, second)
            }
            Step::Beside { failing, between, again, .. } => {
                // What is started before a writer is released reads what was there before it.
                world.look(&label("-look"), &without(&clients, failing));
                if let Some(client) = between {
                    world.double(&label("-between"), &model, &[*client]);
                }
                let first = world.train(&label("-train"), &model, &clients);
                if *again { world.train(&label("-again"), &model, &clients) } else { first }
            }
            Step::Cancelled { .. } => unreachable!("exact programs cancel nothing"),
        };
        model = next.unwrap_or(model);
    }
    let model = model.iter().map(|value| value.to_bits()).collect();
    Expected { model, metrics: world.metrics }
}

#[derive(Default)]
struct World {
    states: BTreeMap<u32, Vec<u8>>,
    ordinals: u64,
    metrics: BTreeMap<String, f64>,
}

impl World {
    fn ordinal(&mut self) -> String {
        self.ordinals += 1;
        (self.ordinals - 1).to_string()
    }

    fn sum(&self, client: u32) -> u32 {
        self.states.get(&client).map_or(0, |state| state.iter().map(|byte| u32::from(*byte)).sum())
    }

    fn look(&mut self, key: &str, clients: &[u32]) {
        if !clients.is_empty() {
            let sum: u32 = clients.iter().map(|client| self.sum(*client)).sum();
            self.metrics.insert(key.into(), f64::from(sum) / clients.len() as f64);
        }
    }

    /// Each float is halved and gets a draw and the state's sum; the weight is the client's number and one.
    fn train(&mut self, key: &str, model: &[f32], clients: &[u32]) -> Option<Vec<f32>> {
        self.look(key, clients);
        let replies: Vec<(u32, Vec<f32>)> = clients
            .iter()
            .map(|client| {
                let name = format!("client-{client}");
                let mut draws =
                    StreamId::new(0, "draws").operation(&self::key(key)).client(&name).stream();
                let sum = self.sum(*client) as f32;
                let trained = model.iter().map(|value| value * 0.5 + draws.f32() + sum).collect();
                (1 + client, trained)
            })
            .collect();
        for client in clients {
            self.states.entry(*client).or_default().push(1 + *client as u8);
        }
        let column =
            |at: usize| replies.iter().map(|(weight, reply)| (*weight, reply[at])).collect();
        let mean = || (0..model.len()).map(|at| mean(column(at))).collect();
        (!replies.is_empty()).then(mean)
    }

    fn double(&mut self, key: &str, model: &[f32], stops: &[u32]) -> Option<Vec<f32>> {
        let double = |model: Vec<f32>, client: &u32| {
            model.iter().map(|value| 2.0 * value + *client as f32).collect()
        };
        // It reads no state.
        self.metrics.extend((!stops.is_empty()).then(|| (key.into(), 0.0)));
        (!stops.is_empty()).then(|| stops.iter().fold(model.to_vec(), double))
    }
}

fn key(key: &str) -> Key {
    let label = || Key::Label(flare_core::names::Name::new(key).unwrap());
    key.parse().map_or_else(|_| label(), Key::Ordinal)
}

fn without(clients: &[u32], failing: &[u32]) -> Vec<u32> {
    clients.iter().copied().filter(|client| !failing.contains(client)).collect()
}

/// The weighted mean, rounded once, to nearest even.
fn mean(column: Vec<(u32, f32)>) -> f32 {
    let scale = 2f64.powi(PLACES);
    let (mut sum, mut total) = (0i128, 0i128);
    for (weight, value) in column {
        let whole = (f64::from(value) * scale) as i128;
        assert_eq!(
            whole as f64 / scale,
            f64::from(value),
            "a multiple of 2^-{PLACES}, not below 0"
        );
        sum += whole * i128::from(weight);
        total += i128::from(weight);
    }
    let (quotient, rest) = (sum / total, sum % total);
    let surplus = (128 - quotient.leading_zeros()).saturating_sub(24);
    if surplus == 0 {
        assert!(rest == 0 && quotient == 0, "{sum} / {total} is too small");
        return 0.0;
    }
    let (kept, cut) = (quotient >> surplus, quotient & ((1 << surplus) - 1));
    let half = 1 << (surplus - 1);
    let up = cut > half || cut == half && (rest > 0 || kept % 2 == 1);
    ((kept + i128::from(up)) as f64 * 2f64.powi(surplus as i32 - PLACES)) as f32
}
