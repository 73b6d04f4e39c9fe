// Where: layer against layer.
function unpack(text, columns) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer), rows = [];
  for (let at = 0; at < bytes.length / 2; at += columns) {
    rows.push(Array.from({ length: columns }, (_, j) => {
      const step = view.getInt16(2 * (at + j), true);
      return step === UNDEFINED ? null : step / STEPS;
    }));
  }
  return rows;
}
const valuesOf = (grid) => (grid.rows ??= unpack(grid.value, data.layers.length));
const key = (grid) => `${grid.a} ${grid.b}`;
const findGrid = (pair, size, estimator) => data.grids.find((g) => key(g) === pair && g.size === size && g.estimator === estimator);
const mapSize = () => Number(byId("map-size").value);
const mapEstimator = () => byId("map-estimator").value;

function drawMap(side) {
  const redraw = draw(`plot-map-${side}`, () => {
    const grid = findGrid(byId(`map-pair-${side}`).value, mapSize(), mapEstimator());
    if (!grid) return { traces: [], shape: { annotations: [{ text: "not compared at this size", showarrow: false }] } };
    const z = valuesOf(grid), a = plain(grid.titleA), b = plain(grid.titleB), shapes = [];
    for (const { first } of data.blocks.slice(1)) {
      const line = { color: "rgba(255,255,255,0.75)", width: 0.7 }, at = first - 0.5, end = LAYERS.length - 0.5;
      shapes.push({ type: "line", x0: at, x1: at, y0: -0.5, y1: end, line }, { type: "line", x0: -0.5, x1: end, y0: at, y1: at, line });
    }
    const names = data.layers.map(plain);
    return {
      traces: [{
        type: "heatmap", z, zmin: 0, zmax: 1, colorscale: "Viridis", colorbar: { thickness: 12, len: 0.9, outlinewidth: 0 },
        customdata: z.map((_, i) => names.map((name) => [names[i], name])),
        hovertemplate: `<b>%{z:.3f}</b><br>${a}: %{customdata[0]}<br>${b}: %{customdata[1]}<extra></extra>`,
      }],
      shape: {
        shapes, margin: { l: 56, r: 6, t: 30, b: 66 },
        xaxis: { title: { text: `${b}: layer` }, constrain: "domain", showgrid: false, zeroline: false },
        yaxis: { title: { text: `${a}: layer` }, scaleanchor: "x", constrain: "domain", showgrid: false, zeroline: false },
      },
    };
  });
  if (!redraw) return;
  onChange([`map-pair-${side}`, "map-size", "map-estimator"], redraw);
  byId(`plot-map-${side}`).on("plotly_click", (event) => {
    const { x, y } = event.points[0];
    showCard(byId(`map-pair-${side}`).value, y, x);
  });
}
drawMap("left");
drawMap("right");
