//! Names and the roster: who takes part, and in which order.
