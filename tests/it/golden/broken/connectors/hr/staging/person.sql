/* A person as the HR system knows them. */
select person_id, surname, fte, born as birth_date
from raw.person
