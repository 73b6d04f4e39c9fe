const data = JSON.parse(document.getElementById("gapscope-data").textContent);
const byId = (id) => document.getElementById(id);
const COLORS = ["#2b8cc9", "#e0701e", "#12a37a", "#cc79a7", "#d9a000", "#56b4e9"];
const DASHES = ["solid", "dash", "dashdot", "dot", "longdash", "longdashdot"];
const SYMBOLS = ["circle", "diamond", "square", "triangle-up", "x", "star"];
const UNDEFINED = -32768, STEPS = 10000;
const LAYERS = data.layers.map((_, i) => i);
const dark = matchMedia("(prefers-color-scheme: dark)");
const redraws = [];

// Plotly reads a little HTML in its labels; titles come from the config and are to be shown as they are.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const narrow = () => innerWidth < 640;
const faint = (color, alpha) => {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
};

function layout(extra) {
  const ink = cssColor("--ink"), grid = cssColor("--grid");
  const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: cssColor("--soft") };
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, family: "system-ui, DejaVu Sans, sans-serif", size: narrow() ? 11 : 13 },
    margin: { l: narrow() ? 44 : 60, r: 16, t: 16, b: 60 },
    hoverlabel: { bgcolor: cssColor("--card"), bordercolor: cssColor("--soft"), font: { color: ink }, align: "left" },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
  };
  const merged = { ...base, ...extra };
  for (const name of ["xaxis", "yaxis"]) merged[name] = { ...axis, ...(extra[name] || {}) };
  return merged;
}
const CONFIG = {
  displaylogo: false, displayModeBar: "hover", responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  toImageButtonOptions: { format: "svg" },
};

function draw(id, make) {
  const target = byId(id);
  if (!target) return;
  const redraw = () => {
    const { traces, shape } = make();
    Plotly.react(target, traces, layout(shape), CONFIG);
  };
  redraw();
  redraws.push(redraw);
  return redraw;
}

function onChange(ids, redraw) {
  for (const id of ids) byId(id)?.addEventListener("change", redraw);
}


function element(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  if (text !== null) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function table(caption, head, rows) {
  const node = element("table", null), thead = element("thead", null), tbody = element("tbody", null);
  node.append(element("caption", caption), thead, tbody);
  const top = element("tr", null);
  head.forEach((text, i) => top.append(element("th", text, { scope: "col", ...(i ? {} : { class: "label" }) })));
  thead.append(top);
  for (const row of rows) {
    const line = element("tr", null);
    row.forEach((text, i) => line.append(i ? element("td", text) : element("th", text, { scope: "row" })));
    tbody.append(line);
  }
  return node;
}
const shown = (value, digits = 4) => (value === null || value === undefined ? "undefined" : Number(value.toPrecision(digits)).toString());
