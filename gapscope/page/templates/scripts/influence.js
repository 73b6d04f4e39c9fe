// Activations: the images on which two networks agree most and least.
const influenceLayers = () => [[-1, "mean over all layers"], ...LAYERS.map((i) => [i, `layer ${data.layers[i]}`])];
const signed = (value) => `${value > 0 ? "+" : ""}${value.toPrecision(2)}`;

function influenceItem(image, value) {
  const item = element("li", null), { path, picture } = data.influence.images[image];
  const name = path.split("/").pop();
  if (picture) item.append(element("img", null, { src: picture, alt: name, loading: "lazy" }));
  else item.append(element("div", data.influence.here ? "no picture on this page" : "not on this machine", { class: "no-picture" }));
  item.append(element("b", signed(value)), element("span", name, { class: "soft", title: path }));
  return item;
}

function influenceList(title, flat) {
  const holder = element("div", null), list = element("ul", null, { class: "influence" });
  for (let at = 0; at < flat.length; at += 2) list.append(influenceItem(flat[at], flat[at + 1]));
  holder.append(element("h4", title), list);
  return holder;
}

function showInfluence() {
  const facts = { pair: Number(byId("influence-pair").value), probe: Number(byId("influence-probe").value), seed: Number(byId("influence-seed").value) };
  const layer = Number(byId("influence-layer").value), found = one(data.influence.pairs, facts), place_ = byId("influence");
  byId("influence-slider").value = layer;
  byId("influence-slider").setAttribute("aria-valuetext", layer < 0 ? "mean over all layers" : `layer ${data.layers[layer]}`);
  const flat = found && (layer < 0 ? found.mean : found.layers[layer]);
  if (!flat || !flat.length) {
    place_.replaceChildren(element("p", found ? "CKA is undefined at this layer, so no image has an influence on it." : "These networks were not compared on these images.", { class: "missing" }));
    return;
  }
  place_.replaceChildren(influenceList("Most alike on", flat.slice(0, flat.length / 2)), influenceList("Least alike on", flat.slice(flat.length / 2)));
  if (!data.influence.here) place_.append(element("p", "The probe images are not on this machine as the run read them, so none are shown.", { class: "missing" }));
}

if (byId("influence")) {
  if (data.influence.pairs.length) {
    choices("influence-pair", data.pairs.map(([a, b], i) => [i, `${data.arms[a]} vs ${data.arms[b]}`]));
    choices("influence-probe", probeChoices);
    choices("influence-seed", seedChoices);
    choices("influence-layer", influenceLayers());
    onChange(["influence-pair", "influence-probe", "influence-seed", "influence-layer"], showInfluence);
    byId("influence-slider").addEventListener("input", () => { byId("influence-layer").value = byId("influence-slider").value; showInfluence(); });
    showInfluence();
  } else {
    byId("influence-controls").hidden = true;
    byId("influence").append(element("p", "No influence was computed in this run: its stage compare ran before gapscope did so. Run the study again.", { class: "missing" }));
  }
}
