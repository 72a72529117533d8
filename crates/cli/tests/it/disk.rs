//! Full disks and kills: the last finished round is whole, and the run goes on from it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::place::{Ended, FIXED, Place, with_learner};

/// A model of 2 MB, and five rounds.
fn large() -> String {
    FIXED.replace("shape = [2, 3]", "shape = [500, 1000]").replace("rounds = 3", "rounds = 5")
}

/// Fails unless the folder's model is that of the last finished round: of so many rounds, or of one more, which a
/// process that was ended could not tell any more. Each round adds a half. Before the first checkpoint there is none.
fn check_model(place: &Place, finished: Option<u64>, after: &str) {
    let Ok(bytes) = fs::read(place.path("out/model.safetensors")) else {
        assert_eq!(finished, None, "{after}: no model");
        return;
    };
    let model =
        flare::tensor::Tensors::decode(bytes).unwrap_or_else(|error| panic!("{after}: {error}"));
    let weights = model.slice::<f32>("weights").unwrap();
    let of_round = |round: u64| weights.iter().all(|weight| *weight == round as f32 * 0.5);
    let rounds = finished.unwrap_or(0);
    assert!(
        of_round(rounds) || of_round(rounds + 1),
        "{after}: {} after {finished:?} rounds",
        weights[0]
    );
}

/// How many rounds these lines say are finished, if they say it: one ended, or the next one began.
fn finished<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<u64> {
    let told = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        match line["event"].as_str()? {
            "round-started" => line["round"].as_u64().map(|round| round - 1),
            "round-ended" => line["round"].as_u64(),
            _ => None,
        }
    };
    lines.into_iter().filter_map(told).max()
}

fn no_temporary_file(place: &Place) {
    let left: Vec<_> = place.files().into_iter().filter(|file| file.contains(".tmp")).collect();
    assert_eq!(left, [""; 0]);
}

/// The rows of a run's two files, but for the times.
fn rows(place: &Place, folder: &str) -> [String; 2] {
    ["metrics.jsonl", "cohort.jsonl"].map(|file| {
        let text = place.read(&format!("{folder}/{file}"));
        let is_of_number = |c: char| c.is_ascii_digit() || ".e-".contains(c);
        let parts = text.split("\"seconds\":").map(|part| part.trim_start_matches(is_of_number));
        parts.collect::<Vec<_>>().join("\"seconds\":")
    })
}

fn rounds_ended(ended: &Ended) -> usize {
    ended.json().iter().filter(|line| line["event"] == "round-ended").count()
}

#[test]
fn a_file_that_may_grow_no_more_ends_the_run_and_loses_nothing() {
    // A file that grows with the rounds passes the limit in the midst of the run; the model does not.
    let many = FIXED.replace("count = 2", "count = 300").replace("rounds = 3", "rounds = 6");
    let place = Place::with_job(&many);
    let args = "job.toml --json --quiet";
    let whole = place.flare(&["run", "job.toml", "--json", "--quiet", "--out", "whole"]).well();
    let files = place.files();
    let largest = files.iter().map(|file| fs::metadata(place.path(file)).unwrap().len());
    let blocks = largest.max().unwrap() / 512 / 2;
    let script = format!("ulimit -f {blocks}; exec $FLARE run {args} --out out");
    let full = place.ended(place.shell(&script).output().unwrap());

    assert_eq!(full.code, Some(4), "{full}");
    assert!(full.stderr.contains("out/") && full.stderr.contains("too large"), "{full}");
    assert!(full.stderr.contains("--resume out"), "{full}");
    let finished = rounds_ended(&full);
    assert!((1..6).contains(&finished), "it failed in the midst of the run: {full}");
    check_model(&place, Some(finished as u64), "the full disk");

    let rest = place.flare(&["run", "job.toml", "--json", "--quiet", "--resume", "out"]).well();
    assert_eq!(rest.summary()["model_hash"], whole.summary()["model_hash"]);
    let trained = rest.summary()["trained"].as_u64().unwrap();
    assert!(trained <= 300 * (6 - finished as u64), "{trained} after {finished} rounds");
    no_temporary_file(&place);
}

/// So many kills case C059 asks for.
const KILLS: u32 = 200;
/// In so many folders at the same time: a run waits for its disk more than it computes.
const FOLDERS: u32 = 4;
/// A kill comes before so many lines more: within a round and a half, so that each run is killed again and again
/// on its way to the end.
const LINES: u64 = 9;

/// What a run gives that nobody disturbs.
struct Whole {
    hash: Value,
    rows: [String; 2],
}

#[test]
fn c059_a_kill_at_any_moment_leaves_a_folder_that_goes_on() {
    let place = Place::with_job(&large());
    let ended = place.flare(&["run", "job.toml", "--json", "--quiet", "--out=out"]).well();
    let whole = Whole { hash: ended.summary()["model_hash"].clone(), rows: rows(&place, "out") };
    let seed = seed();
    std::thread::scope(|scope| {
        for folder in 0..FOLDERS {
            let whole = &whole;
            scope.spawn(move || killed_again_and_again(whole, Chance::new(seed, folder)));
        }
    });
}

fn killed_again_and_again(whole: &Whole, mut chance: Chance) {
    let place = Place::with_job(&large());
    let (mut kills, mut rounds) = (0, None);
    while kills < KILLS / FOLDERS {
        let folder = if place.path("out").exists() { "--resume=out" } else { "--out=out" };
        let mut command = place.command(&["run", "job.toml", "--json", "--quiet", folder]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let moment = (chance.below(LINES), Duration::from_micros(chance.below(8_000)));
        let (killed, lines) = kill_at(child, moment);
        rounds = rounds.max(finished(lines.iter().map(String::as_str)));
        let after = format!("kill {kills} at {moment:?}, seed {}", chance.seed);
        check_model(&place, rounds, &after);
        if killed {
            kills += 1;
        } else {
            finish(&place, whole, &chance);
            rounds = None;
        }
    }
    finish(&place, whole, &chance);
}

/// Resumes to the end, compares with the run that nobody disturbed, and clears the folder away.
fn finish(place: &Place, whole: &Whole, chance: &Chance) {
    let folder = if place.path("out").exists() { "--resume=out" } else { "--out=out" };
    let ended = place.flare(&["run", "job.toml", "--json", "--quiet", folder]).well();
    assert_eq!(ended.summary()["model_hash"], whole.hash, "seed {}", chance.seed);
    assert_eq!(rows(place, "out"), whole.rows, "seed {}", chance.seed);
    no_temporary_file(place);
    fs::remove_dir_all(place.path("out")).unwrap();
}

/// Kills the child so long after so many lines; says whether it was there to be killed, and all that it said.
fn kill_at(mut child: Child, (lines, then): (u64, Duration)) -> (bool, Vec<String>) {
    let pipe = read_lines(&mut child);
    let mut said: Vec<String> = pipe.iter().take(lines as usize).collect();
    // Lines that come while it waits are read, so that the program never waits for us.
    let mut left = then;
    while let Ok(line) = pipe.recv_timeout(left) {
        said.push(line);
        left /= 2;
    }
    child.kill().unwrap();
    let killed = !child.wait().unwrap().success();
    said.extend(pipe);
    (killed, said)
}

fn read_lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let stdout = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Numbers by chance, from a seed that a failure shows.
struct Chance {
    seed: u64,
    stream: flare::random::Stream,
}

impl Chance {
    fn new(seed: u64, folder: u32) -> Self {
        Self { seed, stream: flare::random::StreamId::new(seed, "kills").stop(folder).stream() }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.stream.below(limit)
    }
}

/// A new seed each time; `FLARE_TEST_SEED` sets it.
fn seed() -> u64 {
    let named = std::env::var("FLARE_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = named.unwrap_or_else(|| u64::from(std::process::id()) << 20 ^ nanoseconds());
    println!("FLARE_TEST_SEED={seed}");
    seed
}

#[expect(clippy::disallowed_methods, reason = "the seed of a test is new each time, and printed")]
fn nanoseconds() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos())
}

#[test]
fn a_folder_in_use_is_refused_and_left_alone() {
    let place = Place::with_job(FIXED);
    place.flare(&["run", "job.toml", "--quiet", "--out", "out"]).well().figure("rounds");
    let again = place.flare(&["run", "job.toml", "--quiet", "--out", "out"]);
    assert_eq!(again.code, Some(3), "{again}");
    assert!(again.stderr.contains("--resume") && again.stdout.is_empty(), "{again}");
    let other = FIXED.replace("offset = 0.5", "offset = 0.25");
    place.write("other.toml", other);
    let other = place.flare(&["run", "other.toml", "--quiet", "--resume", "out"]);
    assert_eq!(other.code, Some(3), "{other}");
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let place = Place::new();
    place.write("job.toml", with_learner("kind = \"sleepy\"\ndelay = 0.2"));
    let mut command = place.command(&["run", "job.toml", "--json", "--quiet", "--out=out"]);
    let mut first = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let second = place.flare(&["run", "job.toml", "--quiet", "--resume=out"]);
    assert_eq!(second.code, Some(3), "{second}");
    assert!(second.stderr.contains("in use"), "{second}");
    assert!(lines.last().unwrap().unwrap().contains("summary"), "the first run is not disturbed");
    assert!(first.wait().unwrap().success());
}
