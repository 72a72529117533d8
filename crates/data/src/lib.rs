//! Data sets: reading them, dealing their rows out to clients, and splitting them into files for sites.
//!
//! Start at [`Source`]: a path and the [`Options`] with which it is read. It gives the [`Dataset`],
//! shared by all who read the same content; a [`View`] is some of its rows. A [`Partition`] deals rows
//! out to the clients of a simulated federation, and [`Source::split`] writes what each has been dealt
//! into a folder of its own, from which the same options read the same numbers in the same order.
//!
//! *Invariant*: what is read is a function of the files' content and the options alone. Nothing is
//! guessed: a value that is not what the options say is an error with its file, line and column, and
//! no memory is taken because a file claims a size.
#![forbid(unsafe_code)]

mod cache;
mod dataset;
mod error;
mod file;
mod idx;
mod partition;
mod source;
mod split;
mod table;

pub use cache::load_cached;
pub use dataset::{Dataset, RowError, View};
pub use error::{Error, MAX_FAULTS, RowFault};
pub use file::MAX_FILE_BYTES;
pub use idx::IdxOptions;
pub use partition::{
    Error as PartitionError, HeldOut, MAX_DIRICHLET_DRAWS, Partition, deal, held_out,
};
pub use source::{MAX_CLASSES, MAX_CLASSES_UNNAMED, Options, Source};
pub use split::Error as SplitError;
pub use table::{CsvOptions, SPLIT_FILE};
