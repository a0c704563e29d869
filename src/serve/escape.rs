//! The escapes of ODBC: `{d '…'}`, `{t '…'}`, `{ts '…'}`, `{fn …}`, `{oj …}` and `{escape '…'}`.
//!
//! Tools write them for a driver to translate, and the Flight SQL drivers hand them on as they
//! are. They are translated here on tokens, before the statement is parsed: what stands in a text,
//! a quoted name or a comment is one token, and no escape.

use crate::error::{Error, Result};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Word};

/// An opening brace that waits for its end.
enum Open {
    /// Of an escape whose braces become brackets, with its word.
    Brackets(&'static str, Location),
    /// Of a literal: `{a: 1}`. The parser reads it.
    Literal,
}

/// What an opening brace begins.
enum Escape {
    /// `{d`, `{t`, `{ts` and `{escape`, with the word that stands in front of their text.
    Text(&'static str),
    /// `{fn` and `{oj`, around SQL that may hold escapes of its own.
    Around(&'static str),
    /// `{call`, `{?=call`: no escape that reads.
    Call,
}

/// `tokens` with every escape in the words of the dialect. An escape that does not end, or whose
/// text is none, is an error that says where it begins.
pub(super) fn translate(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    if !tokens.iter().any(|token| token.token == Token::LBrace) {
        return Ok(tokens);
    }
    let mut out = Vec::with_capacity(tokens.len());
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let place = token.span.start;
        match &token.token {
            Token::LBrace => match begins(&tokens, at) {
                None => {
                    open.push(Open::Literal);
                    out.push(token.clone());
                }
                Some((word, Escape::Around(name), next)) => {
                    open.push(Open::Brackets(name, place));
                    out.push(TokenWithSpan::new(Token::LParen, token.span));
                    at = call(&tokens, next, &mut out, word);
                }
                Some((word, Escape::Text(kind), next)) => {
                    let (text, next) = text(&tokens, next).ok_or_else(|| no_text(&word.value, place))?;
                    out.push(TokenWithSpan::new(Token::make_word(kind, None), token.span));
                    out.push(text.clone());
                    at = next;
                }
                Some((_, Escape::Call, _)) => {
                    return Err(Error::query(format!("not supported: the escape '{{call'{place}"))
                        .hint("there are no procedures; use select"));
                }
            },
            Token::RBrace => match open.pop() {
                Some(Open::Brackets(..)) => out.push(TokenWithSpan::new(Token::RParen, token.span)),
                Some(Open::Literal) | None => out.push(token.clone()),
            },
            _ => out.push(token.clone()),
        }
    }
    match open.into_iter().find_map(|open| match open {
        Open::Brackets(word, place) => Some((word, place)),
        Open::Literal => None,
    }) {
        Some((word, place)) => {
            Err(Error::query(format!("the escape '{{{word}'{place} has no end")).hint("close it with '}'"))
        }
        None => Ok(out),
    }
}

/// The escape after an opening brace, its word, and where its content begins; `None` for a
/// literal, whose first word is a key with a colon behind it.
fn begins(tokens: &[TokenWithSpan], at: usize) -> Option<(&Word, Escape, usize)> {
    let (first, next) = significant(tokens, at)?;
    let Token::Word(word) = &first.token else {
        // `{? = call`: the word that follows tells it from a literal.
        let is_result = matches!(&first.token, Token::Placeholder(_));
        let (equals, next) = significant(tokens, next).filter(|_| is_result)?;
        let (called, next) = significant(tokens, next).filter(|_| equals.token == Token::Eq)?;
        let Token::Word(word) = &called.token else { return None };
        return word.value.eq_ignore_ascii_case("call").then_some((word, Escape::Call, next));
    };
    let is_key = significant(tokens, next).is_some_and(|(token, _)| token.token == Token::Colon);
    if is_key || word.quote_style.is_some() {
        return None;
    }
    let escape = match word.value.to_ascii_lowercase().as_str() {
        "d" => Escape::Text("date"),
        "t" => Escape::Text("time"),
        "ts" => Escape::Text("timestamp"),
        "escape" => Escape::Text("escape"),
        "fn" => Escape::Around("fn"),
        "oj" => Escape::Around("oj"),
        "call" => Escape::Call,
        _ => return None,
    };
    Some((word, escape, next))
}

/// Copies the name of the function that an escape calls. `log` is the natural logarithm in ODBC and
/// the decimal one in the dialect.
fn call(tokens: &[TokenWithSpan], at: usize, out: &mut Vec<TokenWithSpan>, word: &Word) -> usize {
    match significant(tokens, at) {
        Some((token, next))
            if word.value.eq_ignore_ascii_case("fn")
                && matches!(&token.token, Token::Word(name) if name.value.eq_ignore_ascii_case("log")) =>
        {
            out.push(TokenWithSpan::new(Token::make_word("ln", None), token.span));
            next
        }
        _ => at,
    }
}

/// The text that is all of an escape, and what comes after its closing brace.
fn text(tokens: &[TokenWithSpan], at: usize) -> Option<(&TokenWithSpan, usize)> {
    let (text, next) = significant(tokens, at)?;
    let (end, next) = significant(tokens, next)?;
    let is_text = matches!(text.token, Token::SingleQuotedString(_)) && end.token == Token::RBrace;
    is_text.then_some((text, next))
}

/// The next token that is no space and no comment, and where the one after it stands.
fn significant(tokens: &[TokenWithSpan], at: usize) -> Option<(&TokenWithSpan, usize)> {
    let rest = tokens.get(at..)?;
    let skipped = rest.iter().take_while(|token| matches!(token.token, Token::Whitespace(_))).count();
    Some((rest.get(skipped)?, at + skipped + 1))
}

fn no_text(word: &str, place: Location) -> Error {
    let word = word.to_ascii_lowercase();
    Error::query(format!("the escape '{{{word}'{place} is not one text between its word and '}}'"))
        .hint("write {d '2026-03-31'}, {t '17:00:00'}, {ts '2026-03-31 17:00:00'} or {escape '\\'}")
}

#[cfg(test)]
mod tests {
    use crate::serve::sql::tests::check_rows as check;
    use expect_test::expect;

    #[test]
    fn every_escape_is_translated() {
        check(
            "select * from a where b = {d '2026-03-31'} and c < {t '17:00:00'} and d = {ts '9999-12-31 00:00:00'}",
            expect![[
                r#"SELECT * FROM a WHERE b = DATE '2026-03-31' AND c < TIME '17:00:00' AND d = TIMESTAMP(6) '9999-12-31 00:00:00'"#
            ]],
        );
        check(
            "select {fn ucase(a)}, { FN Left( {fn LTRIM(b)} , 2) }",
            expect![[r#"SELECT (ucase(a)), (Left((LTRIM(b)), 2))"#]],
        );
        check(
            "select {fn log(a)}, log(a), {fn log10(a)}",
            expect![[r#"SELECT (ln(a)), log(a), (log10(a))"#]],
        );
        check(
            "select * from {oj a left outer join b on a.x = b.x} where 1 = 0",
            expect![[r#"SELECT * FROM (a LEFT OUTER JOIN b ON a.x = b.x) WHERE 1 = 0"#]],
        );
        check(
            "select 1 where a like 'x\\_%' {escape '\\'}",
            expect![[r#"SELECT 1 WHERE a LIKE 'x\_%' ESCAPE '\'"#]],
        );
        check("select {fn convert(a, SQL_INTEGER)}", expect![[r#"SELECT (CAST(a AS INTEGER))"#]]);
        check(
            "select {fn extract(year from a)}, {fn curdate()}, {fn user()}",
            expect![[r#"SELECT (EXTRACT(YEAR FROM a)), (curdate()), (user())"#]],
        );
        check(
            "select {\n/* a day */ D -- of March\n '2026-03-31' }",
            expect![[r#"SELECT DATE '2026-03-31'"#]],
        );
        check(
            "select * from a where b = {d '2026-03-31'} and c = ? and d = ?",
            expect![[r#"SELECT * FROM a WHERE b = DATE '2026-03-31' AND c = $1 AND d = $2"#]],
        );
    }

    #[test]
    fn texts_names_comments_and_literals_stay() {
        check(
            "select '{d ''x''}' as \"{fn a}\" /* {ts */ from a -- {oj",
            expect![[r#"SELECT '{d ''x''}' AS "{fn a}" FROM a"#]],
        );
        check("select {d: 1, 'fn': {ts: {fn abs(2)}}}", expect![[r#"SELECT {d: 1, 'fn': {ts: (abs(2))}}"#]]);
        check("select map {'d': {d '2026-03-31'}}", expect![[r#"SELECT MAP {'d': DATE '2026-03-31'}"#]]);
    }

    #[test]
    fn what_is_no_escape_is_refused_with_its_place() {
        check("select {fn ucase(a)", expect![[r#"the escape '{fn' at Line: 1, Column: 8 has no end"#]]);
        check("select {oj {fn ucase(a)}", expect![[r#"the escape '{oj' at Line: 1, Column: 8 has no end"#]]);
        check(
            "select {d 2026}",
            expect![[r#"the escape '{d' at Line: 1, Column: 8 is not one text between its word and '}'"#]],
        );
        check(
            "select\n  {ts '2026-03-31 00:00:00'",
            expect![[r#"the escape '{ts' at Line: 2, Column: 3 is not one text between its word and '}'"#]],
        );
        check(
            "select {ts '2026' + 1}",
            expect![[r#"the escape '{ts' at Line: 1, Column: 8 is not one text between its word and '}'"#]],
        );
        check("{call p(1)}", expect![[r#"not supported: the escape '{call' at Line: 1, Column: 1"#]]);
        check("{? = call p(1)}", expect![[r#"not supported: the escape '{call' at Line: 1, Column: 1"#]]);
        check(
            "select 1}",
            expect![[r#"syntax error: expected: end of statement, found: } at Line: 1, Column: 9"#]],
        );
        check(
            "select {guid 'x'}",
            expect![[r#"syntax error: expected: :, found: 'x' at Line: 1, Column: 14"#]],
        );
        check("select {", expect![[r#"syntax error: expected: identifier, found: EOF"#]]);
    }

    #[test]
    fn nesting_has_its_limit() {
        let nested = format!("select {}1{}", "{fn abs(".repeat(60), ")}".repeat(60));
        check(&nested, expect![[r#"the statement is nested more than 100 levels deep"#]]);
        let open = format!("select {}", "{fn abs(".repeat(100_000));
        check(&open, expect![[r#"the escape '{fn' at Line: 1, Column: 8 has no end"#]]);
    }
}
