// What every chart uses: the page's numbers (`data`), colours, and how charts are drawn.
const data = JSON.parse(await inflated("gapscope-data"));
// A colour is an arm everywhere (styles/answers.css has the same); pairs of arms have colours of their own.
const COLORS = ["#2b8cc9", "#e0701e", "#12a37a", "#cc79a7", "#b98800", "#56b4e9"];
const PAIR_COLORS = ["#7b68c8", "#a3552e", "#5f7d3a", "#b0487f", "#3d7f86", "#8a8a2e"];
const DASHES = ["solid", "dash", "dashdot", "dot", "longdash", "longdashdot"];
const SYMBOLS = ["circle", "diamond", "square", "triangle-up", "x", "star"];
const UNDEFINED = -32768;
const LAYERS = data.layers.map((_, i) => i);

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
    modebar: { orientation: "v" },  // beside the legend, not over it
  };
  const merged = { ...base, ...extra };
  for (const name of ["xaxis", "yaxis"]) merged[name] = { ...axis, ...(extra[name] || {}) };
  if (merged.xaxis.title) merged.xaxis.title = { standoff: 8, ...merged.xaxis.title };  // else it touches the frame
  return merged;
}
// Nothing leaves the page: plotly's button that uploads a chart is taken away, and has no server to go to.
const CONFIG = {
  displaylogo: false, displayModeBar: "hover", responsive: true, plotlyServerURL: "", showSendToCloud: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendChartToCloud", "sendDataToCloud"],
  toImageButtonOptions: { format: "svg" },
};

// plotly.js is inflated when the first chart comes near, and its script run as if it stood on the page.
let plotly = null;
const loadPlotly = () => (plotly ??= inflated("gapscope-plotly").then((text) => {
  const script = document.createElement("script");
  script.textContent = text;
  document.head.append(script);
  if (!window.Plotly) throw new Error("this browser did not run plotly.js");
}));

// Whoever points at a folded section is about to open it: plotly.js is read meanwhile.
for (const summary of document.querySelectorAll("details.more > summary")) {
  for (const sign of ["pointerenter", "focus"]) summary.addEventListener(sign, () => loadPlotly().catch(cannotDraw), { once: true });
}

const charts = new Map();  // by element: what draws it
const waiting = [];
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    waiting.push(target);
  }
  if (waiting.length) loadPlotly().then(drawNext).catch(cannotDraw);
}, { rootMargin: "800px 0px" });

// One chart at a time, so that the page can be scrolled in between.
function drawNext() {
  const target = waiting.shift();
  if (!target) return;
  charts.get(target).paint();
  setTimeout(drawNext);
}

// A picture cannot have buttons in it, which a drawn chart has: it becomes a figure, and the hundreds of numbers at its axes
// are left out for a screen reader, which gets the chart's label and the tables.
function readable(target) {
  if (target.getAttribute("role") === "img") target.setAttribute("role", "figure");
  for (const part of target.querySelectorAll(".main-svg")) part.setAttribute("aria-hidden", "true");
}

// A chart in the element `id`: drawn once it comes near the screen, and by the function that is returned.
// `make` gives { traces, shape }; `drawn` is called once with the element, when plotly has made it its own.
function draw(id, make, drawn) {
  const target = byId(id);
  if (!target) return undefined;
  const chart = {
    begun: false,
    paint(size = {}) {
      const { traces, shape } = make();
      Plotly.react(target, traces, { ...layout(shape), ...size }, CONFIG);
      if (!chart.begun) drawn?.(target);
      chart.begun = true;
      readable(target);
    },
  };
  charts.set(target, chart);
  near.observe(target);
  return () => { if (chart.begun) chart.paint(); };
}
whenLookChanges.push(() => charts.forEach((chart) => { if (chart.begun) chart.paint(); }));

// Paper shows every chart, as wide as its place there.
whenPrinting.push((begins) => {
  if (!window.Plotly) return;
  for (const [target, chart] of charts) if (target.clientWidth) chart.paint(begins ? { width: target.clientWidth, height: target.clientHeight } : {});
});

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
