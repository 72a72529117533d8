//! A data set in memory, and views of some of its rows.

use std::sync::Arc;

/// Rows of numbers, each with a class: what a learner trains on.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The features, row after row: shape `[rows, columns]`, all finite.
    pub features: Vec<f32>,
    /// The class of each row, below `classes`: shape `[rows]`.
    pub labels: Vec<u32>,
    /// How many features a row has; at least 1.
    pub columns: usize,
    /// How many classes there are; at least 1.
    pub classes: usize,
    /// The name of each feature: shape `[columns]`.
    pub feature_names: Vec<String>,
}

impl Dataset {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The features of row `row`: shape `[columns]`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.features[row * self.columns..(row + 1) * self.columns]
    }

    /// How many rows each class has: shape `[classes]`.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for label in &self.labels {
            counts[*label as usize] += 1;
        }
        counts
    }
}

/// Some rows of a data set, or all of them, in order. A clone is cheap.
#[derive(Debug, Clone)]
pub struct View {
    dataset: Arc<Dataset>,
    rows: Option<Arc<[u32]>>,
}

/// A view names a row that the data set does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "row {row} is asked for, but the data set has {rows} rows, numbered from 0: is it another file?"
)]
pub struct RowError {
    /// The row asked for.
    pub row: u32,
    /// How many there are.
    pub rows: usize,
}

impl View {
    /// All rows.
    pub fn all(dataset: Arc<Dataset>) -> Self {
        Self { dataset, rows: None }
    }

    /// The rows with these numbers, in this order; all of them if `None`.
    ///
    /// # Errors
    /// When the data set lacks one of them.
    pub fn new(dataset: Arc<Dataset>, rows: Option<Arc<[u32]>>) -> Result<Self, RowError> {
        let count = dataset.rows();
        let missing = rows.iter().flat_map(|rows| rows.iter()).find(|row| **row as usize >= count);
        match missing {
            Some(row) => Err(RowError { row: *row, rows: count }),
            None => Ok(Self { dataset, rows }),
        }
    }

    /// The data set that is viewed.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// How many rows the view has.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.dataset.rows(), |rows| rows.len())
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number in the data set of the view's row `i`.
    ///
    /// # Panics
    /// When `i` is not below [`len`](Self::len).
    pub fn number(&self, i: usize) -> usize {
        assert!(i < self.len(), "row {i} of a view of {} rows was asked for", self.len());
        self.rows.as_ref().map_or(i, |rows| rows[i] as usize)
    }

    /// The numbers in the data set of all the view's rows, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len()).map(|i| self.number(i) as u32)
    }

    /// The features of the view's row `i`: shape `[columns]`.
    ///
    /// # Panics
    /// When `i` is not below [`len`](Self::len).
    pub fn features(&self, i: usize) -> &[f32] {
        self.dataset.row(self.number(i))
    }

    /// The class of the view's row `i`.
    ///
    /// # Panics
    /// When `i` is not below [`len`](Self::len).
    pub fn label(&self, i: usize) -> u32 {
        self.dataset.labels[self.number(i)]
    }
}
