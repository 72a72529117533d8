//! A source of data: where it lies, and how it is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flare_core::Hash;
use flare_core::fault::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cache::{self, load_cached};
use crate::dataset::{Dataset, View};
use crate::error::Error;
use crate::idx::IdxOptions;
use crate::partition::{self, Partition};
use crate::table::{self, CsvOptions};
use crate::{file, idx};

/// The most classes that options can name. A learner's memory is in proportion to them.
pub const MAX_CLASSES: u32 = 1 << 24;
/// The most classes that are taken from the labels where the options name no number.
pub const MAX_CLASSES_UNNAMED: u32 = 1 << 16;

/// How a data set is read. It concerns everyone, so it stands in the job, not at a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum Options {
    /// A CSV file, or a folder with a `data.csv`.
    Csv(CsvOptions),
    /// A folder with two IDX files, as MNIST comes in: images and labels.
    Idx(IdxOptions),
}

impl Options {
    /// Checks what can be checked without a file.
    ///
    /// # Errors
    /// Names each option that can hold for no file.
    pub fn check(&self) -> Result<(), Faults> {
        match self {
            Self::Csv(options) => options.check(),
            Self::Idx(options) => options.check(),
        }
    }
}

/// A data set that can be read: a path and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// A CSV file or a folder.
    pub path: PathBuf,
    /// How it is read.
    pub options: Options,
}

impl Source {
    /// The data set at `path`.
    pub fn new(path: impl Into<PathBuf>, options: Options) -> Self {
        Self { path: path.into(), options }
    }

    /// The data set, shared with all who hold the same content read in the same way.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(&self) -> Result<Arc<Dataset>, Error> {
        load_cached(&self.path, &self.options)
    }

    /// One hash over the content of the files of which it consists, as they lie on disk.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn hash(&self) -> Result<Hash, Error> {
        let hashes = cache::hashes(&files(&self.path, &self.options))?;
        Ok(Hash::derive("flare data set v1", hashes.concat()))
    }

    /// The values of one column as text, by row. It need not be a feature.
    ///
    /// # Errors
    /// When there is no such column, or a value in it is no UTF-8.
    pub fn column(&self, name: &str) -> Result<Vec<String>, Error> {
        match &self.options {
            Options::Csv(options) => {
                table::column(&file::read(&table::file(&self.path))?, options, name)
            }
            Options::Idx(_) => Err(Error::File {
                path: self.path.clone(),
                fault: format!("IDX files have no columns, so none is named '{name}'"),
            }),
        }
    }

    /// The row numbers of each of `clients` clients, in the order of their ranks, when the rows of
    /// `view` are dealt out as `partition` says. Each client has at least one, in rising order.
    ///
    /// # Errors
    /// When the partition cannot be reached, or the column that it names cannot be read.
    pub fn partition(
        &self,
        partition: &Partition,
        view: &View,
        clients: usize,
        seed: u64,
    ) -> Result<Vec<Arc<[u32]>>, partition::Error> {
        let values = partition.column().map(|name| self.column(name)).transpose()?;
        partition::deal(partition, view, &values.unwrap_or_default(), clients, seed)
    }
}

/// Reads a data set, past the cache.
///
/// # Errors
/// When it is not as the options say.
pub(crate) fn read(path: &Path, options: &Options) -> Result<Dataset, Error> {
    match options {
        Options::Csv(options) => table::read(&file::read(&table::file(path))?, options),
        Options::Idx(options) => idx::read(path, options),
    }
}

/// The files of which a data set consists.
pub(crate) fn files(path: &Path, options: &Options) -> Vec<PathBuf> {
    match options {
        Options::Csv(_) => vec![table::file(path)],
        Options::Idx(options) => vec![path.join(&options.images), path.join(&options.labels)],
    }
}

/// Why a label is refused.
pub(crate) struct LabelFault(pub(crate) String);

/// The label if it is a class.
pub(crate) fn check_label(label: i128, classes: Option<u32>) -> Result<u32, LabelFault> {
    let limit = classes.unwrap_or(MAX_CLASSES_UNNAMED);
    match u32::try_from(label) {
        Ok(label) if label < limit => Ok(label),
        _ if label < 0 => {
            Err(LabelFault(format!("label {label} is negative: number the classes from 0")))
        }
        _ if classes.is_some() => {
            Err(LabelFault(format!("label {label} is outside 0..{}, as `classes` says", limit - 1)))
        }
        _ => Err(LabelFault(format!(
            "label {label} is beyond {}, the largest that is taken for a class where `classes` names no number",
            limit - 1
        ))),
    }
}

/// How many classes there are: as named, or one more than the largest label.
pub(crate) fn class_count(named: Option<u32>, labels: &[u32]) -> usize {
    let largest = labels.iter().max().map_or(0, |largest| largest + 1);
    named.unwrap_or(largest) as usize
}

/// Refuses a number of classes that can hold for no data set, and a scale by which nothing can be divided.
pub(crate) fn check_numbers(classes: Option<u32>, scale: Option<f32>, faults: &mut Faults) {
    if let Some(classes) = classes {
        let expected = format!("1 to {MAX_CLASSES}");
        faults.expect((1..=MAX_CLASSES).contains(&classes), "classes", classes, expected);
    }
    if let Some(scale) = scale {
        let expected = "a finite number other than 0, by which features can be divided";
        faults.expect(scale.is_normal(), "scale", format_args!("{scale:?}"), expected);
    }
}

/// A feature divided by `scale`; nothing where that is not finite.
pub(crate) fn scaled(value: f32, scale: Option<f32>) -> Option<f32> {
    let value = scale.map_or(value, |scale| value / scale);
    value.is_finite().then_some(value)
}
