//! Rules about source files: how they begin, how long they are, and what may not stand in them.

use super::house::{MAY_BE_UNSAFE, VAGUE};
use super::workspace::{File, Workspace};
use super::{Finding, code};

/// A file longer than this asks to be divided.
const LONG: usize = 400;
/// A file longer than this is a fault.
const TOO_LONG: usize = 1_000;

/// The first line of a Rust file is a sentence about it.
pub(super) fn open_with_a_sentence(workspace: &Workspace) -> Vec<Finding> {
    let opens = |file: &&File| {
        let first = file.text.lines().next().unwrap_or_default();
        first.strip_prefix("//! ").is_some_and(|sentence| !sentence.trim().is_empty())
    };
    workspace
        .rust()
        .filter(|file| !opens(file))
        .map(|file| {
            Finding::fault(format!("{}:1", file.path), "the first line is no `//! sentence`")
        })
        .collect()
}

/// Files are short enough to be read.
pub(super) fn are_short(workspace: &Workspace) -> Vec<Finding> {
    let sources = workspace.files.iter().filter(|file| is_source(file));
    sources
        .filter_map(|file| match file.text.lines().count() {
            lines if lines > TOO_LONG => Some(Finding::fault(
                &file.path,
                format!("{lines} lines, {TOO_LONG} at most: divide it"),
            )),
            lines if lines > LONG => Some(Finding::question(
                &file.path,
                format!("{lines} lines: can it be divided at {LONG}?"),
            )),
            _ => None,
        })
        .collect()
}

/// Nothing is left for later, and no test is switched off.
pub(super) fn leave_nothing_undone(workspace: &Workspace) -> Vec<Finding> {
    let undone = ["todo!", "unimplemented!", "#[ignore"];
    in_code(workspace.rust(), &undone, "may not stand in this repository")
}

/// A test that sleeps is slow or wrong: it waits for a state with a deadline instead.
pub(super) fn tests_do_not_sleep(workspace: &Workspace) -> Vec<Finding> {
    let sleeps = ["thread::sleep", "tokio::time::sleep", "time::sleep("];
    let tests: Vec<File> = workspace
        .rust()
        .filter_map(|file| {
            let from = if is_test(&file.path) { 0 } else { file.text.find("#[cfg(test)]")? };
            // Blank lines in place of what is no test keep the numbers of the lines.
            let before = "\n".repeat(file.text[..from].matches('\n').count());
            Some(File { path: file.path.clone(), text: before + &file.text[from..] })
        })
        .collect();
    let mut findings = in_code(tests.iter(), &sleeps, "in a test: wait for a state instead");
    findings.dedup_by(|a, b| a.place == b.place);
    findings
}

/// The page of every crate states an invariant.
pub(super) fn crates_state_an_invariant(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let path = format!("{}/src/lib.rs", package.folder);
        let Some(text) = workspace.text(&path) else { continue };
        let mut page = text.lines().take_while(|line| line.starts_with("//!"));
        if !page.any(|line| line.starts_with("//! *Invariant*")) {
            findings
                .push(Finding::fault(path, "the crate's page has no `*Invariant*: …` paragraph"));
        }
    }
    findings
}

/// Unsafe code is forbidden in every crate but those that the house names.
pub(super) fn crates_forbid_unsafe(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        if MAY_BE_UNSAFE.contains(&package.folder.as_str()) {
            continue;
        }
        for top in ["src/lib.rs", "src/main.rs"] {
            let path = format!("{}/{top}", package.folder);
            let Some(text) = workspace.text(&path) else { continue };
            if code::lines_with(text, "#![forbid(unsafe_code)]").is_empty() {
                findings.push(Finding::fault(path, "`#![forbid(unsafe_code)]` is missing"));
            }
        }
    }
    findings
}

/// A crate has one integration binary, `tests/it/main.rs`: each further one is linked anew.
pub(super) fn one_integration_binary(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let tests = format!("{}/tests/", package.folder);
        for file in workspace.rust() {
            let Some(rest) = file.path.strip_prefix(&tests) else { continue };
            let is_binary = !rest.contains('/') || rest.ends_with("/main.rs");
            if is_binary && rest != "it/main.rs" {
                let text = "make it a module of tests/it/main.rs: one test binary a crate";
                findings.push(Finding::fault(&file.path, text));
            }
        }
    }
    findings
}

/// No file is named after nothing in particular.
pub(super) fn names_say_something(workspace: &Workspace) -> Vec<Finding> {
    let vague = |file: &&File| {
        let mut parts = file.path.split(['/', '.']);
        is_source(file) && parts.any(|part| VAGUE.contains(&part))
    };
    let files = workspace.files.iter().filter(vague);
    files.map(|file| Finding::fault(&file.path, "name it after what it holds")).collect()
}

fn in_code<'a>(
    files: impl Iterator<Item = &'a File>,
    fragments: &[&str],
    why: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for fragment in fragments {
            for line in code::lines_with(&file.text, fragment) {
                let text = format!("`{fragment}` {why}");
                findings.push(Finding::fault(format!("{}:{line}", file.path), text));
            }
        }
    }
    findings
}

fn is_source(file: &File) -> bool {
    [".rs", ".py"].iter().any(|end| file.path.ends_with(end))
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.starts_with("crates/testkit/")
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::workspace::make;
    use super::*;

    fn places(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.place.as_str()).collect()
    }

    #[test]
    fn a_file_without_its_sentence_is_found() {
        let workspace = make::files(&[
            ("a.rs", "//! A.\nfn a() {}\n"),
            ("b.rs", "#![allow(x)]\n//! B.\n"),
            ("c.rs", "//!\n//! C.\n"),
            ("d.rs", ""),
            ("e.txt", "plain"),
        ]);
        assert_eq!(places(&open_with_a_sentence(&workspace)), ["b.rs:1", "c.rs:1", "d.rs:1"]);
    }

    #[test]
    fn length_is_a_question_above_400_lines_and_a_fault_above_1000() {
        let lines = |count| "x\n".repeat(count);
        for (count, expected) in [
            (400, None),
            (401, Some(Kind::Question)),
            (1_000, Some(Kind::Question)),
            (1_001, Some(Kind::Fault)),
        ] {
            for path in ["a.rs", "b.py"] {
                let findings = are_short(&make::file(path, &lines(count)));
                assert_eq!(findings.first().map(|finding| finding.kind), expected, "{count}");
            }
        }
        assert_eq!(are_short(&make::file("data.csv", &lines(2_000))), []);
    }

    #[test]
    fn undone_code_is_found_and_talk_of_it_is_not() {
        let text = "//! No todo!() here.\nfn a() {\n    todo!()\n}\n#[ignore = \"slow\"]\nfn b() {\n    \
                    core::unimplemented!();\n    f(\"todo!\");\n}\n";
        let findings = leave_nothing_undone(&make::file("a.rs", text));
        assert_eq!(places(&findings), ["a.rs:3", "a.rs:7", "a.rs:5"]);
    }

    #[test]
    fn sleep_is_found_in_tests_only() {
        let sleeping = "//! S.\nfn f() {\n    std::thread::sleep(d);\n}\n";
        let unit = "//! U.\nfn f() {\n    thread::sleep(d);\n}\n#[cfg(test)]\nmod tests {\n    fn t() { thread::sleep(d); }\n}\n";
        let workspace = make::files(&[
            ("plugins/study/src/sleepy.rs", sleeping),
            ("crates/core/tests/it/main.rs", sleeping),
            ("crates/testkit/src/lib.rs", "//! T.\ntokio::time::sleep(d).await;\n"),
            ("crates/core/src/a.rs", unit),
        ]);
        assert_eq!(
            places(&tests_do_not_sleep(&workspace)),
            [
                "crates/core/tests/it/main.rs:3",
                "crates/testkit/src/lib.rs:2",
                "crates/core/src/a.rs:7"
            ]
        );
    }

    #[test]
    fn a_crate_without_an_invariant_is_found() {
        let mut workspace = make::files(&[
            ("crates/a/src/lib.rs", "//! A.\n//!\n//! *Invariant*: none is left out.\n"),
            ("crates/b/src/lib.rs", "//! B.\n\n//! *Invariant*: in another comment.\n"),
        ]);
        workspace.packages = vec![
            make::package("flare-a", "crates/a", &[]),
            make::package("flare-b", "crates/b", &[]),
            make::package("xtask", "xtask", &[]),
        ];
        assert_eq!(places(&crates_state_an_invariant(&workspace)), ["crates/b/src/lib.rs"]);
    }

    #[test]
    fn a_crate_that_allows_unsafe_code_is_found_but_for_those_named() {
        let mut workspace = make::files(&[
            ("crates/a/src/lib.rs", "//! A.\n#![forbid(unsafe_code)]\n"),
            ("crates/b/src/lib.rs", "//! B.\n// #![forbid(unsafe_code)]\n"),
            ("crates/b/src/main.rs", "//! B.\n"),
            ("crates/kernels/src/lib.rs", "//! K.\n"),
        ]);
        workspace.packages =
            ["a", "b", "kernels"].map(|x| make::package(x, &format!("crates/{x}"), &[])).into();
        assert_eq!(
            places(&crates_forbid_unsafe(&workspace)),
            ["crates/b/src/lib.rs", "crates/b/src/main.rs"]
        );
    }

    #[test]
    fn a_second_integration_binary_is_found() {
        let mut workspace = make::files(&[
            ("crates/a/tests/it/main.rs", ""),
            ("crates/a/tests/it/replies.rs", ""),
            ("crates/a/tests/it/replies/main_loop.rs", ""),
            ("crates/a/tests/more.rs", ""),
            ("crates/a/tests/slow/main.rs", ""),
        ]);
        workspace.packages = vec![make::package("flare-a", "crates/a", &[])];
        assert_eq!(
            places(&one_integration_binary(&workspace)),
            ["crates/a/tests/more.rs", "crates/a/tests/slow/main.rs"]
        );
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        let workspace = make::files(&[
            ("crates/a/src/utils.rs", ""),
            ("crates/common/src/lib.rs", ""),
            ("crates/a/src/common_words.rs", ""),
            ("docs/utils.md", ""),
        ]);
        assert_eq!(
            places(&names_say_something(&workspace)),
            ["crates/a/src/utils.rs", "crates/common/src/lib.rs"]
        );
    }
}
