// What readers choose by beside a drawing: boxes to tick, with the symbols that they stand for; and
// the drawing anew.
"use strict";

function fieldset(legend, ...children) {
  return made("fieldset", {}, made("legend", {}, legend), ...children);
}

function checkbox(checked, ...label) {
  const box = made("input", { type: "checkbox" });
  box.checked = checked;
  return { box, label: made("label", {}, box, ...label) };
}

// A box for each choice; `chosen` are the keys of those that are ticked.
function filter(legend, choices, swatch, isChosen) {
  const boxes = choices.map((choice, place) =>
    ({ ...checkbox(isChosen(place), swatch(choice), choice.label), key: choice.key }));
  return {
    element: fieldset(legend, ...boxes.map(({ label }) => label)),
    chosen: () => new Set(boxes.filter(({ box }) => box.checked).map(({ key }) => key)),
  };
}

function swatch(symbol, colour, opacity) {
  const svg = d3.create("svg").attr("viewBox", "-8 -8 16 16").attr("aria-hidden", "true");
  svg.append("path").attr("d", d3.symbol(typeof symbol === "string" ? d3[`symbol${symbol}`] : symbol, 100)())
    .attr("fill", colour).attr("fill-opacity", opacity).attr("stroke", colour);
  return svg.node();
}

// Draws now, after each choice in `section`, and where the width of `host` changes.
function drawOnChange(section, host, draw) {
  let width = host.clientWidth;
  draw();
  section.addEventListener("change", draw);
  new ResizeObserver(() => {
    if (host.clientWidth === width) return;
    width = host.clientWidth;
    draw();
  }).observe(host);
}
