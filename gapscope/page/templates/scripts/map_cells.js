// Where: which maps there are, and the cells that each shows.
const SIDE = LAYERS.length;

// Low bytes of all cells, then their high bytes; see gapscope/page/grid_packing.py.
function unpack({ step, cells }) {
  const bytes = atob(cells), count = bytes.length / 2, rows = [];
  for (let at = 0; at < count; at += SIDE) {
    rows.push(Array.from({ length: SIDE }, (_, j) => {
      const value = ((bytes.charCodeAt(at + j) | (bytes.charCodeAt(count + at + j) << 8)) << 16) >> 16;
      return value === UNDEFINED ? null : value * step;
    }));
  }
  return rows;
}
// The cells of a map by a measure, null if the page does not hold them.
const cellsOf = (map, measure) => (map.values[measure] ? (map.values[measure].rows ??= unpack(map.values[measure])) : null);
const mapTitle = (map) => `${data.runs[map.a].title} vs ${data.runs[map.b].title}`;
const viewTitle = (map) => [data.probes.length > 1 ? data.probes[map.probe].title : "", data.sizes.length > 1 ? `${map.size} px` : ""].filter(Boolean).join(", ");
const mapFile = (map) => `similarity/${data.runs[map.a].name}--${data.runs[map.b].name}--${data.probes[map.probe].name}-${map.size}.nc`;

const mapPairs = [...new Map(data.maps.map((map) => [`${map.a} ${map.b}`, map])).entries()]
  .sort(([, x], [, y]) => kindOfPair(x) - kindOfPair(y) || data.runs[x.a].seed - data.runs[y.a].seed);
function kindOfPair(map) {
  const a = data.runs[map.a], b = data.runs[map.b];
  return a.arm !== b.arm ? 0 : a.seed !== b.seed ? 1 : 2;
}
// What two seeds of these arms share at a cell, mean over arms and seeds; null where no such map is on the page.
function seedsAt(map, measure, row, column) {
  const arms = [data.runs[map.a].arm, data.runs[map.b].arm];
  const values = data.maps.filter((m) => kindOfPair(m) === 1 && m.probe === map.probe && m.size === map.size && arms.includes(data.runs[m.a].arm))
    .flatMap((m) => { const cells = cellsOf(m, measure); return cells ? [cells[row][column], cells[column][row]] : []; }).filter((value) => value !== null);
  return values.length ? values.reduce((a, b) => a + b) / values.length : null;
}
const views = [...new Map(data.maps.map((map) => [`${map.probe} ${map.size}`, map])).entries()];
const mapMeasure = () => byId("map-measure").value;

const panels = [];  // one per map shown
let cursor = null;  // { row, column }, the same in every map

// What a panel shows: { title, rows, range, map } or { title, reason }.
function panelCells(panel) {
  if (panel.difference) return differenceCells();
  const map = data.maps.find((m) => `${m.a} ${m.b}` === panel.pair && `${m.probe} ${m.size}` === panel.view);
  if (!map) return { title: "", reason: "These networks were not compared on these images at this size." };
  const rows = cellsOf(map, mapMeasure());
  if (!rows) return { map, title: mapTitle(map), reason: `The page does not hold this map's cells, to stay small; ${mapFile(map)} does.` };
  return { map, rows, title: mapTitle(map), range: likenessScale() };
}
function likenessScale() {
  const measure = measureOf(mapMeasure());
  const highest = measure.high ?? Math.max(...data.maps.flatMap((m) => (m.values[measure.key] ? cellsOf(m, measure.key).flat() : [0])));
  return { scale: VIRIDIS, low: 0, high: measure.distance ? highest : 1, flipped: measure.distance };
}
function differenceCells() {
  const [first, second] = panels.filter((p) => !p.difference).map(panelCells);
  if (!first?.rows || !second?.rows) return { title: "Difference", reason: "A difference needs two maps." };
  const rows = first.rows.map((row, i) => row.map((v, j) => (v === null || second.rows[i][j] === null ? null : v - second.rows[i][j])));
  const most = Math.max(0.05, ...rows.flat().map((v) => Math.abs(v ?? 0)));
  return { rows, map: first.map, other: second.map, title: "Map 1 minus map 2", range: { scale: BLUE_RED, low: -most, high: most, flipped: false } };
}

const differenceEnds = () => {
  const ends = ["(map 1 less alike)", "(map 1 more alike)"];
  return measureOf(mapMeasure()).distance ? ends.reverse() : ends;
};

// The cells as a picture of one pixel each; undefined ones are transparent, so that the hatching shows.
function pixels(rows, range) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d"), image = context.createImageData(SIDE, SIDE);
  rows.forEach((row, i) => row.forEach((value, j) => {
    if (value === null) return;
    image.data.set([...colourOf(range, value), 255], 4 * ((SIDE - 1 - i) * SIDE + j));
  }));
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}
