//! Blobs that do not fit into memory.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytes::Bytes;
use flare_core::Hash;
use flare_core::journal::BlobStore;
use flare_store::{OnTmpfs, Spill};

use crate::places::folder;
use flare_testkit::conformance::store::Dice;

const SIZE: usize = 50_000;

fn blobs(count: u64) -> Vec<(Hash, Bytes)> {
    let blobs = (0..count).map(|seed| Dice(seed).bytes(SIZE));
    blobs.map(|bytes| (Hash::of(&bytes), bytes)).collect()
}

/// Disk space of this process's open files without a name that were made in a folder.
fn space(folder: &Path) -> u64 {
    let open = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let ours = open.filter(|path| fs::read_link(path).is_ok_and(|link| link.starts_with(folder)));
    ours.filter_map(|path| fs::metadata(path).ok()).map(|file| file.blocks() * 512).sum()
}

#[test]
fn so_much_is_in_memory_and_the_rest_in_a_file_without_a_name_whose_space_comes_back() {
    let folder = folder();
    let spill = Spill::new(2 * SIZE as u64, folder.path(), OnTmpfs::Force);
    let all = blobs(6);
    for (count, (hash, bytes)) in all.iter().enumerate() {
        assert_eq!(spill.spilled(), (count.saturating_sub(2) * SIZE) as u64);
        spill.put(*hash, bytes).unwrap();
    }
    assert!(space(folder.path()) >= 4 * SIZE as u64);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left by a kill");
    let held = spill.get(all[5].0).unwrap();
    spill.retain(&BTreeSet::from([all[0].0, all[2].0])).unwrap();
    assert_eq!(spill.spilled(), SIZE as u64);
    let two = space(folder.path());
    assert!((2 * SIZE as u64..3 * SIZE as u64).contains(&two), "{two}: one kept, one handed out");
    assert_eq!(held, all[5].1);
    drop(held);
    assert!(space(folder.path()) < 2 * SIZE as u64);
    // There is room in memory again.
    spill.put(all[4].0, &all[4].1).unwrap();
    assert_eq!(spill.spilled(), SIZE as u64);
    drop(spill);
    assert_eq!(space(folder.path()), 0);
}

#[test]
fn spilling_into_memory_is_refused_unless_it_is_forced_and_not_before_it_is_needed() {
    let shared = Path::new("/dev/shm");
    if !shared.is_dir() {
        return;
    }
    let all = blobs(2);
    let spill = Spill::new(SIZE as u64, shared, OnTmpfs::Refuse);
    spill.put(all[0].0, &all[0].1).unwrap();
    let text = spill.put(all[1].0, &all[1].1).unwrap_err().to_string();
    assert!(text.contains("/dev/shm") && text.contains("force"), "{text}");
    assert_eq!(spill.get(all[0].0).unwrap(), all[0].1);
    let forced = Spill::new(SIZE as u64, shared, OnTmpfs::Force);
    all.iter().for_each(|(hash, bytes)| forced.put(*hash, bytes).unwrap());
    assert_eq!(forced.get(all[1].0).unwrap(), all[1].1);
    let nowhere = Spill::new(0, "/nowhere/at-all", OnTmpfs::Refuse);
    let text = nowhere.put(all[0].0, &all[0].1).unwrap_err().to_string();
    assert!(text.contains("/nowhere/at-all"), "{text}");
}
