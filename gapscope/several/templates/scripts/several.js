// Several runs: one curve per run on one axis, and maps of networks of two runs.
const curveOf = (id) => byId(id).value;

// One polygon per stretch of defined layers: a band must not reach across an undefined one.
function bandOf(x, low, high, color, group) {
  const xs = [], ys = [];
  for (let from = 0; from < x.length; from += 1) {
    if (low[from] === null || high[from] === null) continue;
    let to = from;
    while (to + 1 < x.length && low[to + 1] !== null && high[to + 1] !== null) to += 1;
    const there = Array.from({ length: to - from + 1 }, (_, i) => from + i), back = [...there].reverse();
    xs.push(...there.map((i) => x[i]), ...back.map((i) => x[i]), x[from], null);
    ys.push(...there.map((i) => low[i]), ...back.map((i) => high[i]), low[from], null);
    from = to;
  }
  return { type: "scatter", mode: "lines", x: xs, y: ys, line: { width: 0 }, fill: "toself", fillcolor: faint(color, 0.18), hoverinfo: "skip", showlegend: false, legendgroup: group };
}

function layerMarks(pair, curves) {
  if (pair.byDepth) {
    // Where each network's backbone ends, in the colour of its curve.
    return curves.map((c) => ({
      type: "line", xref: "x", yref: "paper", x0: c.backboneEnd, x1: c.backboneEnd, y0: 0, y1: 1,
      line: { color: COLORS[c.run % COLORS.length], width: 1, dash: "dot" },
    }));
  }
  if (!pair.yolov3) return [];
  const line = cssColor("--soft");
  const vertical = (x, dash, width) => ({ type: "line", xref: "x", yref: "paper", x0: x, x1: x, y0: 0, y1: 1, line: { color: line, width, dash } });
  return [
    vertical(data.marks.backboneLast + 0.5, "solid", 1.5),
    ...data.marks.routes.map((layer) => vertical(layer, "dot", 1)),
    ...data.marks.detections.map((layer) => vertical(layer, "solid", 0.7)),
  ];
}

function chosenCurves(pair) {
  const size = curveOf("several-size"), estimator = curveOf("several-estimator");
  return pair.curves.filter((c) => c.estimator === estimator && c.size === (size === "main" ? data.runs[c.run].main : Number(size)));
}

const redrawSeveral = draw("plot-several", () => {
  const pair = data.pairs[Number(curveOf("several-pair"))], curves = chosenCurves(pair), traces = [];
  const ceilings = curveOf("several-ceilings") === "yes";
  for (const c of curves) {
    const run = data.runs[c.run], color = COLORS[c.run % COLORS.length], dash = DASHES[c.run % DASHES.length];
    const x = pair.byDepth ? c.layers.map((_, i) => i / (c.layers.length - 1)) : c.layers, group = `run${c.run}`;
    const name = plain(narrow() ? `${run.letter}, ${c.size} px` : `${run.label}, ${c.size} px`), about = c.layers.map((layer, i) => [layer, c.low[i], c.high[i]]);
    traces.push(bandOf(x, c.low, c.high, color, group));
    traces.push({
      type: "scatter", mode: "lines", x, y: c.value, name, legendgroup: group, line: { color, width: 2.4, dash }, customdata: about,
      hovertemplate: "layer %{customdata[0]}: %{y:.3f} [%{customdata[1]:.3f}, %{customdata[2]:.3f}]<extra>" + plain(run.letter) + "</extra>",
    });
    if (ceilings && c.ceiling) {
      traces.push({
        type: "scatter", mode: "lines", x, y: c.ceiling, name: plain(`${run.letter}: two seeds of one arm`), legendgroup: group,
        line: { color, width: 1, dash }, hovertemplate: "%{y:.3f}<extra>" + plain(`${run.letter}: ceiling`) + "</extra>",
      });
    }
  }
  const title = data.estimators.find((e) => e.key === curveOf("several-estimator")).title;
  const lowest = Math.min(0, ...curves.flatMap((c) => c.low).filter((v) => v !== null));
  const none = { text: "these arms have not been compared so", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 };
  return {
    traces,
    shape: {
      shapes: layerMarks(pair, curves), annotations: curves.length ? [] : [none], hovermode: pair.byDepth ? "closest" : "x",
      yaxis: { range: [Math.max(-0.4, lowest - 0.03), 1.03], title: { text: plain(title) }, zeroline: false },
      xaxis: { title: { text: pair.byDepth ? "relative depth: 0 first layer, 1 last" : "layer" }, showgrid: false, zeroline: false },
    },
  };
});
if (redrawSeveral) onChange(["several-pair", "several-size", "several-estimator", "several-ceilings"], redrawSeveral);

// Low bytes of all cells, then their high bytes; see gapscope/page/grid_packing.py.
function cellsAcross({ step, cells, layersA, layersB }) {
  const bytes = atob(cells), count = bytes.length / 2;
  return layersA.map((_, i) => layersB.map((_, j) => {
    const at = i * layersB.length + j;
    const value = ((bytes.charCodeAt(at) | (bytes.charCodeAt(count + at) << 8)) << 16) >> 16;
    return value === -32768 ? null : value * step;
  }));
}

const redrawAcross = draw("plot-several-map", () => {
  const map = data.maps[Number(curveOf("several-map"))], a = plain(map.a), b = plain(map.b);
  const axis = { constrain: "domain", showgrid: false, zeroline: false };
  const sides = [map.layersA.length, map.layersB.length], square = Math.max(...sides) <= 2 * Math.min(...sides);
  return {
    traces: [{
      type: "heatmap", z: (map.rows ??= cellsAcross(map)), x: map.layersB, y: map.layersA, zmin: 0, zmax: 1, colorscale: "Viridis",
      colorbar: { thickness: 12, len: 0.9, outlinewidth: 0 },
      hovertemplate: `<b>%{z:.3f}</b><br>${a}: layer %{y}<br>${b}: layer %{x}<extra></extra>`,
    }],
    shape: {
      margin: { l: 56, r: 6, t: 30, b: 66 },
      xaxis: { ...axis, title: { text: `${b}: layer` } }, yaxis: { ...axis, ...(square ? { scaleanchor: "x" } : {}), title: { text: `${a}: layer` } },
    },
  };
});
if (redrawAcross) onChange(["several-map"], redrawAcross);
