//! How large a statement may be. A text beyond any of these is refused before it is planned, with an
//! error that says the number.

/// The longest statement, in bytes. Generated SQL stays far below it; a longer text would only
/// keep the planner busy.
pub(super) const STATEMENT_BYTES: usize = 1 << 20;

/// The most tables and subqueries of a statement, counted where they are read. Each can become a
/// join, and a join needs 7 KiB of stack while it runs, of the 2 MiB that a thread has.
pub(super) const TABLES: usize = 120;

/// How deep brackets may nest.
pub(super) const DEPTH: usize = 100;

/// The most operators in a row. To copy an expression takes 1.4 KiB of stack for each, and what
/// runs a statement has the 2 MiB of the runtime's threads.
pub(super) const OPERATORS: usize = 600;

/// The most items of one list: of `in (…)`, of `values`, of columns. A list is planned item by item
/// and compared with by hash, so that this is what planning in tenths of a second affords.
pub(super) const LIST_ITEMS: usize = 1 << 16;
