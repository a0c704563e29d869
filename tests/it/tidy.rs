//! The style sheet as tests.
