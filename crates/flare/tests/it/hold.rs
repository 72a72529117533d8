//! What is kept of replies without a folder: in memory up to a limit, then in a file without a name.

use std::path::Path;

use flare::executor::{self, Context, Executor, Reply, Task};
use flare::local::Options;
use flare::operation::{OperationSpec, TaskSpec};
use flare::outcome::Weight;
use flare::tensor::{DType, Layout, Tensors};
use flare::{Hold, OnTmpfs};

use crate::runs::{FIXED, loaded, run};

const MB: u64 = 1 << 20;
const CLIENTS: u32 = 24;
const REPLY: u64 = 16 * MB;
const MEMORY: u64 = 64 * MB;

/// Replies with so many bytes, all of them the client's own number.
struct Large;

impl Executor for Large {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<(), executor::Error> {
        Ok(())
    }

    fn execute(&mut self, _: &Task, ctx: &mut Context<'_>) -> Result<Reply, executor::Error> {
        let number: u8 = ctx.client().as_str().trim_start_matches("client-").parse()?;
        let layout = Layout::new([("w", DType::U8, vec![REPLY as usize])])?;
        let mut tensors = Tensors::builder(&layout);
        tensors.slice_mut::<u8>("w")?.fill(number);
        let output = tensors.finish().into();
        Ok(Reply { output, weight: Weight::Count(1), metrics: Vec::new() })
    }
}

fn train() -> OperationSpec {
    OperationSpec::broadcast(TaskSpec { name: "train".into(), ..TaskSpec::default() })
}

/// Bytes of this process's memory that no file stands behind.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// Lengths of this process's open files without a name in a folder.
fn spilled(folder: &Path) -> u64 {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let ours =
        open.filter(|path| std::fs::read_link(path).is_ok_and(|link| link.starts_with(folder)));
    ours.map(|path| std::fs::metadata(path).unwrap().len()).sum()
}

fn options(folder: &Path, memory: u64) -> Options {
    let hold = Hold { memory, spill: folder.into(), on_tmpfs: OnTmpfs::Force, ..Hold::default() };
    Options::new("large").clients(CLIENTS).executor(|| Box::new(Large)).hold(hold)
}

/// Runs in a process of its own: other tests take memory, too.
#[test]
fn a_closure_over_large_replies_takes_so_much_memory_and_the_rest_is_in_a_file_without_a_name() {
    const CHILD: &str = "FLARE_TEST_HOLD";
    if std::env::var_os(CHILD).is_none() {
        let name = "hold::a_closure_over_large_replies_takes_so_much_memory_and_the_rest_is_in_a_file_without_a_name";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let before = anonymous();
    let federation = flare::local(options(folder.path(), MEMORY)).unwrap();
    let outcome = flare::block_on(federation.broadcast_and_wait(train())).unwrap();
    let (taken, on_disk) = (anonymous().saturating_sub(before), spilled(folder.path()));
    // All replies are kept, and nothing is in transfer any more.
    assert!(taken < MEMORY + 2 * REPLY, "{} MB of memory", taken / MB);
    assert!(on_disk >= u64::from(CLIENTS) * REPLY - MEMORY, "{} MB spilled", on_disk / MB);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    for index in 0..CLIENTS as usize {
        let reply = flare::block_on(federation.reply(&outcome, index)).unwrap().unwrap();
        let values = reply.tensors.slice::<u8>("w").unwrap();
        // By rank: client-00, client-01 and so on.
        assert!(values.iter().all(|value| usize::from(*value) == index));
    }
    drop((outcome, federation));
    assert_eq!(spilled(folder.path()), 0);
}

#[test]
fn what_fits_makes_no_file_and_needs_no_folder() {
    let nowhere = Path::new("/nowhere/at/all");
    let federation = flare::local(options(nowhere, u64::from(CLIENTS + 1) * REPLY).clients(2));
    flare::block_on(federation.unwrap().broadcast_and_wait(train())).unwrap();
    let federation = flare::local(options(nowhere, REPLY).clients(2)).unwrap();
    let error = flare::block_on(federation.broadcast_and_wait(train())).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
}

#[test]
fn a_job_whose_replies_would_not_fit_fails_at_its_start_by_name() {
    // Three stops, each of which passes on two floats.
    let text = FIXED.replace("\"fedavg\"", "\"relay\"");
    let summary = run(loaded(&text), flare::run::Options::default()).unwrap();
    let stop = summary.model.encoded().len() as u64;
    let ended = |bytes: u64| {
        let hold = Hold { bytes, ..Hold::default() };
        run(loaded(&text), flare::run::Options { hold, ..flare::run::Options::default() })
    };
    assert_eq!(ended(3 * stop).unwrap().model_hash, summary.model_hash);
    let error = ended(3 * stop - 1).unwrap_err();
    assert!(matches!(error, flare::run::Error::Failed { .. }));
    let text = error.to_string();
    assert!(text.contains("operation relay-1 would keep 3 replies"), "{text}");
}
