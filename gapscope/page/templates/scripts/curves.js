// Where: each layer with its counterpart, between floor and ceiling, with the effect and the network below.
const extreme = (curves, name, pick) => LAYERS.map((i) => {
  const values = curves.map((c) => c[name][i]).filter((v) => v !== null);
  return values.length ? pick(...values) : null;
});

// One polygon per run of defined layers: a band must not reach across an undefined one.
function band(low, high, color, name, more) {
  const x = [], y = [];
  for (let from = 0; from < LAYERS.length; from += 1) {
    if (low[from] === null || high[from] === null) continue;
    let to = from;
    while (to + 1 < LAYERS.length && low[to + 1] !== null && high[to + 1] !== null) to += 1;
    const run = LAYERS.slice(from, to + 1), back = [...run].reverse();
    x.push(...run, ...back, from, null);
    y.push(...run.map((i) => low[i]), ...back.map((i) => high[i]), low[from], null);
    from = to;
  }
  return {
    type: "scatter", mode: "lines", x, y, line: { width: 0 }, fill: "toself", fillcolor: color, hoverinfo: "skip",
    name, showlegend: Boolean(name), ...more,
  };
}

choices("curve-probe", probeChoices);
choices("curve-size", sizeChoices);
choices("curve-measure", measureChoices);
choices("curve-seed", data.seeds.length > 1 ? [...seedChoices, ["all", "all"]] : seedChoices);

const pairName = (curve) => (byId("curve-seed").value === "all" ? `${curve.label}, seed ${curve.seed}` : curve.label);
function chosenCurves() {
  const facts = { probe: Number(byId("curve-probe").value), size: Number(byId("curve-size").value), measure: byId("curve-measure").value };
  const seed = byId("curve-seed").value;
  const curves = data.curves.filter((c) => same(c, facts) && (seed === "all" || c.seed === Number(seed)));
  const effects = facts.measure === "cka_debiased" ? curves.map((c) => one(data.effects, { probe: c.probe, size: c.size, pair: c.pair, seed: c.seed })) : [];
  return { facts, curves, ceilings: data.ceilings.filter((c) => same(c, facts)), effects: effects.some(Boolean) ? effects : [] };
}
const colorOf = (curve) => PAIR_COLORS[curve.pair % PAIR_COLORS.length];
const dashOf = (curve) => (byId("curve-seed").value === "all" ? DASHES[data.seeds.indexOf(curve.seed) % DASHES.length] : DASHES[curve.pair % DASHES.length]);

function likenessTraces({ curves, ceilings }) {
  const traces = [];
  if (curves.length) traces.push(band(extreme(curves, "floor_low", Math.min), extreme(curves, "floor_high", Math.max), "rgba(140,140,140,0.45)", narrow() ? "floor" : "floor: images shuffled"));
  if (ceilings.length) {
    traces.push(band(extreme(ceilings, "value", Math.min), extreme(ceilings, "value", Math.max), "rgba(140,140,140,0.28)", ""));
    const mean = LAYERS.map((i) => {
      const values = ceilings.map((c) => c.value[i]).filter((v) => v !== null);
      return values.length ? values.reduce((sum, v) => sum + v, 0) / values.length : null;
    });
    traces.push({ type: "scatter", mode: "lines", x: LAYERS, y: mean, name: narrow() ? "ceiling" : "ceiling: same arm, other seed", line: { color: "#888", width: 2 }, hovertemplate: "%{y:.3f}<extra>ceiling</extra>" });
  }
  for (const c of curves) {
    const group = { legendgroup: `${c.pair} ${c.seed}` }, beyond = new Set(c.beyond);
    traces.push(band(c.interval_low, c.interval_high, faint(colorOf(c), 0.2), "", group));
    traces.push({
      type: "scatter", mode: "lines+markers", x: LAYERS, y: c.value, name: plain(pairName(c)), ...group,
      line: { color: colorOf(c), width: 2.2, dash: dashOf(c) }, marker: { color: colorOf(c), symbol: SYMBOLS[c.pair % SYMBOLS.length], size: LAYERS.map((i) => (beyond.has(i) ? (narrow() ? 4 : 7) : 0)), opacity: 1, line: { color: cssColor("--card"), width: 1 } },
      customdata: LAYERS.map((i) => INTERVAL(c.interval_low[i], c.interval_high[i]) + (beyond.has(i) ? ", less alike than two seeds" : "")),
      hovertemplate: "%{y:.3f}%{customdata}<extra>" + plain(pairName(c)) + "</extra>",
    });
  }
  return traces;
}

function effectTraces({ curves, effects }) {
  return effects.flatMap((effect, at) => {
    if (!effect) return [];
    const c = curves[at], here = { xaxis: "x", yaxis: "y2", showlegend: false, legendgroup: `${c.pair} ${c.seed}` };
    const missing = LAYERS.filter((i) => effect.effect[i] === null);
    return [
      { ...band(effect.effect_low, effect.effect_high, faint(colorOf(c), 0.2), "", here) },
      {
        ...here, type: "scatter", mode: "lines", x: LAYERS, y: effect.effect, line: { color: colorOf(c), width: 1.8, dash: dashOf(c) },
        customdata: LAYERS.map((i) => INTERVAL(effect.effect_low[i], effect.effect_high[i])), hovertemplate: "effect %{y:.2f}%{customdata}<extra>" + plain(pairName(c)) + "</extra>",
      },
      {
        ...here, type: "scatter", mode: "markers", x: missing, y: missing.map(() => -0.12 - 0.1 * c.pair), marker: { symbol: "x-thin", size: 6, line: { color: colorOf(c), width: 1.5 } },
        customdata: missing.map((i) => plain(effect.reasons[effect.reason[i]])), hovertemplate: "no effect: %{customdata}<extra>" + plain(pairName(c)) + "</extra>",
      },
    ];
  });
}

// From above what is drawn to below it; a distance the other way round, so that up is more alike in every chart.
function likenessRange({ facts, curves, ceilings }) {
  const measure = measureOf(facts.measure), drawn = [...curves.flatMap((c) => [c.value, c.floor_low, c.floor_high]), ...ceilings.map((c) => c.value)].flat().filter((v) => v !== null);
  if (measure.distance) return [Math.max(...drawn, 0) * 1.05, -0.02];
  return [Math.max(-0.4, Math.min(0, ...drawn) - 0.03), 1.03];
}

// At least from 0 to 1, at most from -1 to 2; lower where crosses stand for undefined layers.
function effectRange({ curves, effects }) {
  const drawn = effects.flatMap((effect) => (effect ? [...effect.effect_low, ...effect.effect_high] : [])).filter((v) => v !== null);
  const crosses = effects.flatMap((effect, at) => (effect?.effect.includes(null) ? [-0.22 - 0.1 * curves[at].pair] : []));
  return [Math.max(-1, Math.min(-0.1, ...drawn, ...crosses)), Math.min(2, Math.max(1.2, ...drawn))];
}

const redrawCurves = draw("plot-curves", () => {
  const chosen = chosenCurves(), withEffect = chosen.effects.length > 0, measure = measureOf(chosen.facts.measure);
  const strip = networkStrip("y3", [0.03, narrow() ? 0.15 : 0.19]), bottom = narrow() ? 0.18 : 0.22;
  const names = { type: "scatter", mode: "lines", x: LAYERS, y: LAYERS.map(() => (measure.distance ? 0 : 1)), opacity: 0, showlegend: false, customdata: data.layers.map((text) => plain(text.replace(/^\d+: /, ""))), hovertemplate: "%{customdata}<extra></extra>" };
  const more = withEffect ? { yaxis2: { domain: [bottom, 0.42], range: effectRange(chosen), title: { text: "effect" }, tickvals: [0, 0.5, 1], gridcolor: cssColor("--grid"), zerolinecolor: cssColor("--soft"), linecolor: cssColor("--soft") } } : {};
  return {
    traces: [names, ...likenessTraces(chosen), ...effectTraces(chosen), ...strip.traces],
    shape: {
      shapes: [...strip.shapes, ...(withEffect ? [{ type: "line", xref: "x", yref: "y2", x0: -1, x1: LAYERS.length, y0: 1, y1: 1, line: { color: cssColor("--soft"), width: 1, dash: "dash" } }] : [])],
      annotations: strip.annotations, hovermode: "x unified", hoversubplots: "axis", yaxis3: strip.axis, ...more,
      yaxis: { domain: [withEffect ? 0.46 : bottom, 1], range: likenessRange(chosen), title: { text: plain(measure.distance ? `${measure.title}: up is more alike` : measure.title) }, zeroline: false },
      xaxis: layerAxis(), margin: chartMargin(), legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" },
    },
  };
});

// The same in words and as a table.
const asRanges = (layers) => layers.reduce((runs, layer) => {
  const last = runs[runs.length - 1];
  if (last && layer === last[1] + 1) last[1] = layer;
  else runs.push([layer, layer]);
  return runs;
}, []).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");

function sayCurves() {
  const { curves } = chosenCurves();
  const sentences = curves.map((c) => {
    const start = `${c.label}, seed ${c.seed}: `;
    if (!c.rule) return `${start}no difference can be told from a change of seed: ${data.seeds.length > 1 ? "by this measure there are no intervals, or no ceiling" : "there is only one"}.`;
    if (!c.beyond.length) return `${start}at no layer are these networks less alike than two seeds.`;
    return `${start}these networks are less alike than two seeds at layers ${asRanges(c.beyond)}.`;
  });
  byId("curve-words").replaceChildren(...sentences.map((text) => element("li", text)));
  const hidden = byId("curve-measure").value !== "cka_debiased" && data.effects.length > 0;
  byId("effect-note").hidden = hidden;
}

const CURVE_COLUMNS = ["value", "interval_low", "interval_high", "floor_low", "floor_high", "floor_z", "floor_p", "floor_q"];
function curveRows() {
  const { curves, effects } = chosenCurves();
  const head = ["layer", "arms", "seed", ...CURVE_COLUMNS, "effect", "effect_low", "effect_high", "less_alike_than_two_seeds"];
  const rows = LAYERS.flatMap((i) => curves.map((c, at) => [
    i, c.label, c.seed, ...CURVE_COLUMNS.map((name) => c[name]?.[i] ?? null),
    ...["effect", "effect_low", "effect_high"].map((name) => effects[at]?.[name][i] ?? null), c.rule ? (c.beyond.includes(i) ? "yes" : "no") : null,
  ]));
  return { head, rows };
}
// One row per layer; the CSV file holds more columns.
const rangeText = (low, high) => (low === null ? "–" : `${low.toFixed(3)} to ${high.toFixed(3)}`);
function fillCurveTable() {
  if (!byId("curve-numbers").open) return;
  const { facts, curves, effects } = chosenCurves(), floors = [extreme(curves, "floor_low", Math.min), extreme(curves, "floor_high", Math.max)];
  const caption = `${measureOf(facts.measure).title}, ${data.probes[facts.probe].title}, ${facts.size} x ${facts.size} pixels`;
  const head = ["layer", ...curves.flatMap((c, at) => [pairName(c), "95 % interval", ...(effects[at] ? ["effect"] : [])]), "floor, all pairs"];
  const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));
  const rows = LAYERS.map((i) => [
    String(i), ...curves.flatMap((c, at) => [number(c.value[i], 3) + (c.beyond.includes(i) ? " *" : ""), rangeText(c.interval_low[i], c.interval_high[i]), ...(effects[at] ? [number(effects[at].effect[i], 2)] : [])]),
    rangeText(floors[0][i], floors[1][i]),
  ]);
  byId("curve-numbers").querySelector(".scroll").replaceChildren(table(`${caption}. A star: less alike than two seeds.`, head, rows));
}
function save(name, text) {
  const link = element("a", null, { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
const csvCell = (cell) => (cell === null ? "" : /[",\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));

if (byId("plot-curves")) {
  onChange(["curve-probe", "curve-size", "curve-measure", "curve-seed"], () => { redrawCurves(); sayCurves(); fillCurveTable(); });
  byId("curve-numbers").addEventListener("toggle", fillCurveTable);
  byId("curve-csv").addEventListener("click", () => {
    const { head, rows } = curveRows(), { facts } = chosenCurves();
    save(`curves-${facts.measure}-${data.probes[facts.probe].name}-${facts.size}.csv`, [head, ...rows].map((row) => row.map(csvCell).join(",")).join("\n") + "\n");
  });
  sayCurves();
}
