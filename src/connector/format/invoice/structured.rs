//! Reads the two XML syntaxes of an invoice, UBL and CII, along the list of [`super::terms`].

use super::document::{Field, Group, InvoiceDocument, Line, Syntax};
use super::path::{Hit, find};
use super::terms::{ALLOWANCE, DOCUMENT, HEADS, LINE, Term, VAT};
use super::xml::{self, Element};

const UBL: &str = "urn:oasis:names:specification:ubl:schema:xsd:";
const CII: &str = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100";

/// Reads an invoice; `Err` says in words why it is none.
pub(super) fn read(bytes: &[u8]) -> Result<InvoiceDocument, String> {
    let root = xml::parse(bytes)?;
    let syntax = syntax(&root)?;
    let reader = Reader { syntax, root: Hit { element: &root, text: "", path: format!("/{}", root.name) } };
    Ok(reader.document())
}

/// Whether a root is that of an invoice; `Err` says what it is instead.
fn syntax(root: &Element) -> Result<Syntax, String> {
    let namespace = root.namespace().unwrap_or_default();
    match (root.name.as_str(), namespace.strip_prefix(UBL)) {
        ("Invoice", Some("Invoice-2")) | ("CreditNote", Some("CreditNote-2")) => Ok(Syntax::Ubl),
        ("CrossIndustryInvoice", _) if namespace == CII => Ok(Syntax::Cii),
        ("CrossIndustryDocument", _) => {
            Err("the XML is an invoice of ZUGFeRD 1, which came before EN 16931".into())
        }
        (name, _) => Err(format!("the XML is no invoice: its root is {name:?} of {namespace:?}")),
    }
}

struct Reader<'a> {
    syntax: Syntax,
    root: Hit<'a>,
}

impl<'a> Reader<'a> {
    fn document(&self) -> InvoiceDocument {
        let header = self.group(&self.root, DOCUMENT);
        let [lines, vat, allowances, line_allowances] = match self.syntax {
            Syntax::Cii => [
                "~lines",
                "~settlement/ApplicableTradeTax",
                "~settlement/SpecifiedTradeAllowanceCharge",
                "SpecifiedLineTradeSettlement/SpecifiedTradeAllowanceCharge",
            ],
            _ => ["InvoiceLine|CreditNoteLine", "TaxTotal/TaxSubtotal", "AllowanceCharge", "AllowanceCharge"],
        };
        let line = |hit: &Hit<'a>| Line {
            group: self.group(hit, LINE),
            allowances: self.groups(hit, line_allowances, ALLOWANCE),
        };
        InvoiceDocument {
            syntax: self.syntax,
            lines: self.find(&self.root, lines).iter().map(line).collect(),
            vat: self.groups(&self.root, vat, VAT),
            allowances: self.groups(&self.root, allowances, ALLOWANCE),
            header,
        }
    }

    fn groups(&self, from: &Hit<'a>, path: &str, terms: &'static [Term]) -> Vec<Group> {
        self.find(from, path).iter().map(|hit| self.group(hit, terms)).collect()
    }

    fn group(&self, from: &Hit<'a>, terms: &'static [Term]) -> Group {
        let fields = terms.iter().flat_map(|term| {
            let paths = match self.syntax {
                Syntax::Cii => term.cii,
                _ => term.ubl,
            };
            let mut found = paths.iter().map(|path| self.find(from, path)).filter(|hits| !hits.is_empty());
            let hits = found.next().unwrap_or_default();
            // An empty element says nothing.
            let hits = hits.into_iter().filter(|hit| !hit.text.trim().is_empty());
            hits.map(move |hit| Field::stated(term, hit.text, hit.path)).collect::<Vec<_>>()
        });
        Group { fields: fields.collect() }
    }

    fn find(&self, from: &Hit<'a>, path: &str) -> Vec<Hit<'a>> {
        let known = |name: &str| {
            let path = match (name, self.syntax) {
                ("currency", Syntax::Cii) => "~settlement/InvoiceCurrencyCode",
                ("vat_currency", Syntax::Cii) => "~settlement/TaxCurrencyCode",
                ("currency", _) => "DocumentCurrencyCode",
                _ => "TaxCurrencyCode",
            };
            find(&self.root, &expanded(path), &|_| None).first().map(|hit| hit.text.trim().to_string())
        };
        find(from, &expanded(path), &known)
    }
}

/// The path with its `~name` written out.
fn expanded(path: &str) -> String {
    let Some(rest) = path.strip_prefix('~') else { return path.into() };
    let (name, rest) = rest.split_once('/').map_or((rest, ""), |(name, rest)| (name, rest));
    let head = HEADS.iter().find(|(known, _)| *known == name).map_or(name, |(_, head)| head);
    if rest.is_empty() { head.into() } else { format!("{head}/{rest}") }
}
