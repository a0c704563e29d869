//! A page as a reader of it sees it: words with their places, in lines, in cells. Fields are
//! located by the labels that stand beside them.

mod labels;
mod written;

pub(super) use labels::located;

/// A word on a page. Lengths are in the page's own unit, from its upper left corner.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// The page, from 1.
    pub(super) page: usize,
    pub(super) left: f64,
    pub(super) right: f64,
    /// The line on which the letters stand.
    pub(super) base: f64,
    /// The size of the letters.
    pub(super) size: f64,
    pub(super) text: String,
    /// How sure it is that it says this: 1 where letters are letters, less where they are ink.
    pub(super) confidence: f64,
}

/// Words that stand close to each other: the text of a cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) page: usize,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) base: f64,
    pub(super) text: String,
    /// Where each word ends in the text, and how sure it is.
    words: Vec<(usize, f64)>,
}

impl Cell {
    /// How sure a part of the text is: as its least sure word.
    pub(super) fn confidence(&self, part: &str) -> f64 {
        let start = self.text.find(part).unwrap_or_default();
        let behind = self.words.iter().filter(|(end, _)| *end > start);
        let mut sure = 1.0;
        for (end, confidence) in behind {
            sure = f64::min(sure, *confidence);
            if *end >= start + part.len() {
                break;
            }
        }
        sure
    }

    /// Where it is, for people: `page 2 at 351,409`.
    pub(super) fn place(&self) -> String {
        format!("page {} at {:.0},{:.0}", self.page, self.left, self.base)
    }

    fn is_over(&self, other: &Cell) -> bool {
        self.left < other.right && other.left < self.right
    }
}

/// A wider gap than this share of the letters' size parts two cells.
const CELL_GAP: f64 = 1.1;

/// Two words are in one line when their bases are apart by less than this share of their size.
const LINE_SLACK: f64 = 0.5;

/// The cells of the lines, from the top of the first page to the bottom of the last.
fn lines(mut words: Vec<Word>) -> Vec<Vec<Cell>> {
    words.sort_by(|a, b| a.page.cmp(&b.page).then(a.base.total_cmp(&b.base)));
    let mut lines: Vec<Vec<Word>> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if is_in_line(line, &word) => line.push(word),
            _ => lines.push(vec![word]),
        }
    }
    lines.into_iter().map(cells).collect()
}

fn is_in_line(line: &[Word], word: &Word) -> bool {
    let first = &line[0];
    first.page == word.page && (word.base - first.base).abs() < LINE_SLACK * first.size.max(word.size)
}

fn cells(mut line: Vec<Word>) -> Vec<Cell> {
    line.sort_by(|a, b| a.left.total_cmp(&b.left));
    let mut cells: Vec<Cell> = Vec::new();
    for word in line {
        match cells.last_mut() {
            Some(cell) if word.left - cell.right < CELL_GAP * word.size => {
                cell.text = format!("{} {}", cell.text, word.text);
                cell.right = cell.right.max(word.right);
                cell.words.push((cell.text.len(), word.confidence));
            }
            _ => cells.push(Cell {
                page: word.page,
                left: word.left,
                right: word.right,
                base: word.base,
                words: vec![(word.text.len(), word.confidence)],
                text: word.text,
            }),
        }
    }
    cells
}

#[cfg(test)]
mod tests;
