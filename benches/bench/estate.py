"""The demo's estate with as many forces as there are: the three forces' sources again under further codes, landed
once; and changes to a share of their rows."""

import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench.contest import MUSTER, say
from bench.models import CODE

FIRST = ("beds", "cambs", "herts")

# What is changed in a row of each entity: nothing of its key, nothing that its control totals add up, and where
# there is a choice something that a model reads.
CHANGED = {
    "itrent": {"person": "forenames", "position": "post_title", "absence": "reason_l1"},
    "sap_hcm": {"person": "forenames", "assignment": "title", "absence": "reason"},
    "northgate_dms": {"person": "surname", "roster": "shift_code", "booking": "actual_end", "compensation": "recorded_ts"},
    "crown_dms": {"employee": "surname", "shift": "shift_code", "overtime": "recorded_at"},
    "efinancials": {"gl_code": "description", "gl_trans": "narrative", "supplier": "name", "purchase_order": "requester",
                    "invoice": "supplier_ref", "payment": "payment_run"},
    "agresso": {"gl_code": "description", "gl_trans": "description", "supplier": "apar_name",
                "purchase_order": "amount", "invoice": "ext_inv_ref", "payment": "pay_method"},
    "oracle_ebs": {"gl_code": "description", "gl_line": "description", "supplier": "vendor_name",
                   "purchase_order": "amount", "invoice": "invoice_num", "payment": "payment_method"},
}


@dataclass(frozen=True)
class Source:
    """A source of the estate."""

    name: str
    force: str
    system: str
    address: str

    def raw(self, lake: Path, entity: str) -> Path:
        """The folder of an entity's raw table."""
        return lake / "raw" / self.force / self.name / entity


@dataclass(frozen=True)
class Estate:
    """The landed estate of `len(forces)` forces in `folder`, a project that has never been built."""

    folder: Path
    forces: list[str]

    @classmethod
    def at(cls, folder: Path, forces: int, staff: int) -> "Estate":
        """Generates and lands what is not there."""
        estate = cls(folder, codes(forces))
        if (folder / "muster.toml").exists() and len(manifest(folder)["forces"]) >= forces:
            return estate
        say(f"making an estate of {forces} forces, {staff} staff in every three")
        shutil.rmtree(folder, ignore_errors=True)
        demo = folder.with_name(folder.name + "-demo")
        shutil.rmtree(demo, ignore_errors=True)
        muster(demo, "demo", "--no-serve", "--dir", demo, "--staff", str(staff))
        for number, force in enumerate(estate.forces):
            link(demo / "systems" / FIRST[number % 3], folder / "systems" / force)
        write(folder, estate.forces, manifest(demo)["sources"].values())
        shutil.rmtree(demo)
        muster(folder, "pull")
        return estate

    def project(self, folder: Path, forces: int) -> "Estate":
        """A project of the first forces, as it is after its first pull. Files are linked, not copied: neither
        Muster nor `change` writes into one that is there."""
        shutil.rmtree(folder, ignore_errors=True)
        part = Estate(folder, self.forces[:forces])
        for force in part.forces:
            for name in (f"systems/{force}", f"lake/raw/{force}", f"lake/files/{force}"):
                if (self.folder / name).exists():
                    link(self.folder / name, folder / name)
        write(folder, part.forces, manifest(self.folder)["sources"].values())
        return part

    @property
    def sources(self) -> list[Source]:
        found = manifest(self.folder)["sources"].items()
        return [Source(name, s["force"], s["system"], s["address"]) for name, s in found]

    def change(self, share: float, gathered: bool) -> None:
        """Changes a share of all rows: of every entity of every force, or gathered in as few forces as hold them;
        and lands the change."""
        sizes = {force: self.size(force) for force in self.forces}
        left = share * sum(sizes.values())
        for force in self.forces:
            part = min(1.0, left / sizes[force]) if gathered else share
            left -= part * sizes[force]
            for source in self.sources:
                if source.force == force and part > 0:
                    change(self.folder, source, part)
        muster(self.folder, "pull")

    def size(self, force: str) -> int:
        """The bytes of a force's sources, which stand for its rows."""
        return sum(path.stat().st_size for path in (self.folder / "systems" / force).rglob("*") if path.is_file())


def codes(forces: int) -> list[str]:
    return [*FIRST, *(f"f{number:02}" for number in range(4, forces + 1))][:forces]


def manifest(folder: Path) -> dict:
    return tomllib.loads((folder / "muster.toml").read_text(encoding="utf-8"))


def write(folder: Path, forces: list[str], known) -> None:
    """`muster.toml` for `forces`, after the sources of the demo's three."""
    lines = ["[hub]", 'name = "Benchmark"', 'lake = "lake"', 'state = "sqlite:state.db"']
    for number, force in enumerate(forces):
        lines += ["", f"[forces.{force}]", f'name = "{force}"']
        for source in known:
            if source["force"] == FIRST[number % 3]:
                address = source["address"].replace(f"systems/{source['force']}/", f"systems/{force}/")
                lines += ["", f"[sources.{force}_{source['system']}]", f'force = "{force}"',
                          f'system = "{source["system"]}"', f'address = "{address}"']
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "muster.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def link(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(old, new, copy_function=os.link)


def muster(folder: Path, *words, environment: dict[str, str] | None = None) -> None:
    """A command that is not measured."""
    done = subprocess.run([MUSTER, "--project", folder, *words], capture_output=True, text=True,
                          env={**os.environ, **(environment or {})})
    if done.returncode:
        raise SystemExit(f"muster {words[0]}: {done.stderr.strip()[-800:]}")


def change(folder: Path, source: Source, share: float) -> None:
    """Changes a share of the rows of each entity of a source."""
    contract = tomllib.loads((CODE / "connectors" / source.system / "connector.toml").read_text(encoding="utf-8"))
    for name, column in CHANGED[source.system].items():
        entity = contract["entities"][name]
        if source.address.startswith("sqlite:"):
            change_table(folder / source.address.removeprefix("sqlite:"), entity["table"], column, share)
        else:
            change_file(folder / source.address.removeprefix("file:"), entity, column, share)


def change_table(database: Path, table: str, column: str, share: float) -> None:
    copy = database.with_suffix(".new")
    shutil.copyfile(database, copy)
    with sqlite3.connect(copy) as connection:
        rows = connection.execute(f"select rowid, {column} from {table} order by rowid").fetchall()
        changes = [(another(str(cell or "")), row) for number, (row, cell) in enumerate(rows) if due(number, share)]
        connection.executemany(f"update {table} set {column} = ? where rowid = ?", changes)
    connection.close()
    copy.replace(database)


def change_file(folder: Path, entity: dict, column: str, share: float) -> None:
    """Replaces the newest file by one of the next day."""
    layout = entity["file"]
    old = max(folder.glob(layout["match"]))
    day = re.search(r"\d{8}", old.name)[0]
    # Bytes that are no text of the encoding stay what they are.
    encoding = "latin-1" if layout.get("encoding") == "windows-1252" else "utf-8"
    text = old.read_bytes().decode(encoding, "surrogateescape")
    change = change_fixed if layout["format"] == "fixed" else change_delimited
    changed = change(text, entity, column, share)
    (folder / old.name.replace(day, f"{int(day) + 1}")).write_bytes(changed.encode(encoding, "surrogateescape"))
    old.unlink()


def change_fixed(text: str, entity: dict, column: str, share: float) -> str:
    place = entity["columns"][column]
    start, end = place["start"] - 1, place["start"] - 1 + place["width"]
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if due(number, share) and line[start:end].strip() and not line.startswith("T|"):
            lines[number] = line[:start] + another(line[start:end].rstrip()).ljust(end - start) + line[end:]
    return "".join(lines)


def change_delimited(text: str, entity: dict, column: str, share: float) -> str:
    layout, columns = entity["file"], list(entity["columns"])
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=layout.get("delimiter", ",")))
    place = columns.index(column)
    for number, row in enumerate(rows[1:] if layout.get("header", True) else rows):
        # A row of another length is a fault that was planted, or the trailer.
        if due(number, share) and len(row) == len(columns):
            row[place] = another(row[place])
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=layout.get("delimiter", ","), lineterminator="\n").writerows(rows)
    return out.getvalue()


def due(number: int, share: float) -> bool:
    """Whether the row of this number is one of those to change: they lie all over the table."""
    return number * 61 % 1000 < round(share * 1000)


def another(cell: str) -> str:
    """Another value of the same form: an even last digit and the odd one after it change places."""
    last = cell[-1:]
    if last.isascii() and last.isdigit():
        return cell[:-1] + str(int(last) ^ 1)
    if not last.isascii():
        return f"{cell}x"
    return cell[:-1] + ("y" if last == "x" else "x")
