// What pages do on top of being read: rows sorted and filtered, links that open what they lead to.
"use strict";

const made = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

// --- sorting -------------------------------------------------------------------------------------

const DIRECTIONS = [null, "ascending", "descending"];
const texts = new Intl.Collator("en", { numeric: true });

// Numbers by their base units, then texts as people order them; where nothing is, that is last.
function compared(one, other, direction) {
  const [a, b] = [one, other].map((cell) => Number.parseFloat(cell.dataset.sort));
  const absent = (cell) => cell.classList.contains("quiet") || !cell.textContent.trim();
  const apart = absent(one) - absent(other) || Number.isNaN(a) - Number.isNaN(b);
  const order = a - b || texts.compare(one.textContent.trim(), other.textContent.trim());
  return apart || (direction === "ascending" ? order : -order);
}

function makeSortable(table) {
  const body = table.tBodies[0];
  const asWritten = [...body.rows];
  const columns = [...table.querySelectorAll("col")].map((col) => col.dataset.column);
  const headings = [...table.querySelectorAll("thead th[data-column]")];

  function sort(heading) {
    const now = DIRECTIONS.indexOf(heading.getAttribute("aria-sort"));
    const direction = DIRECTIONS[(now + 1) % DIRECTIONS.length];
    for (const one of headings) one.removeAttribute("aria-sort");
    if (direction) heading.setAttribute("aria-sort", direction);
    const place = columns.indexOf(heading.dataset.column);
    const rows = [...asWritten];
    if (direction) rows.sort((a, b) => compared(a.cells[place], b.cells[place], direction));
    body.append(...rows);
  }

  for (const heading of headings) {
    const button = made("button", { type: "button" }, ...heading.childNodes);
    button.addEventListener("click", () => sort(heading));
    heading.append(button);
  }
}

// --- filtering -----------------------------------------------------------------------------------

const FEW_ROWS = 10;

function makeFilterable(table) {
  const rows = [...table.tBodies[0].rows];
  const input = made("input", { type: "search", "aria-describedby": table.caption.id });
  const count = made("output", {});

  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = input.value ? `${shown} of ${rows.length} rows` : "";
  });
  const bar = made("div", { class: "filter" }, made("label", {}, "Filter rows ", input), count);
  table.closest(".scroll").before(bar);
}

// --- links ---------------------------------------------------------------------------------------

// Shows what the address names, though it be folded away or filtered out.
function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let one = target; one; one = one.parentElement) {
    if (one.tagName === "DETAILS") one.open = true;
  }
  if (target.hidden) {
    const input = target.closest(".table").querySelector("input");
    input.value = "";
    input.dispatchEvent(new Event("input"));
  }
  target.scrollIntoView();
}

for (const table of document.querySelectorAll(".table table")) {
  if (table.tBodies[0].rows.length > 1) makeSortable(table);
  if (table.tBodies[0].rows.length > FEW_ROWS) makeFilterable(table);
}
addEventListener("hashchange", reveal);
reveal();
