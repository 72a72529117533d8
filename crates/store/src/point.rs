//! Every step of every write, by type: where a test may kill the process, and who watches.

use std::sync::Arc;

/// Told of each step as it is reached. A test that wants to know what a crash leaves behind ends the
/// process here.
pub type Watch = Arc<dyn Fn(WritePoint) + Send + Sync>;

macro_rules! points {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A step of a write. What its documentation says has just been done, the next step has not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum WritePoint {
            $($(#[$doc])* $name,)*
        }

        impl WritePoint {
            /// All of them, so that tests can loop over every point there is.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

points! {
    /// The run's folders exist.
    FoldersMade,
    /// The run's lock is taken.
    LockTaken,
    /// A file that a killed process left half written is about to be removed.
    LeftoverFound,
    /// Half of a new journal's header is written.
    JournalHeaderHalf,
    /// A new journal has its header.
    JournalHeaderWritten,
    /// A torn last commit was found and is about to be cut off.
    JournalTornFound,
    /// A torn last commit was cut off.
    JournalCut,
    /// The journal is open: what it has is synced.
    JournalOpened,
    /// Half of a commit is written.
    CommitHalf,
    /// A commit is written.
    CommitWritten,
    /// A commit is synced.
    CommitSynced,
    /// Half of a blob is written, under a temporary name.
    BlobHalf,
    /// A blob is written, under a temporary name.
    BlobWritten,
    /// A blob is synced, under a temporary name.
    BlobSynced,
    /// A blob has its name.
    BlobRenamed,
    /// A blob's name is synced.
    BlobNameSynced,
    /// A blob is about to be removed.
    BlobDropped,
    /// Half of the header of an operation's state segment is written.
    SegmentHeaderHalf,
    /// An operation's state segment has its header.
    SegmentHeaderWritten,
    /// A torn last version was found and is about to be cut off, since more is to be written.
    SegmentTornFound,
    /// Half of a state version is written.
    StateHalf,
    /// A state version is written.
    StateWritten,
    /// An operation's state versions are synced.
    StatesSynced,
    /// An operation's state segment's name is synced.
    SegmentNameSynced,
    /// Half of the note of who counted is written.
    ReleaseHalf,
    /// The note of who counted is written.
    ReleaseWritten,
    /// Half of a segment without its dropped versions is written, under a temporary name.
    CompactHalf,
    /// A segment without its dropped versions is written, under a temporary name.
    CompactWritten,
    /// A segment without its dropped versions is synced, under a temporary name.
    CompactSynced,
    /// A segment without its dropped versions has taken the place of the one with them.
    CompactRenamed,
    /// The name of a segment without its dropped versions is synced.
    CompactNameSynced,
    /// A segment without live versions is about to be removed.
    SegmentDropped,
    /// Half of an exported file is written, under a temporary name.
    ExportHalf,
    /// An exported file is written, under a temporary name.
    ExportWritten,
    /// An exported file is synced, under a temporary name.
    ExportSynced,
    /// An exported file has its name.
    ExportRenamed,
    /// An exported file's name is synced.
    ExportNameSynced,
}

/// Who is told of the steps; usually nobody.
#[derive(Clone, Default)]
pub(crate) struct Steps(Option<Watch>);

impl Steps {
    pub(crate) fn watched(watch: Watch) -> Self {
        Self(Some(watch))
    }

    pub(crate) fn reach(&self, point: WritePoint) {
        if let Some(watch) = &self.0 {
            watch(point);
        }
    }

    /// Whether writes are to be cut in halves, with a step between.
    pub(crate) fn are_watched(&self) -> bool {
        self.0.is_some()
    }
}
