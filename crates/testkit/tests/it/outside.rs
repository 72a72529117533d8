//! Somebody else's transport, in a crate outside of the workspace: it is small, and passes the suite.

use std::path::Path;
use std::process::Command;

#[test]
fn a_crate_outside_implements_transport_in_under_200_lines_and_passes_the_suite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let outside = root.join("tests/outside-transport");
    let source = std::fs::read_to_string(outside.join("src/lib.rs")).unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = source.lines().filter(is_code).count();
    assert!(lines < 200, "{lines} lines");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--quiet", "--offline", "--locked", "--manifest-path"])
        .arg(outside.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", root.join("target/outside"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("12 passed"), "{told}");
}
