//! Named random streams: public functions of (seed, purpose, label or ordinal, stop, client).
