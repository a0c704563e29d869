/* A worker as the payroll knows them. */
select number as person_id, name as surname, hours as fte, 'desk 1' as desk, 'cambs' as force
from raw.worker
