//! Bounds how deep the tree of a statement can become, before it is parsed.
//!
//! The parser's own limit counts brackets and prefixes only: `1 + 1 + …` and `select … union
//! select …` are read by loops and become trees as deep as they are long. Whatever walks such a
//! tree, down to its destructor, needs stack for each level, and a stack that overflows ends the
//! process.

use crate::error::{Error, Result};
use crate::serve::limits;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// What `except` and `intersect` count for: they become joins, which need that much more stack.
const JOIN: usize = 6;

/// Refuses a statement whose tree could be too deep. The bound is never less than the depth, and
/// close to it for what tools write: items of a list do not add up.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = vec![Level::default()];
    for token in tokens {
        match Part::of(&token.token) {
            Part::Open => levels.push(Level::default()),
            Part::Subscript => {
                top(&mut levels).run += 1;
                levels.push(Level::default());
            }
            Part::Close => close(&mut levels),
            Part::Comma => {
                let level = top(&mut levels);
                level.length += 1;
                level.next_item();
            }
            Part::SetOperator(weight) => {
                let level = top(&mut levels);
                level.set_operators += weight;
                level.next_item();
            }
            Part::Logical => top(&mut levels).next_operand(),
            Part::Operator => top(&mut levels).run += 1,
            Part::Other => {}
        }
        if levels.len() > limits::DEPTH {
            return Err(too_deep());
        }
        if top(&mut levels).length > limits::LIST_ITEMS {
            return Err(Error::query(format!("a list has more than {} items", limits::LIST_ITEMS))
                .hint("join with a subquery in the place of a long list"));
        }
    }
    while levels.len() > 1 {
        close(&mut levels);
    }
    match top(&mut levels).depth() > limits::OPERATORS {
        false => Ok(()),
        true => {
            let most = limits::OPERATORS;
            Err(Error::query(format!("the statement has more than {most} operators in a row"))
                .hint("use in (…) or a join with values in the place of a long chain"))
        }
    }
}

/// A statement whose brackets nest too deeply.
pub(super) fn too_deep() -> Error {
    Error::query(format!("the statement is nested more than {} levels deep", limits::DEPTH))
        .hint("put subqueries into a with clause")
}

/// What stands between two brackets.
#[derive(Debug, Default)]
struct Level {
    set_operators: usize,
    /// Commas, of which a list has one for each item but the last.
    length: usize,
    /// Of the items that ended with a comma or a set operator, the depth of the deepest.
    items: usize,
    /// `and` and `or` in the item: nothing binds less, so operands between them do not add up.
    logical: usize,
    /// Of the operands that ended with `and` or `or`, the depth of the deepest.
    operands: usize,
    /// Operators in the operand.
    run: usize,
    /// The depth of the deepest brackets in the operand.
    inner: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.set_operators + self.items.max(self.item())
    }

    fn item(&self) -> usize {
        self.logical + self.operands.max(self.run + self.inner)
    }

    fn next_item(&mut self) {
        let items = self.items.max(self.item());
        *self = Self { set_operators: self.set_operators, length: self.length, items, ..Self::default() };
    }

    fn next_operand(&mut self) {
        self.operands = self.operands.max(self.run + self.inner);
        self.logical += 1;
        (self.run, self.inner) = (0, 0);
    }
}

/// The innermost level; there is always one.
fn top(levels: &mut Vec<Level>) -> &mut Level {
    if levels.is_empty() {
        levels.push(Level::default());
    }
    let last = levels.len() - 1;
    &mut levels[last]
}

fn close(levels: &mut Vec<Level>) {
    // A bracket that was never opened is a syntax error, which the parser reports.
    if levels.len() > 1
        && let Some(level) = levels.pop()
    {
        let outer = top(levels);
        outer.inner = outer.inner.max(level.depth());
    }
}

/// What a token does to the depth.
enum Part {
    Open,
    Subscript,
    Close,
    Comma,
    SetOperator(usize),
    Logical,
    Operator,
    Other,
}

impl Part {
    fn of(token: &Token) -> Self {
        match token {
            Token::Word(word) => Self::of_keyword(word.keyword),
            Token::LParen | Token::LBrace => Part::Open,
            Token::LBracket => Part::Subscript,
            Token::RParen | Token::RBrace | Token::RBracket => Part::Close,
            Token::Comma => Part::Comma,
            Token::EOF
            | Token::SemiColon
            | Token::Whitespace(_)
            | Token::Number(..)
            | Token::Char(_)
            | Token::Placeholder(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_) => Part::Other,
            // Whatever else there is, some dialect reads it between two operands.
            _ => Part::Operator,
        }
    }

    fn of_keyword(keyword: Keyword) -> Self {
        match keyword {
            Keyword::AND | Keyword::OR => Part::Logical,
            Keyword::UNION => Part::SetOperator(1),
            Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => Part::SetOperator(JOIN),
            Keyword::AT
            | Keyword::BETWEEN
            | Keyword::COLLATE
            | Keyword::DESC
            | Keyword::DESCRIBE
            | Keyword::DIV
            | Keyword::EXPLAIN
            | Keyword::ILIKE
            | Keyword::IN
            | Keyword::IS
            | Keyword::LIKE
            | Keyword::MATCH
            | Keyword::MEMBER
            | Keyword::NOTNULL
            | Keyword::OPERATOR
            | Keyword::OVERLAPS
            | Keyword::PIVOT
            | Keyword::REGEXP
            | Keyword::RLIKE
            | Keyword::SIMILAR
            | Keyword::UNPIVOT
            | Keyword::XOR => Part::Operator,
            _ => Part::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    fn refusal(text: &str) -> Option<String> {
        let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location().unwrap();
        check(&tokens).err().map(|error| error.to_string())
    }

    #[test]
    fn chains_of_every_kind_are_counted() {
        for (start, link) in [
            ("select 1", " + 1"),
            ("select 1", "::int"),
            ("select 1", " is null"),
            ("select 1", "[1]"),
            ("select 1", " at time zone 'UTC'"),
            ("select (a)", ".b"),
            ("select a", " or a"),
            ("select a", " and a between 1 and 2"),
            ("select 1", " union all select 1, 2"),
            ("select 1", " + f(1, 2)"),
            ("", "explain "),
        ] {
            let text = |links| format!("{start}{}", link.repeat(links));
            assert_eq!(refusal(&text(250)), None, "{link}");
            let found = refusal(&text(1001));
            assert_eq!(
                found.as_deref(),
                Some("the statement has more than 600 operators in a row"),
                "{link}"
            );
        }
    }

    #[test]
    fn what_becomes_a_join_counts_more() {
        for link in [" except select 1", " intersect select 1"] {
            assert_eq!(refusal(&format!("select 1{}", link.repeat(100))), None);
            assert!(refusal(&format!("select 1{}", link.repeat(101))).is_some());
        }
    }

    #[test]
    fn what_is_nested_adds_up() {
        let chain = " + 1".repeat(400);
        assert_eq!(refusal(&format!("select (1{chain}), (1{chain})")), None);
        assert_eq!(refusal(&format!("select (1{chain}) + (1{chain})")), None);
        assert!(refusal(&format!("select (1{chain}){chain}")).is_some());
        assert!(refusal(&format!("select 1 union select (1{chain}){chain}, 2")).is_some());
        let nested = refusal(&format!("select {}1", "(".repeat(100)));
        assert_eq!(nested.as_deref(), Some("the statement is nested more than 100 levels deep"));
    }

    #[test]
    fn what_tools_write_passes() {
        let columns = "conformed.widget.price * 2 as price, ".repeat(2000);
        assert_eq!(refusal(&format!("select {columns} 1")), None);
        let terms = vec!["(force = 'beds' and widget_id >= 'b1')"; 550].join(" or ");
        assert_eq!(refusal(&format!("select 1 from a where {terms}")), None);
        let list = |items: usize| {
            format!("select 1 from a where b in (1, 2) or b in (-1{})", ", -1".repeat(items - 1))
        };
        assert_eq!(refusal(&list(1 << 16)), None);
        let longer = refusal(&list((1 << 16) + 2));
        assert_eq!(longer.as_deref(), Some("a list has more than 65536 items"));
    }
}
