// The network below a chart, on the chart's own axis of layers: stages, kinds of layers, arcs of what reads what.
const MARKS = { "conv 3x3": ["square", 6], "conv 1x1": ["square-open", 6], shortcut: ["circle", 6], route: ["diamond", 8], upsample: ["triangle-up", 8], yolo: ["star", 10] };
const INTERVAL = (low, high) => (low === null || low === undefined ? "" : ` [${low.toFixed(3)}, ${high.toFixed(3)}]`);

const layerAxis = () => ({ range: [-1, LAYERS.length], title: { text: "layer", standoff: 4 }, anchor: "free", position: 0, showgrid: false, zeroline: false, unifiedhovertitle: { text: "layer %{x}" } });
// Room for a legend that lies below the buttons that plotly shows above.
const chartMargin = () => ({ l: narrow() ? 44 : 60, r: 16, t: narrow() ? 24 : 56, b: 46 });

// Points of arcs [from, to], apart by gaps; an arc over many layers is higher, but not in proportion.
function arcs(pairs, base, height) {
  const x = [], y = [];
  for (const [from, to] of pairs) {
    const steps = Math.max(6, Math.min(32, to - from));
    for (let i = 0; i <= steps; i += 1) {
      x.push(from + ((to - from) * i) / steps);
      y.push(base + height(to - from) * Math.sin((Math.PI * i) / steps));
    }
    x.push(null);
    y.push(null);
  }
  return { x, y };
}

// What draws it on the axis `y` (such as "y3") between the shares `low` and `high` of the chart's height.
function networkStrip(y, [low, high]) {
  const { blocks, kinds, shortcuts, routes, joins, detections, backboneLast } = data.network, soft = cssColor("--soft"), ink = cssColor("--ink");
  const fills = dark.matches ? { true: ["#33404d", "#3d4c5b"], false: ["#5a4326", "#6b5130"] }
    : { true: ["#dde4ea", "#c9d3dd"], false: ["#f5e1cb", "#eccfa9"] };
  const shapes = [], annotations = [];
  blocks.forEach((b, i) => {
    shapes.push({ type: "rect", xref: "x", yref: y, x0: b.first - 0.5, x1: b.last + 0.5, y0: 0, y1: 3, line: { width: 0 }, fillcolor: fills[b.backbone][i % 2] });
    if (b.last - b.first > (narrow() ? 20 : 5)) annotations.push({ xref: "x", yref: y, x: (b.first + b.last) / 2, y: 1.4, yanchor: "middle", text: b.name, showarrow: false, font: { size: 11 } });
  });
  const vertical = (layer, dash, width) => shapes.push({ type: "line", layer: "below", xref: "x", yref: "paper", x0: layer, x1: layer, y0: low, y1: 1, line: { color: soft, width, dash } });
  vertical(backboneLast + 0.5, "solid", 1.5);
  joins.forEach((layer) => vertical(layer, "dot", 1));
  detections.forEach((layer) => vertical(layer, "solid", 0.7));
  const common = { xaxis: "x", yaxis: y, showlegend: false, hoverinfo: "skip" };
  const line = (pairs, height, dash) => ({ ...common, type: "scatter", mode: "lines", ...arcs(pairs, 4.8, height), line: { color: soft, width: 1.2, dash } });
  const traces = [
    line(shortcuts, () => 1.6, "solid"), line(routes, (length) => (length > 10 ? 2 + length / 20 : 1.6), "dot"),
    ...Object.entries(MARKS).filter(([kind]) => !narrow() || ["route", "yolo"].includes(kind)).map(([kind, [symbol, size]]) => {
      const layers = LAYERS.filter((i) => kinds[i] === kind);
      return { ...common, type: "scatter", mode: "markers", x: layers, y: layers.map(() => 4), marker: { symbol, size: narrow() ? 7 : size, color: ink, line: { width: 1 } } };
    }),
  ];
  return { shapes, annotations, traces, axis: { domain: [low, high], range: [0, 10], visible: false, fixedrange: true } };
}
