// Sort a table by a click on a column's name: numbers from the highest first, words from A; missing values stay last.
function readValue(row, column) {
  const value = row.cells[column].dataset.sort;
  if (value === undefined || value === "") return null;
  return Number.isNaN(Number(value)) ? value : Number(value);
}

function compareValues(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sortTable(table, column) {
  const head = table.tHead.rows[0].cells[column];
  const rows = Array.from(table.tBodies[0].rows);
  const before = head.getAttribute("aria-sort");
  const falling = before ? before === "ascending" : head.classList.contains("number");
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  rows.sort((first, second) => {
    const a = readValue(first, column), b = readValue(second, column);
    if (a === null || b === null) return (a === null) - (b === null);
    return falling ? compareValues(b, a) : compareValues(a, b);
  });
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.querySelectorAll("th").forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sortTable(table, column));
  });
}
