/*
One row per arithmetic rule that applies to a document, and thing that the rule looked at.
grain: force, source, document_id, rule, subject
scope: force
columns:
  document_id: the document, as in conformed.invoice_document
  rule: the id of the rule in EN 16931 or Peppol BIS 3, such as BR-CO-15
  subject: what it looked at: document, line 2, vat S 20
  verdict: pass or fail
  stated: what the document says
  computed: what its other numbers make
  source: the source at this force that it came from
checks:
  unique: force, source, document_id, rule, subject
  not_null: document_id, rule, subject, verdict
  accept verdict: verdict in ('pass', 'fail')
  relate document_id: conformed.invoice_document.document_id      (warn)
*/
select
    document_id,
    rule,
    subject,
    verdict,
    stated,
    computed,
    source
from staging.invoice_document_rule
