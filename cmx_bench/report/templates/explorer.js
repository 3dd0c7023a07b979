// The explorer: a scatter plot whose axes the reader chooses, drawn by Observable Plot.
"use strict";
{
  const { axes, begin, families, settings, points } = JSON.parse(
    document.getElementById("explorer-data").textContent);
  const section = document.querySelector("section.explorer");
  const ticked = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
  const OPACITIES = [1, 0.45, 0.15, 0.7]; // of the settings, in their order
  const FONT_SIZE = 11;
  const FADED = 0.35; // the opacity of points that rest on a disturbed value
  const MOST_LABELS = 150;
  const LONGEST_LABEL = 28;

  // --- the shapes of the figures' markers, by matplotlib's names ---------------------------------

  // Its corners are turned by so many turns, and scaled so that it has the wanted area.
  function polygon(corners, turns = 0) {
    const area = Math.abs(d3.polygonArea(corners));
    const [sine, cosine] = [Math.sin(2 * Math.PI * turns), Math.cos(2 * Math.PI * turns)];
    return {
      draw(context, size) {
        const scale = Math.sqrt(size / area);
        corners.forEach(([x, y], place) => context[place ? "lineTo" : "moveTo"](
          scale * (cosine * x - sine * y), scale * (sine * x + cosine * y)));
        context.closePath();
      },
    };
  }

  const regular = (sides, turns) => polygon(d3.range(sides).map((side) =>
    [Math.sin((2 * Math.PI * side) / sides), -Math.cos((2 * Math.PI * side) / sides)]), turns);
  const PLUS = [[-1, -3], [1, -3], [1, -1], [3, -1], [3, 1], [1, 1], [1, 3], [-1, 3], [-1, 1],
    [-3, 1], [-3, -1], [-1, -1]];
  const SHAPES = {
    "o": d3.symbolCircle, "*": d3.symbolStar, "s": regular(4, 1 / 8), "D": regular(4),
    "^": regular(3), "v": regular(3, 1 / 2), "<": regular(3, 3 / 4), ">": regular(3, 1 / 4),
    "P": polygon(PLUS), "X": polygon(PLUS, 1 / 8), "p": regular(5), "h": regular(6),
  };

  // --- what the reader chooses -------------------------------------------------------------------

  const titled = ({ title, unit }) => (unit ? `${title} (${unit})` : title);

  // A select of all axes and a box for a logarithmic scale.
  function axisControl(legend, key) {
    const group = (label, those) => made("optgroup", { label },
      ...those.map((axis) => made("option", { value: axis.key }, titled(axis))));
    const [published, measured] = [true, false].map((wanted) =>
      axes.filter((axis) => axis.published === wanted));
    const select = made("select", { "aria-label": legend }, group("Measured here", measured));
    if (published.length) select.append(group("Published, not measured here", published));
    select.value = key;
    const [low, high] = d3.extent(points, (point) => point.values[key]?.[0]);
    const { box, label } = checkbox(low > 0 && high / low > 10, "logarithmic");
    return {
      element: fieldset(legend, select, label),
      axis: () => axes.find((axis) => axis.key === select.value),
      value: (point) => point.values[select.value],
      logarithmic: () => box.checked,
      has: (end) => end !== null && (end > 0 || !box.checked),
    };
  }

  const styles = new Map(families.map((family) => [family.key, family]));
  const names = new Map(settings.map(({ key, label }) => [key, label]));
  const opacities = new Map(settings.map(({ key }, place) =>
    [key, OPACITIES[place % OPACITIES.length]]));
  const x = axisControl("Along x", begin[0]);
  const y = axisControl("Along y", begin[1]);
  const family = filter("Families", families, ({ marker, colour }) => swatch(SHAPES[marker], colour, 1),
    () => true);
  const setting = filter("Settings", settings,
    ({ key }) => swatch("Circle", "currentColor", opacities.get(key)), (place) => place === 0);

  // --- what is drawn -----------------------------------------------------------------------------

  function named({ label, setting: key }) {
    const half = LONGEST_LABEL / 2; // variants of a model differ at the end
    const short = label.length > LONGEST_LABEL
      ? `${label.slice(0, half)}…${label.slice(1 - half)}` : label;
    return setting.chosen().size > 1 ? `${short} · ${names.get(key)}` : short;
  }

  // What a point is and what its values are, as the tables have them.
  function lines(point) {
    const values = [x, y].map((control) => `${control.axis().title}: ${control.value(point)[3]}`);
    return [`${point.label} · ${point.setting}`, ...new Set(values)];
  }

  const isDisturbed = (point) => [x, y].some((control) => control.value(point)[4]);
  const fade = (point) => (isDisturbed(point) ? FADED : 1);

  // A scale over all values and intervals, and the ticks of an axis of so many pixels.
  function scaleOf(control, shown, pixels) {
    const ends = shown.flatMap((point) => control.value(point).slice(0, 3)).filter(control.has);
    let [low, high] = d3.extent(ends);
    if (low === high) [low, high] = low > 0 ? [low / 2, low * 2] : [low - 1, low + 1];
    const most = Math.max(3, pixels / 90);
    if (!control.logarithmic()) {
      const domain = d3.nice(low, high, most);
      return { scale: { type: "linear", domain }, ticks: d3.ticks(...domain, most) };
    }
    const powers = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
    const among = (...digits) => powers
      .flatMap((power) => digits.map((digit) => digit * 10 ** power))
      .filter((tick) => low <= tick && tick <= high);
    const round = [among(1, 2, 5), among(1)].find((ticks) => ticks.length <= 1.5 * most);
    const ticks = round?.length > 2 ? round : d3.ticks(low, high, most);
    return { scale: { type: "log", domain: [low, high] }, ticks };
  }

  const context = document.createElement("canvas").getContext("2d");

  // Labels where neither another label nor a point nor a bar is in the way, or nowhere.
  function besidePoints(shown, options) {
    return Plot.initializer(options, (data, facets, channels, scales, frame) => {
      context.font = `${FONT_SIZE}px ${getComputedStyle(document.body).fontFamily}`;
      const pixels = (control, scale, point) => {
        const [middle, ...ends] = control.value(point).slice(0, 3);
        return [middle, ...ends.map((end) => (control.has(end) ? end : middle))].map(scale);
      };
      const spots = shown.map((point) => [pixels(x, scales.x, point), pixels(y, scales.y, point)]);
      const taken = spots.flatMap(([[across, left, right], [down, bottom, top]]) => [
        [across - 8, down - 8, across + 8, down + 8],
        [left, down - 1, right, down + 1],
        [across - 1, top, across + 1, bottom],
      ]);
      const free = ([left, top, right, bottom]) =>
        left > frame.marginLeft && right < frame.width
        && top > 0 && bottom < frame.height - frame.marginBottom
        && taken.every(([l, t, r, b]) => right < l || left > r || bottom < t || top > b);
      const boxes = spots.map(([[across], [down]], place) => {
        const half = context.measureText(named(shown[place])).width / 2 + 1;
        const around = [[half + 12, 0], [-half - 12, 0], [0, -17], [0, 17],
          ...[14, 24].flatMap((up) => [[half, -up], [-half, -up], [half, up], [-half, up]])];
        const box = around.map(([dx, dy]) => [across + dx, down + dy])
          .map(([left, top]) => [left - half, top - 6, left + half, top + 6]).find(free);
        if (box) taken.push(box);
        return box;
      });
      const middle = (start) => boxes.map((box) => (box ? (box[start] + box[start + 2]) / 2 : NaN));
      return { data, facets, channels: { x: { value: middle(0) }, y: { value: middle(1) } } };
    });
  }

  function plot(shown, width) {
    const height = Math.round(Math.min(520, Math.max(360, width * 0.55)));
    const [across, up] = [scaleOf(x, shown, width - 90), scaleOf(y, shown, height - 80)];
    const hidden = { ariaHidden: "true" };
    const at = (control, end) => (point) => {
      const number = control.value(point)[end];
      return control.has(number) ? number : NaN;
    };
    const place = { x: at(x, 0), y: at(y, 0) };
    const stroke = (point) => styles.get(point.family).colour;
    const grid = { ...hidden, stroke: "var(--rule)", strokeOpacity: 1 };
    const axis = { ...hidden, text: ticked.format, fontSize: FONT_SIZE, labelArrow: "none",
      labelAnchor: "center", tickSize: 4 };
    const svg = Plot.plot({
      className: "drawing", width, height, inset: 14,
      marginLeft: 64, marginBottom: 46, marginTop: 10, marginRight: 14,
      ariaLabel: `${titled(y.axis())} against ${titled(x.axis())}`,
      x: { ...across.scale, label: titled(x.axis()) },
      y: { ...up.scale, label: titled(y.axis()) },
      marks: [
        Plot.gridX(across.ticks, grid),
        Plot.gridY(up.ticks, grid),
        Plot.axisX({ ...axis, ticks: across.ticks }),
        Plot.axisY({ ...axis, ticks: up.ticks }),
        Plot.ruleY(shown, { ...hidden, x1: at(x, 1), x2: at(x, 2), y: place.y, stroke }),
        Plot.ruleX(shown, { ...hidden, y1: at(y, 1), y2: at(y, 2), x: place.x, stroke }),
        Plot.dot(shown, { ...place, r: 5.5, stroke, fill: stroke, strokeOpacity: fade,
          fillOpacity: (point) => opacities.get(point.setting) * fade(point),
          symbol: (point) => SHAPES[styles.get(point.family).marker],
          href: (point) => `#${point.row}` }),
        shown.length > MOST_LABELS ? null : Plot.text(shown, besidePoints(shown,
          { ...hidden, ...place, text: named, fontSize: FONT_SIZE, fill: "var(--ink)" })),
        Plot.tip(shown, Plot.pointer({ ...hidden, ...place, fontSize: FONT_SIZE + 1,
          lineHeight: 1.3, lineWidth: Math.min(40, (width / 2 - 40) / (FONT_SIZE + 1)),
          fill: "var(--page)", stroke: "var(--soft)",
          title: (point) => lines(point).join("\n") })),
      ],
    });
    // The policy lets in no style sheet but the page's own, which has these rules too.
    svg.querySelector("style").remove();
    svg.setAttribute("role", "group");
    // Plot names its groups, which have no role and so may have no name.
    for (const group of svg.querySelectorAll("g[aria-label]")) group.removeAttribute("aria-label");
    return svg;
  }

  // Links have names, and the keyboard's focus shows what the pointer shows.
  function makeReachable(svg, shown) {
    const pointer = (link, name) => {
      const box = link.getBoundingClientRect();
      svg.dispatchEvent(new PointerEvent(name, { pointerType: "mouse",
        clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 }));
    };
    for (const link of svg.querySelectorAll("a")) {
      link.setAttribute("aria-label", lines(shown[d3.select(link.firstChild).datum()]).join("; "));
      link.addEventListener("focus", () => pointer(link, "pointermove"));
      link.addEventListener("blur", () => pointer(link, "pointerleave"));
    }
  }

  // --- what is said of it ------------------------------------------------------------------------

  function few(some) {
    const labels = some.map(named);
    return labels.slice(0, 5).join(", ") + (some.length > 5 ? ` and ${some.length - 5} more` : "");
  }

  function summary(shown, valueless, unscaled) {
    const disturbed = shown.filter(isDisturbed);
    const equal = [x, y].filter((control) => {
      const [low, high] = d3.extent(shown, (point) => control.value(point)[0]);
      return shown.length > 1 && low === high;
    });
    return [
      `${titled(y.axis())} against ${titled(x.axis())}: ${shown.length} `
        + `${shown.length === 1 ? "point" : "points"}.`,
      ...equal.map((control) => `${control.axis().title} is the same for all.`),
      disturbed.length ? `Faded, because a value is disturbed: ${few(disturbed)}.` : "",
      valueless.length ? `Without a value for an axis: ${few(valueless)}.` : "",
      unscaled.length ? `Not above zero, so on no logarithmic axis: ${few(unscaled)}.` : "",
    ].filter(Boolean).join(" ");
  }

  const status = made("output", {});
  const host = made("div", {});
  const about = made("p", { class: "about" });

  const parted = (some, isWanted) =>
    [some.filter(isWanted), some.filter((point) => !isWanted(point))];

  function draw() {
    const [chosenFamilies, chosenSettings] = [family.chosen(), setting.chosen()];
    const chosen = points.filter((point) =>
      chosenFamilies.has(point.family) && chosenSettings.has(point.setting));
    const [valued, valueless] = parted(chosen, (point) => x.value(point) && y.value(point));
    const [shown, unscaled] = parted(valued, (point) =>
      [x, y].every((control) => control.has(control.value(point)[0])));
    status.textContent = summary(shown, valueless, unscaled);
    about.textContent = [...new Set([x.axis().about, y.axis().about])].join(" ");
    shown.sort((a, b) => x.value(a)[0] - x.value(b)[0]);
    host.replaceChildren();
    if (!shown.length) return;
    const svg = plot(shown, host.clientWidth);
    host.append(svg);
    makeReachable(svg, shown);
  }

  const controls = settings.length > 1 ? [x, y, family, setting] : [x, y, family];
  section.append(made("div", { class: "controls" }, ...controls.map(({ element }) => element)),
    status, host, about);
  for (const hidden of document.querySelectorAll(".explorer")) hidden.hidden = false;
  drawOnChange(section, host, draw);
  // A press on a point leads to its row, and does not pin the tip.
  host.addEventListener("pointerdown", (event) => event.stopPropagation(), true);
  reveal();
}
