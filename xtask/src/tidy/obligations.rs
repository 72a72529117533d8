//! The numbered obligations of the contracts against the tests that cite them.
//!
//! An obligation is a line of documentation in `crates/core/src` that starts with its letter and
//! number (`/// T3. A cancelled task is not announced.`); a test of it is a function named after it
//! (`t3_a_cancelled_task_is_not_announced`), among a crate's own tests or in `crates/testkit`. Those of a contract that
//! has many implementations must be in its conformance suite: a test elsewhere shows one of them.

use std::collections::BTreeMap;

use super::workspace::{File, Workspace};
use super::{Finding, code};

const CONTRACTS: &str = "crates/core/src/";
const SUITES: &str = "crates/testkit/";
const CONFORMANCE: &str = "crates/testkit/src/conformance/";
/// The letters of `Transport`, `Operations` and `Journal`.
const CONFORMED: [char; 3] = ['T', 'O', 'J'];

/// A letter and a number, and where they stand.
type Places = BTreeMap<(char, u32), Vec<String>>;

/// Every obligation has a test, every test an obligation, and no number is given twice. Nothing is
/// asked before there is a testkit.
pub(super) fn each_has_a_test(workspace: &Workspace) -> Vec<Finding> {
    if !workspace.packages.iter().any(|package| package.folder == "crates/testkit") {
        return Vec::new();
    }
    let obligations = collect(
        workspace,
        |path| path.starts_with(CONTRACTS),
        |file| {
            file.text
                .lines()
                .zip(1..)
                .filter_map(|(line, at)| Some((obligation(line)?, at)))
                .collect()
        },
    );
    let cited_in = |file: &File| {
        let code = code::only(&file.text);
        code.lines().zip(1..).filter_map(|(line, at)| Some((cited(line)?, at))).collect()
    };
    let suites = collect(workspace, |path| path.starts_with(SUITES), cited_in);
    let conformance = collect(workspace, |path| path.starts_with(CONFORMANCE), cited_in);
    let tests = collect(workspace, |path| !path.starts_with("xtask/"), cited_in);
    let mut findings = Vec::new();
    for (&(letter, number), places) in &obligations {
        let (found, place) = match CONFORMED.contains(&letter) {
            true => (&conformance, CONFORMANCE),
            false => (&tests, "the workspace"),
        };
        if !found.contains_key(&(letter, number)) {
            let small = letter.to_ascii_lowercase();
            let text = format!("no test is named `{small}{number}_…` in {place}");
            findings.push(Finding::fault(&places[0], text));
        }
        if let [first, second, ..] = places.as_slice() {
            let text = format!("{letter}{number} stands at {first}, too");
            findings.push(Finding::fault(second, text));
        }
    }
    for (key @ (letter, number), places) in &suites {
        if !obligations.contains_key(key) {
            let text = format!("no obligation {letter}{number} stands in {CONTRACTS}");
            findings.push(Finding::fault(&places[0], text));
        }
    }
    findings
}

fn collect(
    workspace: &Workspace,
    wanted: impl Fn(&str) -> bool,
    read: impl Fn(&File) -> Vec<((char, u32), usize)>,
) -> Places {
    let mut places = Places::new();
    for file in workspace.rust().filter(|file| wanted(&file.path)) {
        for (key, line) in read(file) {
            places.entry(key).or_default().push(format!("{}:{line}", file.path));
        }
    }
    places
}

/// `/// T3. text`, also as an item of a list or in bold.
fn obligation(line: &str) -> Option<(char, u32)> {
    let line = line.trim_start();
    let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    let text = text.trim_start_matches([' ', '-', '*']);
    let (number, text) = text.split_once('.')?;
    text.trim_start_matches('*').starts_with(' ').then_some(())?;
    key(number).filter(|(letter, _)| letter.is_ascii_uppercase())
}

/// `fn t3_text`, whatever stands before `fn`.
fn cited(line: &str) -> Option<(char, u32)> {
    let at = line.find("fn ").filter(|at| !line[..*at].ends_with(|c: char| c.is_alphanumeric()))?;
    let (number, _) = line[at + 3..].split_once('_')?;
    let (letter, number) = key(number)?;
    letter.is_ascii_lowercase().then_some((letter.to_ascii_uppercase(), number))
}

fn key(text: &str) -> Option<(char, u32)> {
    let letter = text.chars().next().filter(char::is_ascii_alphabetic)?;
    let digits = &text[1..];
    // A number of a case has leading zeros, as in `c004`.
    let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((letter, digits.parse().ok().filter(|_| plain)?))
}

#[cfg(test)]
mod tests {
    use super::super::workspace::make;
    use super::*;

    const CONTRACT: &str = "//! Transports.\n/// T1. A reply is announced once.\n/// - T2. It is held.\n\
                            /// **T12.** It goes.\n/// See T3.4 and e.g. F32. numbers\npub trait T {}\n";

    fn with(tests: &str) -> Workspace {
        let mut workspace = make::files(&[
            ("crates/core/src/transport.rs", CONTRACT),
            ("crates/testkit/src/conformance/transport.rs", tests),
        ]);
        workspace.packages = vec![make::package("flare-testkit", "crates/testkit", &[])];
        workspace
    }

    #[test]
    fn obligations_that_are_all_tested_give_no_findings() {
        let tests =
            "pub async fn t1_a() {}\nfn t2_b() {}\nfn t2_c() {}\nfn t12_d() {}\nfn to_e() {}\n";
        assert_eq!(each_has_a_test(&with(tests)), []);
    }

    #[test]
    fn a_missing_test_and_a_test_of_nothing_are_found() {
        let findings =
            each_has_a_test(&with("fn t1_a() {}\n// fn t2_b\nfn t12_d() {}\nfn j1_x() {}\n"));
        let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "crates/core/src/transport.rs:3: no test is named `t2_…` in crates/testkit/src/conformance/",
                "crates/testkit/src/conformance/transport.rs:4: no obligation J1 stands in crates/core/src/",
            ]
        );
    }

    #[test]
    fn a_test_outside_the_suites_counts_for_an_obligation_that_has_none_only() {
        let mut workspace = make::files(&[
            ("crates/core/src/a.rs", "//! A.\n/// T1. One.\n/// S1. Two.\n"),
            ("crates/core/tests/it/a.rs", "fn t1_a() {}\nfn s1_b() {}\n"),
        ]);
        workspace.packages = vec![make::package("flare-testkit", "crates/testkit", &[])];
        let findings = each_has_a_test(&workspace);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].to_string().contains("`t1_…` in"), "{findings:?}");
    }

    #[test]
    fn a_number_given_twice_is_found() {
        let mut workspace = with("fn t1_a() {}\nfn t2_b() {}\nfn t12_d() {}\n");
        let text = "//! Time.\n/// T2. Another.\n".to_owned();
        workspace.files.push(File { path: "crates/core/src/time.rs".into(), text });
        assert_eq!(each_has_a_test(&workspace).len(), 1);
    }

    #[test]
    fn nothing_is_asked_before_there_is_a_testkit() {
        let mut workspace = with("");
        workspace.packages.clear();
        assert_eq!(each_has_a_test(&workspace), []);
    }
}
