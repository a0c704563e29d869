//! landing.
