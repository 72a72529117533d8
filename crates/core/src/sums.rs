//! Exact sums: a weighted mean is a real number, rounded once.
