//! Names and the roster: who takes part, and in which order.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest name in bytes (contract 28).
pub const MAX_NAME_BYTES: usize = 64;
/// Longest metric or tensor name in bytes (contract 28).
pub const MAX_TEXT_NAME_BYTES: usize = 255;

/// A name of a job, client, site, data set, plugin, component, tag or label: `[a-z0-9][a-z0-9._-]{0,63}`,
/// compared bytewise (contract 28). So it is safe in a path, on a command line and in a log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no name: write 1 to {MAX_NAME_BYTES} of a-z, 0-9, '.', '_', '-', the first a letter or digit"
)]
pub struct NameError {
    /// The start of the refused text.
    pub text: String,
}

impl Name {
    /// Checks `text` against the rule.
    ///
    /// # Errors
    /// When it is empty, too long, or holds another character.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let rest = |byte: &u8| plain(byte) || matches!(byte, b'.' | b'_' | b'-');
        let bytes = text.as_bytes();
        let fits = (1..=MAX_NAME_BYTES).contains(&bytes.len());
        if fits && bytes.first().is_some_and(plain) && bytes.iter().all(rest) {
            return Ok(Self(text.into()));
        }
        Err(NameError { text: text.chars().take(MAX_NAME_BYTES).collect() })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$",
            "description": "1 to 64 of a-z, 0-9, '.', '_', '-', the first a letter or digit"
        })
    }
}

/// A client's position in the roster sorted by name, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(pub u32);

impl Rank {
    /// The position as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The job's clients by name, fixed and stored when a run starts. Arrival, registration and
/// connection order are never used: a client is addressed by its [`Rank`] here.
///
/// A roster by count costs no memory per client: its names are computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Roster {
    /// Names as listed, sorted.
    Listed(Arc<[Name]>),
    /// `client-0` …, zero-padded to the width of `n - 1`.
    Counted(u32),
}

/// Why a roster cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// Nobody to ask.
    #[error("the roster is empty: list at least one client, or give a count of at least 1")]
    Empty,
    /// One client under two ranks.
    #[error("client {name} is listed twice in the roster")]
    Twice {
        /// The repeated name.
        name: Name,
    },
}

/// The name under which the held-out data set takes part (see [`Roster::held_out`]).
pub const HELD_OUT: &str = "held-out";

impl Roster {
    /// A roster of these clients, in whatever order they come.
    ///
    /// # Errors
    /// When there are none, or one comes twice.
    pub fn listed(names: impl IntoIterator<Item = Name>) -> Result<Self, RosterError> {
        let mut names: Vec<Name> = names.into_iter().collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(RosterError::Twice { name: pair[0].clone() });
        }
        if names.is_empty() {
            return Err(RosterError::Empty);
        }
        Ok(Self::Listed(names.into()))
    }

    /// A roster of `count` clients `client-0` ….
    ///
    /// # Errors
    /// When `count` is 0.
    pub fn counted(count: u32) -> Result<Self, RosterError> {
        if count == 0 {
            return Err(RosterError::Empty);
        }
        Ok(Self::Counted(count))
    }

    /// How many clients.
    pub fn len(&self) -> usize {
        match self {
            Self::Listed(names) => names.len(),
            Self::Counted(count) => *count as usize,
        }
    }

    /// A roster is never empty; for the sake of the convention.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The seat of the held-out data set: one past the last client. It is never among "all" and never
    /// sampled; tasks reach it by [`Targets::HeldOut`](crate::operation::Targets::HeldOut) only.
    pub fn held_out(&self) -> Rank {
        Rank(u32::try_from(self.len()).unwrap_or(u32::MAX))
    }

    /// The name at `rank`; [`HELD_OUT`] at the held-out seat.
    ///
    /// # Panics
    /// When `rank` is past the held-out seat.
    pub fn name(&self, rank: Rank) -> Name {
        assert!(rank <= self.held_out(), "rank {rank} is past the roster of {}", self.len());
        if rank == self.held_out() {
            return Name(HELD_OUT.into());
        }
        match self {
            Self::Listed(names) => names[rank.index()].clone(),
            Self::Counted(count) => Name(counted_name(rank.0, width(*count)).into()),
        }
    }

    /// The rank of a client, if it is on the roster.
    pub fn rank(&self, name: &str) -> Option<Rank> {
        let index = match self {
            Self::Listed(names) => names.binary_search_by(|known| known.as_str().cmp(name)).ok()?,
            Self::Counted(count) => {
                let digits = name.strip_prefix("client-")?;
                let index = digits.parse::<u32>().ok().filter(|index| index < count)?;
                (counted_name(index, width(*count)) == name).then_some(index as usize)?
            }
        };
        u32::try_from(index).ok().map(Rank)
    }

    /// All ranks, ascending; not the held-out seat.
    pub fn ranks(&self) -> impl Iterator<Item = Rank> + use<> {
        (0..self.held_out().0).map(Rank)
    }
}

fn width(count: u32) -> usize {
    (count - 1).checked_ilog10().unwrap_or(0) as usize + 1
}

fn counted_name(index: u32, width: usize) -> String {
    format!("client-{index:0width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_everywhere() {
        for good in ["a", "0", "client-7", "a.b_c-d", &"x".repeat(64)] {
            assert_eq!(Name::new(good).map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "A",
            "-a",
            ".a",
            "_a",
            "a/b",
            "a b",
            "a\n",
            "é",
            "../x",
            "--help",
            "a\0b",
            &"x".repeat(65),
        ] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_counted_roster_is_padded_to_the_width_of_the_last() {
        let names =
            |count, rank| Roster::counted(count).map(|roster| roster.name(Rank(rank)).to_string());
        assert_eq!(names(1, 0).as_deref(), Ok("client-0"));
        assert_eq!(names(10, 9).as_deref(), Ok("client-9"));
        assert_eq!(names(11, 9).as_deref(), Ok("client-09"));
        assert_eq!(names(1_000_000, 12).as_deref(), Ok("client-000012"));
        assert_eq!(names(3, 3).as_deref(), Ok(HELD_OUT));
        assert_eq!(Roster::counted(0), Err(RosterError::Empty));
    }

    #[test]
    fn ranks_are_positions_in_sorted_order_both_ways() {
        let listed = Roster::listed(["c", "a", "b"].map(|name| Name::new(name).unwrap())).unwrap();
        for roster in [listed, Roster::counted(12).unwrap()] {
            let names: Vec<_> = roster.ranks().map(|rank| roster.name(rank)).collect();
            assert!(names.is_sorted(), "{names:?}");
            for (index, name) in names.iter().enumerate() {
                assert_eq!(roster.rank(name.as_str()), Some(Rank(index as u32)));
            }
            assert_eq!(roster.rank("client-1"), None);
            assert_eq!(roster.rank("held-out"), None);
        }
    }

    #[test]
    fn a_client_listed_twice_is_named() {
        let twice = Roster::listed(["b", "a", "b"].map(|name| Name::new(name).unwrap()));
        assert_eq!(twice.unwrap_err().to_string(), "client b is listed twice in the roster");
    }
}
