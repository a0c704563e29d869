/*
One row per field that Proactis read off a document.
grain: document_id, field
*/
select
    doc_id as document_id,
    lower(replace(field, '_', ' ')) as field,
    raw as raw_text,
    value,
    confidence,
    corrected as is_corrected,
    corrected_by,
    corrected_ts as corrected_at
from raw.field_capture
