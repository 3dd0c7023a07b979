// The raw samples behind a number.
"use strict";

// A run and its records: JSON, compressed by zlib, in URL-safe base64.
async function unpacked(id) {
  const block = JSON.parse(document.getElementById(id).textContent);
  const base64 = block.data.replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

const raws = new Map();

// What a cell was made from; runs that stand side by side have numbers.
function raw({ run }) {
  const id = run ? `cmx-bench-data-${run}` : "cmx-bench-data";
  if (!raws.has(id)) raws.set(id, unpacked(id));
  return raws.get(id);
}

function facts(pairs) {
  const parts = pairs.flatMap(([term, text]) => [made("dt", {}, term), made("dd", {}, text)]);
  return made("dl", { class: "facts" }, ...parts);
}

function processes(records, { metric, unit }) {
  const headings = ["Process", "Samples", "Discarded", "Environment", "Status"];
  const listed = (samples) => (samples?.[metric] ?? []).join(" · ");
  const row = (one) => [one.replicate, listed(one.values), listed(one.discarded), one.environment,
    one.reason ? `${one.status}: ${one.reason}` : one.status];
  const cells = (tag, attributes, texts) => texts.map((text) => made(tag, attributes, String(text)));
  return made("table", {},
    made("caption", {}, `${metric}${unit && ` in ${unit}`}, a line for each process`),
    made("thead", {}, made("tr", {}, ...cells("th", { scope: "col" }, headings))),
    made("tbody", {}, ...records.map((one) => made("tr", {}, ...cells("td", {}, row(one))))));
}

function weights(model, records) {
  if (!model?.weights) return "none: initial values";
  const hashed = records.find((one) => one.details?.weights_sha256);
  if (!hashed) return `${model.weights}: named by the suite, no file hashed in these records`;
  return `${model.weights}, SHA-256 ${hashed.details.weights_sha256}`;
}

async function behind(cell) {
  const { run, records } = await raw(cell.dataset);
  const mine = records.filter((one) => one.cell === cell.dataset.cell);
  const [name, , setting] = cell.dataset.cell.split("/");
  const shown = [...cell.childNodes].map((node) => node.textContent).join(" ");
  return [
    facts([
      ["Shown", shown],
      [cell.dataset.sort ? "Interval" : "Reason", cell.title],
      ["Setting", setting],
      ["Weights", weights(run.models.find((one) => one.name === name), mine)],
      ["Command", run.command],
      ["Cell", cell.dataset.cell],
    ]),
    made("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Samples" },
      processes(mine, cell.dataset)),
  ];
}

function makeDialog() {
  const title = made("h2", { id: "behind-title" });
  const content = made("div", {});
  const close = made("button", { type: "button", class: "close" }, "Close");
  const dialog = made("dialog", { "aria-labelledby": title.id }, close, title, content);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);

  return async (cell) => {
    const network = cell.parentElement.cells[0].firstChild;
    title.textContent = `${network.textContent} · ${cell.dataset.metric}`;
    content.replaceChildren();
    dialog.showModal();
    try {
      content.replaceChildren(...(await behind(cell)));
    } catch (error) {
      content.replaceChildren(
        made("p", {}, `The raw samples inside this page cannot be read (${error.message}). `
          + "The table of samples and cmx-bench verify have them as well."));
    }
  };
}

function makeClickable(cells, show) {
  for (const cell of cells) {
    const button = made("button", { type: "button", "aria-haspopup": "dialog" }, cell.firstChild);
    button.addEventListener("click", () => show(cell));
    cell.prepend(button);
  }
}

makeClickable(document.querySelectorAll("td[data-cell]"), makeDialog());
