//! Case C059: a disk that is full while a run writes. The last good model stays, and the run can go on.

use std::path::Path;
use std::process::Command;

use flare::job;
use flare::run::{self, Error};

use crate::runs::{loaded, out, rows, run};

const CHILD: &str = "FLARE_TEST_C059";

/// Forty rounds with a model of 80 kB; the journal and the rows outgrow it on the way.
fn job() -> job::Loaded {
    loaded(
        "name = \"large\"\n[clients]\ncount = 30\n[controller]\nkind = \"fedavg\"\nrounds = 40\n\
         evaluate.every = 0\n[learner]\nkind = \"fixed\"\noffset = 1.0\n\
         [[model.tensors]]\nname = \"x\"\nshape = [20000]",
    )
}

/// In the child: the run fails by its disk, in words.
fn in_child(folder: &Path) {
    run::survive_file_size_limit();
    let error = run(job(), out(folder)).unwrap_err();
    assert!(matches!(error, Error::Disk { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("File too large") && text.contains("--resume"), "{text}");
}

#[test]
fn c059_a_file_that_cannot_grow_ends_the_run_and_the_last_good_model_stays() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return in_child(Path::new(&folder));
    }
    let undisturbed = run(job(), run::Options::default()).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let name = "disk::c059_a_file_that_cannot_grow_ends_the_run_and_the_last_good_model_stays";
    // In blocks of 1 KiB: too little for the first model, and enough for some records only.
    for limit in [64, 82] {
        let folder = parent.path().join(limit.to_string());
        let script = format!("ulimit -f {limit} && exec \"$0\" --exact {name} --nocapture");
        let child = Command::new("bash")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env(CHILD, &folder)
            .output()
            .unwrap();
        assert!(child.status.success(), "{limit}: {}", String::from_utf8_lossy(&child.stderr));
        let model = folder.join(run::MODEL_FILE);
        assert_eq!(model.exists(), limit == 82);
        if limit == 82 {
            let model = flare::tensor::Tensors::decode(std::fs::read(model).unwrap()).unwrap();
            // Each round adds 1; the one that the disk was full in may lack its row, or its model.
            let (x, rows) =
                (model.slice::<f32>("x").unwrap(), rows(&folder, run::METRICS_FILE).len());
            let near = rows - 1..=rows + 1;
            assert!(rows > 2 && near.contains(&(x[0] as usize)), "{} after {rows} rounds", x[0]);
            assert!(x.iter().all(|value| *value == x[0]));
        }
        let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        let strays: Vec<_> = files.filter(|name| name.to_string_lossy().contains("tmp")).collect();
        assert!(strays.is_empty(), "{strays:?}");
        let options = run::Options { resume: true, ..out(&folder) };
        assert_eq!(run(job(), options).unwrap().model_hash, undisturbed.model_hash, "{limit}");
    }
}
