"""The arithmetic rules of EN 16931, once more: written from the published Schematron, straight over
the XML and without the hub's shape, so that the verdicts in src/connector/format/invoice/tests.rs
rest on two programs that know nothing of each other.

    python3 tests/python/invoice_rules.py ../shared/data/invoices

prints, for each XML, the rules that fail and what they fail on.
"""

import re
import sys
import xml.etree.ElementTree as etree
from decimal import Decimal, ROUND_FLOOR
from pathlib import Path

TAXED = {"S": "BR-S", "L": "BR-AF", "M": "BR-AG"}
UNTAXED = {"Z": "BR-Z", "E": "BR-E", "AE": "BR-AE", "K": "BR-IC", "G": "BR-G", "O": "BR-O"}


def xround(number, digits=0):
    """round() of XPath: halves towards positive infinity."""
    unit = Decimal(1).scaleb(-digits)
    return ((number / unit + Decimal("0.5")).to_integral_value(ROUND_FLOOR)) * unit


def strip(root):
    for element in root.iter():
        element.tag = re.sub(r"\{.*\}", "", element.tag)
    return root


def num(element, path):
    found = element.find(path)
    return None if found is None or not (found.text or "").strip() else Decimal(found.text.strip())


def text(element, path):
    found = element.find(path)
    return None if found is None else (found.text or "").strip()


def total(numbers):
    return sum(numbers, Decimal(0))


class Invoice:
    def __init__(self, root):
        self.root = root
        self.cii = root.tag == "CrossIndustryInvoice"
        if self.cii:
            settlement = root.find("SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement")
            sums = settlement.find("SpecifiedTradeSettlementHeaderMonetarySummation")
            currency = text(settlement, "InvoiceCurrencyCode")
            names = ["LineTotalAmount", "AllowanceTotalAmount", "ChargeTotalAmount", "TaxBasisTotalAmount",
                     "GrandTotalAmount", "TotalPrepaidAmount", "RoundingAmount", "DuePayableAmount"]
            vat = [t for t in sums.findall("TaxTotalAmount") if t.get("currencyID") in (currency, None)]
            self.vat_total = Decimal(vat[0].text) if vat else None
            self.rates = [(text(t, "CategoryCode"), num(t, "RateApplicablePercent"), num(t, "BasisAmount"), num(t, "CalculatedAmount"))
                          for t in settlement.findall("ApplicableTradeTax")]
            self.others = [self.cii_other(o) for o in settlement.findall("SpecifiedTradeAllowanceCharge")]
            self.lines = [self.cii_line(i) for i in root.findall("SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem")]
            self.profile = text(root, "ExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID")
        else:
            sums = root.find("LegalMonetaryTotal")
            currency = text(root, "DocumentCurrencyCode")
            names = ["LineExtensionAmount", "AllowanceTotalAmount", "ChargeTotalAmount", "TaxExclusiveAmount",
                     "TaxInclusiveAmount", "PrepaidAmount", "PayableRoundingAmount", "PayableAmount"]
            vat = [t for t in root.findall("TaxTotal/TaxAmount") if t.get("currencyID") == currency]
            self.vat_total = Decimal(vat[0].text) if vat else None
            self.rates = [(text(t, "TaxCategory/ID"), num(t, "TaxCategory/Percent"), num(t, "TaxableAmount"), num(t, "TaxAmount"))
                          for t in root.findall("TaxTotal/TaxSubtotal")]
            self.others = [self.ubl_other(o) for o in root.findall("AllowanceCharge")]
            self.lines = [self.ubl_line(i) for i in root.findall("InvoiceLine") + root.findall("CreditNoteLine")]
            self.profile = text(root, "CustomizationID")
        (self.line, self.allowance, self.charge, self.net, self.gross, self.prepaid, self.rounding, self.payable) = \
            [num(sums, name) for name in names]

    @staticmethod
    def ubl_other(o):
        return dict(charge=text(o, "ChargeIndicator") == "true", amount=num(o, "Amount"), base=num(o, "BaseAmount"),
                    percent=num(o, "MultiplierFactorNumeric"), category=text(o, "TaxCategory/ID"), rate=num(o, "TaxCategory/Percent"))

    @staticmethod
    def cii_other(o):
        return dict(charge=text(o, "ChargeIndicator/Indicator") == "true", amount=num(o, "ActualAmount"), base=num(o, "BasisAmount"),
                    percent=num(o, "CalculationPercent"), category=text(o, "CategoryTradeTax/CategoryCode"),
                    rate=num(o, "CategoryTradeTax/RateApplicablePercent"))

    def ubl_line(self, i):
        quantity = num(i, "InvoicedQuantity")
        return dict(net=num(i, "LineExtensionAmount"), quantity=num(i, "CreditedQuantity") if quantity is None else quantity,
                    price=num(i, "Price/PriceAmount"), per=num(i, "Price/BaseQuantity"),
                    category=text(i, "Item/ClassifiedTaxCategory/ID"), rate=num(i, "Item/ClassifiedTaxCategory/Percent"),
                    others=[self.ubl_other(o) for o in i.findall("AllowanceCharge")])

    def cii_line(self, i):
        agreement, settlement = i.find("SpecifiedLineTradeAgreement"), i.find("SpecifiedLineTradeSettlement")
        per = num(agreement, "NetPriceProductTradePrice/BasisQuantity")
        return dict(net=num(settlement, "SpecifiedTradeSettlementLineMonetarySummation/LineTotalAmount"),
                    quantity=num(i, "SpecifiedLineTradeDelivery/BilledQuantity"),
                    price=num(agreement, "NetPriceProductTradePrice/ChargeAmount"),
                    per=num(agreement, "GrossPriceProductTradePrice/BasisQuantity") if per is None else per,
                    category=text(settlement, "ApplicableTradeTax/CategoryCode"), rate=num(settlement, "ApplicableTradeTax/RateApplicablePercent"),
                    others=[self.cii_other(o) for o in settlement.findall("SpecifiedTradeAllowanceCharge")])

    def failures(self):
        zero = Decimal(0)
        if self.line != xround(total(line["net"] for line in self.lines), 2):
            yield "BR-CO-10", "document"
        for rule, stated, charge in (("BR-CO-11", self.allowance, False), ("BR-CO-12", self.charge, True)):
            mine = [o["amount"] for o in self.others if o["charge"] == charge]
            if not (stated is None and not mine) and stated != xround(total(mine), 2):
                yield rule, "document"
        if self.net != xround(self.line + (self.charge or zero) - (self.allowance or zero), 2):
            yield "BR-CO-13", "document"
        if self.rates and self.vat_total is not None and self.vat_total != xround(total(r[3] for r in self.rates), 2):
            yield "BR-CO-14", "document"
        with_vat = self.vat_total is not None and self.gross == xround(self.net + self.vat_total, 2)
        if not (with_vat or (self.cii and self.gross == self.net)):
            yield "BR-CO-15", "document"
        if self.payable != xround(self.gross - (self.prepaid or zero) + (self.rounding or zero), 2):
            yield "BR-CO-16", "document"
        for category, rate, base, tax in self.rates:
            yield from self.rate_failures(category, rate, base, tax)
        is_peppol = "peppol.eu" in (self.profile or "")
        for at, other in enumerate(self.others, 1):
            yield from self.other_failures(f"allowance {at}", other, is_peppol)
        for at, line in enumerate(self.lines, 1):
            per = line["per"] or Decimal(1)
            quantity = Decimal(1) if line["quantity"] is None else line["quantity"]
            extra = total(o["amount"] if o["charge"] else -o["amount"] for o in line["others"])
            if abs(line["net"] - (quantity * (line["price"] or zero) / per + extra)) > Decimal("0.02"):
                yield "PEPPOL-EN16931-R120", f"line {at}"
            for nth, other in enumerate(line["others"], 1):
                yield from self.other_failures(f"line {at} allowance {nth}", other, is_peppol)

    def rate_failures(self, category, rate, base, tax):
        name = " ".join(["vat", category] + ([plain(rate)] if rate is not None else []))
        near = rate is not None and abs(abs(tax) - xround(abs(base) * rate / 100, 2))
        if rate is None or xround(rate) == 0:
            if xround(tax) != 0:
                yield "BR-CO-17", name
        elif near > 1 or (near == 1 and not self.cii):
            yield "BR-CO-17", name
        taxed = category in TAXED
        mine = [x for x in self.lines + self.others if x["category"] == category and (not taxed or x["rate"] == rate)]
        made = total(x["net"] if "net" in x else (x["amount"] if x["charge"] else -x["amount"]) for x in mine)
        slack = taxed or self.cii
        if (taxed and not mine) or (abs(made - base) >= 1 if slack else made != base):
            yield {**TAXED, **UNTAXED}[category] + "-08", name
        if (near >= 1) if taxed else (tax != 0):
            yield {**TAXED, **UNTAXED}[category] + "-09", name

    @staticmethod
    def other_failures(name, other, is_peppol):
        base, percent = other["base"], other["percent"]
        if base is not None and percent is not None and abs(other["amount"] - base * percent / 100) > Decimal("0.02"):
            yield "PEPPOL-EN16931-R040", name
        if is_peppol and percent is not None and base is None:
            yield "PEPPOL-EN16931-R041", name
        if is_peppol and base is not None and percent is None:
            yield "PEPPOL-EN16931-R042", name


def plain(number):
    shown = format(number, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def digits(root):
    """Whether any amount has more than two digits behind the point (BR-DEC)."""
    names = {"LineExtensionAmount", "TaxExclusiveAmount", "TaxInclusiveAmount", "AllowanceTotalAmount", "ChargeTotalAmount",
             "PrepaidAmount", "PayableRoundingAmount", "PayableAmount", "TaxableAmount", "TaxAmount",
             "LineTotalAmount", "TaxBasisTotalAmount", "GrandTotalAmount", "TotalPrepaidAmount", "RoundingAmount",
             "DuePayableAmount", "BasisAmount", "CalculatedAmount", "TaxTotalAmount"}
    for element in root.iter():
        if element.tag in names and len((element.text or "").strip().partition(".")[2]) > 2:
            yield element.tag


def main(folder):
    for path in sorted(Path(folder).glob("*/*.xml")):
        root = strip(etree.parse(path).getroot())
        failures = [f"{rule} {subject}" for rule, subject in Invoice(root).failures()]
        failures += [f"BR-DEC {tag}" for tag in digits(root)]
        print(f"{path.parent.name}/{path.name}: {'; '.join(failures) or 'pass'}")


if __name__ == "__main__":
    main(sys.argv[1])
