//! The digits job: ten clients, rows by Dirichlet .5, 360 held out.
#![allow(dead_code, reason = "shared by the tests of several plugins")]

use std::path::PathBuf;
use std::sync::Arc;

use flare_core::executor::{DataSource, Error};
use flare_core::names::{Name, Rank, Roster};
use flare_core::tensor::{DType, Layout, Tensors};
use flare_core::value::Value;
use flare_data::{HeldOut, Options, Partition, Source, View, deal, held_out};
use flare_executor::ClientData;
use flare_plugin_softmax::{Config, Learner};

use crate::world::{World, unit};

/// Who has which rows of the digits.
pub(crate) struct Digits {
    path: PathBuf,
    options: Value,
    parts: Vec<Arc<[u32]>>,
}

/// A world of ten clients with digits, and the held-out rows.
pub(crate) fn world(seed: u64) -> World {
    let digits = Digits::new(seed, 10);
    of(seed, digits, 1)
}

/// A world of one client, which has the rows of all; it goes over them `epochs` times.
pub(crate) fn central(seed: u64, epochs: u32) -> World {
    let digits = Digits::new(seed, 10);
    let (held_out, trained) = digits.parts.split_last().unwrap();
    let all: Vec<u32> = trained.iter().flat_map(|rows| rows.iter().copied()).collect();
    let parts = vec![all.into(), Arc::clone(held_out)];
    of(seed, Digits { parts, ..digits }, epochs)
}

/// A world of client `rank` alone.
pub(crate) fn alone(seed: u64, rank: usize, epochs: u32) -> World {
    let digits = Digits::new(seed, 10);
    let parts = vec![Arc::clone(&digits.parts[rank]), Arc::clone(&digits.parts[10])];
    of(seed, Digits { parts, ..digits }, epochs)
}

fn of(seed: u64, digits: Digits, epochs: u32) -> World {
    let epochs = std::num::NonZeroU32::new(epochs).unwrap();
    let config = Config { learning_rate: 0.5, epochs, ..Config::default() };
    let layout =
        Layout::new([("weights", DType::F32, vec![64, 10]), ("bias", DType::F32, vec![10])]);
    let clients = digits.parts.len() as u32 - 1;
    let model = Tensors::zeros(&layout.unwrap());
    let mut world = World::new(clients, model, unit(move || Learner::new(config.clone())));
    world.roster = Roster::counted(clients).unwrap();
    world.seed = seed;
    world.data = Some(Arc::new(digits));
    world
}

impl Digits {
    fn new(seed: u64, clients: usize) -> Self {
        let path = PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../examples/digits/digits.csv.gz"
        ));
        let text = "format = \"csv\"\nlabel = \"label\"\nclasses = 10\nscale = 8.0";
        let options: Value = toml::from_str(text).unwrap();
        let source = Source::new(&path, options.parse::<Options>().unwrap());
        let dataset = source.load().unwrap();
        let all = View::all(Arc::clone(&dataset));
        let (train, test) = held_out(&all, HeldOut::Count(360), seed).unwrap();
        let view = View::new(dataset, Some(train.into())).unwrap();
        let min_size = std::num::NonZeroU32::new(10).unwrap();
        let partition = Partition::Dirichlet { alpha: 0.5, min_size };
        let mut parts = deal(&partition, &view, &[], clients, seed).unwrap();
        parts.push(test.into());
        Self { path, options, parts }
    }
}

impl ClientData for Digits {
    fn data(&self, rank: Rank, _: &Name, set: &str) -> Result<DataSource, Error> {
        assert_eq!(set, "train");
        let rows = Some(Arc::clone(&self.parts[rank.index()]));
        Ok(DataSource { path: self.path.clone(), rows, options: self.options.clone() })
    }
}
