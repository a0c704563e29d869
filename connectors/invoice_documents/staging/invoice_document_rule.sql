/*
One row per document and arithmetic rule that applies to it, for each thing the rule looked at.
grain: document_id, rule, subject
*/
select
    document_id,
    rule,
    subject,
    verdict,
    stated,
    computed
from raw.rule
where verdict <> 'not applicable'
