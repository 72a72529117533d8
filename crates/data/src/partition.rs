//! Dealing the rows of a data set out to the clients of a simulated federation.

mod dirichlet;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use flare_core::random::{Fraction, MAX_SHAPE, MIN_SHAPE, Stream, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::View;
use crate::error::shown;

pub use dirichlet::MAX_DIRICHLET_DRAWS;

/// How rows are dealt out to clients. Chance comes from the stream for `partition` under the job's
/// seed, so one seed always deals the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Partition {
    /// Every row to a client by chance; sizes differ by one at most.
    Iid {},
    /// Each class is divided in shares of its own, drawn from a Dirichlet distribution: the smaller
    /// `alpha`, the fewer classes a client has much of.
    Dirichlet {
        /// The concentration: .1 is very uneven, .5 uneven, 100 nearly even.
        alpha: f64,
        /// Each client gets this many rows at least; else all shares are drawn again.
        #[serde(default = "min_size")]
        min_size: NonZeroU32,
    },
    /// The rows, sorted by label, are cut into shards of nearly equal size, and each client gets some of
    /// them by chance; so it sees few classes.
    Shards {
        /// How many shards a client gets.
        #[serde(default = "shards_per_client")]
        per_client: NonZeroU32,
    },
    /// One client for each value of a column, such as a hospital's name: clients in the order of their
    /// names, values in bytewise order.
    Column {
        /// The column; it need not be a feature.
        column: String,
    },
}

/// Why rows cannot be dealt out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A number in the partition can hold for no data set.
    #[error("partition: {field} = {value} cannot be: {expected}")]
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// There are fewer rows than it takes to give every client its part.
    #[error(
        "partition: {clients} clients with at least {each} each take {}, but there are only {rows} rows: \
         ask for fewer clients{}",
        *clients as u128 * *each as u128,
        if *each > 1 { format!(", or for less than {each} ({field})") } else { String::new() }
    )]
    TooFewRows {
        /// How many clients.
        clients: usize,
        /// The rows or shards that each of them needs.
        each: usize,
        /// How many rows there are.
        rows: usize,
        /// The field that says how much each of them needs.
        field: &'static str,
    },
    /// The draws ended without one that is good enough.
    #[error(
        "partition: none of {draws} Dirichlet draws with alpha = {alpha} gave each of {clients} clients \
         min_size = {min_size} of {rows} rows (the best gave {best}): raise alpha, lower min_size, or ask \
         for fewer clients"
    )]
    Improbable {
        /// How many draws were made: [`MAX_DIRICHLET_DRAWS`].
        draws: usize,
        /// The concentration.
        alpha: f64,
        /// How many clients.
        clients: usize,
        /// What each should have got at least.
        min_size: usize,
        /// How many rows there are.
        rows: usize,
        /// The smallest client's rows in the best draw.
        best: usize,
    },
    /// The column does not have one value for each client.
    #[error(
        "partition: column '{column}' has {values} values, but there are {clients} clients: it takes one \
         client for each value"
    )]
    Values {
        /// The column, as it may be shown.
        column: String,
        /// How many different values it has in the rows that are dealt out.
        values: usize,
        /// How many clients.
        clients: usize,
    },
    /// The column that the partition names cannot be read.
    #[error(transparent)]
    Read(#[from] crate::Error),
}

/// How many rows are kept from all clients, for testing the model on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeldOut {
    /// This many rows.
    Count(u32),
    /// This share of the rows, rounded down.
    Fraction(Fraction),
}

impl Partition {
    /// The column whose values it needs.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Column { column } => Some(column),
            _ => None,
        }
    }

    /// Checks what can be checked without data.
    ///
    /// # Errors
    /// When a number can hold for no data set.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Dirichlet { alpha, .. } if !(MIN_SHAPE..=MAX_SHAPE).contains(alpha) => {
                Err(Error::Config {
                    field: "alpha",
                    value: format!("{alpha:?}"),
                    expected: format!("write a number from {MIN_SHAPE:e} to {MAX_SHAPE:e}"),
                })
            }
            _ => Ok(()),
        }
    }
}

/// The row numbers of each of `clients` clients, in the order of their ranks, when the rows of `view`
/// are dealt out as `partition` says. Each client gets at least one row; its rows are in rising order;
/// each row of the view goes to one client.
///
/// `values` holds, by row of the data set, the values of the column that the partition names; for one
/// that names none it is not looked at.
///
/// # Errors
/// When there are too few rows, no draw is good enough, or clients and values differ in number.
pub fn deal(
    partition: &Partition,
    view: &View,
    values: &[String],
    clients: usize,
    seed: u64,
) -> Result<Vec<Arc<[u32]>>, Error> {
    partition.check()?;
    if clients == 0 {
        let (value, expected) = ("0".to_owned(), "there must be at least 1".to_owned());
        return Err(Error::Config { field: "clients", value, expected });
    }
    let mut stream = StreamId::new(seed, "partition").stream();
    let mut parts = match partition {
        Partition::Iid {} => iid(view, clients, &mut stream)?,
        Partition::Dirichlet { alpha, min_size } => {
            dirichlet::deal(view, clients, *alpha, min_size.get() as usize, &mut stream)?
        }
        Partition::Shards { per_client } => {
            shards(view, clients, per_client.get() as usize, &mut stream)?
        }
        Partition::Column { column } => by_value(view, clients, column, values)?,
    };
    for part in &mut parts {
        part.sort_unstable();
    }
    Ok(parts.into_iter().map(Arc::from).collect())
}

/// Divides the rows of `view` into those for training and those that are held out, each in the order
/// of the view. Which are held out is drawn from the stream for `held-out` under `seed`.
///
/// # Errors
/// When nothing is left for training.
pub fn held_out(view: &View, held_out: HeldOut, seed: u64) -> Result<(Vec<u32>, Vec<u32>), Error> {
    let rows = view.len();
    let count = match held_out {
        HeldOut::Count(count) => count as usize,
        HeldOut::Fraction(fraction) => fraction.of(rows as u64, 0) as usize,
    };
    if count >= rows {
        return Err(Error::Config {
            field: "held_out",
            value: count.to_string(),
            expected: format!("of {rows} rows at least one must be left for training"),
        });
    }
    let mut chosen =
        StreamId::new(seed, "held-out").stream().sample(rows, count).into_iter().peekable();
    let (mut train, mut test) = (Vec::with_capacity(rows - count), Vec::with_capacity(count));
    for (i, number) in view.numbers().enumerate() {
        let to = if chosen.next_if_eq(&i).is_some() { &mut test } else { &mut train };
        to.push(number);
    }
    Ok((train, test))
}

/// The rows in random order, cut into parts of nearly equal size.
fn iid(view: &View, clients: usize, stream: &mut Stream) -> Result<Vec<Vec<u32>>, Error> {
    check_rows(view, clients, 1, "clients")?;
    let mut rows: Vec<u32> = view.numbers().collect();
    stream.shuffle(&mut rows);
    Ok(cut(&rows, clients).map(<[u32]>::to_vec).collect())
}

/// The rows sorted by label and then place, cut into shards; each client gets the next of them in a
/// random order.
fn shards(
    view: &View,
    clients: usize,
    per_client: usize,
    stream: &mut Stream,
) -> Result<Vec<Vec<u32>>, Error> {
    check_rows(view, clients, per_client, "per_client")?;
    let mut order: Vec<usize> = (0..view.len()).collect();
    order.sort_by_key(|i| view.label(*i));
    let rows: Vec<u32> = order.iter().map(|i| view.number(*i) as u32).collect();
    let mut shards: Vec<&[u32]> = cut(&rows, clients * per_client).collect();
    stream.shuffle(&mut shards);
    Ok(shards.chunks(per_client).map(<[&[u32]]>::concat).collect())
}

/// The rows by their value, values in bytewise order.
fn by_value(
    view: &View,
    clients: usize,
    column: &str,
    values: &[String],
) -> Result<Vec<Vec<u32>>, Error> {
    let mut parts: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for number in view.numbers() {
        let value = values.get(number as usize).map_or("", String::as_str);
        parts.entry(value).or_default().push(number);
    }
    if parts.len() != clients {
        let column = shown(column.as_bytes());
        return Err(Error::Values { column, values: parts.len(), clients });
    }
    Ok(parts.into_values().collect())
}

/// `rows` cut into `parts` pieces, part i from i n / parts to (i + 1) n / parts, rounded down.
fn cut(rows: &[u32], parts: usize) -> impl Iterator<Item = &[u32]> {
    let at = move |i: usize| (i as u128 * rows.len() as u128 / parts as u128) as usize;
    (0..parts).map(move |i| &rows[at(i)..at(i + 1)])
}

/// Refuses at once what no deal can reach.
fn check_rows(view: &View, clients: usize, each: usize, field: &'static str) -> Result<(), Error> {
    let rows = view.len();
    if clients as u128 * each as u128 > rows as u128 {
        return Err(Error::TooFewRows { clients, each, rows, field });
    }
    Ok(())
}

/// The smallest client that is good enough where the job names no size.
fn min_size() -> NonZeroU32 {
    const { NonZeroU32::new(10).expect("10 is not 0") }
}

/// How many shards a client gets where the job names no number.
fn shards_per_client() -> NonZeroU32 {
    const { NonZeroU32::new(2).expect("2 is not 0") }
}
