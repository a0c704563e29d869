//! What an invoice says: the names of its fields, the business terms of EN 16931 behind them, and
//! where UBL and CII keep each. The one list of it: the readers walk it, contracts name its fields.

mod header;

pub(super) use header::DOCUMENT;

/// What the value of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Trimmed text.
    Text,
    /// A day.
    Date,
    /// Money: at least two digits behind the point.
    Amount,
    /// Any other number.
    Number,
    /// The number of a bank account: its country and last digits. The whole of it is in the kept
    /// file, for whoever may open that.
    Account,
}

/// A field.
#[derive(Debug)]
pub(super) struct Term {
    /// The name that contracts use.
    pub(super) name: &'static str,
    /// The business term, such as `BT-1`.
    pub(super) term: &'static str,
    pub(super) kind: Kind,
    /// Its paths (see [`super::path`]) from the group's element; the first that leads anywhere
    /// counts.
    pub(super) ubl: &'static [&'static str],
    /// The same in CII; `~name` stands for a path of [`HEADS`].
    pub(super) cii: &'static [&'static str],
}

/// Long ways that many CII paths begin with.
pub(super) const HEADS: [(&str, &str); 5] = [
    ("agreement", "SupplyChainTradeTransaction/ApplicableHeaderTradeAgreement"),
    ("delivery", "SupplyChainTradeTransaction/ApplicableHeaderTradeDelivery"),
    ("settlement", "SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement"),
    (
        "totals",
        "SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement/SpecifiedTradeSettlementHeaderMonetarySummation",
    ),
    ("lines", "SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem"),
];

const fn term(
    name: &'static str,
    term: &'static str,
    kind: Kind,
    ubl: &'static [&'static str],
    cii: &'static [&'static str],
) -> Term {
    Term { name, term, kind, ubl, cii }
}

use Kind::{Amount, Number, Text};

/// The fields of a line.
pub(super) const LINE: &[Term] = &[
    term("line_id", "BT-126", Text, &["ID"], &["AssociatedDocumentLineDocument/LineID"]),
    term("note", "BT-127", Text, &["Note"], &["AssociatedDocumentLineDocument/IncludedNote/Content"]),
    term("item_name", "BT-153", Text, &["Item/Name"], &["SpecifiedTradeProduct/Name"]),
    term("item_description", "BT-154", Text, &["Item/Description"], &["SpecifiedTradeProduct/Description"]),
    term(
        "seller_item_id",
        "BT-155",
        Text,
        &["Item/SellersItemIdentification/ID"],
        &["SpecifiedTradeProduct/SellerAssignedID"],
    ),
    term(
        "standard_item_id",
        "BT-157",
        Text,
        &["Item/StandardItemIdentification/ID"],
        &["SpecifiedTradeProduct/GlobalID"],
    ),
    term(
        "quantity",
        "BT-129",
        Number,
        &["InvoicedQuantity|CreditedQuantity"],
        &["SpecifiedLineTradeDelivery/BilledQuantity"],
    ),
    term(
        "unit",
        "BT-130",
        Text,
        &["InvoicedQuantity|CreditedQuantity/@unitCode"],
        &["SpecifiedLineTradeDelivery/BilledQuantity/@unitCode"],
    ),
    term(
        "net",
        "BT-131",
        Amount,
        &["LineExtensionAmount"],
        &["SpecifiedLineTradeSettlement/SpecifiedTradeSettlementLineMonetarySummation/LineTotalAmount"],
    ),
    term(
        "order_line",
        "BT-132",
        Text,
        &["OrderLineReference/LineID"],
        &["SpecifiedLineTradeAgreement/BuyerOrderReferencedDocument/LineID"],
    ),
    term(
        "line_accounting_reference",
        "BT-133",
        Text,
        &["AccountingCost"],
        &["SpecifiedLineTradeSettlement/ReceivableSpecifiedTradeAccountingAccount/ID"],
    ),
    term(
        "price",
        "BT-146",
        Number,
        &["Price/PriceAmount"],
        &["SpecifiedLineTradeAgreement/NetPriceProductTradePrice/ChargeAmount"],
    ),
    term(
        "price_quantity",
        "BT-149",
        Number,
        &["Price/BaseQuantity"],
        &[
            "SpecifiedLineTradeAgreement/NetPriceProductTradePrice/BasisQuantity",
            "SpecifiedLineTradeAgreement/GrossPriceProductTradePrice/BasisQuantity",
        ],
    ),
    term(
        "vat_category",
        "BT-151",
        Text,
        &["Item/ClassifiedTaxCategory/ID"],
        &["SpecifiedLineTradeSettlement/ApplicableTradeTax/CategoryCode"],
    ),
    term(
        "vat_rate",
        "BT-152",
        Number,
        &["Item/ClassifiedTaxCategory/Percent"],
        &["SpecifiedLineTradeSettlement/ApplicableTradeTax/RateApplicablePercent"],
    ),
];

/// The fields of the VAT breakdown for one category and rate.
pub(super) const VAT: &[Term] = &[
    term("vat_category", "BT-118", Text, &["TaxCategory/ID"], &["CategoryCode"]),
    term("vat_rate", "BT-119", Number, &["TaxCategory/Percent"], &["RateApplicablePercent"]),
    term("vat_base", "BT-116", Amount, &["TaxableAmount"], &["BasisAmount"]),
    term("vat_amount", "BT-117", Amount, &["TaxAmount"], &["CalculatedAmount"]),
    term("exemption_reason", "BT-120", Text, &["TaxCategory/TaxExemptionReason"], &["ExemptionReason"]),
    term("exemption_code", "BT-121", Text, &["TaxCategory/TaxExemptionReasonCode"], &["ExemptionReasonCode"]),
];

/// The fields of an allowance or charge, of the document or of a line.
pub(super) const ALLOWANCE: &[Term] = &[
    term("is_charge", "BG-20", Text, &["ChargeIndicator"], &["ChargeIndicator/Indicator"]),
    term("amount", "BT-92", Amount, &["Amount"], &["ActualAmount"]),
    term("base", "BT-93", Amount, &["BaseAmount"], &["BasisAmount"]),
    term("percent", "BT-94", Number, &["MultiplierFactorNumeric"], &["CalculationPercent"]),
    term("vat_category", "BT-95", Text, &["TaxCategory/ID"], &["CategoryTradeTax/CategoryCode"]),
    term("vat_rate", "BT-96", Number, &["TaxCategory/Percent"], &["CategoryTradeTax/RateApplicablePercent"]),
    term("reason", "BT-97", Text, &["AllowanceChargeReason"], &["Reason"]),
    term("reason_code", "BT-98", Text, &["AllowanceChargeReasonCode"], &["ReasonCode"]),
];
