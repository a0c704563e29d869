/*
One row per value that a part of a ledger code may take, with its place in the tree of headings.
grain: force, source, element, value
scope: force
columns:
  element: which part of the code: account, cost_centre, project, or the ledger's own name of a further part
  value: the code itself; a heading above the codes has one too
  parent: the heading it counts towards; empty at the top of the tree
  level: its depth in the tree, 1 at the top; empty where the ledger keeps no tree
  description: what the code stands for
  is_open: whether the ledger still takes postings to it; empty where it does not say
  source: the ledger of this force that the row came from
checks:
  unique: force, source, element, value
  not_null: element, value
  accept parent: parent <> value      (warn)
*/
select
    element,
    value,
    parent,
    level,
    description,
    is_open,
    source
from staging.ledger_element
