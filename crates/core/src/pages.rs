//! Zeroed memory for tensors and sums, in huge pages where it is large.
//!
//! A new page costs an interruption and is cleared by the kernel. At 4 KiB each, that took more time than
//! to read what the exact mean of 100 MB is made of; at 2 MiB it takes a quarter of that, and a buffer of
//! the round before takes none.
//!
//! *Invariant*: keeping a spare never raises the peak: it was in use before, and memory of another size is
//! only asked for when it is gone.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use memmap2::MmapMut;

/// From this size on memory comes in huge pages, where the system has them: less than that is mostly
/// there already, from the last user of the heap.
pub(crate) const LARGE: usize = 4 << 20;

/// Memory up to this size is kept for its next user.
const MOST_SPARE: usize = 256 << 20;

/// The large memory that was given back last.
static SPARE: Mutex<Option<MmapMut>> = Mutex::new(None);

/// Bytes at an address that is a multiple of 8.
pub(crate) struct Pages(Memory);

enum Memory {
    Heap { words: Vec<u64>, length: usize },
    Mapped(MmapMut),
}

impl Pages {
    /// That many zeros.
    pub(crate) fn zeroed(length: usize) -> Self {
        let mut pages = match spare(length) {
            Some(map) => Self(Memory::Mapped(map)),
            None => return Self::fresh(length),
        };
        pages.fill(0);
        pages
    }

    /// That many bytes, to be written before anything reads them: they may be a former user's.
    pub(crate) fn unwritten(length: usize) -> Self {
        spare(length).map_or_else(|| Self::fresh(length), |map| Self(Memory::Mapped(map)))
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
fn spare(length: usize) -> Option<MmapMut> {
    if length < LARGE {
        return None;
    }
    let spare = SPARE.lock().ok()?.take()?;
    (spare.len() == length).then_some(spare)
}

impl Drop for Pages {
    fn drop(&mut self) {
        let nothing = Memory::Heap { words: Vec::new(), length: 0 };
        if let Memory::Mapped(map) = std::mem::replace(&mut self.0, nothing)
            && map.len() <= MOST_SPARE
            && let Ok(mut spare) = SPARE.lock()
        {
            let former = spare.replace(map);
            drop(spare);
            drop(former);
        }
    }
}

/// None where the system refuses: the heap then says what is to be said of memory that ran out.
fn map(length: usize) -> Option<MmapMut> {
    let map = MmapMut::map_anon(length).ok()?;
    // Advice that is not taken leaves small pages, which do as well.
    #[cfg(target_os = "linux")]
    map.advise(memmap2::Advice::HugePage).ok();
    Some(map)
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Heap { words, length } => &bytemuck::cast_slice(words)[..*length],
            Memory::Mapped(map) => map,
        }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Heap { words, length } => &mut bytemuck::cast_slice_mut(words)[..*length],
            Memory::Mapped(map) => map,
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
}
