// Which measure, images, size and seed a chart shows, and what is known of them.
const measureOf = (name) => data.measures.find((m) => m.key === name);
const same = (item, facts) => Object.entries(facts).every(([name, value]) => item[name] === value);
const one = (items, facts) => items.find((item) => same(item, facts));

// Fills a select with [value, text] and hides it where there is nothing to choose; keeps what was chosen.
function choices(id, pairs) {
  const select = byId(id);
  if (!select) return;
  const before = select.value;
  select.replaceChildren(...pairs.map(([value, text]) => element("option", text, { value })));
  if (pairs.some(([value]) => String(value) === before)) select.value = before;
  select.closest("label").hidden = pairs.length < 2;
}
const probeChoices = data.probes.map((probe, i) => [i, probe.title]);
const sizeChoices = data.sizes.map((size) => [size, `${size} x ${size}`]);
const measureChoices = data.measures.map((m) => [m.key, `${m.title}${m.distance ? " (distance)" : ""}`]);
const seedChoices = data.seeds.map((seed) => [seed, String(seed)]);
