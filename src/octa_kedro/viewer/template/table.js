// The list of eyes: sorted by a click on a header, searched, and walked with the arrow keys.
"use strict";

const COLUMNS = [
  { key: "subject", name: "subject", text: true, of: (row) => row.subject },
  { key: "label", name: "label", text: true, of: (row) => row.label },
  { key: "prediction", name: "p(disease)", of: (row) => row.prediction },
  { key: "spread", name: "spread", of: (row) => row.spread },
  { key: "held_out", name: "held out", text: true, of: (row) => (row.held_out ? "yes" : "no") },
];

const SCORE_NAMES = {
  voxel_ap: "voxel AP",
  peak_in_lesion: "peak in lesion",
  peak_in_slab: "peak in slab",
  mass_in_lesion: "energy in lesion",
};

function columnsOf(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.scores)))];
  const known = COLUMNS.filter((column) => rows.some((row) => column.of(row) !== null));
  return known.concat(names.map((name) => ({
    key: name,
    name: SCORE_NAMES[name] ?? name.replaceAll("_", " "),
    text: rows.some((row) => typeof row.scores[name] === "string"),
    of: (row) => row.scores[name] ?? null,
  })));
}

function shown(value) {
  if (value === null) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size > 0 && size < 0.001 ? value.toExponential(1) : value.toFixed(size < 0.1 ? 3 : 2);
}

// Missing values come last, whatever the direction.
function compare(one, other, sign) {
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === "string" ? one.localeCompare(other, undefined, { numeric: true }) : one - other;
  return sign * order;
}

class EyeTable {
  constructor(table, rows, pick) {
    Object.assign(this, { table, rows, pick, columns: columnsOf(rows), sorted: [...rows], by: null, sign: 1 });
    this.keep = () => true;
    this.current = null;
    this.head();
    this.fill();
    table.addEventListener("keydown", (event) => this.walk(event));
  }

  head() {
    const row = this.table.tHead.insertRow();
    for (const column of this.columns) {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      button.textContent = column.name;
      button.title = `Sort by ${column.name}`;
      button.onclick = () => this.sort(column);
      cell.className = column.text ? "text" : "";
      cell.append(button);
      row.append(cell);
    }
  }

  sort(column) {
    this.sign = this.by === column ? -this.sign : column.text ? 1 : -1; // numbers: highest first
    this.by = column;
    this.sorted.sort((a, b) => compare(column.of(a), column.of(b), this.sign));
    [...this.table.tHead.rows[0].cells].forEach((cell, i) => {
      const chosen = this.columns[i] === column;
      cell.ariaSort = chosen ? (this.sign > 0 ? "ascending" : "descending") : null;
      cell.firstChild.textContent = this.columns[i].name + (chosen ? (this.sign > 0 ? " ▲" : " ▼") : "");
    });
    this.fill();
  }

  fill() {
    const body = this.table.tBodies[0];
    body.replaceChildren();
    for (const eye of this.sorted.filter((row) => this.keep(row))) {
      const row = body.insertRow();
      row.tabIndex = 0;
      row.dataset.subject = eye.subject;
      row.ariaSelected = String(eye === this.current);
      row.onclick = () => this.pick(eye);
      for (const column of this.columns) {
        const cell = row.insertCell();
        cell.textContent = shown(column.of(eye));
        cell.className = column.text ? "text" : "";
      }
    }
  }

  walk(event) {
    const row = event.target.closest("tbody tr");
    const next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling, Enter: row }[event.key];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.click();
  }

  mark(eye) {
    this.current = eye;
    for (const row of this.table.tBodies[0].rows) {
      row.ariaSelected = String(row.dataset.subject === eye.subject);
      if (row.dataset.subject === eye.subject) row.scrollIntoView({ block: "nearest" });
    }
  }
}
