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
const asked = new URLSearchParams(location.search);

// A list of the texts of a column that has choices, to see the rows of one of them alone.
function makeChoice(table, rows, column) {
  const place = [...table.querySelectorAll("col")].findIndex((col) => col.dataset.column === column);
  const textOf = (row) => row.cells[place].firstChild?.textContent.trim() ?? "";
  const values = [...new Set(rows.map(textOf))].sort(texts.compare);
  const select = made("select", { name: column }, made("option", { value: "" }, "all"),
    ...values.map((value) => made("option", { value }, value)));
  const heading = table.querySelector(`th[data-column="${column}"]`).textContent;
  return { select, label: made("label", {}, `${heading} `, select), several: values.length > 1,
    takes: (row) => !select.value || textOf(row) === select.value };
}

function textWithKeywords(row) {
  const keywords = [...row.querySelectorAll("[data-keywords]")].map((cell) => cell.dataset.keywords);
  return [row.textContent, ...keywords].join(" ").toLowerCase();
}

// What the address asks for is chosen at once: `?q=WORDS`, and `?COLUMN=TEXT` of a column with choices.
function makeFilterable(table, columns) {
  const rows = [...table.tBodies[0].rows];
  const searched = rows.map(textWithKeywords);
  const input = made("input", { type: "search", name: "q", "aria-describedby": table.caption.id });
  const count = made("output", {});
  const choices = columns.map((column) => makeChoice(table, rows, column))
    .filter(({ several }) => several);

  function filter() {
    const words = input.value.toLowerCase().split(/\s+/);
    rows.forEach((row, place) => {
      row.hidden = !(words.every((word) => searched[place].includes(word))
        && choices.every(({ takes }) => takes(row)));
    });
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
  }

  const label = made("label", {}, "Filter rows ", input);
  const bar = made("div", { class: choices.length ? "filter wide" : "filter" },
    ...choices.map((choice) => choice.label), label, count);
  table.closest(".scroll").before(bar);
  bar.addEventListener("input", filter);
  for (const control of bar.querySelectorAll("input, select")) {
    control.value = asked.get(control.name) ?? "";
    if (control.selectedIndex < 0) control.value = "";
  }
  filter();
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
    const bar = target.closest(".table").querySelector(".filter");
    for (const control of bar.querySelectorAll("input, select")) control.value = "";
    bar.dispatchEvent(new Event("input"));
  }
  target.scrollIntoView();
}

for (const table of document.querySelectorAll(".table table")) {
  if (table.tBodies[0].rows.length > 1) makeSortable(table);
  const choices = [...table.querySelectorAll("col[data-choices]")].map((col) => col.dataset.column);
  if (table.tBodies[0].rows.length > (choices.length ? 1 : FEW_ROWS)) makeFilterable(table, choices);
}
addEventListener("hashchange", reveal);
reveal();
