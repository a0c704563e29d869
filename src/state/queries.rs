//! The record of every statement.
