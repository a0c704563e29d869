/* A worker as the payroll knows them. */
select number as person_id, name as surname, hours as fte, 'cambs' as force
from raw.worker
