// The live view: asks for the run's state every other second, and loads the report again when it would say something new.
const EVERY = 2000, PATIENCE = 60000;
let state = data.state, curves = state.curves || [], curvesVersion = state.curvesVersion || "", reportShown = null, frame = null;

function say(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;  // a screen reader speaks only what changes
}

function ago(seconds) {
  return seconds < 90 ? `${Math.max(0, Math.round(seconds))} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

const unitName = (stage) => (stage.following || "").replace(`${stage.name}/`, "");

function current() {
  const stage = state.stages.find((one) => one.done < one.total);
  if (!stage) return "All stages are done.";
  const left = stage.left ? `, ${stage.left} left in this stage` : "";
  const trainings = stage.name === "train" ? state.trainings.map((t) => ` ${t.title}, seed ${t.seed}: epoch ${t.epoch} of at most ${t.epochs}.`).join("") : "";
  const next = trainings ? "" : ` Next: ${unitName(stage)}.`;
  return `Stage ${stage.name}: ${stage.done} of ${stage.total} done${left}.${next}${trainings}`;
}

function showState() {
  if (state.problem) {
    say("now", state.problem);
    say("written", "This page goes on looking.");
    return;
  }
  document.title = `${state.done ? "done" : `${state.stages.filter((s) => s.done === s.total).length}/${state.stages.length}`} - ${state.title} - gapscope watch`;
  say("title", state.title);
  say("now", current());
  say("written", state.done ? "Everything is in the run folder; report.html there is the page below." : `A file was last written ${ago(state.now - state.changed)} ago.`);
  byId("stages").replaceChildren(...state.stages.map((s) => {
    const item = element("li", null, { class: s.done === s.total ? "whole" : s.done ? "begun" : "" });
    item.append(element("span", s.name), element("span", `${s.done}/${s.total}`, { class: "soft" }), element("progress", null, { value: s.done, max: s.total, "aria-label": `${s.name}: ${s.done} of ${s.total}` }));
    return item;
  }));
  const stages = table("Stages", ["stage", "done", "took", "left", "next"], state.stages.map((s) => [s.name, `${s.done}/${s.total}`, s.took, s.left, unitName(s)]));
  const rows = state.trainings.map((t) => [`${t.title}, seed ${t.seed}`, `${t.epoch}/${t.epochs}`, shown(t.loss), t.val_map50 === null ? "" : shown(t.val_map50, 3), t.best_map50 === null ? "" : shown(t.best_map50, 3), t.left]);
  const trainings = rows.length ? [table("Trainings that have begun and are not done; left: if none ends early", ["training", "epoch", "loss", "validation mAP@0.5", "best", "left"], rows)] : [];
  byId("tables").replaceChildren(...[...trainings, stages].map((content) => {
    const holder = element("div", null, { class: "scroll" });
    holder.append(content);
    return holder;
  }));
}

// A training's colour and sign are its arm's, its line its seed's: the same in both charts and in the legend below them.
function styleOf(t) {
  const seeds = [...new Set(curves.map((one) => one.seed))].sort((a, b) => a - b);
  return { color: COLORS[t.arm % COLORS.length], symbol: SYMBOLS[Math.floor(t.arm / COLORS.length) % SYMBOLS.length], dash: seeds.indexOf(t.seed) % DASHES.length };
}
const DASH_LENGTHS = ["none", "6 4", "6 3 2 3", "2 3", "10 4", "10 3 2 3"];  // DASHES, as SVG has them
const SIGNS = { circle: "M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0", diamond: "M0-5L5 0L0 5L-5 0Z", square: "M-4-4H4V4H-4Z", "triangle-up": "M0-5L5 4H-5Z", x: "M-4-4L4 4M4-4L-4 4", star: "M0-5L3 5L-5-1H5L-3 5Z" };

// One legend for both charts, of lines of text that wrap: ten trainings in a chart's own legend leave no room for its curves.
function showLegend() {
  const part = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  byId("live-legend").replaceChildren(...curves.map((t) => {
    const { color, symbol, dash } = styleOf(t), item = element("li", null), sign = part("svg", { width: 36, height: 12, viewBox: "-18 -6 36 12", "aria-hidden": "true" });
    sign.append(part("path", { d: "M-17 0H17", stroke: color, "stroke-width": 2, "stroke-dasharray": DASH_LENGTHS[dash] }), part("path", { d: SIGNS[symbol], fill: color, stroke: color }));
    item.append(sign, element("span", `${t.title}, seed ${t.seed}`));
    return item;
  }));
}

function curve(id, name, title) {
  return draw(id, () => ({
    traces: curves.map((t) => {
      const { color, symbol, dash } = styleOf(t);
      return {
        type: "scatter", mode: "lines+markers", x: t.epoch, y: t[name], connectgaps: true, name: plain(`${t.title}, seed ${t.seed}`), showlegend: false,
        line: { color, dash: DASHES[dash] }, marker: { size: 6, symbol },
        hovertemplate: "epoch %{x}: %{y:.4g}<extra>" + plain(`${t.title}, seed ${t.seed}`) + "</extra>",
      };
    }),
    shape: { uirevision: "kept", margin: { l: 56, r: 12, t: 10, b: 44 }, xaxis: { title: { text: "epoch", standoff: 8 } }, yaxis: { title: { text: title }, rangemode: "tozero" } },
  }));
}
const redrawCurves = [curve("plot-live-loss", "loss", "training loss"), curve("plot-live-val", "val_map50", "validation mAP")];

// What a reader has chosen on a report, so that the next one can be shown as this one was.
// A field without an id is known by its section, its summary, and how many like it come before.
function fields(page) {
  const seen = new Map();
  return [...page.querySelectorAll("select, input, details")].map((field) => {
    const place = `${field.closest("section")?.id} ${field.querySelector("summary")?.textContent ?? field.name}`;
    seen.set(place, (seen.get(place) ?? 0) + 1);
    return [field.id || `${place} ${seen.get(place)}`, field];
  });
}
function choices(page) {
  const values = fields(page).map(([name, f]) => [name, f.tagName === "DETAILS" ? f.open : f.type === "checkbox" || f.type === "radio" ? f.checked : f.value]);
  const sections = [...page.querySelectorAll("main section[id]")], top = (s) => s.getBoundingClientRect().top;
  const at = sections.filter((s) => top(s) <= 80).at(-1);
  return { values: new Map(values), section: at?.id, offset: at ? top(at) : -page.defaultView.scrollY };
}
function choose(page, before) {
  for (const [name, field] of fields(page)) {
    if (!before.values.has(name)) continue;
    const value = before.values.get(name), kind = field.tagName === "DETAILS" ? "open" : typeof value === "boolean" ? "checked" : "value";
    if (field[kind] === value || (field.tagName === "SELECT" && ![...field.options].some((o) => o.value === value))) continue;
    field[kind] = value;
    if (kind !== "open") for (const event of ["input", "change"]) field.dispatchEvent(new Event(event, { bubbles: true }));
  }
  stay(page, before);
}
// Charts in what is opened are drawn later and push down what is below: the reader's place is held until the reader moves.
function stay(page, before) {
  const section = before.section && page.getElementById(before.section), view = page.defaultView;
  const hold = () => {
    const top = section ? view.scrollY + section.getBoundingClientRect().top - before.offset : -before.offset;
    view.scrollTo({ top, behavior: "instant" });
  };
  const grows = new view.ResizeObserver(hold);
  grows.observe(page.body);
  for (const moves of ["wheel", "touchstart", "pointerdown", "keydown"]) view.addEventListener(moves, () => grows.disconnect(), { once: true });
  view.setTimeout(() => grows.disconnect(), PATIENCE);
  hold();
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The new report is made ready behind the old one, and takes its place in one step.
async function loadReport(version) {
  const next = element("iframe", null, { title: "The report so far", src: `/report?${encodeURIComponent(version)}`, class: "behind" });
  const loaded = new Promise((done) => next.addEventListener("load", done, { once: true }));
  byId("report").append(next);
  await loaded;
  for (let waited = 0; waited < PATIENCE && !next.contentDocument.documentElement.dataset.ready; waited += 50) {
    if (!next.contentDocument.querySelector("script:not([type])")) break;  // a page that says why there is no report
    await pause(50);
  }
  if (frame) choose(next.contentDocument, choices(frame.contentDocument));
  next.classList.remove("behind");
  frame?.remove();
  frame = next;
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(`/state?seen=${encodeURIComponent(curvesVersion)}`);
    if (!answer.ok) throw new Error(`the server says ${answer.status}`);
    state = await answer.json();
  } catch (error) {
    say("written", `No answer from gapscope watch (${error.message}): it has ended, or this machine sleeps. What is shown is what it said last.`);
    return;
  }
  showState();
  if (state.curves) {
    [curves, curvesVersion] = [state.curves, state.curvesVersion];
    redrawCurves.forEach((redraw) => redraw?.());
    showLegend();
  }
  if (!state.problem && state.report !== reportShown) {
    reportShown = state.report;
    await loadReport(state.report);
  }
}

byId("more").open = innerWidth >= 900 && innerHeight >= 700 && remembered.get("gapscope-live-more") !== "closed";
byId("more").addEventListener("toggle", () => remembered.set("gapscope-live-more", byId("more").open ? "open" : "closed"));
showState();
showLegend();
(async () => { for (;;) { await look(); await pause(EVERY); } })().catch(cannotDraw);
