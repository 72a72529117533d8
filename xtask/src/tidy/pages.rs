//! Rules about pages: what the architecture page must speak of.

use super::Finding;
use super::workspace::Workspace;

const PAGE: &str = "ARCHITECTURE.md";

/// The page names every crate by its folder, in backticks: `core` or `crates/core`.
pub(super) fn architecture_names_every_crate(workspace: &Workspace) -> Vec<Finding> {
    let Some(page) = workspace.text(PAGE) else {
        return vec![Finding::fault(PAGE, "there is no such page")];
    };
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let names = [format!("`{}`", package.short()), format!("`{}`", package.folder)];
        if !names.iter().any(|name| page.contains(name)) {
            let text = format!("the crate {} is not on the page", package.folder);
            findings.push(Finding::fault(PAGE, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::workspace::make;
    use super::*;

    #[test]
    fn a_crate_that_is_not_on_the_page_is_found() {
        let mut workspace = make::file(PAGE, "`core` and `plugins/fedavg`, but cli without a mark");
        workspace.packages = vec![
            make::package("flare-core", "crates/core", &[]),
            make::package("flare-plugin-fedavg", "plugins/fedavg", &[]),
            make::package("flare-cli", "crates/cli", &[]),
        ];
        let findings = architecture_names_every_crate(&workspace);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("crates/cli"));
    }

    #[test]
    fn a_missing_page_is_found() {
        assert_eq!(architecture_names_every_crate(&Workspace::default()).len(), 1);
    }
}
