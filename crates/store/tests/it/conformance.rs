//! Every implementation through the suite of its contract.

use std::sync::Arc;

use flare_core::journal::{Entry, Journal};
use flare_core::memory::{MemoryBlobs, MemoryJournal, MemoryStates};
use flare_store::{OnTmpfs, Spill};

use crate::places::{self, kept};
use flare_testkit::conformance::entries::EPOCH;
use flare_testkit::conformance::journal::Keeps;
use flare_testkit::conformance::{blobs, states};

macro_rules! conform {
    ($suite:ident, $fresh:expr, $($test:ident)*) => {
        $(
            #[test]
            fn $test() {
                $suite::$test(&$fresh);
            }
        )*
    };
}

macro_rules! blobs {
    ($fresh:expr) => {
        conform!(blobs, $fresh,
            b1_a_blob_is_there_until_it_is_left_out
            b2_the_bytes_that_were_put_come_back
            b3_bytes_handed_out_outlive_the_blob
        );
    };
}

macro_rules! states {
    ($fresh:expr) => {
        conform!(states, $fresh,
            v1_versions_stand_side_by_side
            v2_what_was_settled_is_there_later
            v3_what_was_not_put_is_missing_by_name
            v4_a_release_drops_what_does_not_count
            v4_random_rounds_leave_what_a_plain_map_has
        );
    };
}

mod folder {
    use super::*;

    flare_testkit::journal_conforms! { places::journal, Keeps::All, crate::torn::cut_at_every_byte }
    blobs!(places::blobs);
    states!(places::states);
}

mod memory {
    use super::*;

    /// It dies with its process: there is only the crash that does not happen.
    fn no_crash(commits: &[Vec<Entry>]) -> Vec<Vec<Entry>> {
        let memory: &dyn Journal = &MemoryJournal::default();
        commits.iter().for_each(|commit| memory.append(EPOCH, commit, true).unwrap());
        vec![memory.entries().unwrap()]
    }

    flare_testkit::journal_conforms! {
        || kept(Arc::new(MemoryJournal::default()) as _), Keeps::SinceCheckpoint, no_crash
    }
    blobs!(|| kept(Arc::new(MemoryBlobs::default()) as _));
    states!(|| kept(Arc::new(MemoryStates::default()) as _));
}

/// With everything on disk, with everything in memory, and with some of each.
mod spilling {
    use super::*;

    fn spill(limit: u64) -> Spill {
        Spill::new(limit, std::env::temp_dir(), OnTmpfs::Force)
    }

    mod all {
        use super::*;
        blobs!(|| kept(Arc::new(spill(0)) as _));
    }

    mod some {
        use super::*;
        blobs!(|| kept(Arc::new(spill(100_000)) as _));
    }

    mod none {
        use super::*;
        blobs!(|| kept(Arc::new(spill(u64::MAX)) as _));
    }
}
