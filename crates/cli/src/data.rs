//! `flare data`: a job's data, dealt out as a run would deal them.

use std::path::Path;

use anyhow::anyhow;
use flare::data::{HeldOut, Source, SplitError, View, held_out};
use flare::job::{self, Data, Loaded, data_options, partition};

use crate::args::Changes;
use crate::exit::{Exit, Failure, Result};
use crate::out;
use crate::run::loaded;
use crate::table::{Side, lines};

/// The folder of the rows that are held out.
const HELD_OUT: &str = "held-out";

/// Rows by client; those held out come last, if there are any.
type Parts = Vec<(String, Vec<u32>)>;

/// Writes one folder for each client, and one for the rows that are held out.
pub(crate) fn split(file: &Path, changes: &Changes, to: &Path) -> Result<()> {
    let job = loaded(file, changes)?;
    let Some(data) = &job.job.data else {
        let error = anyhow!("{}: the job has no [data] to split", job.origin);
        return Err(Failure::new(Exit::Input, error));
    };
    let source = source(&job, data)?;
    let parts = dealt(&job, data, &source)?;
    let given = parts.iter().map(|(name, rows)| (name.as_str(), rows.as_slice()));
    let folders = source.split(given, to).map_err(|error| match error {
        SplitError::Io { .. } => Failure::new(Exit::System, error),
        error => Failure::new(Exit::Input, error),
    })?;
    let row = |(folder, (_, rows)): (_, &(_, Vec<u32>))| {
        let folder: &std::path::PathBuf = folder;
        [flare::shown(&folder.to_string_lossy()).to_string(), format!("{} rows", rows.len())]
    };
    let rows: Vec<[String; 2]> = folders.iter().zip(&parts).map(row).collect();
    out::write(&lines([Side::Left, Side::Right], &rows))
}

fn source(job: &Loaded, data: &Data) -> Result<Source> {
    let options = data_options(data).map_err(|error| Failure::new(Exit::Input, error))?;
    Ok(Source::new(job.folder.join(&data.path), options))
}

/// Deals the rows out as a run does.
fn dealt(job: &Loaded, data: &Data, source: &Source) -> Result<Parts> {
    let input = |error: anyhow::Error| Failure::new(Exit::Input, error);
    let roster = job.job.clients.roster().map_err(|error| input(error.into()))?;
    let partition = partition(data).map_err(|error| input(error.into()))?;
    let all = View::all(source.load().map_err(|error| input(error.into()))?);
    let out = match data.held_out {
        job::HeldOut::Rows(rows) => HeldOut::Count(rows),
        job::HeldOut::Share(share) => HeldOut::Fraction(share),
    };
    let seed = job.job.seed;
    let (train, test) = held_out(&all, out, seed).map_err(|error| input(error.into()))?;
    let view = View::new(all.dataset().clone(), Some(train.into()));
    let view = view.map_err(|error| input(error.into()))?;
    let dealt = source.partition(&partition, &view, roster.len(), seed);
    let dealt = dealt.map_err(|error| input(error.into()))?;
    let clients = roster.ranks().zip(dealt);
    let mut parts: Parts =
        clients.map(|(rank, rows)| (roster.name(rank).to_string(), rows.to_vec())).collect();
    if !test.is_empty() {
        parts.push((HELD_OUT.into(), test));
    }
    Ok(parts)
}
