"""(c) What policy costs: the questions of the dashboards, and scans, asked by one who may read everything, by one whose
role names every force, and by one of a single force."""

from contextlib import ExitStack
from itertools import permutations

from bench import hub, server
from bench.contest import REPEATS, say
from bench.data import Data
from bench.load import Target
from bench.measure import Failed, Result, Sample
from bench.questions import QUESTIONS, Question, statement
from bench.report import Block

# The users, who are called as their roles.
EVERYTHING, NAMED, ONE = "everything", "named", "one"
USERS = {EVERYTHING: "reads everything", NAMED: "43 forces by name", ONE: "one force"}
SCANS = (
    Question("all duties, summed", "select sum(worked_minutes) as minutes, count(*) as duties from {conformed.duty}"),
    Question("all journal lines, by heading", "select subjective, sum(amount) as amount from {conformed.journal_line} "
                                              "group by subjective order by subjective"),
)
# The shortest take a few milliseconds, in which much else may happen.
TURNS = 6 * REPEATS


def run(data: Data) -> Block:
    """The measurement and what it says."""
    block = Block("policy")
    served = hub.estate(data)
    results = {question.name: {user: Result(user) for user in USERS} for question in (*QUESTIONS, *SCANS)}
    with ExitStack() as stack:
        started = stack.enter_context(server.muster(served))
        asks = {user: stack.enter_context(Target("flight", started.uri, str, (user, served.password)).asking())
                for user in USERS}
        for turn in range(TURNS + 1):
            for question in (*QUESTIONS, *SCANS):
                take(results[question.name], asks, question, turn)
    whole = {user: sum(pair[user].seconds for pair in results.values()) for user in USERS}
    say("  " + ", ".join(f"{words}: {whole[user] * 1000:.0f} ms" for user, words in USERS.items()))
    block.says(f"Medians of {TURNS} statements each, in turn; none of them twice.")
    medians = {name: {user: result.seconds for user, result in pair.items()} for name, pair in results.items()}
    block.table([["", *USERS.values(), "by name, of everything's", "one force's, of everything's"],
                 *(line(name, seconds) for name, seconds in medians.items()), line("**all of them**", whole)])
    block.results = results
    return block


def take(results: dict[str, Result], asks: dict, question: Question, turn: int) -> None:
    """Every user once, in changing order. The first two see the same, and the first turn does not count."""
    sql = statement(question, turn, str)
    users = list(USERS)
    # Whoever comes after another finds warm what that one has read, so every order comes as often.
    order = list(permutations(users))[turn % 6]
    told = {user: asks[user](own(sql, users.index(user), turn)) for user in order}
    seen = {user: [row[:-1] for row in rows] for user, (_, rows) in told.items()}
    if seen[EVERYTHING] != seen[NAMED]:
        raise Failed(f"{question.name}: the answers differ")
    if question in SCANS and seen[ONE] == seen[EVERYTHING]:
        raise Failed(f"{question.name}: the user of one force sees what everybody does")
    if turn:
        for user, (seconds, _) in told.items():
            results[user].samples.append(Sample(seconds, 0, ""))


def own(sql: str, user: int, turn: int) -> str:
    """The same statement with a column that makes it another one, or who sees the same would be told what is known."""
    return sql.replace(" from ", f", {turn * 10 + user} as asked from ", 1)


def line(name: str, seconds: dict[str, float]) -> list[str]:
    return [name, *(f"{seconds[user] * 1000:.1f} ms" for user in USERS),
            *(f"{seconds[user] / seconds[EVERYTHING]:.2f}×" for user in (NAMED, ONE))]
