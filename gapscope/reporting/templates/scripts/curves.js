// Where: same-index layers.
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

function networkMap() {
  const shapes = [], annotations = [], line = cssColor("--soft"), isDark = dark.matches;
  const fills = isDark ? { true: ["#33404d", "#3d4c5b"], false: ["#5a4326", "#6b5130"] }
    : { true: ["#dde4ea", "#c9d3dd"], false: ["#f5e1cb", "#eccfa9"] };
  data.blocks.forEach((b, i) => {
    shapes.push({ type: "rect", xref: "x", yref: "paper", x0: b.first - 0.5, x1: b.last + 0.5, y0: 0, y1: 0.07, line: { width: 0 }, fillcolor: fills[b.backbone][i % 2] });
    if (b.last - b.first > (narrow() ? 20 : 5)) {
      annotations.push({ xref: "x", yref: "paper", x: (b.first + b.last) / 2, y: 0.035, yanchor: "middle", text: b.name, showarrow: false, font: { size: 11 } });
    }
  });
  const vertical = (layer, dash, width) => shapes.push({ type: "line", xref: "x", yref: "paper", x0: layer, x1: layer, y0: 0, y1: 1, line: { color: line, width, dash } });
  vertical(data.backboneLast + 0.5, "solid", 1.5);
  data.routes.forEach((layer) => vertical(layer, "dot", 1));
  data.detections.forEach((layer) => vertical(layer, "solid", 0.7));
  return { shapes, annotations };
}

const redrawCurves = draw("plot-curves", () => {
  const size = Number(byId("curve-size").value), estimator = byId("curve-estimator").value;
  const seed = Number(byId("curve-seed").value), here = data.curves.filter((c) => c.size === size && c.estimator === estimator);
  const pairs = here.filter((c) => c.kind === "pair" && c.seed === seed), ceilings = here.filter((c) => c.kind === "ceiling");
  const names = { type: "scatter", mode: "lines", x: LAYERS, y: LAYERS.map(() => 0), opacity: 0, showlegend: false, customdata: data.layers.map(plain), hovertemplate: "<b>layer %{customdata}</b><extra></extra>" };
  const traces = [names];
  if (pairs.length) traces.push(band(extreme(pairs, "floor_low", Math.min), extreme(pairs, "floor_high", Math.max), "rgba(140,140,140,0.45)", "floor: images shuffled"));
  if (ceilings.length) {
    traces.push(band(extreme(ceilings, "value", Math.min), extreme(ceilings, "value", Math.max), "rgba(140,140,140,0.28)", ""));
    const mean = LAYERS.map((i) => {
      const values = ceilings.map((c) => c.value[i]);
      return values.includes(null) ? null : values.reduce((sum, v) => sum + v, 0) / values.length;
    });
    traces.push({ type: "scatter", mode: "lines", x: LAYERS, y: mean, name: "ceiling: same arm, other seed", line: { color: "#888", width: 2 }, hovertemplate: "%{y:.3f}<extra>ceiling</extra>" });
  }
  for (const c of pairs) {
    const color = COLORS[c.pair % COLORS.length], group = { legendgroup: `pair${c.pair}` };
    traces.push(band(c.interval_low, c.interval_high, faint(color, 0.2), "", group));
    traces.push({
      type: "scatter", mode: "lines", x: LAYERS, y: c.value, name: plain(c.label), ...group,
      line: { color, width: 2.4, dash: DASHES[c.pair % DASHES.length] }, customdata: LAYERS.map((i) => [c.interval_low[i], c.interval_high[i]]),
      hovertemplate: "%{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra>" + plain(c.label) + "</extra>",
    });
  }
  const title = data.estimators.find((e) => e.key === estimator).title;
  const lowest = Math.min(0, ...pairs.flatMap((c) => c.floor_low.concat(c.value)).filter((v) => v !== null));
  return {
    traces, shape: {
      ...networkMap(), hovermode: "x unified", yaxis: { domain: [0.1, 1], range: [Math.max(-0.4, lowest - 0.03), 1.03], title: { text: plain(title) }, zeroline: false },
      xaxis: { range: [-1, LAYERS.length], title: { text: "layer" }, anchor: "free", position: 0, showgrid: false, zeroline: false },
    },
  };
});
onChange(["curve-size", "curve-estimator", "curve-seed"], redrawCurves);
