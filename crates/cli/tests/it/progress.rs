//! Progress: bars where a terminal can show them, lines everywhere else.

use crate::place::{FIXED, Place, with_learner};

#[test]
fn without_a_terminal_there_are_lines_and_no_escapes() {
    let ended = Place::with_job(FIXED).flare(&["run", "job.toml"]).well();
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains(['\u{1b}', '\r']), "{ended}");
    }
    for round in 1..=3 {
        let line = format!("round {round}/3: accuracy ");
        assert_eq!(ended.stderr.matches(&line).count(), 1, "{ended}");
    }
}

/// What a terminal of these columns, with this environment, gets; both outputs go to it.
fn on_a_terminal(columns: u32, environment: &str) -> String {
    job_on_a_terminal(FIXED, columns, environment)
}

fn job_on_a_terminal(job: &str, columns: u32, environment: &str) -> String {
    let place = Place::with_job(job);
    let run = "$FLARE run job.toml --workers=1";
    let inner = format!("stty rows 24 cols {columns}; {environment} {run}");
    let script = format!("script -qec '{inner}' /dev/null; echo \"[exit $?]\"");
    let ended = place.ended(place.shell(&script).env("TERM", "xterm").output().unwrap()).well();
    assert!(ended.stdout.contains("[exit 0]"), "{columns} {environment}: {ended}");
    assert!(ended.stdout.contains("accuracy of the federation"), "{ended}");
    ended.stdout
}

/// Lines end in CR LF on a terminal; a CR anywhere else goes back in a line.
fn is_plain(text: &str) -> bool {
    !text.contains('\u{1b}') && !text.replace("\r\n", "\n").contains('\r')
}

/// What stands in the columns after a bar's name, drawn anew and anew: `1/2`.
fn drawn(text: &str, bar: &str) -> Vec<String> {
    let lines = text.split(['\r', '\n', '\u{1b}']);
    let of_bar = lines.filter_map(|line| line.split_once(bar).map(|(_, rest)| rest));
    let position = |rest: &str| rest.split(' ').find(|word| word.contains('/')).map(str::to_owned);
    of_bar.filter_map(position).collect()
}

/// One worker, and tasks that take longer than a bar waits before it is drawn again.
#[test]
fn a_terminal_gets_bars_for_rounds_and_clients() {
    let slow = with_learner("kind = \"sleepy\"\ndelay = 0.12");
    let slow = slow.replace("rounds = 3", "rounds = 2\nevaluate.every = 0");
    let text = job_on_a_terminal(&slow.replace("count = 2", "count = 3"), 100, "");
    assert!(!is_plain(&text), "no bars were drawn");
    for (bar, positions) in [("rounds", ["0/2", "1/2"]), ("clients", ["1/3", "2/3"])] {
        let drawn = drawn(&text, bar);
        for position in positions {
            assert!(
                drawn.iter().any(|one| one == position),
                "{bar} {position}: {drawn:?} {text:?}"
            );
        }
    }
}

#[test]
fn a_narrow_terminal_and_one_without_a_width_do_no_harm() {
    for columns in [0, 1, 20] {
        on_a_terminal(columns, "");
    }
    assert!(is_plain(&on_a_terminal(0, "")), "bars on a terminal without a width");
}

#[test]
fn who_wants_no_colour_and_who_is_dumb_gets_lines() {
    for environment in ["NO_COLOR=1", "TERM=dumb"] {
        let text = on_a_terminal(80, environment);
        assert!(is_plain(&text), "{environment}: {text:?}");
        assert!(text.contains("round 3/3"), "{environment}: {text:?}");
    }
}

#[test]
fn two_runs_do_not_disturb_each_other() {
    let place = Place::with_job(FIXED);
    let script = "$FLARE run job.toml 2>&1 | tee a >/dev/null & $FLARE run job.toml 2>&1 | tee b >/dev/null; wait";
    let ended = place.ended(place.shell(script).output().unwrap()).well();
    assert_eq!(ended.stdout, "");
    for log in ["a", "b"] {
        let text = place.read(log);
        assert!(is_plain(&text) && text.contains("round 3/3"), "{text}");
        assert!(text.contains("model hash"), "{text}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly_and_keeps_what_is_finished() {
    // Far more than a pipe holds, so that the program must notice.
    let place = Place::with_job(&FIXED.replace("rounds = 3", "rounds = 2000"));
    for lines in [1, 60] {
        let run = "$FLARE run job.toml --json --quiet --out=out";
        let script = format!("{{ {run}; echo $? >code; }} | head -{lines}");
        let ended = place.ended(place.shell(&script).output().unwrap()).well();
        assert_eq!(ended.stderr, "", "quietly");
        assert_eq!(ended.json().len(), lines);
        assert_eq!(place.read("code"), "141\n");
        let summary = place.flare(&["run", "job.toml", "--json", "--quiet", "--resume=out"]).well();
        let trained = summary.summary()["trained"].as_u64().unwrap();
        assert_eq!(summary.summary()["rounds"], 2000);
        // Sixty lines tell of more than five rounds, of two train calls each.
        assert!(trained <= 4000 - 10 * (lines as u64 / 60), "{trained} after {lines} lines");
        std::fs::remove_dir_all(place.path("out")).unwrap();
    }
}

#[test]
fn a_closed_pipe_is_quiet_for_tables_as_well() {
    let place = Place::with_job(FIXED);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = place.command(&["job", "schema"]).stdout(writer).output().unwrap();
    let ended = place.ended(output);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""), "{ended}");
}
