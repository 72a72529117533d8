//! Case C074: runs again and again in one process leave nothing behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use flare::run::{Error, Interrupt, NoObserver, Options, Run};

use crate::runs::{StopAfter, digits, loaded};

const SHARED: &str = "/dev/shm";
/// Says in the environment that this is the process of its own.
const CHILD: &str = "FLARE_TEST_C074";
/// The value that says that it has a folder of shared memory of its own, too.
const ALONE: &str = "alone";

/// What a process has of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    threads: u64,
    descriptors: usize,
    children: usize,
    /// Mappings and descriptors of memory that is shared by name.
    shared: usize,
    /// Files in `/dev/shm`, where nobody else has one there.
    named: Option<usize>,
    /// Files in the folder for temporary ones, which nobody else has.
    temporary: usize,
}

/// What this process has, and its resident kilobytes.
fn counts() -> (Counts, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap()
    };
    let descriptors: Vec<_> = files("/proc/self/fd").collect();
    let is_shared = |text: &str| text.contains("/dev/shm/") || text.contains("memfd:");
    let links = descriptors.iter().filter_map(|fd| std::fs::read_link(fd).ok());
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let children = |thread: PathBuf| std::fs::read_to_string(thread.join("children"));
    let children = files("/proc/self/task").filter_map(|thread| children(thread).ok());
    let counts = Counts {
        threads: field("Threads:"),
        descriptors: descriptors.len(),
        children: children.map(|text| text.split_whitespace().count()).sum(),
        shared: maps.lines().filter(|line| is_shared(line)).count()
            + links.filter(|link| is_shared(&link.to_string_lossy())).count(),
        named: (std::env::var(CHILD).as_deref() == Ok(ALONE)).then(|| files(SHARED).count()),
        temporary: files(&std::env::temp_dir()).count(),
    };
    (counts, field("VmRSS:"))
}

fn files(folder: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}

/// The model's hash, and how long it took, where the run comes to its end.
fn one(index: u32) -> Option<(flare::Hash, f64)> {
    let report = ["controller.rounds=2", "report.central=false", "report.alone=false"];
    if index.is_multiple_of(20) {
        let failing = "name = \"f\"\n[clients]\ncount = 2\n[controller]\nkind = \"fedavg\"\n\
                       [learner]\nkind = \"failing\"\n[[model.tensors]]\nname = \"x\"\nshape = [2]";
        let run = Run::prepare(loaded(failing), Options::default()).unwrap();
        let error = run.execute(Arc::new(NoObserver), &Interrupt::new()).unwrap_err();
        assert!(matches!(error, Error::Failed { .. }), "{error}");
        return None;
    }
    let run = Run::prepare(digits(&report), Options::default()).unwrap();
    if index.is_multiple_of(10) {
        let interrupt = Interrupt::new();
        let observer = Arc::new(StopAfter(1, interrupt.clone()));
        let error = run.execute(observer, &interrupt).unwrap_err();
        assert!(matches!(error, Error::Interrupted { .. }), "{error}");
        return None;
    }
    let summary = run.execute(Arc::new(NoObserver), &Interrupt::new()).unwrap();
    Some((summary.model_hash, summary.seconds))
}

/// What runs a program with a folder of shared memory that nobody else has; `None` where the system lets no user
/// have one.
fn alone() -> Option<Command> {
    let with = |then: &str| {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs none {SHARED} && {then}");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        command
    };
    let lets = with("true").output().is_ok_and(|output| output.status.success());
    lets.then(|| with("exec \"$0\" \"$@\""))
}

/// This test in a process of its own: other tests have threads and files, too.
fn in_a_process_of_its_own(test: &str) {
    let program = std::env::current_exe().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let mut child = match alone() {
        Some(mut command) => {
            command.arg(program).env(CHILD, ALONE);
            command
        }
        None => {
            eprintln!("C074: what is left in {SHARED} is not counted: others have it, too");
            let mut command = Command::new(program);
            command.env(CHILD, "among others");
            command
        }
    };
    child.args(["--exact", test, "--nocapture"]).env("TMPDIR", temporary.path());
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.lines().filter(|line| line.starts_with("C074")).for_each(|line| eprintln!("{line}"));
}

#[test]
fn c074_many_runs_in_one_process_leave_nothing_behind() {
    if std::env::var_os(CHILD).is_none() {
        let name = "resources::c074_many_runs_in_one_process_leave_nothing_behind";
        return in_a_process_of_its_own(name);
    }
    let runs = 200;
    let mut hashes = std::collections::BTreeSet::new();
    let (mut after_ten, mut times) = (None, Vec::new());
    for index in 1..=runs {
        if let Some((hash, seconds)) = one(index) {
            hashes.insert(hash);
            times.push(seconds);
        }
        if index == 10 {
            after_ten = Some(counts());
        }
    }
    assert_eq!(hashes.len(), 1);
    // Told, not judged.
    eprintln!("C074: run 9 took {} s, run {} {} s", times[8], runs - 1, times.last().unwrap());
    let ((first, resident), (last, grown)) = (after_ten.unwrap(), counts());
    assert_eq!(last, first, "after {runs} runs, and after 10");
    assert_eq!((last.children, last.shared, last.temporary), (0, 0, 0));
    assert_eq!(last.named.unwrap_or(0), 0);
    assert!(grown <= resident + resident / 20, "{grown} kB after {runs} runs, {resident} after 10");
}
