//! The one shape of an invoice, whatever it was read from: every field with its value, the text it
//! was read from, how sure that is, and where it was found.

use super::decimal::Decimal;
use super::terms::{DOCUMENT, Kind, Term};

/// What an invoice was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// UBL 2.1, as Peppol BIS 3 uses it.
    Ubl,
    /// UN/CEFACT Cross Industry Invoice, as Factur-X and ZUGFeRD use it.
    Cii,
    /// The text of a PDF.
    Text,
    /// The image of a page.
    Scan,
}

impl Syntax {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Syntax::Ubl => "ubl",
            Syntax::Cii => "cii",
            Syntax::Text => "text",
            Syntax::Scan => "scan",
        }
    }

    /// Whether a field that was not found is not there. Of a printed page nobody knows.
    pub(super) fn is_complete(self) -> bool {
        matches!(self, Syntax::Ubl | Syntax::Cii)
    }
}

/// A field that was found.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) term: &'static Term,
    /// What it says, in one form for all syntaxes: `2018-06-05`, `10.00`. `None` when the text is
    /// not of the field's kind.
    pub(super) value: Option<String>,
    /// The text it was read from; of a bank account only what its value shows.
    pub(super) raw: String,
    /// From 0 to 1; 1 for what a structured document says.
    pub(super) confidence: f64,
    /// A path in the XML, or a page and a place on it.
    pub(super) place: String,
}

impl Field {
    /// A field of a structured document.
    pub(super) fn stated(term: &'static Term, text: &str, place: String) -> Self {
        Self::read(term, text, 1.0, place)
    }

    /// A field whose text is written as XML writes values.
    pub(super) fn read(term: &'static Term, text: &str, confidence: f64, place: String) -> Self {
        let value = value(term.kind, text.trim());
        let raw = match term.kind {
            Kind::Account => value.clone().unwrap_or_default(),
            _ => text.to_string(),
        };
        Self { term, value, raw, confidence, place }
    }
}

/// The form of a value that all syntaxes share.
fn value(kind: Kind, text: &str) -> Option<String> {
    match kind {
        Kind::Text => Some(text.to_string()).filter(|text| !text.is_empty()),
        Kind::Date => date(text),
        Kind::Amount => Some(Decimal::parse(text)?.text(2)),
        Kind::Number => Some(Decimal::parse(text)?.text(0)),
        Kind::Account => masked(text),
    }
}

/// `2018-06-05`, perhaps with a zone behind it, or `20180605`.
fn date(text: &str) -> Option<String> {
    let digits: String = match text.get(..10) {
        Some(day) if day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-' => day.replace('-', ""),
        _ => text.to_string(),
    };
    let day = chrono::NaiveDate::parse_from_str(&digits, "%Y%m%d").ok();
    day.filter(|_| digits.len() == 8).map(|day| day.format("%Y-%m-%d").to_string())
}

/// Enough of an account's number to see that it changed, too little to pay to it.
fn masked(text: &str) -> Option<String> {
    const SHOWN: usize = 4;
    let number: Vec<char> = text.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let hidden = number.len().checked_sub(SHOWN).filter(|hidden| *hidden >= SHOWN)?;
    let country: String = number.iter().take(2).take_while(|letter| letter.is_ascii_alphabetic()).collect();
    Some(format!("{country}…{}", number[hidden..].iter().collect::<String>()))
}

/// Fields that belong together: the document's own, those of a line, of a rate.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) fields: Vec<Field>,
}

impl Group {
    /// The value of a field; the first, where it was found more than once.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.term.name == name)?.value.as_deref()
    }

    /// The value of a numeric field.
    pub(super) fn number(&self, name: &str) -> Option<Decimal> {
        Decimal::parse(self.get(name)?)
    }

    /// Whether the field was found, readable or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.term.name == name)
    }

    /// The text of a field for its column: the value, or the text that is none, so that the row
    /// says what is wrong with it.
    pub(super) fn cell(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.term.name == name)?;
        field.value.as_deref().or(Some(field.raw.trim())).filter(|text| !text.is_empty())
    }
}

/// A line with its own allowances and charges.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) group: Group,
    pub(super) allowances: Vec<Group>,
}

/// An invoice or credit note.
#[derive(Debug, Clone)]
pub(super) struct InvoiceDocument {
    pub(super) syntax: Syntax,
    pub(super) header: Group,
    pub(super) lines: Vec<Line>,
    pub(super) vat: Vec<Group>,
    pub(super) allowances: Vec<Group>,
}

/// Whether an allowance is a charge.
pub(super) fn is_charge(allowance: &Group) -> bool {
    matches!(allowance.get("is_charge"), Some("true" | "1"))
}

impl InvoiceDocument {
    /// Every field with the group it belongs to, such as `line 3`.
    pub(super) fn fields(&self) -> Vec<(String, &Field)> {
        let numbered = |what: &str, groups: &[Group]| -> Vec<String> {
            (1..=groups.len()).map(|at| format!("{what} {at}")).collect()
        };
        let mut groups: Vec<(String, &Group)> = vec![("document".into(), &self.header)];
        groups.extend(numbered("allowance", &self.allowances).into_iter().zip(&self.allowances));
        for (line, at) in self.lines.iter().zip(1..) {
            let subject = format!("line {at}");
            let allowances = numbered(&format!("{subject} allowance"), &line.allowances);
            groups.push((subject, &line.group));
            groups.extend(allowances.into_iter().zip(&line.allowances));
        }
        groups.extend(numbered("vat", &self.vat).into_iter().zip(&self.vat));
        let fields = groups
            .into_iter()
            .flat_map(|(subject, group)| group.fields.iter().map(move |field| (subject.clone(), field)));
        fields.collect()
    }

    /// The least sure of the fields that a payment rests on; `None` when one of them was not found.
    pub(super) fn confidence(&self) -> Option<f64> {
        let sure = |name: &str| {
            let field = self.header.fields.iter().find(|field| field.term.name == name)?;
            field.value.as_ref().map(|_| field.confidence)
        };
        ["number", "issued_on", "gross_total"]
            .into_iter()
            .map(sure)
            .try_fold(1.0, |least, found| Some(f64::min(least, found?)))
    }
}

/// The term called `name` of the document itself.
pub(super) fn document_term(name: &str) -> Option<&'static Term> {
    DOCUMENT.iter().find(|term| term.name == name)
}
