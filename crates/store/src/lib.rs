//! One folder on disk that remembers a run: its journal, its blobs and its clients' states.
//!
//! Start with [`Folder`], which takes the run's lock and hands out what core's contracts ask for
//! ([`Journal`](flare_core::journal::Journal), [`BlobStore`](flare_core::journal::BlobStore),
//! [`StateStore`](flare_core::journal::StateStore)). [`Spill`] keeps the blobs of a run that has no folder.
//! [`write_atomically`] and [`Lines`] are for the files that a run leaves to people.
//!
//! *Invariant*: a process may be killed at any [`WritePoint`]; the folder then opens, with every commit
//! that was acknowledged, whole, and at most one that was not, whole as well.
#![deny(unsafe_op_in_unsafe_fn)]

mod blobs;
mod checksum;
mod disk;
mod file;
mod folder;
mod frame;
mod header;
mod journal;
mod lines;
mod lock;
mod point;
mod record;
mod segment;
mod spill;
mod states;

pub use disk::survive_file_size_limit;
pub use file::{Durability, write_atomically};
pub use folder::Folder;
pub use lines::Lines;
pub use point::{Watch, WritePoint};
pub use spill::{OnTmpfs, Spill};
