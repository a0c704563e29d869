"""The twelve questions of the dashboards, in SQL that every contestant reads, and the values that people pick in them.

A number stands for one choice of values: the same number is the same statement for everybody."""

import datetime
import random
from dataclasses import dataclass

from bench.hub import FORCES
from bench.estate import codes

TABLES = ("marts.spend", "marts.strength", "marts.worked_hours", "conformed.overtime", "conformed.journal_line",
          "conformed.invoice", "conformed.supplier", "conformed.duty")
LISTS = ("reference.subjective", "reference.rank")
HEADINGS = ("officer_pay", "staff_pay", "pcso_pay", "officer_overtime", "staff_overtime", "premises", "transport",
            "supplies_services", "third_party")
FIRST_DAY, DAYS = datetime.date(2024, 4, 1), 730


@dataclass(frozen=True)
class Question:
    """A statement in which tables stand as `{layer.name}` and what people pick as `{name}`."""

    name: str
    sql: str


QUESTIONS = (
    Question("spend by heading", """
        select subjective, sum(amount) as amount, sum(late_amount) as late_amount, sum(lines) as journal_lines
        from {marts.spend} where force in ({forces}) and fin_year = {year} and period <= {period}
        group by subjective order by amount desc, subjective"""),
    Question("spend by month", """
        select fin_year, period, sum(amount) as amount from {marts.spend}
        where force in ({forces}) and subjective = '{heading}' group by fin_year, period order by fin_year, period"""),
    Question("forces that spend most", """
        select force, sum(amount) as amount from {marts.spend}
        where subjective in ('{heading}', '{other_heading}') and fin_year = {year} and period between 1 and {period}
        group by force order by amount desc, force limit 10"""),
    Question("this period and the one before", """
        select force, sum(case when period = {period} then amount else 0 end) as amount_now,
            sum(case when period = {period} - 1 then amount else 0 end) as amount_before
        from {marts.spend} where fin_year = {year} and force in ({forces}) group by force order by force"""),
    Question("spend with the names of headings", """
        select h.name, sum(s.amount) as amount from {marts.spend} as s
        inner join {reference.subjective} as h on s.subjective = h.code
        where s.force in ({forces}) and s.fin_year = {year} and s.period >= {period}
        group by h.name, h.sort_order order by cast(h.sort_order as int)"""),
    Question("strength by rank", """
        select r.name, sum(s.headcount) as headcount, sum(s.fte) as fte from {marts.strength} as s
        inner join {reference.rank} as r on s.rank_code = r.code
        where s.month_end = date '{month_end}' and s.force in ({forces})
        group by r.name, r.sort_order order by cast(r.sort_order as int)"""),
    Question("strength by month", """
        select month_end, worker_type, sum(headcount) as headcount, sum(fte) as fte from {marts.strength}
        where force in ({forces}) and fin_year = {year}
        group by month_end, worker_type order by month_end, worker_type"""),
    Question("hours, this month and a year before", """
        select force, sum(case when month_end = date '{month_end}' then overtime_hours else 0 end) as overtime_now,
            sum(case when month_end <= date '{year_before}' then overtime_hours else 0 end) as overtime_before,
            sum(worked_hours) as worked_hours
        from {marts.worked_hours} where month_end <= date '{month_end}' group by force order by overtime_now desc, force
        limit 15"""),
    Question("overtime by kind of claim", """
        select claim_type, settlement, count(*) as claims, sum(minutes_worked) as minutes_worked
        from {conformed.overtime}
        where force in ({forces}) and status = 'authorised' and worked_on between date '{day}' and date '{later_day}'
        group by claim_type, settlement order by claim_type, settlement"""),
    Question("largest suppliers", """
        select s.supplier_id, s.name, sum(i.gross) as gross, count(*) as invoices
        from {conformed.invoice} as i
        inner join {conformed.supplier} as s on i.force = s.force and i.supplier_id = s.supplier_id
        where i.force = '{force}' and i.status <> 'cancelled' and i.invoice_date >= date '{day}'
        group by s.supplier_id, s.name order by gross desc, s.supplier_id limit 10"""),
    Question("cost centres", """
        select cost_centre, sum(amount) as amount, count(*) as journal_lines from {conformed.journal_line}
        where force = '{force}' and fin_year = {year} and period <= {period} and subjective <> '{heading}'
        group by cost_centre order by amount desc, cost_centre limit 20"""),
    Question("duties of a week, by force", """
        select force, count(*) as duties, sum(worked_minutes) as worked_minutes from {conformed.duty}
        where duty_date between date '{day}' and date '{week_later}' group by force order by force"""),
)


def statement(question: Question, number: int, names) -> str:
    """The statement of the number-th choice; `names` says how a contestant calls a table."""
    sql = question.sql
    for table in (*TABLES, *LISTS):
        sql = sql.replace(f"{{{table}}}", names(table))
    return " ".join(sql.format(**picked(number)).split())


def picked(number: int) -> dict[str, object]:
    """What somebody picked."""
    chance = random.Random(number)
    forces = codes(FORCES)
    day = FIRST_DAY + datetime.timedelta(chance.randrange(DAYS - 100))
    month = chance.randrange(12, 24)
    heading, other = chance.sample(HEADINGS, 2)
    return {
        "forces": ", ".join(f"'{force}'" for force in sorted(chance.sample(forces, chance.randint(1, 5)))),
        "force": chance.choice(forces), "year": chance.choice((2024, 2025)), "period": chance.randint(2, 12),
        "heading": heading, "other_heading": other, "month_end": month_end(month), "year_before": month_end(month - 12),
        "day": day, "later_day": day + datetime.timedelta(chance.randint(20, 90)),
        "week_later": day + datetime.timedelta(6)}


def month_end(month: int) -> datetime.date:
    """The last day of the month that is so many after the first."""
    year, rest = divmod(FIRST_DAY.month + month, 12)
    return datetime.date(FIRST_DAY.year + year, rest + 1, 1) - datetime.timedelta(1)
