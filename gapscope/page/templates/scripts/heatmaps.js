// Where: every layer of one network against every layer of another, several maps side by side.
const MARGIN = { left: 13, right: 2, top: 2, bottom: 12 };
const SVG = "http://www.w3.org/2000/svg";
const svgElement = (tag, attributes = {}, text = null) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
};

const starts = (members) => LAYERS.filter((i) => i > 0 && members[i] !== members[i - 1]);
const up = (layer) => SIDE - layer;  // layer 0 is at the bottom, as in the paper's figures
function outlines(map) {
  const kind = byId("map-lines").value, group = svgElement("g", { class: "map-lines" });
  const rect = (x0, x1, y0, y1) => group.append(svgElement("rect", { x: x0, y: up(y1 + 1), width: x1 + 1 - x0, height: y1 + 1 - y0 }));
  const across = (at, columns) => group.append(svgElement("line", columns ? { x1: at, x2: at, y1: 0, y2: SIDE } : { x1: 0, x2: SIDE, y1: up(at), y2: up(at) }));
  if (kind === "paper") data.network.paper.forEach(([first, last]) => rect(first, last, first, last));
  if (kind === "stages") data.network.blocks.slice(1).forEach((b) => { across(b.first, true); across(b.first, false); });
  if (kind === "found" && map.block_a) {
    starts(map.block_a).forEach((at) => across(at, false));
    starts(map.block_b).forEach((at) => across(at, true));
  }
  return group;
}

// What rows and columns are; of a difference the maps' networks need not be the same.
const namesOf = ({ difference, cells: { map } }) => (difference ? ["rows", "columns"] : [data.runs[map.a].title, data.runs[map.b].title]);
function axes(names, unit) {
  const group = svgElement("g", { class: "map-axes", "font-size": 11.5 / unit }), short = (title) => (title.length > 34 ? `${title.slice(0, 33)}…` : title);
  for (let at = 0; at < SIDE; at += 20) {
    group.append(svgElement("text", { x: at + 0.5, y: SIDE + 1 + 10 / unit, "text-anchor": "middle" }, at));
    group.append(svgElement("text", { x: -1, y: up(at + 0.5) + 4 / unit, "text-anchor": "end" }, at));
  }
  group.append(svgElement("text", { x: SIDE / 2, y: SIDE + MARGIN.bottom - 0.8, "text-anchor": "middle" }, `${short(names[1])}: layer`));
  group.append(svgElement("text", { transform: `translate(${-MARGIN.left + 10 / unit}, ${SIDE / 2}) rotate(-90)`, "text-anchor": "middle" }, `${short(names[0])}: layer`));
  return group;
}

function hatching() {
  const pattern = svgElement("pattern", { id: "hatch", width: 2, height: 2, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  pattern.append(svgElement("rect", { width: 2, height: 2, class: "hatch-ground" }), svgElement("line", { x1: 0, y1: 0, x2: 0, y2: 2, class: "hatch-line" }));
  return pattern;
}

function paintPanel(panel) {
  const shown_ = panelCells(panel);
  panel.cells = shown_;
  panel.frame.replaceChildren();
  panel.frame.classList.toggle("empty", !shown_.rows);
  panel.below.replaceChildren();
  if (!shown_.rows) {
    panel.frame.append(element("p", shown_.reason, { class: "missing" }));
    panel.frame.removeAttribute("tabindex");
    return;
  }
  const { map, rows, range } = shown_, width = SIDE + MARGIN.left + MARGIN.right, height = SIDE + MARGIN.top + MARGIN.bottom;
  const unit = (panel.frame.clientWidth || 400) / width;
  const svg = svgElement("svg", { viewBox: `${-MARGIN.left} ${-MARGIN.top} ${width} ${height}`, "aria-hidden": "true" }), defs = svgElement("defs");
  defs.append(hatching());
  svg.append(
    defs, svgElement("rect", { x: 0, y: 0, width: SIDE, height: SIDE, fill: "url(#hatch)" }),
    svgElement("image", { x: 0, y: 0, width: SIDE, height: SIDE, href: pixels(rows, range), preserveAspectRatio: "none" }), outlines(map), axes(namesOf(panel), unit),
  );
  panel.mark = svgElement("g", { class: "map-cursor" });
  svg.append(panel.mark);
  panel.frame.append(svg);
  panel.svg = svg;
  panel.frame.tabIndex = 0;
  panel.frame.setAttribute("aria-label", `${shown_.title}, ${measureOf(mapMeasure()).title}${viewTitle(map) ? `, ${viewTitle(map)}` : ""}. ${panel.difference ? "" : `Rows: layers of ${namesOf(panel)[0]}; columns: layers of ${namesOf(panel)[1]}.`}`);
  panel.readout = element("p", null, { class: "readout" });
  panel.below.append(element("p", `${shown_.title}${panel.difference || !viewTitle(map) ? "" : `, ${viewTitle(map)}`}`, { class: "on-paper" }), panel.readout);
  if (panel.difference) panel.below.append(scaleBar(range, `${mapTitle(map)} minus ${mapTitle(shown_.other)}${viewTitle(map) === viewTitle(shown_.other) ? "" : ` (${viewTitle(map)} minus ${viewTitle(shown_.other)})`}`, ...differenceEnds()));
  else panel.below.append(...undefinedLayers(map));
  showCursor(panel);
}

// The layers that are hatched, by name and reason.
function undefinedLayers(map) {
  const found = (map.undefined[mapMeasure()] || [{}, {}]).flatMap((reasons, side) => Object.entries(reasons).map(([layer, reason]) => `layer ${layer} of ${data.runs[side ? map.b : map.a].title}${reason ? ` (${reason})` : ""}`));
  return found.length ? [element("p", `Undefined: ${found.slice(0, 8).join("; ")}${found.length > 8 ? `; and ${found.length - 8} more` : ""}.`, { class: "soft" })] : [];
}

function paintMaps() {
  panels.forEach(paintPanel);
  const measure = measureOf(mapMeasure()), range = likenessScale(), shown_ = panels.some((p) => p.cells.rows && !p.difference);
  byId("map-scale").hidden = !shown_;
  byId("map-scale").replaceChildren(scaleBar(range, `${measure.title}${measure.distance ? ": a distance, bright is alike" : ""}`, measure.distance ? "" : "and below", ""));
  byId("map-add").disabled = panels.length >= 4;
  byId("map-difference").disabled = panels.length >= 4 || panels.some((p) => p.difference) || panels.filter((p) => p.cells.rows).length < 2;
  const chosen = byId("layer-map").value;
  byId("layer-map").replaceChildren(...panels.flatMap((p, i) => (p.cells.rows && !p.difference ? [element("option", `${i + 1}: ${p.cells.title}${viewTitle(p.cells.map) ? `, ${viewTitle(p.cells.map)}` : ""}`, { value: i })] : [])));
  if (panels[chosen]?.cells.rows) byId("layer-map").value = chosen;
  panels.forEach((p, i) => { p.number.textContent = p.difference ? "difference" : `map ${i + 1}`; p.remove.hidden = panels.length < 2; });
  byId("maps").dataset.count = panels.length;
}

const valueText = (panel, { row, column }) => {
  const value = panel.cells.rows?.[row][column];
  return value === null || value === undefined ? "undefined" : value.toFixed(3);
};
function showCursor(panel) {
  if (!panel.cells.rows) return;
  panel.mark.replaceChildren();
  panel.readout.textContent = cursor ? `row ${cursor.row}, column ${cursor.column}: ${valueText(panel, cursor)}` : "no cell chosen";
  if (!cursor) return;
  const { row, column } = cursor;
  panel.mark.append(
    svgElement("line", { x1: 0, x2: SIDE, y1: up(row + 0.5), y2: up(row + 0.5) }), svgElement("line", { x1: column + 0.5, x2: column + 0.5, y1: 0, y2: SIDE }),
    svgElement("rect", { x: column - 0.4, y: up(row + 1) - 0.4, width: 1.8, height: 1.8 }),
  );
}
function moveCursor(to) {
  cursor = to;
  panels.forEach(showCursor);
}

// The cell under a pointer, null outside the map.
function cellAt(panel, event) {
  const box = panel.svg.getBoundingClientRect(), unit = (SIDE + MARGIN.left + MARGIN.right) / box.width;
  const column = Math.floor((event.clientX - box.left) * unit - MARGIN.left), row = SIDE - 1 - Math.floor((event.clientY - box.top) * unit - MARGIN.top);
  return column >= 0 && column < SIDE && row >= 0 && row < SIDE ? { row, column } : null;
}
const tip = element("div", null, { class: "map-tip", "aria-hidden": "true" });
tip.hidden = true;
document.body.append(tip);
// Beside a cell's value: what its two layers share with their counterparts, and what two seeds of one arm share there.
function aboutCell(panel, { row, column }) {
  const { rows, map } = panel.cells;
  if (!rows || panel.difference) return [];
  const told = (at) => (rows[at][at] === null ? "undefined" : rows[at][at].toFixed(3));
  const seeds = kindOfPair(map) === 0 ? seedsAt(map, mapMeasure(), row, column) : null;
  return [...(row === column ? ["counterparts"] : [`counterparts: ${row} and ${row} ${told(row)}, ${column} and ${column} ${told(column)}`]), ...(seeds === null ? [] : [`two seeds of one arm here: ${seeds.toFixed(3)}`])];
}
function pointAt(panel, event) {
  const cell = panel.svg ? cellAt(panel, event) : null;
  tip.hidden = !cell;
  if (!cell) return;
  moveCursor(cell);
  const [rows, columns] = namesOf(panel);
  tip.replaceChildren(element("b", valueText(panel, cell)), element("span", `${rows}: ${data.layers[cell.row]}`), element("span", `${columns}: ${data.layers[cell.column]}`), ...aboutCell(panel, cell).map((words) => element("span", words, { class: "soft" })));
  const right = event.clientX + 16 + tip.offsetWidth > innerWidth - 8;
  tip.style.left = `${Math.max(4, right ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16)}px`;
  tip.style.top = `${Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8)}px`;
}

const STEPS_OF = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
function pressKey(panel, event) {
  if (!panel.cells.rows || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = cursor ?? { row: 0, column: 0 }, within = (layer) => Math.max(0, Math.min(SIDE - 1, layer));
  const step = STEPS_OF[event.key];
  if (step) moveCursor(cursor ? { row: within(at.row + step[0] * (event.shiftKey ? 10 : 1)), column: within(at.column + step[1] * (event.shiftKey ? 10 : 1)) } : at);
  else if (event.key === "d" || event.key === "D") moveCursor({ row: at.row, column: at.row });
  else if (event.key === "Home") moveCursor({ row: 0, column: 0 });
  else if (event.key === "End") moveCursor({ row: SIDE - 1, column: SIDE - 1 });
  else if (event.key === "Enter" || event.key === " ") showCard(panel.cells.map, at.row, at.column);
  else return;
  event.preventDefault();
  byId("map-live").textContent = `row ${cursor.row}, column ${cursor.column}: ${valueText(panel, cursor)}`;
}

function addPanel(pair, view, difference = false) {
  const figure = element("figure", null, { class: "map-panel" }), top = element("div", null, { class: "controls" });
  const panel = { pair, view, difference, figure, frame: element("div", null, { class: "map-frame", role: "application", "aria-roledescription": "map of layers", "aria-describedby": "map-help", tabindex: 0 }), below: element("figcaption", null), remove: element("button", "Remove", { type: "button" }), number: element("span", null) };
  const choose = (name, options, value, set) => {
    const select = element("select", null), label = element("label", null);
    select.append(...options.map(([key, text]) => element("option", text, { value: key })));
    select.value = value;
    select.addEventListener("change", () => { set(select.value); paintMaps(); });
    label.append(name, select);
    return label;
  };
  if (difference) top.append(panel.number);
  else {
    top.append(choose(panel.number, mapPairs.map(([key, map]) => [key, mapTitle(map)]), pair, (value) => { panel.pair = value; }));
    if (views.length > 1) top.append(choose("images", views.map(([key, map]) => [key, viewTitle(map)]), view, (value) => { panel.view = value; }));
  }
  top.append(panel.remove);
  panel.remove.addEventListener("click", () => {
    panels.splice(panels.indexOf(panel), 1);
    figure.remove();
    paintMaps();
    byId("map-add").focus();
  });
  figure.append(top, panel.frame, panel.below);
  panel.frame.addEventListener("pointermove", (event) => pointAt(panel, event));
  panel.frame.addEventListener("pointerleave", () => { tip.hidden = true; });
  panel.frame.addEventListener("click", (event) => {
    const cell = panel.svg && panel.cells.rows ? cellAt(panel, event) : null;
    if (!cell) return;
    moveCursor(cell);
    tip.hidden = true;
    showCard(panel.cells.map, cell.row, cell.column);
  });
  panel.frame.addEventListener("keydown", (event) => pressKey(panel, event));
  panels.push(panel);
  byId("maps").append(figure);
}

if (byId("maps") && mapPairs.length) {
  byId("maps").classList.remove("plot");
  choices("map-measure", measureChoices);
  const first = views[0][0], different = mapPairs.filter(([, map]) => kindOfPair(map) === 0), seeds = mapPairs.filter(([, map]) => kindOfPair(map) === 1);
  for (const [pair] of [different[0], seeds[0] ?? different[1]].filter(Boolean)) addPanel(pair, first);
  if (!panels.length) addPanel(mapPairs[0][0], first);
  paintMaps();
  onChange(["map-measure", "map-lines"], paintMaps);
  byId("map-add").addEventListener("click", () => {
    const used = panels.map((p) => p.pair);
    addPanel((mapPairs.find(([pair]) => !used.includes(pair)) ?? mapPairs[0])[0], first);
    paintMaps();
  });
  byId("map-difference").addEventListener("click", () => { addPanel(null, null, true); paintMaps(); });
  byId("layer-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const row = Number(byId("layer-row").value), column = Number(byId("layer-column").value);
    moveCursor({ row, column });
    showCard(panels[byId("layer-map").value].cells.map, row, column);
  });
  whenLookChanges.push(paintMaps);
  whenPrinting.push(() => paintMaps());
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; paintMaps(); } });
}
