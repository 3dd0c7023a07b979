// Past runs, a panel for each network: values over dates or commits, drawn by Observable Plot.
"use strict";
{
  const { runs, series } = JSON.parse(document.getElementById("history-data").textContent);
  const section = document.querySelector("section.explorer");
  const shortly = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const ticked = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
  // Of machines, in their order: colours that colour-blind readers can tell apart, and symbols.
  const HUES = ["0072b2", "d55e00", "009e73", "cc79a7", "e69f00", "56b4e9"];
  const SYMBOLS = ["Circle", "Square", "Triangle", "Diamond", "Star", "Cross"];
  const FONT_SIZE = 11;
  const LONGEST_COMMIT = 9;
  const MOST_TOLD = 4; // changes of a panel that have a text beside their sign

  for (const run of runs) run.date = new Date(run.created);

  // --- what the reader chooses -------------------------------------------------------------------

  const unique = (values) => [...new Set(values)];
  const [suites, machines] = ["suite", "machine"].map((key) => unique(runs.map((run) => run[key])));
  const colour = (machine) => `var(--hue-${HUES[Math.max(0, machines.indexOf(machine)) % HUES.length]})`;
  const symbol = (machine) => SYMBOLS[Math.max(0, machines.indexOf(machine)) % SYMBOLS.length];

  function select(legend, groups) {
    const options = ({ key, label }) => made("option", { value: key }, label);
    const element = made("select", { "aria-label": legend }, ...groups.map(({ label, choices }) =>
      (label ? made("optgroup", { label }, ...choices.map(options)) : choices.map(options))).flat());
    return { element: fieldset(legend, element), value: () => element.value, input: element };
  }

  const keyOf = ({ suite, metric, setting }) => JSON.stringify([suite, metric, setting]);
  const labelOf = ({ suite, title, setting }) =>
    `${suites.length > 1 ? `${suite} · ` : ""}${title} · ${setting}`;
  const metrics = (suite) => [...new Map(series.filter((one) => one.suite === suite)
    .map((one) => [keyOf(one), { key: keyOf(one), label: labelOf(one) }])).values()];
  const metric = select("Metric", suites.map((suite) =>
    ({ label: suites.length > 1 ? suite : "", choices: metrics(suite) })));
  const network = select("Network", [{ choices: [] }]);
  const across = select("Along x", [{ choices: [{ key: "date", label: "Dates" },
    { key: "commit", label: "Commits" }] }]);
  const machine = filter("Machines", machines.map((name) => ({ key: name, label: name })),
    ({ key }) => swatch(symbol(key), colour(key), 1), () => true);

  const chosen = () => series.filter((one) => keyOf(one) === metric.value());

  function listNetworks() {
    const before = network.value();
    const models = new Map(chosen().map(({ model, label }) => [model, label]));
    network.input.replaceChildren(made("option", { value: "" }, "All"),
      ...[...models].map(([value, label]) => made("option", { value }, label)));
    network.input.value = models.has(before) ? before : "";
  }

  // --- points ------------------------------------------------------------------------------------

  const commitOf = ({ commit }) => (commit ? commit.slice(0, LONGEST_COMMIT) : "unknown");

  // Where runs of a suite stand along x: at their date, or at their commit in order of first runs.
  function placesOf(suite) {
    const inSuite = runs.map((run, place) => ({ ...run, place })).filter((run) => run.suite === suite);
    const commits = unique(inSuite.map(({ commit, place }) => commit || `run ${place}`));
    return new Map(inSuite.map((run) =>
      [run.place, across.value() === "date" ? run.date : commits.indexOf(run.commit || `run ${run.place}`)]));
  }

  // A point for each run of the suite on the machine; without a value where it has none.
  function pointsOf(one, places) {
    const measured = new Map(one.points.map(([run, ...values], at) => [run, { values, at }]));
    const [first, last] = d3.extent(measured.keys());
    const changed = new Map(one.changed);
    return [...places].filter(([place]) => first <= place && place <= last
      && (!one.machine || runs[place].machine === one.machine)).map(([place, x]) => {
      const { values: [value, low, high], at } = measured.get(place) ?? { values: [NaN], at: -1 };
      const over = (number) => (number ?? NaN) / one.factor;
      return { x, y: over(value), low: over(low), high: over(high), at, one, run: runs[place],
        changed: changed.get(at), link: runs[place].link };
    });
  }

  const valueText = (number, unit) => `${shortly.format(number)} ${unit}`.trim();

  function lines({ y, low, high, run, one, changed }) {
    const interval = Number.isNaN(low) ? ""
      : ` (95 % interval ${shortly.format(low)} to ${shortly.format(high)})`;
    return [`${run.created.slice(0, 16).replace("T", " ")} UTC, commit ${commitOf(run)}`,
      valueText(y, one.unit) + interval, changed ?? "", machines.length > 1 ? run.machine : "",
      run.link ? "" : "no report.html"].filter(Boolean);
  }

  // --- a panel -----------------------------------------------------------------------------------

  function plot(parts, places, width, height) {
    const every = parts.flatMap(({ points }) => points);
    const shown = every.filter(({ y }) => !Number.isNaN(y));
    const hidden = { ariaHidden: "true" };
    const stroke = ({ run, one }) => (one.machine ? colour(run.machine) : "var(--ink)");
    const axis = { ...hidden, fontSize: FONT_SIZE, labelArrow: "none", tickSize: 4 };
    const byDate = across.value() === "date";
    const commits = new Map([...places].map(([place, x]) => [x, commitOf(runs[place])]));
    const few = d3.ticks(...d3.extent(commits.keys()), Math.max(2, width / 110)).filter(Number.isInteger);
    const levels = parts.flatMap(({ one, points }) => one.levels.map(([first, n, value]) => {
      const at = (place) => points.find((point) => point.at === place).x;
      return { y: value / one.factor, x1: at(first), x2: at(first + n - 1) };
    }));
    const changes = parts.flatMap(({ one, points }) => one.changes.map(([place, told, tone]) =>
      ({ ...points.find((point) => point.at === place), told, tone })));
    const tint = ({ tone }) => (tone ? `var(--${tone})` : "var(--ink)");
    const sign = ({ told, tone }) =>
      `${{ bad: "✗", good: "✓" }[tone] ?? "•"}${changes.length > MOST_TOLD ? "" : ` ${told}`}`;
    const svg = Plot.plot({
      className: "drawing", width, height, marginLeft: 58, marginRight: 24, marginTop: 24,
      marginBottom: 28, inset: 6,
      x: byDate ? { type: "utc", label: null } : { type: "linear", label: null },
      y: { label: null, nice: true, zero: false, domain: domainOf(shown) },
      marks: [
        Plot.gridY({ ...hidden, ticks: 4, stroke: "var(--rule)", strokeOpacity: 1 }),
        Plot.axisX(byDate ? { ...axis, ticks: Math.max(2, width / 110) }
          : { ...axis, ticks: few, tickFormat: (place) => commits.get(place) ?? "" }),
        Plot.axisY({ ...axis, ticks: 4, text: ticked.format }),
        Plot.ruleX(shown.filter(({ changed }) => changed),
          { ...hidden, x: "x", stroke: "var(--soft)", strokeDasharray: "1 3" }),
        Plot.ruleX(shown, { ...hidden, x: "x", y1: "low", y2: "high", stroke, strokeOpacity: 0.3 }),
        Plot.line(every, { ...hidden, x: "x", y: "y", z: ({ one }) => one.machine, stroke,
          strokeWidth: 1, strokeOpacity: 0.7 }),
        Plot.ruleY(levels, { ...hidden, x1: "x1", x2: "x2", y: "y", stroke: "var(--ink)",
          strokeWidth: 1.5 }),
        Plot.dot(shown, { x: "x", y: "y", r: 2.4, fill: stroke, href: "link",
          symbol: ({ run, one }) => (one.machine ? symbol(run.machine) : "Circle").toLowerCase() }),
        Plot.ruleX(changes, { ...hidden, x: "x", stroke: tint }),
        Plot.text(changes, { ...hidden, x: "x", frameAnchor: "top", dy: -20, text: sign, fill: tint,
          fontSize: FONT_SIZE + 1, fontWeight: 600, textAnchor: "middle" }),
        Plot.tip(shown, Plot.pointerX({ ...hidden, maxRadius: Infinity, x: "x", y: "y", fontSize: FONT_SIZE,
          lineWidth: Math.min(40, (width / 2 - 40) / FONT_SIZE), fill: "var(--page)",
          stroke: "var(--soft)", title: (point) => lines(point).join("\n") })),
      ],
    });
    // The policy lets in no style sheet but the page's own, which has these rules too.
    svg.querySelector("style").remove();
    for (const group of svg.querySelectorAll("g[aria-label]")) group.removeAttribute("aria-label");
    return makeReachable(svg, shown);
  }

  // From the lowest value to the highest; intervals may reach beyond, but not by much.
  function domainOf(shown) {
    const [low, high] = d3.extent(shown, ({ y }) => y);
    const room = Math.max(high - low, 0.02 * Math.abs(high)) || 1;
    const ends = shown.flatMap((point) => [point.low, point.high]).filter((end) => !Number.isNaN(end));
    return [Math.max(d3.min([low, ...ends]), low - room), Math.min(d3.max([high, ...ends]), high + room)];
  }

  // Each point is a link, and so is what lies around it. Too many for the keyboard to step through:
  // the table of runs has them too.
  function makeReachable(svg, shown) {
    svg.setAttribute("role", "group");
    for (const link of svg.querySelectorAll("a")) {
      link.setAttribute("tabindex", "-1");
      link.setAttribute("aria-label", lines(shown[d3.select(link.firstChild).datum()]).join("; "));
    }
    svg.addEventListener("pointerdown", (event) => event.stopPropagation(), true);
    svg.addEventListener("click", (event) => {
      if (!event.target.closest("a") && svg.value?.link) location.assign(svg.value.link);
    });
    return svg;
  }

  // The run of a network's last change; what changed last stands first.
  function latest(wanted, model) {
    const mine = wanted.filter((one) => one.model === model && one.changes.length);
    return d3.max(mine, (one) => one.points[one.changes.at(-1)[0]][0]) ?? -1;
  }

  // What a panel shows, in a line: the last value and the last change on each machine.
  function summary(parts) {
    return parts.map(({ one }) => {
      const [, , level] = one.levels.at(-1);
      const last = one.changes.at(-1);
      const since = last ? `, ${last[1]} since ${runs[one.points[last[0]][0]].created.slice(0, 10)}`
        : ", no change";
      const where = machines.length > 1 && one.machine ? `${one.machine}: ` : "";
      return `${where}${valueText(level / one.factor, one.unit)}${since}`;
    }).join("; ");
  }

  // --- the page ----------------------------------------------------------------------------------

  const status = made("output", {});
  const host = made("div", { class: "panels" });

  function draw() {
    listNetworks();
    const onMachines = machine.chosen();
    const wanted = chosen().filter((one) => !one.machine || onMachines.has(one.machine));
    const models = d3.sort(unique(wanted.map(({ model }) => model)), (model) => -latest(wanted, model))
      .filter((model) => !network.value() || model === network.value());
    const places = placesOf(wanted[0]?.suite);
    host.replaceChildren();
    host.classList.toggle("single", models.length < 2);
    const [first] = wanted;
    status.textContent = first
      ? `${first.title}: ${first.about}; ${first.direction}. What changed last stands first.`
      : "No machine is chosen.";
    for (const model of models) {
      const parts = wanted.filter((one) => one.model === model)
        .map((one) => ({ one, points: pointsOf(one, places) }));
      const panel = made("div", {}, made("h3", {}, parts[0].one.label), made("p", {}, summary(parts)));
      host.append(panel);
      panel.append(plot(parts, places, panel.clientWidth, models.length > 1 ? 210 : 400));
      panel.querySelector("svg").setAttribute("aria-label",
        `${parts[0].one.label}, ${parts[0].one.title}: ${summary(parts)}`);
    }
  }

  section.append(made("div", { class: "controls" }, metric.element, network.element, across.element,
    ...(machines.length > 1 ? [machine.element] : [])), status, host);
  section.hidden = false;
  drawOnChange(section, host, draw);
  reveal();
}
