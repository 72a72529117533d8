//! Case C074: runs again and again in one process leave nothing behind. Reduced: 60 runs of two rounds.

use std::sync::Arc;

use flare::run::{Error, Interrupt, NoObserver, Options, Run};

use crate::runs::{StopAfter, digits, loaded};

/// Threads, descriptors, and resident kilobytes of this process.
fn counts() -> (usize, usize, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap()
    };
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
    (field("Threads:") as usize, descriptors, field("VmRSS:"))
}

fn one(index: u32) -> Option<flare::Hash> {
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
    Some(run.execute(Arc::new(NoObserver), &Interrupt::new()).unwrap().model_hash)
}

/// Runs in a process of its own: other tests have threads and files, too.
#[test]
fn c074_many_runs_in_one_process_leave_nothing_behind() {
    const CHILD: &str = "FLARE_TEST_C074";
    if std::env::var_os(CHILD).is_none() {
        let name = "resources::c074_many_runs_in_one_process_leave_nothing_behind";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let mut hashes = std::collections::BTreeSet::new();
    let mut after_ten = None;
    for index in 1..=60 {
        hashes.extend(one(index));
        if index == 10 {
            after_ten = Some(counts());
        }
    }
    assert_eq!(hashes.len(), 1);
    let ((threads, descriptors, resident), last) = (after_ten.unwrap(), counts());
    assert_eq!((last.0, last.1), (threads, descriptors));
    assert!(last.2 <= resident + resident / 20, "{} kB after 60 runs, {resident} after 10", last.2);
}
