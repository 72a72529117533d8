//! Random streams: frozen values, and whether they are distributed as they say.

mod fraction;
mod golden;
mod statistics;
