//! Delimited and fixed-width files.

use crate::demo::write::row::Row;
use crate::demo::write::store::mangled;
use crate::demo::write::{Delimited, Format, Kind, Layout, UNDECODABLE};
use crate::error::{Error, Result};
use encoding_rs::WINDOWS_1252;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// One open file.
pub(super) struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    line: String,
}

impl Lines {
    /// Creates the file of `layout` in `folder`, with its header if the format has one.
    pub(super) fn create(folder: &Path, format: Format, layout: &Layout) -> Result<Self> {
        let extension = match format {
            Format::Delimited(delimited) => delimited.extension,
            Format::Fixed | Format::Database => "txt",
        };
        let path = folder.join(format!("{}_20260401.{extension}", layout.name));
        let file = File::create(&path).map_err(|e| failed(&path, e))?;
        let mut lines = Self { path, file: BufWriter::with_capacity(1 << 18, file), line: String::new() };
        if let Format::Delimited(delimited) = format {
            if delimited.byte_order_mark {
                lines.line.push('\u{feff}');
            }
            if delimited.header {
                for (n, column) in layout.columns.iter().enumerate() {
                    lines.delimited(n, column.name, delimited.delimiter);
                }
                lines.end(format)?;
            }
        }
        Ok(lines)
    }

    /// Writes one row.
    pub(super) fn put(&mut self, row: &Row, layout: &Layout, format: Format) -> Result<()> {
        match format {
            Format::Delimited(Delimited { delimiter, .. }) => {
                for (n, cell) in row.cells().enumerate() {
                    self.delimited(n, cell, delimiter);
                }
            }
            Format::Fixed | Format::Database => {
                for (cell, column) in row.cells().zip(layout.columns) {
                    self.fixed(cell, column.width, column.kind != Kind::Text).ok_or_else(|| {
                        Error::internal(format!("'{cell}' is too wide for column '{}'", column.name))
                    })?;
                }
            }
        }
        self.end(format)
    }

    /// Writes the control record and closes the file.
    pub(super) fn finish(mut self, trailer: Option<&str>, format: Format) -> Result<()> {
        if let Some(trailer) = trailer {
            self.line.push_str(trailer);
            self.end(format)?;
        }
        self.file.flush().map_err(|e| failed(&self.path, e))
    }

    fn delimited(&mut self, n: usize, cell: &str, delimiter: char) {
        if n > 0 {
            self.line.push(delimiter);
        }
        let quoted = cell.contains([delimiter, '"', '\n', '\r']);
        if quoted {
            self.line.push('"');
            self.line.push_str(&cell.replace('"', "\"\""));
            self.line.push('"');
        } else {
            self.line.push_str(cell);
        }
    }

    fn fixed(&mut self, cell: &str, width: usize, right: bool) -> Option<()> {
        let blanks = width.checked_sub(cell.chars().count())?;
        if !right {
            self.line.push_str(cell);
        }
        self.line.extend(std::iter::repeat_n(' ', blanks));
        if right {
            self.line.push_str(cell);
        }
        Some(())
    }

    fn end(&mut self, format: Format) -> Result<()> {
        let (newline, windows_1252) = match format {
            Format::Delimited(delimited) => (delimited.newline, delimited.windows_1252),
            Format::Fixed | Format::Database => ("\n", false),
        };
        self.line.push_str(newline);
        let written = if self.line.is_ascii() {
            self.file.write_all(self.line.as_bytes())
        } else if windows_1252 {
            let (bytes, _, replaced) = WINDOWS_1252.encode(&self.line);
            if replaced {
                return Err(Error::internal(format!("'{}' does not fit Windows-1252", self.line.trim_end())));
            }
            self.file.write_all(&bytes)
        } else if self.line.contains(UNDECODABLE) {
            self.file.write_all(&mangled(&self.line))
        } else {
            self.file.write_all(self.line.as_bytes())
        };
        self.line.clear();
        written.map_err(|e| failed(&self.path, e))
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("cannot write '{}'", path.display())).because(error)
}
