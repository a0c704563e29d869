//! The control record at the end of a file.

use crate::connector::contract::{Contract, FileLayout, NumberForm, Trailer, TrailerPart, Type};
use crate::connector::format::ends_line;
use crate::connector::rows::Control;
use crate::connector::value::number::{self, Digits};
use crate::error::{Error, Result};

/// Cuts the trailer off `body`, if the layout has one: the rest, and what the trailer says.
pub(super) fn cut<'a>(
    contract: &Contract,
    layout: &FileLayout,
    body: &'a [u8],
) -> Result<(&'a [u8], Control)> {
    let Some(trailer) = &layout.trailer else {
        return Ok((body, Control::default()));
    };
    let end = body.trim_ascii_end();
    let start = end.iter().rposition(|byte| ends_line(*byte)).map_or(0, |at| at + 1);
    let line = crate::connector::format::decoded(&end[start..], layout.encoding);
    match parse(contract, trailer, String::from_utf8_lossy(&line).trim()) {
        Some(control) => Ok((&body[..start], control)),
        None => {
            let message = format!("the last line is not the trailer '{}'", shown(trailer));
            Err(Error::contract(message).hint("the file may be cut: ask for it again"))
        }
    }
}

fn parse(contract: &Contract, trailer: &Trailer, line: &str) -> Option<Control> {
    let mut control = Control::default();
    let mut rest = line;
    for (at, part) in trailer.parts.iter().enumerate() {
        if let TrailerPart::Literal(text) = part {
            rest = rest.strip_prefix(text.as_str())?;
            continue;
        }
        let length = match trailer.parts.get(at + 1) {
            Some(TrailerPart::Literal(next)) => rest.find(next.as_str())?,
            // Two fields that touch cannot be told apart.
            Some(_) => return None,
            None => rest.len(),
        };
        let field = rest[..length].trim();
        rest = &rest[length..];
        match part {
            TrailerPart::Rows => {
                let digits = !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit());
                control.rows = Some(if digits { field.parse().ok()? } else { return None });
            }
            TrailerPart::Sum(name) => {
                control.sums.insert(name.clone(), sum(contract, name, field)?);
            }
            TrailerPart::Literal(_) => {}
        }
    }
    rest.is_empty().then_some(control)
}

/// A sum in units of the column's last digit. Plain numbers are understood whatever the form
/// of the column, because vendors seldom format their trailers.
fn sum(contract: &Contract, name: &str, text: &str) -> Option<i128> {
    let (scale, form) = match contract.column(name)?.ty {
        Type::Int => (0, NumberForm::Plain),
        Type::Decimal { scale, form, .. } => (u8::try_from(scale).ok()?, form),
        _ => return None,
    };
    number::decimal(text, Digits { precision: 38, scale }, form).ok()
}

/// The layout as the contract writes it: `T|{rows}|{sum:fte}`.
fn shown(trailer: &Trailer) -> String {
    let part = |part: &TrailerPart| match part {
        TrailerPart::Literal(text) => text.clone(),
        TrailerPart::Rows => "{rows}".to_string(),
        TrailerPart::Sum(column) => format!("{{sum:{column}}}"),
    };
    trailer.parts.iter().map(part).collect()
}
