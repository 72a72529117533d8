//! The page of limits says what the constants are.

use flare::{data, job, metric, names, tensor, value};

#[test]
fn the_page_of_limits_has_each_constant_with_its_value() {
    let page = include_str!("../../../../docs/limits.md");
    let limits = [
        ("flare::job::MAX_JOB_BYTES", job::MAX_JOB_BYTES),
        ("flare::data::MAX_FILE_BYTES", data::MAX_FILE_BYTES),
        ("flare::data::MAX_CLASSES", u64::from(data::MAX_CLASSES)),
        ("flare::data::MAX_CLASSES_UNNAMED", u64::from(data::MAX_CLASSES_UNNAMED)),
        ("flare::data::MAX_DIRICHLET_DRAWS", data::MAX_DIRICHLET_DRAWS as u64),
        ("flare_core::job::MAX_MODEL_BYTES", flare_core::job::MAX_MODEL_BYTES as u64),
        ("flare::tensor::MAX_HEADER", tensor::MAX_HEADER as u64),
        ("flare::tensor::MAX_RANK", tensor::MAX_RANK as u64),
        ("flare::names::MAX_TEXT_NAME_BYTES", names::MAX_TEXT_NAME_BYTES as u64),
        ("flare::names::MAX_NAME_BYTES", names::MAX_NAME_BYTES as u64),
        ("flare::metric::MAX_METRICS", metric::MAX_METRICS as u64),
        ("flare::value::MAX_ENCODED", value::MAX_ENCODED as u64),
        ("flare_core::runtime::HOLD_BYTES", flare_core::runtime::HOLD_BYTES),
        ("flare_core::runtime::MAX_FETCHES", u64::from(flare_core::runtime::MAX_FETCHES)),
    ];
    for (name, limit) in limits {
        let row = page.lines().find(|line| line.contains(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not on the page"));
        let value = row.split('|').nth(2).unwrap().split_whitespace().next().unwrap();
        assert_eq!(value, limit.to_string(), "{name}");
    }
    assert_eq!(page.matches("| `").count(), limits.len(), "a row names no constant that is tried");
}
