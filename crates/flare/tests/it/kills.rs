//! Case C053: a run that is killed loses nothing of what its controller remembers: the optimiser's state,
//! the clients' control variates, who is sampled, the best round, how long an improvement has been waited for.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use flare::event::{Event, Kind, What};
use flare::job::Loaded;
use flare::run::{COHORT_FILE, Interrupt, METRICS_FILE, Observer, Options, Run, SoFar, Summary};

use crate::runs::{digits, out, run};

const CHILD: &str = "FLARE_TEST_C053";

const SETTINGS: [(&str, &[&str]); 3] = [
    ("scaffold", &["controller.kind=scaffold"]),
    ("fedadam", &["controller.optimizer.kind=fedadam", "controller.evaluate.every=2"]),
    (
        "early",
        &[
            "controller.best.metric=accuracy",
            "controller.early_stopping={ metric = 'accuracy', patience = 2, min_delta = 0.05 }",
        ],
    ),
];

/// Four of ten clients a round, six rounds, seed 7.
fn job(settings: &[&str]) -> Loaded {
    let base = [
        "controller.rounds=6",
        "controller.sample.size=4",
        "seed=7",
        "report.central=false",
        "report.alone=false",
    ];
    let mut loaded = digits(&base.iter().chain(settings).copied().collect::<Vec<_>>());
    loaded.job.seed = 7;
    loaded
}

/// When the child ends by SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// When the train operation of the round has ended.
    Trained(u64),
    /// In the middle of the round's training: two replies have come.
    Within(u64),
    /// When the round is over, and its checkpoint written.
    Over(u64),
}

const MOMENTS: [Moment; 5] =
    [Moment::Trained(1), Moment::Within(2), Moment::Over(3), Moment::Trained(5), Moment::Within(4)];

/// Kills its own process at the moment, after it has noted how many train calls there were.
struct Killer {
    moment: Moment,
    note: std::path::PathBuf,
    round: std::sync::atomic::AtomicU64,
    replies: std::sync::atomic::AtomicU64,
}

impl Observer for Killer {
    fn event(&self, event: &Event, so_far: &SoFar) {
        use std::sync::atomic::Ordering::Relaxed;
        let now = match &event.what {
            What::Round { kind: Kind::RoundStarted, round } => {
                self.round.store(*round, Relaxed);
                self.replies.store(0, Relaxed);
                false
            }
            What::Round { kind: Kind::RoundEnded, round } => self.moment == Moment::Over(*round),
            What::Reply { .. } => {
                let second = self.replies.fetch_add(1, Relaxed) == 1;
                second && self.moment == Moment::Within(self.round.load(Relaxed))
            }
            What::OperationEnded { record } => {
                let trained = &*record.task == "train" && !event.replayed;
                trained && record.round.is_some_and(|round| self.moment == Moment::Trained(round))
            }
            _ => false,
        };
        if now {
            std::fs::write(&self.note, so_far.trained.to_string()).unwrap();
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .unwrap();
            std::thread::park();
        }
    }
}

fn told(summary: &Summary) -> (flare::Hash, u64, u64, Option<f64>, Vec<(String, String)>) {
    let notes = summary.notes.iter().map(|(name, note)| (name.clone(), note.clone())).collect();
    (summary.model_hash, summary.round, summary.rounds, summary.accuracy, notes)
}

fn in_child(what: &str) {
    let mut parts = what.split('|');
    let (settings, moment) = (parts.next().unwrap(), parts.next().unwrap());
    let (settings, moment): (usize, usize) = (settings.parse().unwrap(), moment.parse().unwrap());
    let folder = Path::new(parts.next().unwrap());
    let killer = Killer {
        moment: MOMENTS[moment],
        note: folder.with_extension("trained"),
        round: 0.into(),
        replies: 0.into(),
    };
    let run = Run::prepare(job(SETTINGS[settings].1), out(folder)).unwrap();
    drop(run.execute(Arc::new(killer), &Interrupt::new()));
}

/// The text of a file with rows, byte for byte but for how long things took.
fn without_times(folder: &Path, file: &str) -> String {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let mut parts = text.split("\"seconds\":");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + "\"seconds\":" + part.trim_start_matches(is_of_number))
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || ".e-".contains(c)
}

#[test]
fn c053_a_killed_run_goes_on_as_if_nothing_had_been() {
    if let Ok(what) = std::env::var(CHILD) {
        return in_child(&what);
    }
    let name = "kills::c053_a_killed_run_goes_on_as_if_nothing_had_been";
    let parent = tempfile::tempdir().unwrap();
    let mut killed = 0;
    for (which, (settings, set)) in SETTINGS.iter().enumerate() {
        let whole = parent.path().join(settings);
        let undisturbed = run(job(set), out(&whole)).unwrap();
        for (index, moment) in MOMENTS.iter().enumerate() {
            let folder = parent.path().join(format!("{settings}-{index}"));
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name])
                .env(CHILD, format!("{which}|{index}|{}", folder.display()))
                .output()
                .unwrap();
            let note = std::fs::read_to_string(folder.with_extension("trained"));
            let Ok(note) = note else {
                // Early stopping ended the run before this moment.
                assert!(child.status.success() && *settings == "early", "{settings} {moment:?}");
                continue;
            };
            assert!(!child.status.success(), "{settings} {moment:?}");
            killed += 1;
            let trained: u64 = note.parse().unwrap();
            let options = Options { resume: true, ..out(&folder) };
            let last = run(job(set), options).unwrap();
            assert_eq!(told(&last), told(&undisturbed), "{settings} {moment:?}");
            for file in [METRICS_FILE, COHORT_FILE] {
                let (left, expected) = (without_times(&folder, file), without_times(&whole, file));
                assert_eq!(left, expected, "{settings} {moment:?}: {file}");
            }
            let all = trained + last.trained;
            // At most the four tasks of the one operation that was in flight come again.
            assert!(
                (undisturbed.trained..=undisturbed.trained + 4).contains(&all),
                "{settings} {moment:?}: {trained} + {} train calls, {} undisturbed",
                last.trained,
                undisturbed.trained
            );
        }
    }
    assert!(killed >= 12, "only {killed} kills came before the end of their run");
}
