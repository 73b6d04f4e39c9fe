// All that is known of two layers, in a dialog.
const STATISTICS = ["p", "mean", "median", "std", "min", "max"];
const known = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const CHANCES = [["floor_z", 1], ["floor_p", 3], ["floor_q", 3]];
const scrolled = (content) => {
  const holder = element("div", null, { class: "scroll", role: "region", tabindex: 0, "aria-label": content.caption.textContent });
  holder.append(content);
  return holder;
};

// The curve that holds a map's diagonal by a measure, if there is one: arms of one seed.
function curveOf(map, measure) {
  const a = data.runs[map.a], b = data.runs[map.b];
  if (a.arm === b.arm || a.seed !== b.seed) return undefined;
  return data.curves.find((c) => same(c, { probe: map.probe, size: map.size, measure, seed: a.seed, pair: data.pairs.findIndex(([i, j]) => i === a.arm && j === b.arm) }));
}

function pairRow(label, map, measure, row, column) {
  const value = cellsOf(map, measure)?.[row][column], curve = row === column ? curveOf(map, measure) : undefined;
  const exact = curve ? curve.value[row] : value, interval = curve && curve.interval_low[row] !== null ? `${known(curve.interval_low[row])} to ${known(curve.interval_high[row])}` : "–";
  const floor = curve && curve.floor_low[row] !== null ? `${known(curve.floor_low[row])} to ${known(curve.floor_high[row])}` : "–";
  const cell = exact === undefined ? "not on this page" : exact === null ? "undefined" : exact.toFixed(3);
  return row === column ? [...label, cell, interval, floor, ...CHANCES.map(([name, digits]) => known(curve?.[name]?.[row], digits))] : [...label, cell];
}
const PAIR_COLUMNS = ["value", "95 % interval", "floor", "z", "p", "q"];
const columnsOf = (row, column) => (row === column ? PAIR_COLUMNS : ["value"]);

function measureTables(map, row, column) {
  return [[false, "By every similarity measure (larger is more alike)"], [true, "By every distance (smaller is more alike)"]].flatMap(([distance, caption]) => {
    const rows = data.measures.filter((m) => m.distance === distance).map((m) => pairRow([m.title], map, m.key, row, column));
    return rows.length ? [scrolled(table(`${caption}: ${[mapTitle(map), viewTitle(map)].filter(Boolean).join(", ")}`, ["measure", ...columnsOf(row, column)], rows))] : [];
  });
}

// What is known of layers that are no counterparts: what each shares with its own.
function counterpartsTable(map, measure, row, column) {
  const rows = [row, column].map((layer) => pairRow([`${layer} and ${layer}`], map, measure, layer, layer));
  return scrolled(table(`Each of the two layers with its counterpart, ${measureOf(measure).title}`, ["layers", ...PAIR_COLUMNS], rows));
}

function viewsTable(map, measure, row, column) {
  const arms = (m) => `${data.runs[m.a].arm} ${data.runs[m.b].arm} ${data.runs[m.a].seed === data.runs[m.b].seed}`;
  const others = data.maps.filter((m) => arms(m) === arms(map));
  if (others.length < 2) return [];
  const rows = others.map((m) => pairRow([mapTitle(m), data.probes[m.probe].title, String(m.size)], m, measure, row, column));
  return [scrolled(table(`${measureOf(measure).title}, for every seed, probe and size`, ["networks", "images of", "size", ...columnsOf(row, column)], rows))];
}

function effectWords(map, layer) {
  const curve = curveOf(map, "cka_debiased");
  if (!curve) return "";
  const effect = one(data.effects, { probe: map.probe, size: map.size, pair: curve.pair, seed: curve.seed });
  if (!effect) return data.seeds.length > 1 ? "No effect was computed for this pair." : "One seed only: there is no ceiling, so no effect.";
  const range = (name) => `${known(effect[name][layer])} (${known(effect[`${name}_low`][layer])} to ${known(effect[`${name}_high`][layer])})`;
  if (effect.effect[layer] === null) return `Effect: undefined, ${effect.reasons[effect.reason[layer]] || "no reason is given"}.`;
  return `Effect: ${range("effect")} of what two seeds share (floor 0, ceiling 1). Shortfall: ${range("shortfall")} below two seeds, which reach ${known(effect.ceiling[layer])} (each pair of seeds: ${known(effect.ceiling_min[layer])} to ${known(effect.ceiling_max[layer])}). Debiased CKA, 95 % intervals.`;
}

function seedsWords(map, row, column) {
  const seeds = kindOfPair(map) === 0 ? seedsAt(map, mapMeasure(), row, column) : null;
  return seeds === null ? "What two seeds of one arm share at this cell is not on this page." : `Two seeds of one arm share ${seeds.toFixed(3)} at this cell (${measureOf(mapMeasure()).title}, mean over arms).`;
}

function statisticsTable(map, row, column) {
  const rows = [[map.a, row], [map.b, column]].flatMap(([run, layer]) => data.statistics
    .filter((s) => s.arm === data.runs[run].arm && s.seed === data.runs[run].seed)
    .map((s) => [`${data.runs[run].title}, layer ${layer}`, data.probes[s.probe].title, String(s.size), ...STATISTICS.map((name) => shown(s[name][layer]))]));
  return rows.length ? [scrolled(table("What the two layers put out", ["layer", "images of", "size", "features", ...STATISTICS.slice(1)], rows))] : [];
}

function place(run, layer) {
  const from = data.network.inputs[layer].map((i) => (i < 0 ? "the image" : `layer ${i}`)).join(" and ");
  return `${data.runs[run].title}: ${data.layers[layer]}; reads ${from}; ${layer <= data.network.backboneLast ? "backbone" : "head"}.`;
}

function showCard(map, row, column) {
  const card = byId("layer-card"), close = element("button", "Close", { type: "button", class: "close" });
  close.addEventListener("click", () => card.close());
  const effect = row === column ? effectWords(map, row) : "";
  card.replaceChildren(
    close, element("h4", `Layer ${row} against layer ${column}`, { id: "card-title" }), element("p", place(map.a, row)), element("p", place(map.b, column)),
    ...(effect ? [element("p", effect, { class: "effect" })] : []), ...measureTables(map, row, column), ...(row === column ? [] : [element("p", seedsWords(map, row, column)), counterpartsTable(map, mapMeasure(), row, column)]), ...viewsTable(map, mapMeasure(), row, column), ...statisticsTable(map, row, column),
    element("p", row === column ? "Floor and interval as in the curves above." : "Floor, interval and effect are of layers with their counterparts: of this cell the value is known, and what two seeds share.", { class: "soft" }),
  );
  if (!card.open) card.showModal();
}
byId("layer-card")?.addEventListener("click", (event) => { if (event.target === byId("layer-card")) byId("layer-card").close(); });
