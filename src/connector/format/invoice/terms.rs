//! What an invoice says: the names of its fields, the business terms of EN 16931 behind them, and
//! where UBL and CII keep each. The one list of it: the readers walk it, contracts name its fields.

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

use Kind::{Account, Amount, Date, Number, Text};

/// The fields of the document.
pub(super) const DOCUMENT: &[Term] = &[
    term(
        "profile",
        "BT-24",
        Text,
        &["CustomizationID"],
        &["ExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID"],
    ),
    term("number", "BT-1", Text, &["ID"], &["ExchangedDocument/ID"]),
    term("type_code", "BT-3", Text, &["InvoiceTypeCode|CreditNoteTypeCode"], &["ExchangedDocument/TypeCode"]),
    term("issued_on", "BT-2", Date, &["IssueDate"], &["ExchangedDocument/IssueDateTime/DateTimeString"]),
    term(
        "due_on",
        "BT-9",
        Date,
        &["DueDate", "PaymentMeans/PaymentDueDate"],
        &["~settlement/SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString"],
    ),
    term(
        "tax_point_on",
        "BT-7",
        Date,
        &["TaxPointDate"],
        &["~settlement/ApplicableTradeTax/TaxPointDate/DateString"],
    ),
    term(
        "delivered_on",
        "BT-72",
        Date,
        &["Delivery/ActualDeliveryDate"],
        &["~delivery/ActualDeliverySupplyChainEvent/OccurrenceDateTime/DateTimeString"],
    ),
    term(
        "period_from",
        "BT-73",
        Date,
        &["InvoicePeriod/StartDate"],
        &["~settlement/BillingSpecifiedPeriod/StartDateTime/DateTimeString"],
    ),
    term(
        "period_to",
        "BT-74",
        Date,
        &["InvoicePeriod/EndDate"],
        &["~settlement/BillingSpecifiedPeriod/EndDateTime/DateTimeString"],
    ),
    term("currency", "BT-5", Text, &["DocumentCurrencyCode"], &["~settlement/InvoiceCurrencyCode"]),
    term("vat_currency", "BT-6", Text, &["TaxCurrencyCode"], &["~settlement/TaxCurrencyCode"]),
    term("buyer_reference", "BT-10", Text, &["BuyerReference"], &["~agreement/BuyerReference"]),
    term(
        "project_reference",
        "BT-11",
        Text,
        &["ProjectReference/ID"],
        &["~agreement/SpecifiedProcuringProject/ID"],
    ),
    term(
        "contract_reference",
        "BT-12",
        Text,
        &["ContractDocumentReference/ID"],
        &["~agreement/ContractReferencedDocument/IssuerAssignedID"],
    ),
    term(
        "order_reference",
        "BT-13",
        Text,
        &["OrderReference/ID"],
        &["~agreement/BuyerOrderReferencedDocument/IssuerAssignedID"],
    ),
    term(
        "despatch_reference",
        "BT-16",
        Text,
        &["DespatchDocumentReference/ID"],
        &["~delivery/DespatchAdviceReferencedDocument/IssuerAssignedID"],
    ),
    term(
        "accounting_reference",
        "BT-19",
        Text,
        &["AccountingCost"],
        &["~settlement/ReceivableSpecifiedTradeAccountingAccount/ID"],
    ),
    term(
        "preceding_invoice",
        "BT-25",
        Text,
        &["BillingReference/InvoiceDocumentReference/ID"],
        &["~settlement/InvoiceReferencedDocument/IssuerAssignedID"],
    ),
    term(
        "supplier_name",
        "BT-27",
        Text,
        &[
            "AccountingSupplierParty/Party/PartyLegalEntity/RegistrationName",
            "AccountingSupplierParty/Party/PartyName/Name",
        ],
        &["~agreement/SellerTradeParty/Name"],
    ),
    term(
        "supplier_company_id",
        "BT-30",
        Text,
        &["AccountingSupplierParty/Party/PartyLegalEntity/CompanyID"],
        &["~agreement/SellerTradeParty/SpecifiedLegalOrganization/ID"],
    ),
    term(
        "supplier_vat_id",
        "BT-31",
        Text,
        &["AccountingSupplierParty/Party/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID"],
        &["~agreement/SellerTradeParty/SpecifiedTaxRegistration/ID[@schemeID=VA]"],
    ),
    term(
        "supplier_tax_id",
        "BT-32",
        Text,
        &["AccountingSupplierParty/Party/PartyTaxScheme[not(TaxScheme/ID=VAT)]/CompanyID"],
        &["~agreement/SellerTradeParty/SpecifiedTaxRegistration/ID[@schemeID=FC]"],
    ),
    term(
        "supplier_endpoint",
        "BT-34",
        Text,
        &["AccountingSupplierParty/Party/EndpointID"],
        &["~agreement/SellerTradeParty/URIUniversalCommunication/URIID"],
    ),
    term(
        "supplier_postcode",
        "BT-38",
        Text,
        &["AccountingSupplierParty/Party/PostalAddress/PostalZone"],
        &["~agreement/SellerTradeParty/PostalTradeAddress/PostcodeCode"],
    ),
    term(
        "supplier_country",
        "BT-40",
        Text,
        &["AccountingSupplierParty/Party/PostalAddress/Country/IdentificationCode"],
        &["~agreement/SellerTradeParty/PostalTradeAddress/CountryID"],
    ),
    term(
        "buyer_name",
        "BT-44",
        Text,
        &[
            "AccountingCustomerParty/Party/PartyLegalEntity/RegistrationName",
            "AccountingCustomerParty/Party/PartyName/Name",
        ],
        &["~agreement/BuyerTradeParty/Name"],
    ),
    term(
        "buyer_id",
        "BT-46",
        Text,
        &["AccountingCustomerParty/Party/PartyIdentification/ID"],
        &["~agreement/BuyerTradeParty/GlobalID", "~agreement/BuyerTradeParty/ID"],
    ),
    term(
        "buyer_company_id",
        "BT-47",
        Text,
        &["AccountingCustomerParty/Party/PartyLegalEntity/CompanyID"],
        &["~agreement/BuyerTradeParty/SpecifiedLegalOrganization/ID"],
    ),
    term(
        "buyer_vat_id",
        "BT-48",
        Text,
        &["AccountingCustomerParty/Party/PartyTaxScheme[TaxScheme/ID=VAT]/CompanyID"],
        &["~agreement/BuyerTradeParty/SpecifiedTaxRegistration/ID[@schemeID=VA]"],
    ),
    term(
        "buyer_endpoint",
        "BT-49",
        Text,
        &["AccountingCustomerParty/Party/EndpointID"],
        &["~agreement/BuyerTradeParty/URIUniversalCommunication/URIID"],
    ),
    term("payee_name", "BT-59", Text, &["PayeeParty/PartyName/Name"], &["~settlement/PayeeTradeParty/Name"]),
    term(
        "payment_terms",
        "BT-20",
        Text,
        &["PaymentTerms/Note"],
        &["~settlement/SpecifiedTradePaymentTerms/Description"],
    ),
    term(
        "payment_means",
        "BT-81",
        Text,
        &["PaymentMeans/PaymentMeansCode"],
        &["~settlement/SpecifiedTradeSettlementPaymentMeans/TypeCode"],
    ),
    term("payment_reference", "BT-83", Text, &["PaymentMeans/PaymentID"], &["~settlement/PaymentReference"]),
    term(
        "payment_account",
        "BT-84",
        Account,
        &["PaymentMeans/PayeeFinancialAccount/ID"],
        &[
            "~settlement/SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/IBANID|ProprietaryID",
        ],
    ),
    term(
        "line_total",
        "BT-106",
        Amount,
        &["LegalMonetaryTotal/LineExtensionAmount"],
        &["~totals/LineTotalAmount"],
    ),
    term(
        "allowance_total",
        "BT-107",
        Amount,
        &["LegalMonetaryTotal/AllowanceTotalAmount"],
        &["~totals/AllowanceTotalAmount"],
    ),
    term(
        "charge_total",
        "BT-108",
        Amount,
        &["LegalMonetaryTotal/ChargeTotalAmount"],
        &["~totals/ChargeTotalAmount"],
    ),
    term(
        "net_total",
        "BT-109",
        Amount,
        &["LegalMonetaryTotal/TaxExclusiveAmount"],
        &["~totals/TaxBasisTotalAmount"],
    ),
    term(
        "vat_total",
        "BT-110",
        Amount,
        &["TaxTotal/TaxAmount[@currencyID=$currency]"],
        &["~totals/TaxTotalAmount[@currencyID=$currency]", "~totals/TaxTotalAmount[not(@currencyID)]"],
    ),
    term(
        "vat_total_in_vat_currency",
        "BT-111",
        Amount,
        &["TaxTotal/TaxAmount[@currencyID=$vat_currency]"],
        &["~totals/TaxTotalAmount[@currencyID=$vat_currency]"],
    ),
    term(
        "gross_total",
        "BT-112",
        Amount,
        &["LegalMonetaryTotal/TaxInclusiveAmount"],
        &["~totals/GrandTotalAmount"],
    ),
    term("prepaid", "BT-113", Amount, &["LegalMonetaryTotal/PrepaidAmount"], &["~totals/TotalPrepaidAmount"]),
    term(
        "rounding",
        "BT-114",
        Amount,
        &["LegalMonetaryTotal/PayableRoundingAmount"],
        &["~totals/RoundingAmount"],
    ),
    term("payable", "BT-115", Amount, &["LegalMonetaryTotal/PayableAmount"], &["~totals/DuePayableAmount"]),
];

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
