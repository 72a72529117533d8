//! Zeroed memory for tensors and sums, in huge pages where it is large.
//!
//! A new page costs an interruption and is cleared by the kernel. At 4 KiB each, that took more time than
//! to read what the exact mean of 100 MB is made of; at 2 MiB it takes a quarter of that, and a buffer of
//! the round before takes none.
//!
//! The system starts large memory at a page, some systems at a multiple of 2 MiB, so that the same element of
//! ten replies falls into one set of each cache, which holds eight lines: read side by side, they drove each
//! other out, at half the speed in the worst case. Each buffer therefore begins a few pages and lines further on
//! than the one before.
//!
//! *Invariant*: keeping a spare never raises the peak: it was in use before, and memory of another size is
//! only asked for when it is gone.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::MmapMut;

/// From this size on memory comes in huge pages, where the system has them: less than that is mostly
/// there already, from the last user of the heap.
pub(crate) const LARGE: usize = 4 << 20;

/// How much further on a buffer begins than the one before: two pages and seven lines, so that both the sets
/// of lines and the ends of pages are apart.
const SHIFT: usize = 2 * 4096 + 7 * 64;

/// After so many buffers the places begin anew. A prime number, so that every second or third buffer, too,
/// gets all of them.
const SHIFTS: usize = 31;

/// Memory up to this size is kept for its next user.
const MOST_SPARE: usize = 256 << 20;

/// The large memory that was given back last.
static SPARE: Mutex<Option<Mapped>> = Mutex::new(None);

/// Bytes at an address that is a multiple of 8.
pub(crate) struct Pages(Memory);

enum Memory {
    Heap { words: Vec<u64>, length: usize },
    Mapped(Mapped),
}

/// That many bytes of a mapping, from `start` on.
struct Mapped {
    map: MmapMut,
    start: usize,
    length: usize,
}

impl Pages {
    /// That many zeros.
    pub(crate) fn zeroed(length: usize) -> Self {
        let mut pages = match spare(length) {
            Some(mapped) => Self(Memory::Mapped(mapped)),
            None => return Self::fresh(length),
        };
        pages.fill(0);
        pages
    }

    /// That many bytes, to be written before anything reads them: they may be a former user's.
    pub(crate) fn unwritten(length: usize) -> Self {
        spare(length).map_or_else(|| Self::fresh(length), |mapped| Self(Memory::Mapped(mapped)))
    }

    fn fresh(length: usize) -> Self {
        let mapped = if length < LARGE { None } else { map(length) };
        Self(mapped.map_or_else(
            || Memory::Heap { words: vec![0; length.div_ceil(8)], length },
            Memory::Mapped,
        ))
    }
}

/// The spare, if it has that length; if other large memory is needed, there is none from now on.
fn spare(length: usize) -> Option<Mapped> {
    if length < LARGE {
        return None;
    }
    let spare = SPARE.lock().ok()?.take()?;
    (spare.length == length).then_some(spare)
}

impl Drop for Pages {
    fn drop(&mut self) {
        let nothing = Memory::Heap { words: Vec::new(), length: 0 };
        if let Memory::Mapped(mapped) = std::mem::replace(&mut self.0, nothing)
            && mapped.length <= MOST_SPARE
            && let Ok(mut spare) = SPARE.lock()
        {
            let former = spare.replace(mapped);
            drop(spare);
            drop(former);
        }
    }
}

/// None where the system refuses: the heap then says what is to be said of memory that ran out.
fn map(length: usize) -> Option<Mapped> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let start = NEXT.fetch_add(1, Ordering::Relaxed) % SHIFTS * SHIFT;
    let map = MmapMut::map_anon(start + length).ok()?;
    // Advice that is not taken leaves small pages, which do as well.
    #[cfg(target_os = "linux")]
    map.advise(memmap2::Advice::HugePage).ok();
    Some(Mapped { map, start, length })
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Heap { words, length } => &bytemuck::cast_slice(words)[..*length],
            Memory::Mapped(Mapped { map, start, length }) => &map[*start..][..*length],
        }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Heap { words, length } => &mut bytemuck::cast_slice_mut(words)[..*length],
            Memory::Mapped(Mapped { map, start, length }) => &mut map[*start..][..*length],
        }
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_is_zero_aligned_and_of_that_size() {
        for length in [0, 1, 8, 13, LARGE - 1, LARGE, LARGE, LARGE + 4095] {
            let mut pages = Pages::zeroed(length);
            assert_eq!((pages.len(), pages.as_ptr() as usize % 8), (length, 0));
            assert!(pages.iter().all(|byte| *byte == 0), "{length}");
            pages.fill(7);
            assert_eq!(pages.as_ref(), vec![7; length]);
            drop(pages);
            assert_eq!(Pages::unwritten(length).len(), length);
        }
    }

    #[test]
    fn large_buffers_begin_at_other_lines() {
        let pages: Vec<Pages> = (0..10).map(|_| Pages::fresh(LARGE)).collect();
        let mut lines: Vec<usize> =
            pages.iter().map(|pages| pages.as_ptr() as usize % 4096 / 64).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), pages.len());
    }
}
